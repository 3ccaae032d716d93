//! Refusals of the query services (IAM, STS): a code, an HTTP status and a sentence.
//! Must not know how they are written on the wire (that is `query.rs`).

use http::StatusCode;
use thiserror::Error;
use trust::policy::PolicyError;

use crate::sigv4::SigError;
use crate::state::AccessDenied;
use transport::BodyError;

/// What a query service answers instead of a result. The message is AWS's own sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into() }
    }

    fn bad_request(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::bad_request("ValidationError", message)
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> ApiError {
        ApiError::bad_request("InvalidInput", message)
    }

    pub(crate) fn malformed_policy(message: impl Into<String>) -> ApiError {
        ApiError::bad_request("MalformedPolicyDocument", message)
    }

    pub(crate) fn no_such_entity(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "NoSuchEntity", message)
    }

    pub(crate) fn already_exists(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, "EntityAlreadyExists", message)
    }

    pub(crate) fn delete_conflict(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, "DeleteConflict", message)
    }

    /// A quota by the name and value that IAM puts into its text.
    pub(crate) fn quota(name: &str, value: usize) -> ApiError {
        ApiError::limit_exceeded(format!("Cannot exceed quota for {name}: {value}"))
    }

    pub(crate) fn limit_exceeded(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, "LimitExceeded", message)
    }

    pub(crate) fn invalid_identity_token(message: impl Into<String>) -> ApiError {
        ApiError::bad_request("InvalidIdentityToken", message)
    }

    pub(crate) fn expired_token(message: impl Into<String>) -> ApiError {
        ApiError::bad_request("ExpiredTokenException", message)
    }

    pub(crate) fn idp_communication(message: impl Into<String>) -> ApiError {
        ApiError::bad_request("OpenIdIdpCommunicationError", message)
    }

    pub(crate) fn access_denied(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    pub(crate) fn invalid_action(action: &str, version: &str) -> ApiError {
        ApiError::bad_request("InvalidAction", format!("Could not find operation {action} for version {version}"))
    }

    pub(crate) fn missing_action() -> ApiError {
        ApiError::bad_request("MissingAction", "The request is missing an action or a required parameter.")
    }

    /// A parameter that the real service knows and this one does not: better refused than ignored.
    pub(crate) fn not_implemented(parameter: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", format!("{parameter} is not simulated"))
    }

    /// A value that is no number where one belongs.
    pub(crate) fn malformed_input(message: impl Into<String>) -> ApiError {
        ApiError::bad_request("MalformedInput", message)
    }
}

/// Codes as S3 has them; those of the query services are not documented.
impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> ApiError {
        match error {
            BodyError::TooLarge => ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "The request is larger than the service accepts.",
            ),
            BodyError::Slow => ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period.",
            ),
            BodyError::Incomplete => ApiError::bad_request("IncompleteBody", "The request body ended too early."),
        }
    }
}

impl From<SigError> for ApiError {
    fn from(refusal: SigError) -> ApiError {
        ApiError::new(refusal.status, refusal.code, refusal.message)
    }
}

impl From<AccessDenied> for ApiError {
    fn from(denied: AccessDenied) -> ApiError {
        ApiError::access_denied(denied.message)
    }
}

impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> ApiError {
        ApiError::malformed_policy(error.aws_message())
    }
}
