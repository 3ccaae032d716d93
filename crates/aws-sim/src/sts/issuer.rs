//! Asks an issuer for its keys, over the wire: anew for every token, or as often as it is told to. How long AWS keeps keys is
//! not documented.
//! Must not know roles or tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use thiserror::Error;
use transport::{Client, FetchError, Fetched};
use trust::{IssuerUrl, Jwks, VerifyingKeys};

/// More keys of one type than this and none is found (IAM user guide, OIDC providers).
const MAX_KEYS: usize = 100;

/// Why an issuer's keys were not obtained.
#[derive(Debug, Error)]
pub(crate) enum IssuerError {
    #[error("{url} was not fetched")]
    Fetch { url: String, source: FetchError },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("the discovery document is not as required: {0}")]
    Discovery(&'static str),
    #[error("the key set is not as required: {0}")]
    KeySet(&'static str),
    #[error("the certificate of {0} is not trusted and its thumbprint not registered")]
    Thumbprint(String),
}

/// The members that AWS needs; without any of them the keys count as not retrievable.
#[derive(Debug, Deserialize)]
struct Discovery {
    issuer: Option<String>,
    jwks_uri: Option<String>,
    response_types_supported: Option<Vec<String>>,
    subject_types_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
}

/// More issuers than this are not kept: each is registered in an account, and an account has a hundred.
const MAX_KEPT: usize = 1000;

/// The keys of issuers.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    client: Client,
    kept_for: SignedDuration,
    kept: Mutex<HashMap<IssuerUrl, Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    until: Timestamp,
    keys: Arc<Published>,
}

/// A key set and who served it.
#[derive(Debug)]
struct Published {
    keys: Arc<VerifyingKeys>,
    discovery: Shown,
    jwks: Shown,
}

/// The certificates that a server showed.
#[derive(Debug)]
struct Shown {
    url: String,
    trusted: bool,
    thumbprint: Option<String>,
}

impl IssuerKeys {
    /// Keeps a key set for `kept_for`; a token that names a key which is not in it has it fetched anew.
    pub(crate) fn new(client: Client, kept_for: SignedDuration) -> IssuerKeys {
        IssuerKeys { client, kept_for, kept: Mutex::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The issuer's key set, for a token that names `kid`.
    ///
    /// A chain that leads to the client's roots is good whatever the thumbprints; any other must end in a
    /// certificate whose thumbprint is registered (IAM API reference, `UpdateOpenIDConnectProviderThumbprint`).
    pub(super) async fn keys(
        &self,
        issuer: &IssuerUrl,
        kid: Option<&str>,
        thumbprints: &[String],
        now: Timestamp,
    ) -> Result<Arc<VerifyingKeys>, IssuerError> {
        let published = match self.kept(issuer, kid, now) {
            Some(kept) => kept,
            None => {
                let published = Arc::new(fetch_all(&self.client, issuer, thumbprints).await?);
                self.keep(issuer, &published, now);
                published
            }
        };
        // A provider may have other thumbprints than the one for which the keys were fetched.
        published.discovery.check(thumbprints)?;
        published.jwks.check(thumbprints)?;
        Ok(published.keys.clone())
    }

    fn kept(&self, issuer: &IssuerUrl, kid: Option<&str>, now: Timestamp) -> Option<Arc<Published>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept.get(issuer).filter(|one| now < one.until)?;
        let is_known = one.keys.keys.jwks().keys.iter().any(|key| key.kid.as_deref() == kid);
        is_known.then(|| one.keys.clone())
    }

    fn keep(&self, issuer: &IssuerUrl, published: &Arc<Published>, now: Timestamp) {
        if !self.kept_for.is_positive() {
            return;
        }
        let until = now.saturating_add(self.kept_for).unwrap_or(Timestamp::MAX);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(issuer.clone(), Kept { until, keys: published.clone() });
    }
}

impl Shown {
    fn of(url: &str, fetched: &Fetched) -> Shown {
        Shown { url: url.to_owned(), trusted: fetched.trusted, thumbprint: thumbprint_of(fetched) }
    }

    fn check(&self, thumbprints: &[String]) -> Result<(), IssuerError> {
        let is_known = || self.thumbprint.as_ref().is_some_and(|found| thumbprints.contains(found));
        if self.trusted || is_known() { Ok(()) } else { Err(IssuerError::Thumbprint(self.url.clone())) }
    }
}

/// Both documents; the second is not asked for where the first comes from a stranger.
async fn fetch_all(client: &Client, issuer: &IssuerUrl, thumbprints: &[String]) -> Result<Published, IssuerError> {
    let url = issuer.discovery_url();
    let document = get(client, &url).await?;
    let discovery = Shown::of(&url, &document);
    discovery.check(thumbprints)?;
    let jwks_uri = key_location(&document, issuer)?;
    let document = get(client, &jwks_uri).await?;
    let jwks = Shown::of(&jwks_uri, &document);
    jwks.check(thumbprints)?;
    let keys: Jwks = trust::object(&document.body).map_err(|_| IssuerError::KeySet("it is no JSON key set"))?;
    let too_many = |kind: &str| keys.keys.iter().filter(|key| key.kty == kind).count() > MAX_KEYS;
    if too_many("RSA") || too_many("EC") {
        return Err(IssuerError::KeySet("it has too many keys"));
    }
    Ok(Published { keys: Arc::new(VerifyingKeys::new(keys)), discovery, jwks })
}

/// The thumbprint that IAM registers by itself: of the host that serves the keys.
pub(crate) async fn thumbprint(client: &Client, issuer: &IssuerUrl) -> Result<String, IssuerError> {
    let document = get(client, &issuer.discovery_url()).await?;
    let jwks_uri = key_location(&document, issuer)?;
    let document = get(client, &jwks_uri).await?;
    thumbprint_of(&document).ok_or(IssuerError::Thumbprint(jwks_uri))
}

fn key_location(document: &Fetched, issuer: &IssuerUrl) -> Result<String, IssuerError> {
    let discovery: Discovery = trust::object(&document.body)
        .map_err(|_| IssuerError::Discovery("it is no JSON object of the expected shape"))?;
    let absent = IssuerError::Discovery;
    let stated = discovery.issuer.ok_or(absent("issuer is missing"))?;
    if stated != issuer.as_str() {
        return Err(IssuerError::Discovery("issuer is another one"));
    }
    discovery.response_types_supported.ok_or(absent("response_types_supported is missing"))?;
    discovery.subject_types_supported.ok_or(absent("subject_types_supported is missing"))?;
    discovery
        .id_token_signing_alg_values_supported
        .ok_or(absent("id_token_signing_alg_values_supported is missing"))?;
    discovery.jwks_uri.ok_or(absent("jwks_uri is missing"))
}

async fn get(client: &Client, url: &str) -> Result<Fetched, IssuerError> {
    let fetched = client.get(url).await.map_err(|source| IssuerError::Fetch { url: url.to_owned(), source })?;
    match fetched.status {
        200 => Ok(fetched),
        status => Err(IssuerError::Status { url: url.to_owned(), status }),
    }
}

/// Lowercase hex SHA-1 of the last certificate that the server sent.
fn thumbprint_of(fetched: &Fetched) -> Option<String> {
    let last = fetched.chain.last()?;
    let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, last.as_ref());
    Some(crate::sigv4::hex(sum))
}
