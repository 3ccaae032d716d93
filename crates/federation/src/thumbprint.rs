//! The thumbprint that IAM wants for an OIDC provider. Knows transport and discovery documents, not IAM.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use transport::{Client, FetchError, Fetched};
use trust::IssuerUrl;

/// Forty lower-case hex digits: SHA-1 over the DER of one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Thumbprint(String);

/// Why no thumbprint was found.
#[derive(Debug, thiserror::Error)]
pub enum ThumbprintError {
    /// Neither forty hex digits nor empty.
    #[error("`{0}` is no thumbprint: forty hex digits are expected")]
    Shape(String),
    /// The host did not answer.
    #[error("could not fetch {url}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: FetchError,
    },
    /// The host answered, but with another status than 200.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The discovery document names no `jwks_uri` with https.
    #[error("the discovery document at {0} has no https `jwks_uri`")]
    NoKeySet(String),
    /// The handshake showed no certificate.
    #[error("{0} showed no certificate")]
    NoCertificate(String),
}

impl Thumbprint {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(ThumbprintError::Shape(text.to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The thumbprint of the last certificate in a served chain (DER, leaf first); `None` for an empty chain.
///
/// That is the topmost intermediate CA, or the leaf if it is served alone (IAM User Guide, "Obtain the
/// thumbprint for an OpenID Connect identity provider").
pub fn from_chain<C: AsRef<[u8]>>(chain: &[C]) -> Option<Thumbprint> {
    let last = chain.last()?;
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, last.as_ref());
    Some(Thumbprint(sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// The thumbprints to register for an issuer: that of the host that serves its keys, and that of the
/// discovery document's host if it is another one.
///
/// # Caveats
/// To register an issuer whose chain is not publicly trusted, `client` must be one that records untrusted chains.
///
/// # Errors
/// When a host does not answer, answers without certificate, or the discovery document names no key set.
pub async fn of_issuer(client: &Client, issuer: &IssuerUrl) -> Result<Vec<Thumbprint>, ThumbprintError> {
    let discovery_url = issuer.discovery_url();
    let discovery = fetch(client, &discovery_url).await?;
    if discovery.status != 200 {
        return Err(ThumbprintError::Status { url: discovery_url, status: discovery.status });
    }
    let keys_url = jwks_uri(&discovery.body).ok_or_else(|| ThumbprintError::NoKeySet(discovery_url.clone()))?;
    let own = last_of(&discovery, &discovery_url)?;
    let keys_host = keys_url.trim_start_matches("https://").split('/').next().unwrap_or_default();
    if keys_host.eq_ignore_ascii_case(issuer.host()) {
        return Ok(vec![own]);
    }
    // Only the handshake counts here: whether the keys can be read is for the token's verifier to say.
    let keys = last_of(&fetch(client, &keys_url).await?, &keys_url)?;
    if keys == own {
        return Ok(vec![own]);
    }
    Ok(vec![keys, own])
}

async fn fetch(client: &Client, url: &str) -> Result<Fetched, ThumbprintError> {
    client.get(url).await.map_err(|source| ThumbprintError::Fetch { url: url.to_owned(), source })
}

fn last_of(fetched: &Fetched, url: &str) -> Result<Thumbprint, ThumbprintError> {
    from_chain(&fetched.chain).ok_or_else(|| ThumbprintError::NoCertificate(url.to_owned()))
}

fn jwks_uri(document: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Discovery {
        jwks_uri: String,
    }
    let found: Discovery = serde_json::from_slice(document).ok()?;
    found.jwks_uri.starts_with("https://").then_some(found.jwks_uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_last_certificate_of_the_chain() {
        // SHA-1 of "abc" from FIPS 180-2.
        let abc = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let check = |chain: &[&str], expected: Option<&str>| {
            assert_eq!(from_chain(chain).as_ref().map(Thumbprint::as_str), expected, "{chain:?}");
        };
        check(&[], None);
        check(&["abc"], Some(abc));
        check(&["leaf", "abc"], Some(abc));
        check(&["leaf", "intermediate", "abc"], Some(abc));
    }

    #[test]
    fn refuses_what_iam_would_refuse() {
        for text in ["", "a9993e", "g9993e364706816aba3e25717850c26c9cd0d89d", "a9:99:3e"] {
            assert!(text.parse::<Thumbprint>().is_err(), "{text}");
        }
        let upper = "A9993E364706816ABA3E25717850C26C9CD0D89D".parse::<Thumbprint>().expect("hex must parse");
        assert_eq!(upper.as_str(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn key_set_must_be_named_with_https() {
        let check = |document: &str, expected: Option<&str>| {
            assert_eq!(jwks_uri(document.as_bytes()).as_deref(), expected, "{document}");
        };
        check(r#"{"jwks_uri":"https://k/keys"}"#, Some("https://k/keys"));
        check(r#"{"jwks_uri":"http://k/keys"}"#, None);
        check(r#"{"issuer":"https://k"}"#, None);
        check("<html>", None);
    }
}
