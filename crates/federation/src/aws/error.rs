//! What a refused or lost call means for the person who runs it. Knows codes, not resources.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use trust::causes;

use crate::Kind;

/// A call that did not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionError {
    /// Who must act.
    pub kind: Kind,
    /// The service's name for the call, such as `CreateRole`.
    pub operation: &'static str,
    /// What it was about, such as `role reader`.
    pub resource: String,
    /// The service's error code, where it answered.
    pub code: Option<String>,
    /// The HTTP status, where it answered.
    pub status: Option<u16>,
    /// The service's words, or what kept them from coming.
    pub message: String,
    /// The same call may succeed later.
    pub retryable: bool,
    /// No answer came for at least one attempt, so the work may have been done all the same.
    pub maybe_done: bool,
}

impl fmt::Display for ProvisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} failed: ", self.operation, self.resource)?;
        match (&self.code, self.status) {
            (Some(code), Some(status)) => write!(f, "{code} ({status}): ")?,
            (Some(code), None) => write!(f, "{code}: ")?,
            (None, Some(status)) => write!(f, "status {status}: ")?,
            (None, None) => {}
        }
        write!(f, "{}; {}", self.message.trim_end_matches('.'), advice(self.kind, self.operation))
    }
}

impl Error for ProvisionError {}

fn advice(kind: Kind, operation: &str) -> &'static str {
    match (kind, operation) {
        (Kind::Exists, "CreateOpenIDConnectProvider") => {
            "an issuer can be registered once in an account, and that provider is not this run's: use another account or issuer"
        }
        (Kind::Exists, _) => "it is not this run's and is left alone: use another run id, or remove it by hand",
        (Kind::Invalid, "DeleteBucket") => {
            "delete what was put into the bucket from outside of the run, then clean up again"
        }
        (Kind::Invalid, "DeleteRole" | "DeletePolicy") => {
            "detach what was attached from outside of the run, then clean up again"
        }
        (Kind::Invalid, _) => "correct the request",
        (Kind::Quota, _) => "sweep the account for leftovers or ask for a higher quota",
        (Kind::Denied, "PutBucketPolicy" | "PutPublicAccessBlock") => {
            "check that the keys may do this, and that the account's own Block Public Access does not forbid public buckets"
        }
        (Kind::Denied, _) => "check that the keys are current and may do this",
        (Kind::Unavailable, _) => "try again later",
        (Kind::Bug, _) => "this is a defect of crossfed",
    }
}

impl ProvisionError {
    pub(super) fn bug(operation: &'static str, resource: &str, message: String) -> Self {
        Self {
            kind: Kind::Bug,
            operation,
            resource: resource.to_owned(),
            code: None,
            status: None,
            message,
            retryable: false,
            maybe_done: false,
        }
    }

    pub(super) fn of<E>(operation: &'static str, resource: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let mut told = Self::bug(operation, resource, trust::redact(&causes(error)).into_owned());
        match error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let code = answer.err().code().map(str::to_owned);
                told.kind = kind_of(code.as_deref(), status);
                told.retryable = told.kind == Kind::Unavailable;
                told.maybe_done = status >= 500;
                if let Some(message) = answer.err().message() {
                    told.message = trust::redact(message).into_owned();
                } else if code.is_some() {
                    told.message = "no message".to_owned();
                }
                told.status = Some(status);
                told.code = code;
            }
            SdkError::DispatchFailure(failure) => {
                told.kind = Kind::Unavailable;
                told.retryable = failure.is_io() || failure.is_timeout() || failure.as_other().is_some();
                told.maybe_done = true;
            }
            SdkError::TimeoutError(_) => {
                told.kind = Kind::Unavailable;
                told.retryable = true;
                told.maybe_done = true;
            }
            SdkError::ResponseError(answer) => {
                told.status = Some(answer.raw().status().as_u16());
                told.maybe_done = true;
            }
            _ => {}
        }
        told
    }
}

/// Codes of IAM and S3 (their API references, "Common errors" and the operations' own), then the status.
fn kind_of(code: Option<&str>, status: u16) -> Kind {
    match code.unwrap_or_default() {
        "EntityAlreadyExists" | "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" | "PreconditionFailed" => {
            Kind::Exists
        }
        "LimitExceeded" | "TooManyBuckets" => Kind::Quota,
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "SlowDown" | "RequestTimeout" => {
            Kind::Unavailable
        }
        "ConcurrentModification" | "OperationAborted" | "ConditionalRequestConflict" => Kind::Unavailable,
        "ExpiredToken" | "InvalidToken" | "RequestExpired" => Kind::Denied,
        _ => match status {
            401 | 403 => Kind::Denied,
            429 | 500.. => Kind::Unavailable,
            _ => Kind::Invalid,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_who_must_act() {
        let check = |code: &str, status: u16, expected: Kind| {
            assert_eq!(kind_of(Some(code), status), expected, "{code} {status}")
        };
        check("EntityAlreadyExists", 409, Kind::Exists);
        check("BucketAlreadyExists", 409, Kind::Exists);
        check("PreconditionFailed", 412, Kind::Exists);
        check("LimitExceeded", 409, Kind::Quota);
        check("AccessDenied", 403, Kind::Denied);
        check("InvalidClientTokenId", 403, Kind::Denied);
        check("ExpiredToken", 400, Kind::Denied);
        check("Throttling", 400, Kind::Unavailable);
        check("ServiceFailure", 500, Kind::Unavailable);
        check("ConcurrentModification", 409, Kind::Unavailable);
        check("MalformedPolicyDocument", 400, Kind::Invalid);
        check("DeleteConflict", 409, Kind::Invalid);
        check("NoSuchEntity", 404, Kind::Invalid);
        assert_eq!(kind_of(None, 503), Kind::Unavailable);
    }

    #[test]
    fn says_what_to_do() {
        let error = ProvisionError {
            kind: Kind::Exists,
            operation: "CreateOpenIDConnectProvider",
            resource: "OIDC provider for https://h/t/g/".into(),
            code: Some("EntityAlreadyExists".into()),
            status: Some(409),
            message: "Provider with url https://h/t/g/ already exists.".into(),
            retryable: false,
            maybe_done: false,
        };
        insta::assert_snapshot!(error, @"CreateOpenIDConnectProvider of OIDC provider for https://h/t/g/ failed: EntityAlreadyExists (409): Provider with url https://h/t/g/ already exists; an issuer can be registered once in an account, and that provider is not this run's: use another account or issuer");
        insta::assert_snapshot!(ProvisionError { kind: Kind::Unavailable, code: None, status: None, message: "connection refused".into(), ..error.clone() }, @"CreateOpenIDConnectProvider of OIDC provider for https://h/t/g/ failed: connection refused; try again later");
        insta::assert_snapshot!(ProvisionError { kind: Kind::Invalid, operation: "DeleteBucket", resource: "bucket b".into(), code: Some("BucketNotEmpty".into()), message: "The bucket you tried to delete is not empty".into(), ..error }, @"DeleteBucket of bucket b failed: BucketNotEmpty (409): The bucket you tried to delete is not empty; delete what was put into the bucket from outside of the run, then clean up again");
    }
}
