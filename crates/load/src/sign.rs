//! Signature Version 4 as a client computes it, by itself: the verifier is not judged with its own code.

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use trust::Secret;

const REGION: &str = "us-east-1";

/// Access keys, of a user or of a session.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret,
    pub(crate) session_token: Option<Secret>,
}

/// What is sent, without its signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: &'a [u8],
    /// Tells requests apart that are alike in all else, as the SDKs' `amz-sdk-invocation-id` does.
    pub(crate) number: u64,
}

/// Signs for one service with one key; the key that is derived from it is computed once a day.
#[derive(Debug)]
pub(crate) struct Signer {
    credentials: Credentials,
    service: &'static str,
    derived: Option<(String, hmac::Key)>,
}

impl Signer {
    pub(crate) fn new(credentials: Credentials, service: &'static str) -> Signer {
        Signer { credentials, service, derived: None }
    }

    /// The bytes of the signed HTTP/1.1 request.
    pub(crate) fn request(&mut self, what: &Unsigned<'_>, at: Timestamp) -> Vec<u8> {
        let date = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let payload = hex(digest::digest(&digest::SHA256, what.body).as_ref());
        let mut names = "amz-sdk-invocation-id;host;x-amz-content-sha256;x-amz-date".to_owned();
        let mut headers = format!(
            "amz-sdk-invocation-id:{:016x}\nhost:{}\nx-amz-content-sha256:{payload}\nx-amz-date:{date}\n",
            what.number, what.host
        );
        if let Some(token) = &self.credentials.session_token {
            names += ";x-amz-security-token";
            headers += &format!("x-amz-security-token:{}\n", token.expose());
        }
        let canonical = format!("{}\n{}\n\n{headers}\n{names}\n{payload}", what.method, what.path);
        let scope = format!("{}/{REGION}/{}/aws4_request", &date[..8], self.service);
        let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
        let signature = hex(hmac::sign(self.key(&date[..8]), to_sign.as_bytes()).as_ref());
        let credential = format!("{}/{scope}", self.credentials.access_key_id);
        let mut text = format!(
            "{} {} HTTP/1.1\r\nauthorization:AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}\r\n",
            what.method, what.path
        );
        for line in headers.lines() {
            text += line;
            text += "\r\n";
        }
        finish(text, what.content_type, what.method != "GET", what.body)
    }

    fn key(&mut self, day: &str) -> &hmac::Key {
        if self.derived.as_ref().is_some_and(|(derived, _)| derived != day) {
            self.derived = None;
        }
        let (credentials, service) = (&self.credentials, self.service);
        let derive = || {
            let seed = format!("AWS4{}", credentials.secret.expose()).into_bytes();
            let key = [day, REGION, service, "aws4_request"].iter().fold(seed, |key, part| {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
            });
            (day.to_owned(), hmac::Key::new(hmac::HMAC_SHA256, &key))
        };
        &self.derived.get_or_insert_with(derive).1
    }
}

/// The bytes of a form that nobody signed.
pub(crate) fn unsigned_form(host: &str, body: &str) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nhost:{host}\r\n");
    finish(head, Some(FORM), true, body.as_bytes())
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

fn finish(mut text: String, content_type: Option<&str>, has_body: bool, body: &[u8]) -> Vec<u8> {
    if let Some(kind) = content_type {
        text += &format!("content-type:{kind}\r\n");
    }
    if has_body {
        text += &format!("content-length:{}\r\n", body.len());
    }
    text += "\r\n";
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Parameters as a form.
pub(crate) fn form(parameters: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        text += name;
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text += &format!("%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_a_signature_of_its_own() {
        let credentials = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        };
        let mut signer = Signer::new(credentials, "s3");
        let mut request = |number, day: &str| {
            let what =
                Unsigned { method: "GET", path: "/b/k", host: "127.0.0.1:1", content_type: None, body: b"", number };
            let at: Timestamp = format!("{day}T00:00:00Z").parse().expect("a timestamp");
            String::from_utf8(signer.request(&what, at)).expect("must be text")
        };
        let signature = |text: &str| text.split("Signature=").nth(1).expect("a signature")[..64].to_owned();
        let (one, two, later) = (request(1, "2013-05-24"), request(2, "2013-05-24"), request(1, "2013-05-25"));
        assert_ne!(signature(&one), signature(&two));
        assert_ne!(signature(&one), signature(&later));
        assert_eq!(one, request(1, "2013-05-24"), "the derived key must follow the day");
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form(&[("A", "x:y/z"), ("B", "a.b-c_d~")]), "A=x%3Ay%2Fz&B=a.b-c_d~");
    }
}
