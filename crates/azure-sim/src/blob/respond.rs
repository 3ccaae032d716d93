//! Answers on the wire: headers, and the XML of refusals.
//! Must not know what is answered.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::origin::Origin;
use crate::storage::{Blob, Container, PublicAccess};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const BLOB_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-type");
const PUBLIC_ACCESS: HeaderName = HeaderName::from_static("x-ms-blob-public-access");
const ENCRYPTED: HeaderName = HeaderName::from_static("x-ms-request-server-encrypted");

#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// 201, with the blob as it is now.
    Written(Blob),
    /// 200.
    Read(Blob),
    /// 202.
    Deleted,
    /// 201.
    ContainerMade(Container),
    /// 200, without a body.
    Container(Container),
    /// 200, with XML.
    Listed(String),
}

pub(super) fn finish(now: Timestamp, origin: &Origin, parts: &Parts, outcome: Result<Answer, Refusal>) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let mut headers = HeaderMap::new();
    set(&mut headers, REQUEST_ID, &request_id);
    for name in [VERSION, CLIENT_REQUEST_ID] {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let (status, body) = match outcome {
        Ok(Answer::Written(blob)) => {
            stamp(&mut headers, &blob);
            headers.insert(ENCRYPTED, HeaderValue::from_static("true"));
            (StatusCode::CREATED, Bytes::new())
        }
        Ok(Answer::Read(blob)) => {
            stamp(&mut headers, &blob);
            headers.insert(BLOB_TYPE, HeaderValue::from_static("BlockBlob"));
            set(&mut headers, CONTENT_TYPE, &blob.content_type);
            if let Some(control) = &blob.cache_control {
                set(&mut headers, CACHE_CONTROL, control);
            }
            (StatusCode::OK, blob.body)
        }
        Ok(Answer::ContainerMade(container)) => {
            stamp_with(&mut headers, &container.etag, container.modified);
            (StatusCode::CREATED, Bytes::new())
        }
        Ok(Answer::Container(container)) => {
            stamp_with(&mut headers, &container.etag, container.modified);
            if container.public_access != PublicAccess::None {
                set(&mut headers, PUBLIC_ACCESS, &container.public_access.word().to_ascii_lowercase());
            }
            (StatusCode::OK, Bytes::new())
        }
        Ok(Answer::Listed(xml)) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            (StatusCode::OK, Bytes::from(xml))
        }
        Ok(Answer::Deleted) => (StatusCode::ACCEPTED, Bytes::new()),
        Err(refusal) => {
            set(&mut headers, ERROR_CODE, refusal.code);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            if let Some(tenant) = refusal.challenge {
                let authority = format!("{}/{tenant}/oauth2/authorize", origin.authority);
                let challenge = format!("Bearer authorization_uri={authority} resource_id=https://storage.azure.com");
                set(&mut headers, WWW_AUTHENTICATE, &challenge);
            }
            (refusal.status, Bytes::from(xml(&refusal, &request_id, now)))
        }
    };
    let mut response = Response::new(Body::empty());
    if parts.method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, body.len().into());
    } else {
        *response.body_mut() = Body::from(body);
    }
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn stamp(headers: &mut HeaderMap, blob: &Blob) {
    stamp_with(headers, &blob.etag, blob.modified);
}

fn stamp_with(headers: &mut HeaderMap, etag: &str, modified: Timestamp) {
    set(headers, ETAG, etag);
    set(headers, LAST_MODIFIED, &http_date(modified));
}

/// As HTTP writes it.
pub(super) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The service's texts have no character that XML reserves, save the apostrophe, which may stand in a text.
fn xml(refusal: &Refusal, request_id: &str, now: Timestamp) -> String {
    let time = now.strftime("%Y-%m-%dT%H:%M:%S%.7fZ");
    let detail = refusal.detail.as_ref().map(|(element, text)| format!("<{element}>{text}</{element}>"));
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}\nRequestId:{request_id}\nTime:{time}</Message>{}</Error>",
        refusal.code,
        refusal.message,
        detail.unwrap_or_default()
    )
}

/// A text that is no header value is left out; what was sent in a header can be sent back in one.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
