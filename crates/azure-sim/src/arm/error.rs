//! Refusals of Resource Manager: a code, a status and a sentence.
//! Must not know how they are written on the wire.
//!
//! Codes and sentences are those of the "Common deployment errors" reference, the services' REST
//! references and published answers. Where only the status is documented, the code is the general
//! `BadRequest`.

use http::{Method, StatusCode};
use thiserror::Error;
use transport::BodyError;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub(crate) struct ArmError {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The tenant whose authority issues the token that is missing.
    pub(crate) challenge: Option<Option<Uuid>>,
}

impl ArmError {
    pub(super) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> ArmError {
        ArmError { status, code: code.into(), message: message.into(), challenge: None }
    }

    pub(super) fn invalid(code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> ArmError {
        ArmError::invalid("BadRequest", message)
    }

    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError::new(StatusCode::CONFLICT, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn unauthenticated(code: &'static str, message: impl Into<String>, tenant: Option<Uuid>) -> ArmError {
        ArmError { challenge: Some(tenant), ..ArmError::new(StatusCode::UNAUTHORIZED, code, message) }
    }

    pub(super) fn method(method: &Method) -> ArmError {
        ArmError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "HttpMethodNotSupported",
            format!("The http method '{method}' is not supported for this resource."),
        )
    }

    /// `kind` is the type with its namespace, `name` the names joined by slashes.
    pub(super) fn resource_not_found(kind: &str, name: &str, group: &str) -> ArmError {
        ArmError::not_found(
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// The first is recalled, the others are the simulator's own.
    pub(super) fn of_body(error: BodyError, limit: usize) -> ArmError {
        match error {
            BodyError::TooLarge => ArmError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestContentTooLarge",
                format!("The request content size exceeds the maximum size of '{limit}' bytes."),
            ),
            BodyError::Slow => {
                ArmError::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The request body did not come in time.")
            }
            BodyError::Incomplete => ArmError::content("The content ended too early"),
        }
    }

    pub(super) fn group_not_found(group: &str) -> ArmError {
        ArmError::not_found("ResourceGroupNotFound", format!("Resource group '{group}' could not be found."))
    }

    pub(super) fn content(problem: &str) -> ArmError {
        ArmError::invalid(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{problem}'."),
        )
    }
}
