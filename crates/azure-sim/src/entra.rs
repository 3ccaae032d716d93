//! Microsoft Entra ID: the token endpoint and the documents that clients read before they use it.
//! Must not know Resource Manager, Key Vault or Storage: a token says who, never what is permitted.

mod assertion;
mod exchange;
mod issuer;
mod metadata;
mod refusal;

use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use transport::BodyError;
use uuid::Uuid;

use crate::origin::Origin;
use crate::requests::Told;
use crate::state::State;
pub(crate) use exchange::Form;
use refusal::Refusal;

/// Larger than any token request: an assertion is a few kilobytes.
const BODY_LIMIT: usize = 1 << 20;

pub(crate) async fn serve(state: &State, origin: &Origin, request: Request) -> Response {
    let mut told = Told::default();
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (operation, outcome) = match segments[..] {
        ["common", "discovery", "instance"] => ("InstanceDiscovery", metadata::instance(origin, parts.uri.query())),
        [tenant, "v2.0", ".well-known", "openid-configuration"] => {
            ("OpenIdConfiguration", metadata::discovery(state, origin, tenant, true))
        }
        [tenant, ".well-known", "openid-configuration"] => {
            ("OpenIdConfiguration", metadata::discovery(state, origin, tenant, false))
        }
        [tenant, "discovery", "v2.0", "keys"] | [tenant, "discovery", "keys"] => {
            ("Keys", metadata::keys(state, origin, tenant).await)
        }
        [tenant, "oauth2", "v2.0", "token"] => {
            let body = state.read_body(&parts.headers, body, BODY_LIMIT).await;
            ("Token", token(state, tenant, &parts, body, &mut told).await)
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    operation.clone_into(&mut told.operation);
    told.error = outcome.as_ref().err().map(|refusal| format!("AADSTS{}", refusal.code));
    let mut response = respond(state, &parts, outcome);
    response.extensions_mut().insert(told);
    response
}

async fn token(
    state: &State,
    tenant: &str,
    parts: &Parts,
    body: Result<Bytes, BodyError>,
    told: &mut Told,
) -> Result<Value, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::wrong_method(&parts.method));
    }
    let form = exchange::Form::parse(&body.map_err(Refusal::of_body)?);
    exchange::exchange(state, tenant, &form, told).await
}

/// Writes an answer, with the identifiers by which the real service's support finds a request.
fn respond(state: &State, parts: &Parts, outcome: Result<Value, Refusal>) -> Response {
    let trace = Uuid::new_v4();
    let correlation = parts
        .headers
        .get("client-request-id")
        .and_then(|value| value.to_str().ok()?.parse::<Uuid>().ok())
        .unwrap_or_else(Uuid::new_v4);
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => {
            tracing::debug!(code = refusal.code, text = refusal.text, "refused");
            (refusal.status, refusal.body(trace, correlation, state.now()))
        }
    };
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    for (name, id) in [("x-ms-request-id", trace), ("client-request-id", correlation)] {
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            headers.insert(name, value);
        }
    }
    response
}
