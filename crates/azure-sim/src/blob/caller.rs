//! Who asks: the bearer of an access token, or nobody in particular.
//! Must not know what is asked for.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::refusal::Refusal;
use crate::access_token::{self, TokenFault};
use crate::state::{Caller, State};

/// From this version on, tokens are understood ("Authorize with Microsoft Entra ID").
const WITH_TOKENS: &str = "2017-11-09";
/// With and without slash, as it was asked for at Entra. The account's own address, which the real service takes as
/// well, is no resource of the simulated Entra.
const AUDIENCES: [&str; 2] = ["https://storage.azure.com", "https://storage.azure.com/"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    Known(Caller),
    Nobody,
}

/// `x-ms-version`: a date, so that versions sort as texts.
pub(super) fn version(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-ms-version")?.to_str().ok()
}

/// The details beside the code are those of the token library that the service uses; the first is reported by users,
/// the others are recalled.
pub(super) fn of(state: &State, account: &str, headers: &HeaderMap) -> Result<Asking, Refusal> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(Asking::Nobody);
    };
    let (scheme, token) = header.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::authentication_failed("Only bearer tokens are simulated."));
    }
    if version(headers).is_none_or(|version| version < WITH_TOKENS) {
        return Err(Refusal::authentication_failed("Authentication scheme Bearer is not supported in this version."));
    }
    let tenant = state.read().storage.get(account).map(|account| account.tenant).ok_or_else(Refusal::no_resource)?;
    let invalid = |detail: &'static str| Refusal::invalid_token(tenant, detail);
    let presented = state.open_token(token.trim()).map_err(|fault| match fault {
        TokenFault::Malformed => invalid("The token is not well formed."),
        TokenFault::BadSignature => invalid("Signature validation failed."),
    })?;
    if !AUDIENCES.contains(&presented.audience.as_str()) {
        return Err(invalid("Audience validation failed. Audience did not match."));
    }
    if presented.caller.issuer != access_token::issuer(tenant) {
        return Err(invalid("Issuer validation failed. Issuer did not match."));
    }
    let now = state.now();
    if presented.expires <= now {
        return Err(invalid("Lifetime validation failed. The token is expired."));
    }
    if presented.not_before > now {
        return Err(invalid("Lifetime validation failed. The token is not yet valid."));
    }
    Ok(Asking::Known(presented.caller.clone()))
}
