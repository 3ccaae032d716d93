//! A look at what an issuer publishes, by the way that the clouds take: through the wire. It must not know what is expected of it.

use serde_json::Value;
use transport::Client;
use trust::{IssuerUrl, Jwks};

/// What an issuer publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// Whether its certificate is publicly trusted.
    pub(crate) trusted: bool,
    /// The discovery document; `None` where it was not looked at, or there is none.
    pub(crate) document: Option<Value>,
    /// Ids of the keys that the document leads to, if it leads to any.
    pub(crate) keys: Option<Vec<String>>,
    /// Ids of the keys that the API server itself tells.
    pub(crate) cluster_keys: Vec<String>,
}

impl Published {
    /// Looks. The documents are fetched only where `answers` says that the issuer answers: one that hangs would be waited for.
    pub(crate) async fn look(client: Client, issuer: &IssuerUrl, answers: bool, cluster_keys: Vec<String>) -> Self {
        let client = client.recording_untrusted();
        let host = issuer.without_scheme().split('/').next().unwrap_or_default();
        let trusted = client.get(&format!("https://{host}/")).await.is_ok_and(|fetched| fetched.trusted);
        let mut seen = Self { trusted, document: None, keys: None, cluster_keys };
        if answers {
            seen.document = json(&client, &issuer.discovery_url()).await;
            let uri = seen.document.as_ref().and_then(|document| document.get("jwks_uri")).and_then(Value::as_str);
            if let Some(uri) = uri {
                seen.keys = json(&client, uri).await.as_ref().and_then(key_ids);
            }
        }
        seen
    }
}

/// Ids of the keys of a key set.
pub(crate) fn key_ids(set: &Value) -> Option<Vec<String>> {
    let set: Jwks = serde_json::from_value(set.clone()).ok()?;
    Some(set.keys.into_iter().filter_map(|key| key.kid).collect())
}

async fn json(client: &Client, url: &str) -> Option<Value> {
    let fetched = client.get(url).await.ok().filter(|fetched| fetched.status == 200)?;
    serde_json::from_slice(&fetched.body).ok()
}
