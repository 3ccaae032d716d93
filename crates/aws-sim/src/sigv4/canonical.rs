//! The canonical request of Signature Version 4: one text for all spellings of the same request.
//! Must not know keys or credentials.

use std::borrow::Cow;

use http::HeaderMap;
use http::request::Parts;

/// How a service turns the path into its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathRule {
    /// S3: the key as it is, encoded once; no segment is removed.
    AsIs,
    /// All others: `.`, `..` and empty segments removed, then the encoded path encoded once more.
    Normalized,
}

/// The canonical request.
pub(super) fn request(parts: &Parts, signed: &[String], payload_hash: &str, rule: PathRule) -> String {
    let path = path(parts.uri.path(), rule);
    let query = query(parts.uri.query().unwrap_or(""));
    let headers = headers(&parts.headers, signed);
    format!("{}\n{path}\n{query}\n{headers}\n{}\n{payload_hash}", parts.method, signed.join(";"))
}

fn path(raw: &str, rule: PathRule) -> String {
    match rule {
        PathRule::AsIs => percent_encode(&percent_decode(raw), true),
        PathRule::Normalized => {
            let mut kept: Vec<&str> = Vec::new();
            for segment in raw.split('/') {
                match segment {
                    "" | "." => {}
                    ".." => {
                        kept.pop();
                    }
                    other => kept.push(other),
                }
            }
            let end = if raw.ends_with('/') && !kept.is_empty() { "/" } else { "" };
            format!("/{}{end}", percent_encode(kept.join("/").as_bytes(), true))
        }
    }
}

fn query(raw: &str) -> String {
    let mut pairs: Vec<(String, String)> = query_pairs(raw)
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (percent_encode(name.as_bytes(), false), percent_encode(value.as_bytes(), false)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// The decoded parameters of a query, in their order.
pub(crate) fn query_pairs(raw: &str) -> impl Iterator<Item = (String, String)> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |part: &str| {
            if !part.contains(['+', '%']) {
                return part.to_owned();
            }
            let spaced = part.replace('+', " ");
            String::from_utf8_lossy(&percent_decode(&spaced)).into_owned()
        };
        (text(name), text(value))
    })
}

fn headers(map: &HeaderMap, signed: &[String]) -> String {
    let mut text = String::new();
    for name in signed {
        text.push_str(name);
        text.push(':');
        for (index, value) in map.get_all(name).iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            for (index, word) in value.split_ascii_whitespace().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
        text.push('\n');
    }
    text
}

/// Encodes every byte but letters, digits and `-._~`, and `/` if it is kept.
pub(crate) fn percent_encode(bytes: &[u8], keep_slash: bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    text
}

/// Decodes `%41`; anything that is not a percent-encoded byte stays.
pub(crate) fn percent_decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let bytes = text.as_bytes();
    let nibble = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], nibble(at + 1), nibble(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits fit a byte.
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(decoded)
}
