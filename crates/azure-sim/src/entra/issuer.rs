//! Asks an issuer for its keys, over the wire and anew for every token.
//! Must not know clients or tokens.

use serde::Deserialize;
use thiserror::Error;
use transport::{Client, FetchError, Fetched};
use trust::{IssuerUrl, Jwks};

/// Keys after the first hundred are not seen (Microsoft Entra workload identity federation).
const MAX_KEYS: usize = 100;

/// Why an issuer's keys were not obtained.
#[derive(Debug, Error)]
pub(super) enum IssuerError {
    #[error("`{0}` is no issuer that can be asked")]
    NoUrl(String),
    #[error("{url} was not fetched")]
    Fetch { url: String, source: FetchError },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("the certificate of {0} is not trusted")]
    Untrusted(String),
    #[error("the discovery document is not as required: {0}")]
    Discovery(&'static str),
    #[error("the key set is no JSON key set")]
    KeySet,
}

#[derive(Debug, Deserialize)]
struct Discovery {
    issuer: Option<String>,
    jwks_uri: Option<String>,
}

/// The first hundred keys of the issuer.
pub(super) async fn keys(client: &Client, issuer: &str) -> Result<Jwks, IssuerError> {
    let url: IssuerUrl = issuer.parse().map_err(|_| IssuerError::NoUrl(issuer.to_owned()))?;
    let document = get(client, &url.discovery_url()).await?;
    let discovery: Discovery = trust::object(&document.body)
        .map_err(|_| IssuerError::Discovery("it is no JSON object of the expected shape"))?;
    if discovery.issuer.as_deref() != Some(issuer) {
        return Err(IssuerError::Discovery("issuer is another one, or missing"));
    }
    let jwks_uri = discovery.jwks_uri;
    let jwks_uri = jwks_uri.ok_or(IssuerError::Discovery("jwks_uri is missing"))?;
    let document = get(client, &jwks_uri).await?;
    let mut keys: Jwks = trust::object(&document.body).map_err(|_| IssuerError::KeySet)?;
    keys.keys.truncate(MAX_KEYS);
    Ok(keys)
}

async fn get(client: &Client, url: &str) -> Result<Fetched, IssuerError> {
    let fetched = client.get(url).await.map_err(|source| IssuerError::Fetch { url: url.to_owned(), source })?;
    if !fetched.trusted {
        return Err(IssuerError::Untrusted(url.to_owned()));
    }
    match fetched.status {
        200 => Ok(fetched),
        status => Err(IssuerError::Status { url: url.to_owned(), status }),
    }
}
