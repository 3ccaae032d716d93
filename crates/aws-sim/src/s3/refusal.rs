//! A refusal of S3 and its XML (S3 API reference, "Error responses"): code, message, then the elements
//! that belong to the code. Must not know why it was refused.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use quick_xml::escape::{escape, unescape};
use s3s::HttpResponse;
use thiserror::Error;

use super::address::Address;
use super::put;
use crate::random;
use transport::BodyError;

/// What S3 answers in place of success.
#[derive(Debug, Error)]
#[error("{code}: {message}")]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: Cow<'static, str>,
    pub(super) message: Cow<'static, str>,
    details: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Refusal {
        Refusal {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: code.into(),
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(super) fn denied(message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(403, "AccessDenied", message)
    }

    pub(super) fn no_such_bucket() -> Refusal {
        Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist")
    }

    pub(super) fn no_such_key() -> Refusal {
        Refusal::new(404, "NoSuchKey", "The specified key does not exist.")
    }

    pub(super) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(400, "InvalidArgument", message)
    }

    pub(super) fn malformed_xml() -> Refusal {
        Refusal::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    /// For a header or operation that this simulator does not honour: better refused than ignored.
    pub(super) fn not_implemented() -> Refusal {
        Refusal::new(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    }

    pub(super) fn of_body(error: BodyError) -> Refusal {
        match error {
            BodyError::TooLarge => {
                Refusal::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
            }
            BodyError::Slow => Refusal::new(
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period. Idle \
                 connections will be closed.",
            ),
            BodyError::Incomplete => Refusal::new(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
        }
    }

    /// Adds an element to the body.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Refusal {
        self.details.push((name, value.into()));
        self
    }

    /// Adds a header to the answer.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Refusal {
        self.headers.push((name, value.into()));
        self
    }

    /// Reads a refusal of the protocol library back from its answer.
    pub(super) async fn of_answer(answer: HttpResponse) -> Refusal {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        let code = element(&body, "Code").unwrap_or_else(|| "InternalError".to_owned());
        let message = element(&body, "Message").unwrap_or_else(|| default_message(&code).to_owned());
        Refusal::new(parts.status.as_u16(), code, message)
    }

    /// Names the bucket or key that the code is about.
    pub(super) fn about(mut self, address: &Address) -> Refusal {
        let detail = match self.code.as_ref() {
            "NoSuchKey" => address.key.clone().map(|key| ("Key", key)),
            "NoSuchBucket"
            | "BucketAlreadyExists"
            | "BucketAlreadyOwnedByYou"
            | "BucketNotEmpty"
            | "NoSuchBucketPolicy"
            | "NoSuchTagSet"
            | "NoSuchPublicAccessBlockConfiguration"
            | "OwnershipControlsNotFoundError"
            | "InvalidBucketName" => address.bucket.clone().map(|bucket| ("BucketName", bucket)),
            _ => None,
        };
        self.details.extend(detail);
        self
    }

    /// The answer, with its request id in body and headers.
    pub(super) fn render(self) -> Response {
        let (request_id, host_id) = (random::id("", 16), random::secret(56));
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        let mut write = |name: &str, value: &str| {
            xml.push_str(&format!("<{name}>{}</{name}>", escape(value)));
        };
        write("Code", &self.code);
        write("Message", &self.message);
        for (name, value) in &self.details {
            write(name, value);
        }
        write("RequestId", &request_id);
        write("HostId", &host_id);
        xml.push_str("</Error>");

        let mut response = Response::new(Body::from(xml));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        put(headers, "x-amz-request-id", &request_id);
        put(headers, "x-amz-id-2", &host_id);
        for (name, value) in &self.headers {
            put(headers, name, value);
        }
        response
    }
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    unescape(value).ok().map(Cow::into_owned)
}

/// Texts of the refusals that the protocol library leaves without one.
fn default_message(code: &str) -> &'static str {
    match code {
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        "MissingRequestBodyError" => "Request Body is empty",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method."
        }
        "InternalError" => "We encountered an internal error. Please try again.",
        _ => "",
    }
}
