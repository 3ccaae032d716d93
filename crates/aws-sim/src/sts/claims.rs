//! What a token claims and whether that is in order, before any policy is asked.
//! Must not check the signature or ask an issuer.

use jiff::Timestamp;
use serde_json::Value;
use trust::UnverifiedToken;
use trust::policy::Context;

use crate::error::ApiError;

/// Accepted past `exp` (IAM user guide, OIDC federation) and before `nbf`.
const GRACE_SECONDS: i64 = 300;
/// The oldest `iat` that is accepted.
const MAX_AGE_SECONDS: i64 = 86_400;
/// Where the text of a refusal is not known, the API reference's description of the code stands in.
const NOT_VALIDATED: &str = "The web identity token that was passed could not be validated by AWS. Get a new identity token from the identity provider and then retry the request.";

pub(super) fn not_validated() -> ApiError {
    ApiError::invalid_identity_token(NOT_VALIDATED)
}

fn missing(claim: &str) -> ApiError {
    ApiError::invalid_identity_token(format!("Missing a required claim: {claim}."))
}

pub(super) fn decode(token: &str) -> Result<UnverifiedToken, ApiError> {
    UnverifiedToken::decode(token).map_err(|_| {
        ApiError::invalid_identity_token(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    })
}

pub(super) fn issuer(token: &UnverifiedToken) -> Result<&str, ApiError> {
    token.issuer().filter(|issuer| !issuer.is_empty()).ok_or_else(|| missing("iss"))
}

/// `azp` where there is one, else the only `aud`.
pub(super) fn audience(token: &UnverifiedToken) -> Result<&str, ApiError> {
    if let Some(party) = token.authorized_party() {
        return Ok(party);
    }
    match token.audiences()[..] {
        [only] => Ok(only),
        [] => Err(missing("aud")),
        _ => Err(ApiError::invalid_identity_token(
            "Token audience contains more than one audience while authorized party is not present",
        )),
    }
}

/// Expiry, age and `nbf`.
pub(super) fn check_times(token: &UnverifiedToken, now: Timestamp) -> Result<(), ApiError> {
    let now = now.as_second();
    let expires = date(token, "exp")?.ok_or_else(|| missing("exp"))?;
    if now > expires.saturating_add(GRACE_SECONDS) {
        return Err(ApiError::expired_token(format!(
            "Token expired: current date/time {now} must be before the expiration date/time {expires}"
        )));
    }
    if let Some(issued) = date(token, "iat")? {
        let age = now.saturating_sub(issued);
        if age > MAX_AGE_SECONDS {
            return Err(ApiError::expired_token(format!("Token too old: {age}")));
        }
    }
    if date(token, "nbf")?.is_some_and(|start| start > now.saturating_add(GRACE_SECONDS)) {
        return Err(not_validated());
    }
    Ok(())
}

/// Dates must be whole seconds; a claim that is there and is not is refused.
fn date(token: &UnverifiedToken, claim: &str) -> Result<Option<i64>, ApiError> {
    match token.claims.get(claim) {
        None => Ok(None),
        Some(_) => token.numeric_date(claim).map(Some).ok_or_else(not_validated),
    }
}

/// `iat` and `sub` must be there; returns the latter.
pub(super) fn subject(token: &UnverifiedToken) -> Result<&str, ApiError> {
    if !token.claims.contains_key("iat") {
        return Err(missing("iat"));
    }
    token.subject().filter(|subject| !subject.is_empty()).ok_or_else(|| missing("sub"))
}

/// The condition keys of a token from the provider registered as `url` (IAM user guide, "Available
/// keys for AWS OIDC federation"): `aud`, `sub`, `amr`, and `oaud` where `azp` took the place of `aud`.
/// Other claims are not exposed.
pub(super) fn context(token: &UnverifiedToken, url: &str, audience: &str, subject: &str) -> Context {
    let mut context = Context::new();
    let key = |claim: &str| format!("{url}:{claim}");
    context.set(&key("aud"), audience);
    context.set(&key("sub"), subject);
    if token.authorized_party().is_some() {
        context.set_all(&key("oaud"), token.audiences());
    }
    match token.claims.get("amr") {
        Some(Value::String(method)) => context.set(&key("amr"), method),
        Some(Value::Array(methods)) => {
            context.set_all(&key("amr"), methods.iter().filter_map(Value::as_str));
        }
        _ => {}
    }
    context
}
