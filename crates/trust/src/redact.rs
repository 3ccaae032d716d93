//! Takes secrets out of text that people will see.

use std::borrow::Cow;

/// Shortest third part of a dotted base64url triple that counts as a signature.
const MIN_SIGNATURE: usize = 20;

/// Replaces token signatures, values of credential fields and credentials in URLs by `<redacted>`.
///
/// Header and claims of a token stay readable: they are what a diagnosis needs, and are worth nothing without the signature.
///
/// ```
/// let line = "aws_secret_access_key=wJalrXUtnFEMI next";
/// assert_eq!(trust::redact(line), "aws_secret_access_key=<redacted> next");
/// ```
pub fn redact(text: &str) -> Cow<'_, str> {
    let once = signatures(text);
    let twice = match fields(&once) {
        Cow::Borrowed(_) => once,
        Cow::Owned(changed) => Cow::Owned(changed),
    };
    match url_passwords(&twice) {
        Cow::Borrowed(_) => twice,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn signatures(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    // Every JSON object that starts with `{"` begins so in base64url.
    while let Some(at) = rest.find("eyJ") {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c| !is_token_char(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        out.push_str(before);
        match word.splitn(3, '.').collect::<Vec<_>>()[..] {
            [header, claims, signature] if signature.len() >= MIN_SIGNATURE => {
                out.push_str(&format!("{header}.{claims}.<redacted>"));
                changed = true;
            }
            _ => out.push_str(word),
        }
        rest = after;
    }
    if changed {
        out.push_str(rest);
        Cow::Owned(out)
    } else {
        Cow::Borrowed(text)
    }
}

/// Names whose value is a secret, however they are written: lower case, with `_`, `-` and spaces dropped.
const FIELDS: [&str; 9] = [
    "secretaccesskey",
    "secretkey",
    "sessiontoken",
    "securitytoken",
    "clientsecret",
    "accesstoken",
    "password",
    "proxyauthorization",
    "privatekey",
];

fn fields(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some((start, end)) = next_field_value(text, at) {
        out.push_str(&text[copied..start]);
        out.push_str("<redacted>");
        copied = end;
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The next `name: value`, `name=value`, `"name":"value"` or `<name>value<` whose name is in [`FIELDS`], as the value's span.
fn next_field_value(text: &str, from: usize) -> Option<(usize, usize)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut at = from;
    while at < text.len() {
        let start = at + text[at..].find(is_name)?;
        let end = start + text[start..].find(|c| !is_name(c)).unwrap_or(text.len() - start);
        let plain: String =
            text[start..end].chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        if FIELDS.iter().any(|field| plain.ends_with(field)) {
            let tail = &text[end..];
            let value = tail.trim_start_matches(['"', '\'', ' ']).strip_prefix([':', '=', '>']);
            if let Some(value) = value {
                let value = value.trim_start_matches([' ', '"', '\'']);
                let value_start = text.len() - value.len();
                let length = value.find(['"', '\'', ' ', '\n', '&', '<', ',', '}', ';']).unwrap_or(value.len());
                if length > 0 && !value.starts_with("<redacted>") {
                    return Some((value_start, value_start + length));
                }
            }
        }
        at = end;
    }
    None
}

fn url_passwords(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find("://") {
        let (before, from) = rest.split_at(at + 3);
        out.push_str(before);
        let authority_end = from.find(['/', ' ', '"', '\n', '?']).unwrap_or(from.len());
        let authority = &from[..authority_end];
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
            Some((user, host)) => {
                out.push_str(&format!("{user}:<redacted>@{host}"));
                changed = true;
            }
            None => out.push_str(authority),
        }
        rest = &from[authority_end..];
    }
    if changed {
        out.push_str(rest);
        Cow::Owned(out)
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_out_what_gives_access_and_leaves_the_rest() {
        let check = |text: &str, expected: &str| assert_eq!(redact(text), expected);
        check("nothing to hide", "nothing to hide");
        check(
            "t=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.AAAAAAAAAAAAAAAAAAAAAAAA end",
            "t=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.<redacted> end",
        );
        check(r#"{"SecretAccessKey":"abc","x":1}"#, r#"{"SecretAccessKey":"<redacted>","x":1}"#);
        check("<SessionToken>abc</SessionToken>", "<SessionToken><redacted></SessionToken>");
        check("AWS_SECRET_ACCESS_KEY=abc def", "AWS_SECRET_ACCESS_KEY=<redacted> def");
        check("X-Amz-Security-Token: abc", "X-Amz-Security-Token: <redacted>");
        check("x?X-Amz-Security-Token=abc&y=1", "x?X-Amz-Security-Token=<redacted>&y=1");
        check("proxy http://pod:hunter2@127.0.0.1:80/ end", "proxy http://pod:<redacted>@127.0.0.1:80/ end");
        check("https://host/a@b", "https://host/a@b");
        check("session token missing", "session token missing");
    }

    #[test]
    fn doing_it_twice_changes_nothing_more() {
        let text = "password=abc eyJh.eyJi.AAAAAAAAAAAAAAAAAAAAAAAA http://u:p@h/";
        let once = redact(text).into_owned();
        assert_eq!(redact(&once), once);
    }
}
