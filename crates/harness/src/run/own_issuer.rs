//! An issuer that the run serves for a fault: the cluster's key, and two documents that are broken in one thing.
//!
//! It knows no cloud. Each has a path of its own below one of three hosts: its certificate and its
//! haste decide which.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use scenario::Cell;
use scenario::access::{self, Certificate, Keys};
use serde_json::{Value, json};
use trust::{IssuerUrl, Jwk, Jwks};

use super::render::Names;

/// Path of the key set below the issuer.
const KEYS: &str = "openid/v1/jwks";
/// Keys of one type that a cloud takes from a key set (AWS re:Post, "OIDC identity provider"; Microsoft Entra, "Workload identity federation").
const MOST_KEYS: usize = 100;
/// Host of issuers whose certificate the clouds trust.
pub(crate) const PUBLIC_HOST: &str = "issuer.crossfed.example";
/// Host of those whose certificate they do not.
pub(crate) const PRIVATE_HOST: &str = "private-issuer.crossfed.example";

/// Host of those that take their time: the simulated clouds wait less for it than the seconds that the real ones grant, so that a run need not.
pub(crate) const SLOW_HOST: &str = "issuer-2.crossfed.example";

/// An issuer of the run's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnIssuer {
    /// Its URL.
    pub url: IssuerUrl,
    /// What is wrong with it, texts filled in.
    pub shape: access::Issuer,
}

/// URL of a cell's own issuer, if it has one.
pub(crate) fn url(cell: &Cell, names: &Names) -> Result<Option<IssuerUrl>, trust::IssuerError> {
    let host = cell.access.issuer.as_ref().map(|issuer| match (issuer.certificate, issuer.delay_seconds) {
        (Certificate::Public, None) => PUBLIC_HOST,
        (Certificate::Public, Some(_)) => SLOW_HOST,
        (Certificate::Private, _) => PRIVATE_HOST,
    });
    host.map(|host| format!("https://{host}/{}", names.namespace).parse()).transpose()
}

#[derive(Clone)]
struct Site {
    status: StatusCode,
    delay: Duration,
    discovery: Value,
    keys: Jwks,
}

impl OwnIssuer {
    /// Its two documents. `active` is the key that signs, `stranger` one that does not.
    pub(crate) fn site(&self, active: &Jwk, stranger: &Jwk) -> Router {
        let path = self.url.without_scheme().split_once('/').map_or("", |(_, path)| path);
        let status = self.shape.status.and_then(|status| StatusCode::from_u16(status).ok());
        let site = Site {
            status: status.unwrap_or(StatusCode::OK),
            delay: Duration::from_secs(self.shape.delay_seconds.unwrap_or_default().into()),
            discovery: self.discovery(),
            keys: Jwks { keys: keys(self.shape.keys, active, stranger) },
        };
        Router::new()
            .route(&format!("/{path}/.well-known/openid-configuration"), get(discovery))
            .route(&format!("/{path}/{KEYS}"), get(key_set))
            .with_state(site)
    }

    fn discovery(&self) -> Value {
        let mut document = json!({
            "issuer": self.url,
            "jwks_uri": format!("{}/{KEYS}", self.url),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        access::merge(&mut document, &Value::Object(self.shape.discovery.clone()));
        document
    }
}

fn keys(keys: Keys, active: &Jwk, stranger: &Jwk) -> Vec<Jwk> {
    match keys {
        Keys::Published => vec![active.clone()],
        Keys::None => Vec::new(),
        Keys::Another => vec![stranger.clone()],
        Keys::TooMany => {
            let others = (0..MOST_KEYS).map(|at| Jwk { kid: Some(format!("other-{at}")), ..stranger.clone() });
            others.chain([active.clone()]).collect()
        }
    }
}

async fn discovery(State(site): State<Site>) -> Response {
    answer(&site, Json(&site.discovery)).await
}

async fn key_set(State(site): State<Site>) -> Response {
    answer(&site, Json(&site.keys)).await
}

async fn answer(site: &Site, document: impl IntoResponse) -> Response {
    if !site.delay.is_zero() {
        tokio::time::sleep(site.delay).await;
    }
    (site.status, document).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: &str) -> Jwk {
        Jwk { kty: "RSA".into(), kid: Some(kid.into()), use_: None, alg: None, n: "AQAB".into(), e: "AQAB".into() }
    }

    fn issuer(shape: Value) -> OwnIssuer {
        let shape = serde_json::from_value(shape).expect("shape");
        OwnIssuer { url: "https://issuer.crossfed.example/ns".parse().expect("url"), shape }
    }

    #[test]
    fn only_what_is_said_is_wrong_with_the_documents() {
        let healthy = issuer(json!({})).discovery();
        assert_eq!(healthy["jwks_uri"], "https://issuer.crossfed.example/ns/openid/v1/jwks");
        let broken =
            issuer(json!({"discovery": {"issuer": "https://elsewhere.example", "jwks_uri": null}})).discovery();
        assert_eq!(broken["issuer"], "https://elsewhere.example");
        assert_eq!(broken.get("jwks_uri"), None);
        assert_eq!(broken["response_types_supported"], healthy["response_types_supported"]);
    }

    #[test]
    fn key_sets_are_broken_as_their_names_say() {
        let check = |word: &str, count: usize, has_active: bool| {
            let shape = issuer(json!({ "keys": word })).shape;
            let set = keys(shape.keys, &key("active"), &key("stranger"));
            assert_eq!((set.len(), set.contains(&key("active"))), (count, has_active), "{word}");
        };
        check("published", 1, true);
        check("none", 0, false);
        check("another", 1, false);
        check("101-rsa", 101, true);
    }
}
