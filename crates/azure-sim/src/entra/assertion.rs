//! A token of another issuer in place of a secret: whether it stands for the client.
//! Must not know what the client asks for.
//!
//! The order of the steps decides which of several faults a caller hears of. It follows what users of
//! the real service report: shape, lifetime, the client's federated credentials (issuer, then
//! subject, then audience), dates, and the issuer's keys last of all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trust::{SignatureError, UnverifiedToken, verify_signature};
use uuid::Uuid;

use super::issuer;
use super::refusal::Refusal;
use crate::directory::FederatedCredential;
use crate::state::State;

/// 25 hours: `1.01:00:00` in the refusal's own words.
const MAX_LIFETIME: i64 = 25 * 3600;
/// Clocks may differ by this much. Not documented for federated tokens; it is what the platform's token libraries allow.
const SKEW: i64 = 300;

/// Types that a token may say it has, as the refusal itself lists them. It may also say nothing.
const TYPES: [&str; 2] = ["JWT", "http://openid.net/specs/jwt/1.0"];

/// The client on whose behalf an assertion is shown.
#[derive(Debug)]
pub(super) struct Federated<'a> {
    pub(super) tenant: Uuid,
    pub(super) client_id: Uuid,
    pub(super) name: &'a str,
    pub(super) credentials: &'a [FederatedCredential],
}

/// Accepts the assertion or says why not.
pub(super) async fn check(state: &State, client: &Federated<'_>, assertion: &str) -> Result<(), Refusal> {
    let token = read(assertion)?;
    let (issued, expires) = check_lifetime(&token)?;
    tracing::debug!(issued, expires, client = %client.client_id, "assertion read");
    check_not_ours(client, &token)?;
    let issuer = matched(client, &token)?;
    check_dates(state, &token)?;
    verify(state, assertion, &token, issuer).await
}

fn read(assertion: &str) -> Result<UnverifiedToken, Refusal> {
    let token = UnverifiedToken::decode(assertion).map_err(|_| Refusal::malformed_assertion())?;
    match token.header.typ.as_deref() {
        Some(typ) if !TYPES.contains(&typ) => Err(Refusal::wrong_type()),
        _ => Ok(token),
    }
}

/// An absent date counts as the beginning of 1970.
fn date(token: &UnverifiedToken, claim: &str) -> i64 {
    token.numeric_date(claim).unwrap_or_default()
}

fn check_lifetime(token: &UnverifiedToken) -> Result<(i64, i64), Refusal> {
    let (issued, expires) = (date(token, "iat"), date(token, "exp"));
    if expires.saturating_sub(issued) > MAX_LIFETIME {
        return Err(Refusal::lifetime(issued, expires));
    }
    Ok((issued, expires))
}

/// Entra's own tokens are no assertions. Where in the order this is found out is not known.
fn check_not_ours(client: &Federated<'_>, token: &UnverifiedToken) -> Result<(), Refusal> {
    let issuer = token.issuer().unwrap_or_default();
    let tenant = ["https://sts.windows.net/", "https://login.microsoftonline.com/"]
        .into_iter()
        .find_map(|authority| issuer.strip_prefix(authority))
        .map(|rest| rest.split('/').next().unwrap_or_default());
    match tenant {
        None => Ok(()),
        Some(tenant) if tenant.eq_ignore_ascii_case(&client.tenant.to_string()) => {
            Err(Refusal::entra_token_of_this_tenant())
        }
        Some(_) => Err(Refusal::entra_token_of_another_tenant(issuer)),
    }
}

/// The issuer of the credential that the token fits, compared byte by byte throughout.
fn matched<'a>(client: &'a Federated<'_>, token: &UnverifiedToken) -> Result<&'a str, Refusal> {
    if client.credentials.is_empty() {
        return Err(Refusal::not_federated(client.client_id, client.name));
    }
    let issuer = token.issuer().unwrap_or_default();
    let trusted: Vec<&FederatedCredential> =
        client.credentials.iter().filter(|credential| credential.issuer == issuer).collect();
    if trusted.is_empty() {
        return Err(Refusal::unmatched_issuer(issuer));
    }
    let subject = token.subject().unwrap_or_default();
    // The pair of issuer and subject is unique among the credentials of a client.
    let Some(credential) = trusted.iter().find(|credential| credential.subject == subject) else {
        let ignoring_case =
            |credential: &&FederatedCredential| credential.subject.to_lowercase() == subject.to_lowercase();
        return Err(match trusted.iter().copied().find(ignoring_case) {
            Some(_) => Refusal::subject_of_other_case(subject),
            None => Refusal::unmatched_subject(subject),
        });
    };
    let audiences = token.audiences();
    if !audiences.contains(&credential.audience.as_str()) {
        return Err(Refusal::unmatched_audience(&audiences.join(",")));
    }
    Ok(&credential.issuer)
}

fn check_dates(state: &State, token: &UnverifiedToken) -> Result<(), Refusal> {
    let now = state.now();
    let (not_before, expires) = (date(token, "nbf"), date(token, "exp"));
    let second = now.as_second();
    if second > expires.saturating_add(SKEW) || second < not_before.saturating_sub(SKEW) {
        return Err(Refusal::outside_validity(now, not_before, expires));
    }
    Ok(())
}

async fn verify(state: &State, assertion: &str, token: &UnverifiedToken, issuer: &str) -> Result<(), Refusal> {
    let keys = issuer::keys(state.issuers(), issuer).await.map_err(|error| {
        tracing::debug!(issuer, %error, source = ?std::error::Error::source(&error), "no keys");
        Refusal::issuer_unreachable()
    })?;
    verify_signature(assertion, &keys).map_err(|error| match error {
        SignatureError::UnknownKey(_) => {
            let kid = token.header.kid.as_deref().unwrap_or_default();
            Refusal::key_not_published(&shown(kid), issuer)
        }
        SignatureError::BadSignature | SignatureError::UnsupportedAlgorithm(_) | SignatureError::Malformed => {
            Refusal::bad_signature()
        }
    })
}

/// A key id as the directory shows it: its bytes in upper-case hexadecimal. One that is not base64url
/// is shown as it is.
fn shown(kid: &str) -> String {
    match URL_SAFE_NO_PAD.decode(kid) {
        Ok(bytes) => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        Err(_) => kid.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_shown_in_hexadecimal() {
        let check = |kid: &str, expected: &str| assert_eq!(shown(kid), expected);
        check("36GEq14rP2UpuM_OGVMFAUI24pc", "DFA184AB5E2B3F6529B8CFCE195305014236E297");
        check("a key", "a key");
        check("", "");
    }
}
