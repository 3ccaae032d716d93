//! What a refused or lost call means for the person who runs it. Knows codes, not resources.

use std::error::Error;
use std::fmt;

use azure_core::error::ErrorKind;
use serde_json::Value;

use trust::causes;

use super::Kind;

/// A call that did not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionError {
    /// Who must act.
    pub kind: Kind,
    /// What was tried, such as `CreateVault`.
    pub operation: &'static str,
    /// What it was about, such as `vault cf-r1`.
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
        (Kind::Exists, "CreateVault" | "CheckVaultName") => {
            "vault names are global, and a deleted vault keeps its name until it is purged: purge it, or use another run id"
        }
        (Kind::Exists, "CreateStorageAccount" | "CheckStorageName") => {
            "names of storage accounts are global: use another run id"
        }
        (Kind::Exists, _) => "it is not this run's and is left alone: use another run id, or remove it by hand",
        (Kind::Invalid, "DeleteResourceGroup") => {
            "remove what was put into the group from outside of the run, then clean up again"
        }
        (Kind::Invalid, "DeleteSecret" | "DeleteBlob") => "delete it by hand",
        (Kind::Invalid, _) => "correct the request",
        (Kind::Quota, _) => "sweep the subscription for leftovers or ask for a higher quota",
        (Kind::Denied, "GetToken") => "check tenant, client id and secret",
        (Kind::Denied, "PutBlob" | "PublishBlob") => {
            "writing blobs needs the role Storage Blob Data Contributor, which Owner does not contain"
        }
        (Kind::Denied, _) => "check that the principal may do this in the subscription",
        (Kind::Unavailable, _) => "try again later",
        (Kind::Bug, _) => "this is a defect of crossfed",
    }
}

impl ProvisionError {
    pub(super) fn new(kind: Kind, operation: &'static str, resource: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            resource: resource.to_owned(),
            code: None,
            status: None,
            message: message.into(),
            retryable: false,
            maybe_done: false,
        }
    }

    /// Resource Manager or the Blob service answered with an error.
    pub(super) fn of_answer(operation: &'static str, resource: &str, status: u16, body: &Value) -> Self {
        // Most providers wrap the error, a few do not (Azure REST API guidelines, "Handling errors").
        let error = body.get("error").unwrap_or(body);
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let code = text("code").map(str::to_owned);
        let kind = kind_of(code.as_deref(), status);
        Self {
            code,
            status: Some(status),
            retryable: kind == Kind::Unavailable,
            maybe_done: status >= 500,
            ..Self::new(kind, operation, resource, trust::redact(text("message").unwrap_or("no message")))
        }
    }

    /// No answer came.
    pub(super) fn of_loss(operation: &'static str, resource: &str, error: reqwest::Error) -> Self {
        // Before there is a connection, nothing can have been done.
        let maybe_done = !error.is_connect() && !error.is_builder();
        let kind = if error.is_builder() { Kind::Bug } else { Kind::Unavailable };
        let told = Self::new(kind, operation, resource, trust::redact(&causes(&error.without_url())));
        Self { retryable: kind == Kind::Unavailable, maybe_done, ..told }
    }

    /// Entra gave no token. Nothing was sent to Resource Manager.
    pub(super) fn of_token(tenant: &str, error: &azure_core::Error) -> Self {
        let mut told =
            Self::new(Kind::Unavailable, "GetToken", &format!("tenant {tenant}"), trust::redact(&causes(error)));
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        told.retryable = true;
        while let Some(cause) = next {
            let kind = cause.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind);
            if let Some(ErrorKind::HttpResponse { status, error_code, .. }) = kind {
                let status = u16::from(*status);
                told.status = Some(status);
                told.code = error_code
                    .as_deref()
                    .and_then(|codes| codes.split(',').next())
                    .map(|number| format!("AADSTS{number}"));
                told.message = trust::redact(&cause.to_string()).into_owned();
                if !matches!(status, 408 | 429 | 500..) {
                    (told.kind, told.retryable) = (Kind::Denied, false);
                }
                return told;
            }
            next = cause.source();
        }
        told
    }

    /// True if the answer says that there is no such thing.
    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404)
    }
}

/// Codes of Resource Manager ("Common deployment errors", "Troubleshoot Azure RBAC limits") and of the providers of
/// Key Vault, Managed Identity and Storage, then the status.
fn kind_of(code: Option<&str>, status: u16) -> Kind {
    match code.unwrap_or_default() {
        "VaultAlreadyExists" | "RoleAssignmentExists" | "ConflictError" => Kind::Exists,
        "StorageAccountAlreadyTaken" | "StorageAccountAlreadyExists" | "BlobAlreadyExists" => Kind::Exists,
        "QuotaExceeded" | "RoleAssignmentLimitExceeded" | "ResourceGroupQuotaExceeded" => Kind::Quota,
        "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity" => Kind::Unavailable,
        "AnotherOperationInProgress" | "ResourceGroupBeingDeleted" => Kind::Unavailable,
        _ => match status {
            401 | 403 => Kind::Denied,
            408 | 429 | 500.. => Kind::Unavailable,
            _ => Kind::Invalid,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_tell_who_must_act() {
        let check = |code: &str, status: u16, expected: Kind| {
            assert_eq!(kind_of(Some(code), status), expected, "{code} {status}")
        };
        check("VaultAlreadyExists", 409, Kind::Exists);
        check("RoleAssignmentExists", 409, Kind::Exists);
        check("StorageAccountAlreadyTaken", 409, Kind::Exists);
        check("BlobAlreadyExists", 409, Kind::Exists);
        check("PublicAccessNotPermitted", 409, Kind::Invalid);
        check("AuthorizationPermissionMismatch", 403, Kind::Denied);
        check("AuthorizationFailed", 403, Kind::Denied);
        check("ExpiredAuthenticationToken", 401, Kind::Denied);
        check("ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity", 409, Kind::Unavailable);
        check("TooManyRequests", 429, Kind::Unavailable);
        check("PrincipalNotFound", 400, Kind::Invalid);
        check("RoleAssignmentLimitExceeded", 400, Kind::Quota);
        assert_eq!(kind_of(None, 503), Kind::Unavailable);
    }

    #[test]
    fn says_what_to_do() {
        let taken =
            json!({"error": {"code": "VaultAlreadyExists", "message": "The vault name 'v' is already in use."}});
        insta::assert_snapshot!(ProvisionError::of_answer("CreateVault", "vault v", 409, &taken), @"CreateVault of vault v failed: VaultAlreadyExists (409): The vault name 'v' is already in use; vault names are global, and a deleted vault keeps its name until it is purged: purge it, or use another run id");
        let bare = json!({"code": "BadRequest", "message": "no"});
        insta::assert_snapshot!(ProvisionError::of_answer("CreateIdentity", "identity i", 400, &bare), @"CreateIdentity of identity i failed: BadRequest (400): no; correct the request");
        insta::assert_snapshot!(ProvisionError::of_answer("ListVaults", "the subscription", 502, &Value::Null), @"ListVaults of the subscription failed: status 502: no message; try again later");
    }

    #[test]
    fn a_refused_token_keeps_the_code_of_entra_and_a_lost_one_has_none() {
        let kind =
            ErrorKind::HttpResponse { status: 401.into(), error_code: Some("7000215".into()), raw_response: None };
        let answer = azure_core::Error::with_message(kind, "AADSTS7000215: Invalid client secret provided.");
        let refused = azure_core::Error::with_error(
            ErrorKind::Credential,
            answer,
            "ClientSecretCredential authentication failed.",
        );
        insta::assert_snapshot!(ProvisionError::of_token("t", &refused), @"GetToken of tenant t failed: AADSTS7000215 (401): AADSTS7000215: Invalid client secret provided; check tenant, client id and secret");
        let lost = azure_core::Error::with_message(ErrorKind::Connection, "connection refused");
        let lost = ProvisionError::of_token("t", &lost);
        assert_eq!((lost.kind, lost.code, lost.retryable, lost.maybe_done), (Kind::Unavailable, None, true, false));
    }
}
