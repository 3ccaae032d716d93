//! Refusals of the Blob service: a code, a status and a sentence (REST reference, "Blob service error codes").
//! Must not know what led to them.

use http::StatusCode;
use transport::BodyError;
use uuid::Uuid;

/// From this version on, who shows no authorization is told where to get one; before, that nothing is there
/// (azure-sdk-for-net, tests of `DataLakeFileSystemClient`).
const WITH_CHALLENGE: &str = "2019-12-12";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    /// An element beside code and message.
    pub(super) detail: Option<(&'static str, String)>,
    /// The tenant whose authority issues the token that is missing.
    pub(super) challenge: Option<Uuid>,
}

const WHO_ARE_YOU: &str =
    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: &'static str) -> Refusal {
        Refusal { status, code, message, detail: None, challenge: None }
    }

    fn with(self, element: &'static str, text: impl Into<String>) -> Refusal {
        Refusal { detail: Some((element, text.into())), ..self }
    }

    /// No authorization where one is needed.
    pub(super) fn unauthenticated(tenant: Uuid, version: Option<&str>) -> Refusal {
        if version.is_none_or(|version| version < WITH_CHALLENGE) {
            return Refusal::no_resource();
        }
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "NoAuthenticationInformation", WHO_ARE_YOU);
        Refusal { challenge: Some(tenant), ..refusal }
    }

    pub(super) fn invalid_token(tenant: Uuid, detail: &'static str) -> Refusal {
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo", WHO_ARE_YOU);
        Refusal { challenge: Some(tenant), ..refusal.with("AuthenticationErrorDetail", detail) }
    }

    pub(super) fn authentication_failed(detail: &'static str) -> Refusal {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.",
        )
        .with("AuthenticationErrorDetail", detail)
    }

    pub(super) fn permission_mismatch() -> Refusal {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )
    }

    pub(super) fn public_access_not_permitted() -> Refusal {
        Refusal::new(
            StatusCode::CONFLICT,
            "PublicAccessNotPermitted",
            "Public access is not permitted on this storage account.",
        )
    }

    /// What nobody in particular is told of what is there, and not for them.
    pub(super) fn no_resource() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFound", "The specified resource does not exist.")
    }

    pub(super) fn no_container() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.")
    }

    pub(super) fn container_exists() -> Refusal {
        Refusal::new(StatusCode::CONFLICT, "ContainerAlreadyExists", "The specified container already exists.")
    }

    pub(super) fn invalid_name() -> Refusal {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidResourceName",
            "The specified resource name contains invalid characters.",
        )
    }

    pub(super) fn no_blob() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")
    }

    pub(super) fn blob_exists() -> Refusal {
        Refusal::new(StatusCode::CONFLICT, "BlobAlreadyExists", "The specified blob already exists.")
    }

    pub(super) fn missing_header(name: &'static str) -> Refusal {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "MissingRequiredHeader",
            "An HTTP header that's mandatory for this request is not specified.",
        )
        .with("HeaderName", name)
    }

    pub(super) fn invalid_header(name: &'static str) -> Refusal {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidHeaderValue",
            "The value for one of the HTTP headers is not in the correct format.",
        )
        .with("HeaderName", name)
    }

    pub(super) fn invalid_uri() -> Refusal {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidUri",
            "The requested URI does not represent any resource on the server.",
        )
    }

    pub(super) fn unsupported_verb() -> Refusal {
        Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UnsupportedHttpVerb",
            "The resource doesn't support specified Http Verb.",
        )
    }

    /// The operations on accounts and containers, and on parts of blobs.
    pub(super) fn not_simulated() -> Refusal {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidQueryParameterValue",
            "Only whole blobs and containers are put, read, listed and deleted in this simulation.",
        )
    }

    /// Of the last two, only the status is sure.
    pub(super) fn of_body(error: BodyError, limit: usize) -> Refusal {
        match error {
            BodyError::TooLarge => Refusal::too_large(limit),
            BodyError::Slow => Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "RequestTimedOut",
                "The operation could not be completed within the permitted time.",
            ),
            BodyError::Incomplete => {
                Refusal::new(StatusCode::BAD_REQUEST, "IncompleteBody", "The request body ended too early.")
            }
        }
    }

    /// The simulator's own limit.
    pub(super) fn no_space() -> Refusal {
        Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", "The simulator holds no more.")
    }

    fn too_large(limit: usize) -> Refusal {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestBodyTooLarge",
            "The request body is too large and exceeds the maximum permissible limit.",
        )
        .with("MaxLimit", limit.to_string())
    }
}
