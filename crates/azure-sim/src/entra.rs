//! Microsoft Entra ID: the token endpoint and the documents that clients read before they use it.
//! Must not know Resource Manager, Key Vault or Storage: a token says who, never what is permitted.

mod assertion;
mod exchange;
mod issuer;
mod metadata;
mod refusal;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use uuid::Uuid;

use crate::state::State;
use refusal::Refusal;

/// Larger than any token request: an assertion is a few kilobytes.
const BODY_LIMIT: usize = 1 << 20;

pub(crate) async fn serve(state: &State, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let outcome = match segments[..] {
        ["common", "discovery", "instance"] => metadata::instance(parts.uri.query()),
        [tenant, "v2.0", ".well-known", "openid-configuration"] => metadata::discovery(state, tenant, true),
        [tenant, ".well-known", "openid-configuration"] => metadata::discovery(state, tenant, false),
        [tenant, "discovery", "v2.0", "keys"] | [tenant, "discovery", "keys"] => metadata::keys(state, tenant).await,
        [tenant, "oauth2", "v2.0", "token"] => {
            let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
                return StatusCode::PAYLOAD_TOO_LARGE.into_response();
            };
            token(state, tenant, &parts, &body).await
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    respond(state, &parts, outcome)
}

async fn token(state: &State, tenant: &str, parts: &Parts, body: &[u8]) -> Result<Value, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::wrong_method(&parts.method));
    }
    let form = exchange::Form::parse(body);
    exchange::exchange(state, tenant, &form).await
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
