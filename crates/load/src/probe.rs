//! What must be refused, tried beside every repetition: a figure is worth something only where the work was done.

use anyhow::Result;
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::issuer::Issuer;
use crate::sign::{Credentials, Signer};
use crate::world::{self, Place};

/// A request that must be refused, and how.
struct Probe {
    title: &'static str,
    request: Vec<u8>,
    outcome: &'static str,
}

/// What came of one of them.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    pub(crate) title: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) found: String,
}

impl Probed {
    pub(crate) fn is_refused(&self) -> bool {
        self.found == self.expected
    }
}

/// Tokens that must not be taken, made before anything is measured.
#[derive(Debug)]
pub(crate) struct Refusable(Vec<(&'static str, String, &'static str)>);

impl Refusable {
    pub(crate) fn of(issuer: &Issuer) -> Result<Refusable> {
        let good = issuer.claims(0);
        let with = |member: &str, value: Value| {
            let mut claims = good.clone();
            claims[member] = value;
            claims
        };
        let subject = with("sub", json!("system:serviceaccount:shop:writer"));
        let hour_ago = good["iat"].as_i64().unwrap_or_default() - 3600;
        Ok(Refusable(vec![
            ("a token signed by another key", issuer.forge(&good)?, "400 InvalidIdentityToken"),
            ("a token changed after it was signed", spliced(issuer, &good, &subject)?, "400 InvalidIdentityToken"),
            (
                "a token for another audience",
                issuer.sign(&with("aud", json!(["https://kubernetes.default.svc"])))?,
                "400 InvalidIdentityToken",
            ),
            ("a token that has expired", issuer.sign(&with("exp", json!(hour_ago)))?, "400 ExpiredTokenException"),
            ("a token of another service account", issuer.sign(&subject)?, "403 AccessDenied"),
        ]))
    }

    /// Tries them, and reads that the credentials are not good for.
    pub(crate) fn try_all(&self, place: &Place, credentials: &Credentials) -> Result<Vec<Probed>> {
        let tokens = self.0.iter().map(|(title, token, outcome)| Probe {
            title,
            request: place.exchange(token, "refused"),
            outcome,
        });
        let mut signer = Signer::new(credentials.clone(), "s3");
        let read = place.read(&mut signer, 0);
        let closed = place.read_path(&mut signer, world::CLOSED, 1);
        let mut strange = Signer::new(with_changed_token(credentials), "s3");
        let reads = [
            Probe {
                title: "a read whose signature was changed",
                request: changed(&read, b"Signature="),
                outcome: "403 SignatureDoesNotMatch",
            },
            Probe {
                title: "a read of an object whose key was changed after it was signed",
                request: replaced(&read, b"/load/open/0 ", b"/load/open/1 "),
                outcome: "403 SignatureDoesNotMatch",
            },
            Probe {
                title: "a read with a changed session token",
                request: place.read(&mut strange, 2),
                outcome: "400 InvalidToken",
            },
            Probe {
                title: "a read of an object that the role may not read",
                request: closed,
                outcome: "403 AccessDenied",
            },
        ];
        let mut connection = Connection::new(place.addr);
        let send = |probe: Probe| {
            let found = connection.send(&probe.request)?.outcome();
            Ok(Probed { title: probe.title, expected: probe.outcome, found })
        };
        tokens.chain(reads).map(send).collect()
    }
}

/// Header and signature of one token, with the claims of another.
fn spliced(issuer: &Issuer, signed: &Value, claimed: &Value) -> Result<String> {
    let (signed, claimed) = (issuer.sign(signed)?, issuer.sign(claimed)?);
    let parts: Vec<&str> = signed.split('.').collect();
    let claims = claimed.split('.').nth(1).unwrap_or_default();
    Ok([parts[0], claims, parts[parts.len() - 1]].join("."))
}

fn with_changed_token(credentials: &Credentials) -> Credentials {
    let token = credentials.session_token.as_ref().map(|token| {
        // Within what the token is authenticated with, and still base64.
        let (head, tail) = token.expose().split_at(token.expose().len() / 2);
        let other = if tail.starts_with('A') { "B" } else { "A" };
        trust::Secret::new(format!("{head}{other}{}", tail.get(1..).unwrap_or_default()))
    });
    Credentials { session_token: token, ..credentials.clone() }
}

/// The byte after `mark` is another hexadecimal digit.
fn changed(request: &[u8], mark: &[u8]) -> Vec<u8> {
    let mut request = request.to_vec();
    if let Some(at) = position(&request, mark) {
        let digit = &mut request[at + mark.len()];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
    }
    request
}

fn replaced(request: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut request = request.to_vec();
    if let Some(at) = position(&request, old) {
        request[at..at + new.len()].copy_from_slice(new);
    }
    request
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_is_another_request() {
        assert_eq!(changed(b"Signature=0f", b"Signature="), b"Signature=1f");
        assert_eq!(changed(b"Signature=af", b"Signature="), b"Signature=0f");
        assert_eq!(replaced(b"GET /a/0 HTTP", b"/a/0 ", b"/a/1 "), b"GET /a/1 HTTP");
    }
}
