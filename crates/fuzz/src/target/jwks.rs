//! Key sets: read, written again, and asked about a genuine token.

use serde_json::Value;
use trust::{Jwks, verify_signature};

use super::token::{GENUINE, KEYS};
use super::{Seen, ensure};

pub(super) fn target() -> impl Fn(&[u8]) -> Seen + Send + Sync {
    let genuine: Option<Jwks> = serde_json::from_str(KEYS).ok();
    move |input: &[u8]| run(input, genuine.as_ref())
}

fn run(input: &[u8], genuine: Option<&Jwks>) -> Seen {
    let set: Jwks = match serde_json::from_slice(input) {
        Ok(set) => set,
        Err(error) => return Ok(error.to_string()),
    };
    let written: Option<Value> = serde_json::to_value(&set).ok();
    let again = written.and_then(|value| serde_json::from_value::<Jwks>(value).ok());
    ensure(again.as_ref() == Some(&set), || "written down, it is another set".to_owned())?;
    let verified = verify_signature(GENUINE, &set);
    let has_key = |genuine: &Jwks| {
        let mut wanted = genuine.keys.iter();
        wanted
            .any(|wanted| set.keys.iter().any(|key| (&key.kid, &key.n, &key.e) == (&wanted.kid, &wanted.n, &wanted.e)))
    };
    ensure(verified.is_err() || genuine.is_some_and(has_key), || "a set without the key accepts the token".to_owned())?;
    let kinds = |wanted: &str| set.keys.iter().any(|key| key.kty == wanted);
    Ok(format!(
        "{} keys, RSA {}, others {}, {:?}",
        ["no", "one", "two", "many"][set.keys.len().min(3)],
        kinds("RSA"),
        set.keys.iter().any(|key| key.kty != "RSA"),
        verified.map_err(|error| error.to_string())
    ))
}
