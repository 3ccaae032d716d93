//! Access tokens of the first format, which Resource Manager and Key Vault take (Microsoft identity
//! platform, access token claims reference).
//! Must not know the exchange that led to one, nor what a service permits its bearer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Tokens that were found good, so that one that is shown again costs a digest in place of a signature.
#[derive(Debug, Default)]
pub(crate) struct Opened(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// For which they hold.
    keys: Option<Arc<KeyRing>>,
    /// By SHA-256.
    tokens: HashMap<[u8; 32], Arc<Presented>>,
}

/// At some 300 bytes each.
const MAX_KEPT: usize = 10_000;

impl Opened {
    /// Checks shape and signature, nothing else.
    pub(crate) fn open(&self, bearer: &str, keys: &Arc<KeyRing>) -> Result<Arc<Presented>, TokenFault> {
        let mut digest = [0; 32];
        digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bearer.as_bytes()).as_ref());
        if let Some(known) = self.kept(keys).tokens.get(&digest) {
            return Ok(known.clone());
        }
        let presented = Arc::new(open(bearer, keys)?);
        let mut kept = self.kept(keys);
        if kept.tokens.len() >= MAX_KEPT {
            kept.tokens.clear();
        }
        kept.tokens.insert(digest, presented.clone());
        Ok(presented)
    }

    /// What was found good with these keys: other ones make it worth nothing.
    fn kept(&self, keys: &Arc<KeyRing>) -> MutexGuard<'_, Kept> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.keys.as_ref().is_some_and(|held| Arc::ptr_eq(held, keys)) {
            *kept = Kept { keys: Some(keys.clone()), tokens: HashMap::new() };
        }
        kept
    }
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
fn open(bearer: &str, keys: &KeyRing) -> Result<Presented, TokenFault> {
    let token = UnverifiedToken::decode(bearer).map_err(|_| TokenFault::Malformed)?;
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
