//! What an API server tells about its issuer, and how that is published at the issuer's host. It must not know who runs the server.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{Request, StatusCode, header};
use kube::Client;
use serde_json::{Map, Value};
use trust::IssuerUrl;

use crate::ClusterError;

/// A single call to an API server has this long.
pub(crate) const CALL: Duration = Duration::from_secs(10);
const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/openid/v1/jwks";

type Document = Map<String, Value>;

/// The issuer, from the API server's own discovery document.
pub(crate) async fn issuer(client: &Client) -> Result<IssuerUrl, ClusterError> {
    let document = fetch(client, DISCOVERY).await.map_err(ClusterError::Issuer)?;
    let document: Document =
        serde_json::from_str(&document).map_err(|error| ClusterError::Issuer(error.to_string()))?;
    let issuer = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
    issuer.parse().map_err(|error: trust::IssuerError| ClusterError::Issuer(error.to_string()))
}

/// Discovery document and key set, to be uploaded. See [`crate::Cluster::discovery`].
pub(crate) async fn documents(client: &Client, issuer: &IssuerUrl) -> Result<(Vec<u8>, Vec<u8>), ClusterError> {
    let (document, keys) =
        tokio::try_join!(fetch(client, DISCOVERY), fetch(client, JWKS)).map_err(ClusterError::Issuer)?;
    let document = uploaded(document, issuer).map_err(|error| ClusterError::Issuer(error.to_string()))?;
    Ok((document.into_bytes(), keys.into_bytes()))
}

/// The document as it is, if its keys are where whoever reads it at the issuer's host can have them.
fn uploaded(text: String, issuer: &IssuerUrl) -> Result<String, serde_json::Error> {
    let document: Document = serde_json::from_str(&text)?;
    let below = format!("{}/", issuer.trimmed());
    let is_public = document.get("jwks_uri").and_then(Value::as_str).is_some_and(|uri| uri.starts_with(&below));
    Ok(if is_public { text } else { public(document, issuer) })
}

/// With the public address of the keys, as by `--service-account-jwks-uri`.
fn public(mut document: Document, issuer: &IssuerUrl) -> String {
    document.insert("jwks_uri".into(), format!("{}{JWKS}", issuer.trimmed()).into());
    Value::Object(document).to_string()
}

async fn fetch(client: &Client, path: &str) -> Result<String, String> {
    let request =
        Request::get(path).header(header::ACCEPT, "*/*").body(Vec::new()).map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(CALL, client.request_text(request)).await;
    answer
        .map_err(|_| format!("no answer for {path} within {} s", CALL.as_secs()))?
        .map_err(|error| crate::chain(&error))
}

/// Publishes the cluster's own discovery document and keys at the issuer's host, as managed clusters do.
///
/// The document's `jwks_uri` names the API server; it is changed to the public host.
pub(crate) fn site(issuer: &IssuerUrl, client: Client) -> Router {
    let base = issuer.path().trim_end_matches('/').to_owned();
    let issuer = issuer.clone();
    let discovery = move |State(client): State<Client>| async move {
        let document = fetch(&client, DISCOVERY)
            .await
            .and_then(|text| serde_json::from_str::<Document>(&text).map_err(|e| e.to_string()));
        relay(document.map(|document| public(document, &issuer)))
    };
    Router::new()
        .route(&format!("{base}{DISCOVERY}"), get(discovery))
        .route(
            &format!("{base}{JWKS}"),
            get(|State(client): State<Client>| async move { relay(fetch(&client, JWKS).await) }),
        )
        .with_state(client)
}

fn relay(answer: Result<String, String>) -> Response {
    match answer {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_looked_for_below_the_issuer_wherever_the_api_server_says_they_are() {
        let check = |issuer: &str, jwks_uri: &str, want: &str| {
            let issuer: IssuerUrl = issuer.parse().expect("must parse");
            let text = format!(r#"{{ "issuer": "{issuer}", "jwks_uri": "{jwks_uri}" }}"#);
            let uploaded = uploaded(text.clone(), &issuer).expect("must be read");
            let document: Value = serde_json::from_str(&uploaded).expect("JSON");
            assert_eq!(
                (&document["issuer"], &document["jwks_uri"]),
                (&Value::from(issuer.as_str()), &Value::from(want))
            );
            assert_eq!(uploaded == text, jwks_uri == want, "what is right stays as it is");
        };
        check("https://h/a/", "https://127.0.0.1:6443/openid/v1/jwks", "https://h/a/openid/v1/jwks");
        check("https://h", "https://127.0.0.1:6443/openid/v1/jwks", "https://h/openid/v1/jwks");
        check("https://h", "https://h/keys.json", "https://h/keys.json");
        check("https://h", "https://h.example/keys.json", "https://h/openid/v1/jwks");
    }
}
