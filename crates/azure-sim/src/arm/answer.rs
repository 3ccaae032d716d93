//! How Resource Manager's answers are written.
//! Must not know what is in them.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::ArmError;
use crate::origin::Origin;

/// A result: a status, perhaps a resource, perhaps where to look for the end of what goes on.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Option<Value>,
    location: Option<String>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Answer {
        Answer::with(StatusCode::OK, body)
    }

    pub(super) fn with(status: StatusCode, body: Value) -> Answer {
        Answer { status, body: Some(body), location: None }
    }

    /// 201 for what is new, 200 for what was there.
    pub(super) fn put(is_new: bool, body: Value) -> Answer {
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Answer::with(status, body)
    }

    pub(super) fn empty(status: StatusCode) -> Answer {
        Answer { status, body: None, location: None }
    }

    /// 200 for what was deleted, 204 for what was not there.
    pub(super) fn deleted(was_there: bool) -> Answer {
        Answer::empty(if was_there { StatusCode::OK } else { StatusCode::NO_CONTENT })
    }

    /// Work goes on; `location` tells when it is done.
    pub(super) fn accepted(location: String) -> Answer {
        Answer { status: StatusCode::ACCEPTED, body: None, location: Some(location) }
    }

    pub(super) fn list(items: Vec<Value>) -> Answer {
        Answer::ok(json!({ "value": items }))
    }
}

pub(super) fn write(
    origin: &Origin,
    retry_after: u32,
    asked: &HeaderMap,
    outcome: Result<Answer, ArmError>,
) -> Response {
    let mut response = match outcome {
        Ok(answer) => {
            let mut response = match answer.body {
                Some(body) => json_response(answer.status, &body),
                None => answer.status.into_response(),
            };
            if let Some(location) = answer.location {
                put(&mut response, header::LOCATION, &location);
                put(&mut response, header::RETRY_AFTER, &retry_after.to_string());
            }
            response
        }
        Err(error) => refusal(origin, &error),
    };
    let request = Uuid::new_v4().to_string();
    let correlation = asked
        .get("x-ms-correlation-request-id")
        .and_then(|value| value.to_str().ok())
        .map_or_else(|| request.clone(), str::to_owned);
    put(&mut response, header::CACHE_CONTROL, "no-cache");
    put(&mut response, HeaderName::from_static("x-ms-request-id"), &request);
    put(&mut response, HeaderName::from_static("x-ms-correlation-request-id"), &correlation);
    response
}

fn refusal(origin: &Origin, error: &ArmError) -> Response {
    let body = json!({"error": {"code": error.code, "message": error.message}});
    let mut response = json_response(error.status, &body);
    if let Some(tenant) = error.challenge {
        let tenant = tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
        let description = error.message.replace('"', "'");
        let authority = if origin.is_plain { &origin.authority } else { "https://login.windows.net" };
        let challenge = format!(
            "Bearer authorization_uri=\"{authority}/{tenant}\", error=\"invalid_token\", error_description=\"{description}\""
        );
        put(&mut response, header::WWW_AUTHENTICATE, &challenge);
    }
    if error.status.is_client_error() {
        put(&mut response, HeaderName::from_static("x-ms-failure-cause"), "gateway");
    }
    response
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    put(&mut response, header::CONTENT_TYPE, "application/json; charset=utf-8");
    response
}

/// What cannot stand in a header is left out of it.
fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
