//! Answers on the wire, with the headers that every answer of a vault has.
//! Must not know what is answered.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderName, PRAGMA, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::vaults::VaultView;

const REGION: HeaderName = HeaderName::from_static("x-ms-keyvault-region");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const SERVICE_VERSION: HeaderName = HeaderName::from_static("x-ms-keyvault-service-version");
const NETWORK_INFO: HeaderName = HeaderName::from_static("x-ms-keyvault-network-info");

/// No `Debug`: the JSON may hold a value.
pub(super) enum Answer {
    Json(Vec<u8>),
    /// 204.
    Nothing,
}

impl Answer {
    pub(super) fn of(shown: &impl Serialize) -> Result<Answer, Refusal> {
        let json = serde_json::to_vec(shown).map_err(|_| Refusal::internal())?;
        Ok(Answer::Json(json))
    }
}

pub(super) fn finish(
    vault: &VaultView,
    request: &HeaderMap,
    peer: Option<IpAddr>,
    outcome: Result<Answer, Refusal>,
) -> Response {
    let mut challenge = None;
    let (status, json) = match outcome {
        Ok(Answer::Json(json)) => (StatusCode::OK, Some(json)),
        Ok(Answer::Nothing) => (StatusCode::NO_CONTENT, None),
        Err(refusal) => {
            let json = refusal.body().to_string().into_bytes();
            challenge = refusal.challenge;
            (refusal.status, Some(json))
        }
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-cache"),
        (PRAGMA, "no-cache"),
        (EXPIRES, "-1"),
        (SERVICE_VERSION, "1.9.378.1"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000;includeSubDomains"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    set(headers, REGION, &vault.location);
    set(headers, REQUEST_ID, &Uuid::new_v4().to_string());
    set(headers, NETWORK_INFO, &network_info(peer));
    if let Some(id) = request.get(CLIENT_REQUEST_ID) {
        headers.insert(CLIENT_REQUEST_ID, id.clone());
    }
    if let Some(challenge) = challenge {
        set(headers, WWW_AUTHENTICATE, &challenge);
    }
    if let Some(json) = json {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        *response.body_mut() = Body::from(json);
    }
    response
}

/// A text that is no header value (a location with an umlaut) leaves the header out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn network_info(peer: Option<IpAddr>) -> String {
    match peer {
        Some(peer @ IpAddr::V4(_)) => {
            format!("conn_type=Ipv4;addr={peer};act_addr_fam=InterNetwork;")
        }
        Some(peer @ IpAddr::V6(_)) => {
            format!("conn_type=Ipv6;addr={peer};act_addr_fam=InterNetworkV6;")
        }
        None => "conn_type=Ipv4;".to_owned(),
    }
}
