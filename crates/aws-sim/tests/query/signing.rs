//! A signer of its own, so that the simulator's verifier is not judged by itself.

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use trust::Secret;

/// What a client signs with.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret,
    pub(crate) session_token: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// The headers that sign `POST /` with a form body.
pub(crate) fn headers(
    with: &Credentials,
    host: &str,
    (service, region): (&str, &str),
    body: &str,
    at: Timestamp,
) -> Vec<(&'static str, String)> {
    let date = at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &date[..8];
    let mut headers = vec![("host", host.to_owned()), ("x-amz-date", date.clone())];
    if let Some(token) = &with.session_token {
        headers.push(("x-amz-security-token", token.clone()));
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let listed: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let payload = hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
    let canonical = format!("POST\n/\n\n{listed}\n{names}\n{payload}");
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{}", with.secret.expose()).into_bytes();
    for part in [day, region, service, "aws4_request"] {
        key = sign(&key, part);
    }
    let signature = hex(&sign(&key, &to_sign));
    headers.push((
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            with.access_key_id
        ),
    ));
    headers
}
