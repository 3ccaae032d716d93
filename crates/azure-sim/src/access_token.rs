//! Access tokens of the first format, which Resource Manager and Key Vault take (Microsoft identity
//! platform, access token claims reference).
//! Must not know the exchange that led to one, nor what a service permits its bearer.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use trust::{KeyError, KeyRing, UnverifiedToken, verify_signature};
use uuid::Uuid;

use crate::random;
use crate::state::Caller;

/// Tokens are dated back by this much, so that a service whose clock is behind takes them.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);

/// What a token is to say.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) tenant: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) object_id: Uuid,
    /// Resource id, for managed identities.
    pub(crate) resource_id: Option<&'a str>,
    pub(crate) audience: &'a str,
    /// `1` for a secret, `2` for an assertion.
    pub(crate) appidacr: &'static str,
    pub(crate) now: Timestamp,
    pub(crate) lifetime: SignedDuration,
}

/// A token whose signature is ours.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) caller: Caller,
    pub(crate) audience: String,
    pub(crate) not_before: Timestamp,
    pub(crate) expires: Timestamp,
}

/// Why a text is no access token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    Malformed,
    BadSignature,
}

/// `iss` of a tenant's tokens.
pub(crate) fn issuer(tenant: Uuid) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// Writes and signs a token.
pub(crate) fn sign(grant: &Grant<'_>, keys: &KeyRing) -> Result<String, KeyError> {
    let now = grant.now.as_second();
    let begin = now - BACKDATED.as_secs();
    let issuer = issuer(grant.tenant);
    let mut claims = json!({
        "aud": grant.audience,
        "iss": issuer,
        "iat": begin,
        "nbf": begin,
        "exp": now + grant.lifetime.as_secs(),
        "appid": grant.client_id,
        "appidacr": grant.appidacr,
        "idp": issuer,
        "idtyp": "app",
        "oid": grant.object_id,
        "sub": grant.object_id,
        "tid": grant.tenant,
        "uti": random::text::<16>(),
        "ver": "1.0",
    });
    if let Some(id) = grant.resource_id {
        claims["xms_mirid"] = Value::from(id);
    }
    keys.active().sign(&claims)
}

/// Checks shape and signature, nothing else.
pub(crate) fn open(bearer: &str, keys: Option<&KeyRing>) -> Result<Presented, TokenFault> {
    let token = UnverifiedToken::decode(bearer).map_err(|_| TokenFault::Malformed)?;
    let keys = keys.ok_or(TokenFault::BadSignature)?;
    verify_signature(bearer, &keys.jwks()).map_err(|_| TokenFault::BadSignature)?;
    read(&token).ok_or(TokenFault::Malformed)
}

fn read(token: &UnverifiedToken) -> Option<Presented> {
    let id = |claim: &str| token.claims.get(claim)?.as_str()?.parse::<Uuid>().ok();
    let time = |claim: &str| Timestamp::from_second(token.numeric_date(claim)?).ok();
    Some(Presented {
        caller: Caller {
            tenant: id("tid")?,
            app_id: id("appid")?,
            object_id: id("oid")?,
            issuer: token.issuer()?.to_owned(),
        },
        audience: (*token.audiences().first()?).to_owned(),
        not_before: time("nbf")?,
        expires: time("exp")?,
    })
}
