//! YAML in place of JSON, in requests and in answers: the rest of the server sees nothing of it.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use crate::respond;

/// The media type.
pub(crate) const MEDIA: &str = "application/yaml";

/// A body as JSON.
///
/// # Errors
/// The parser's words, behind those that the real server puts in front of its own parser's.
pub(crate) fn to_json(body: &[u8]) -> Result<Bytes, String> {
    let refuse = |why: String| format!("error converting YAML to JSON: yaml: {why}");
    let text = std::str::from_utf8(body).map_err(|error| refuse(error.to_string()))?;
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        let words = error.to_string();
        refuse(words.lines().next().unwrap_or_default().to_owned())
    })?;
    Ok(Bytes::from(value.to_string()))
}

/// True when the client lists YAML before any form of JSON.
pub(crate) fn is_preferred(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let medias = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    medias.into_iter().find(|media| *media == MEDIA || respond::is_json(media)).is_some_and(|media| media == MEDIA)
}

/// The same answer in YAML, where it is JSON that has an end.
pub(crate) async fn of(response: Response) -> Response {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|media| media == "application/json");
    if !is_json {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let text =
        serde_json::from_slice::<Value>(&bytes).ok().map(sorted).and_then(|value| serde_saphyr::to_string(&value).ok());
    let Some(text) = text else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    Response::from_parts(parts, Body::from(text))
}

/// Members in the order of their names, as the real server's YAML has them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut members: Vec<_> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_read_and_what_is_none_is_refused() {
        let json = to_json(b"kind: ConfigMap\ndata: {b: \"1\", a: x}\n").expect("must be read");
        assert_eq!(json, r#"{"kind":"ConfigMap","data":{"b":"1","a":"x"}}"#);
        let refused = to_json(b"a: [").expect_err("must be refused");
        assert!(refused.starts_with("error converting YAML to JSON: yaml: "), "{refused}");
        assert!(to_json(b"\xff").is_err());
    }

    #[test]
    fn the_first_of_the_two_is_taken() {
        let check = |accept: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(is_preferred(&headers), expected, "{accept}");
        };
        check("application/yaml", true);
        check("application/yaml, */*", true);
        check("application/json, application/yaml", false);
        check("*/*", false);
    }

    #[tokio::test]
    async fn answers_are_sorted() {
        let answer = of(respond::json(http::StatusCode::OK, r#"{"b":{"y":1,"x":[]},"a":"yes"}"#)).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], MEDIA);
        let body = to_bytes(answer.into_body(), 1024).await.expect("must be read");
        let text = std::str::from_utf8(&body).expect("must be text");
        let back: Value = serde_saphyr::from_str(text).expect("must be YAML");
        assert_eq!(back, serde_json::json!({"a": "yes", "b": {"x": [], "y": 1}}));
        assert!(text.starts_with("a:"), "{text}");
    }
}
