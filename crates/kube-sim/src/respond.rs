//! Answers: which representation a client takes, and bodies with the headers that the real server sends.
//!
//! Handlers answer in JSON; what becomes of it for a client that takes YAML is decided behind them.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::status::Status;
use crate::yaml;

/// What the real server lists when nothing fits.
const OFFERED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// Checks that the client takes plain JSON.
///
/// # Errors
/// 406.
pub(crate) fn negotiate(headers: &HeaderMap) -> Result<(), Status> {
    let Some(accept) =
        headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).filter(|value| !value.trim().is_empty())
    else {
        return Ok(());
    };
    let takes_json = accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        (is_json(media) || media == yaml::MEDIA) && !parts.any(|parameter| parameter.starts_with("as="))
    });
    if takes_json { Ok(()) } else { Err(Status::only_these_types(OFFERED)) }
}

/// A media range that JSON is in.
pub(crate) fn is_json(media: &str) -> bool {
    ["application/json", "application/*", "*/*"].contains(&media)
}

/// The form in which objects are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Table,
    /// `PartialObjectMetadata`.
    Metadata,
}

/// Picks the first form that the client lists and that there is.
///
/// # Errors
/// 406.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Status> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.trim().is_empty() {
        return Ok(Form::Plain);
    }
    let of_range = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        if !is_json(media) && media != yaml::MEDIA {
            return None;
        }
        let parameters: Vec<&str> = parts.collect();
        let value = |name: &str| parameters.iter().find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
        match (value("as"), value("g"), value("v")) {
            (None, ..) => Some(Form::Plain),
            (Some("Table"), Some("meta.k8s.io"), Some("v1")) => Some(Form::Table),
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => {
                Some(Form::Metadata)
            }
            _ => None,
        }
    };
    accept.split(',').find_map(of_range).ok_or_else(|| Status::only_these_types(OFFERED))
}

/// A JSON body.
pub(crate) fn json(code: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

pub(crate) fn value(code: StatusCode, value: &Value) -> Response {
    json(code, Bytes::from(value.to_string()))
}

pub(crate) fn failure(status: &Status) -> Response {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = value(code, &status.to_value());
    let seconds = status.details.as_ref().and_then(|details| details["retryAfterSeconds"].as_u64());
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A body that is no object, such as `ok`.
pub(crate) fn text(code: StatusCode, body: &'static str) -> Response {
    let mut response = json(code, body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Puts warnings into headers (RFC 7234 §5.5, code 299).
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        let clean: String = quoted.chars().filter(|c| !c.is_control()).collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{clean}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_given_to_who_takes_it() {
        let check = |accept: &'static str, fine: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(negotiate(&headers).is_ok(), fine, "{accept}");
        };
        check("application/json", true);
        check("*/*", true);
        check("", true);
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", true);
        check("application/json;as=Table;v=v1;g=meta.k8s.io", false);
        check("application/vnd.kubernetes.protobuf", false);
        check("application/json;stream=watch", true);
    }

    #[test]
    fn the_first_form_that_there_is_is_given() {
        let check = |accept: &'static str, expected: Option<Form>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(form(&headers).ok(), expected, "{accept}");
        };
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(Form::Table));
        check("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Some(Form::Plain));
        check("application/vnd.kubernetes.protobuf,application/json", Some(Form::Plain));
        check("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some(Form::Metadata));
        check("application/vnd.kubernetes.protobuf", None);
    }

    #[test]
    fn warnings_are_quoted() {
        let mut response = text(StatusCode::OK, "ok");
        warn(&mut response, &["unknown field \"nope\"".to_owned()]);
        assert_eq!(response.headers()[header::WARNING], r#"299 - "unknown field \"nope\"""#);
    }
}
