//! Asks an issuer for its keys, over the wire and anew for every token.
//! Must not know roles or tokens.

use aws_lc_rs::digest;
use serde::Deserialize;
use thiserror::Error;
use transport::{Client, FetchError, Fetched};
use trust::{IssuerUrl, Jwks};

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

/// The issuer's key set.
///
/// A chain that leads to the client's roots is good whatever the thumbprints; any other must end in a
/// certificate whose thumbprint is registered (IAM API reference, `UpdateOpenIDConnectProviderThumbprint`).
pub(super) async fn keys(client: &Client, issuer: &IssuerUrl, thumbprints: &[String]) -> Result<Jwks, IssuerError> {
    let document = fetch(client, &issuer.discovery_url(), thumbprints).await?;
    let jwks_uri = key_location(&document, issuer)?;
    let document = fetch(client, &jwks_uri, thumbprints).await?;
    let keys: Jwks = trust::object(&document.body).map_err(|_| IssuerError::KeySet("it is no JSON key set"))?;
    let too_many = |kind: &str| keys.keys.iter().filter(|key| key.kty == kind).count() > MAX_KEYS;
    if too_many("RSA") || too_many("EC") {
        return Err(IssuerError::KeySet("it has too many keys"));
    }
    Ok(keys)
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

async fn fetch(client: &Client, url: &str, thumbprints: &[String]) -> Result<Fetched, IssuerError> {
    let fetched = get(client, url).await?;
    let known = || thumbprint_of(&fetched).is_some_and(|found| thumbprints.contains(&found));
    if fetched.trusted || known() { Ok(fetched) } else { Err(IssuerError::Thumbprint(url.to_owned())) }
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
