//! Tokens: taken apart, and held against a key set. Nothing but what the key signed is ever accepted.

use anyhow::{Context, Result};
use trust::{IssuerUrl, Jwks, UnverifiedToken, verify_signature};

use super::{Seen, ensure};

/// The public half of a key that was thrown away after it had signed [`GENUINE`].
pub(super) const KEYS: &str = include_str!("../../../../fixtures/fuzz/jwks/genuine.json");
/// The only token that it signed.
pub(super) const GENUINE: &str = include_str!("../../../../fixtures/fuzz/token/genuine.jwt");

pub(super) fn target() -> Result<impl Fn(&[u8]) -> Seen + Send + Sync> {
    let keys: Jwks = serde_json::from_str(KEYS).context("the key set of the token target")?;
    Ok(move |input: &[u8]| run(input, &keys))
}

fn run(input: &[u8], keys: &Jwks) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok("no text".to_owned());
    };
    let verified = verify_signature(text, keys);
    ensure(verified.is_err() || text == GENUINE, || "another token than the genuine one is accepted".to_owned())?;
    let token = match UnverifiedToken::decode(text) {
        Ok(token) => token,
        Err(error) => {
            ensure(verified.is_err(), || "accepted, and cannot be taken apart".to_owned())?;
            return Ok(format!("{error}"));
        }
    };
    let again = UnverifiedToken::decode(text);
    ensure(again.as_ref() == Ok(&token), || "taken apart in two ways".to_owned())?;
    let issuer = token.issuer().map(|text| match text.parse::<IssuerUrl>() {
        Ok(issuer) => {
            ensure(issuer.as_str() == text, || format!("issuer {text:?} became {issuer}"))?;
            ensure(format!("https://{}{}", issuer.host(), issuer.path()) == text, || format!("parts of {text:?}"))?;
            ensure(issuer.with_slash_toggled() != issuer, || format!("the slash of {text:?}"))?;
            Ok("an issuer")
        }
        Err(_) => Ok("no issuer"),
    });
    let dates = ["exp", "iat", "nbf"].map(|claim| token.numeric_date(claim).is_some());
    Ok(format!(
        "{:?}, {:?} of {:?} for {} audiences by {:?}, dates {dates:?}, typ {:?}",
        verified.map_err(|error| error.to_string()),
        issuer.transpose()?,
        token.subject().is_some(),
        ["no", "one", "many"][token.audiences().len().min(2)],
        token.authorized_party().is_some(),
        token.header.typ.is_some(),
    ))
}
