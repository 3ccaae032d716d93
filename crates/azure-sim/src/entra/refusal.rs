//! What the directory answers instead of a token: AADSTS codes with their status and sentence.
//! Must not know when each applies.
//!
//! Codes and texts are those of the "Microsoft Entra authentication and authorization error codes"
//! reference and of answers that users have published. Where neither tells the text, the reference's
//! description of the code stands in.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use transport::BodyError;
use uuid::Uuid;

/// Codes for which answers carry no `error_uri`: the look-up page does not know them.
const WITHOUT_PAGE: [u32; 6] = [70025, 700211, 700212, 700213, 7_002_138, 1_002_012];
/// Where the refusals of a federated token send their reader.
const FEDERATION_GUIDE: &str = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation";
const CHECK: &str =
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";

/// A refusal, without the identifiers of the one request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("AADSTS{code}: {text}")]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The OAuth error.
    pub(crate) error: &'static str,
    pub(crate) code: u32,
    pub(crate) text: String,
}

impl Refusal {
    fn invalid_request(code: u32, text: impl Into<String>) -> Refusal {
        Refusal::bad_request("invalid_request", code, text)
    }

    fn bad_request(error: &'static str, code: u32, text: impl Into<String>) -> Refusal {
        let (status, text) = (StatusCode::BAD_REQUEST, text.into());
        Refusal { status, error, code, text }
    }

    fn invalid_client(code: u32, text: impl Into<String>) -> Refusal {
        let (status, error, text) = (StatusCode::UNAUTHORIZED, "invalid_client", text.into());
        Refusal { status, error, code, text }
    }

    pub(super) fn wrong_method(method: &Method) -> Refusal {
        Refusal::invalid_request(
            900_561,
            format!("The endpoint only accepts POST requests. Received a {method} request."),
        )
    }

    pub(super) fn missing_parameter(name: &str) -> Refusal {
        Refusal::invalid_request(900_144, format!("The request body must contain the following parameter: '{name}'."))
    }

    pub(super) fn malformed_request() -> Refusal {
        Refusal::invalid_request(9_002_313, "Invalid request. Request is malformed or invalid.")
    }

    /// Of a body that is too large, or does not come, the reference knows nothing: the statuses are HTTP's.
    pub(super) fn of_body(error: BodyError) -> Refusal {
        let status = match error {
            BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Slow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Incomplete => StatusCode::BAD_REQUEST,
        };
        Refusal { status, ..Refusal::malformed_request() }
    }

    pub(super) fn unsupported_grant(grant: &str) -> Refusal {
        Refusal::bad_request(
            "unsupported_grant_type",
            70003,
            format!("The app requested an unsupported grant type '{grant}'."),
        )
    }

    pub(super) fn malformed_tenant(tenant: &str) -> Refusal {
        Refusal::invalid_request(
            900_023,
            format!("Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."),
        )
    }

    /// The token endpoint calls it an invalid request, discovery an invalid tenant.
    pub(super) fn unknown_tenant(tenant: &str) -> Refusal {
        Refusal::invalid_request(
            90002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
            ),
        )
    }

    pub(super) fn of_discovery(self) -> Refusal {
        let error = "invalid_tenant";
        Refusal { error, ..self }
    }

    pub(super) fn no_tenant_named() -> Refusal {
        Refusal::invalid_request(
            50059,
            "No tenant-identifying information found in either the request or implied by any provided credentials.",
        )
    }

    pub(super) fn invalid_instance() -> Refusal {
        Refusal::bad_request("invalid_instance", 50049, "Unknown or invalid instance.")
    }

    pub(super) fn unknown_client(client_id: &str) -> Refusal {
        Refusal::bad_request(
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{client_id}' was not found in the directory 'Default Directory'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
    }

    pub(super) fn no_service_principal(client_id: Uuid, tenant: Uuid) -> Refusal {
        Refusal::invalid_client(
            7_000_229,
            format!(
                "The client application {client_id} is missing service principal in the tenant {tenant}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119"
            ),
        )
    }

    /// Reported with status 400 and with 401.
    pub(super) fn disabled(client_id: Uuid, name: &str) -> Refusal {
        Refusal::bad_request(
            "unauthorized_client",
            7_000_112,
            format!("Application '{client_id}'({name}) is disabled."),
        )
    }

    pub(super) fn no_credential() -> Refusal {
        Refusal::invalid_client(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    }

    pub(super) fn wrong_secret(client_id: Uuid) -> Refusal {
        Refusal::invalid_client(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        )
    }

    pub(super) fn malformed_assertion() -> Refusal {
        Refusal::invalid_request(50027, "JWT token is invalid or malformed.")
    }

    pub(super) fn wrong_type() -> Refusal {
        Refusal::invalid_request(
            5_002_727,
            "Invalid JWT header type specified. Allowed types: 'JWT','http://openid.net/specs/jwt/1.0'.",
        )
    }

    /// Answered as `invalid_request` 400 in older reports, as `invalid_client` in newer ones, whose
    /// status is not told. The older one is whole.
    pub(super) fn lifetime(issued: i64, expires: i64) -> Refusal {
        Refusal::invalid_request(
            70023,
            format!(
                "External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00. Token issued at {issued}. Token expires on {expires}."
            ),
        )
    }

    pub(super) fn entra_token_of_this_tenant() -> Refusal {
        Refusal::invalid_client(700_222, "AAD-issued tokens may not be used for federated identity flows.")
    }

    pub(super) fn entra_token_of_another_tenant(issuer: &str) -> Refusal {
        Refusal::invalid_client(
            700_236,
            format!(
                "Entra ID tokens issued by issuer '{issuer}' may not be used for federated identity credential flows for applications or managed identities registered in this tenant."
            ),
        )
    }

    pub(super) fn not_federated(client_id: Uuid, name: &str) -> Refusal {
        Refusal::invalid_client(
            70025,
            format!("The client '{client_id}'({name}) has no configured federated identity credentials."),
        )
    }

    pub(super) fn unmatched_issuer(issuer: &str) -> Refusal {
        Refusal::unmatched(700_211, "issuer", issuer)
    }

    pub(super) fn unmatched_subject(subject: &str) -> Refusal {
        Refusal::unmatched(700_213, "subject", subject)
    }

    pub(super) fn unmatched_audience(audience: &str) -> Refusal {
        Refusal::unmatched(700_212, "audience", audience)
    }

    fn unmatched(code: u32, what: &str, presented: &str) -> Refusal {
        Refusal::invalid_client(
            code,
            format!(
                "No matching federated identity record found for presented assertion {what} '{presented}'. {CHECK} {FEDERATION_GUIDE}"
            ),
        )
    }

    pub(super) fn subject_of_other_case(subject: &str) -> Refusal {
        Refusal::invalid_client(
            7_002_138,
            format!(
                "No matching federated identity record found for presented assertion subject '{subject}'. The subject matches with case-insensitive comparison, but not with case-sensitive comparison. {CHECK} See documentation at: {FEDERATION_GUIDE}. See breaking change notification and remediation at: https://learn.microsoft.com/en-us/entra/identity-platform/reference-breaking-changes#august-2024."
            ),
        )
    }

    /// Absent dates are shown as the beginning of 1970.
    pub(super) fn outside_validity(now: Timestamp, not_before: i64, expires: i64) -> Refusal {
        let instant = |seconds: i64| precise(Timestamp::from_second(seconds).unwrap_or_default());
        Refusal::invalid_client(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of assertion {}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
                precise(now),
                instant(not_before),
                instant(expires)
            ),
        )
    }

    /// One of three numbers (50166, 501661, 90061) that are in use for the same text; which of them
    /// stands for which failure is not known.
    pub(super) fn issuer_unreachable() -> Refusal {
        Refusal::invalid_request(50166, "Request to External OIDC endpoint failed.")
    }

    pub(super) fn key_not_published(kid: &str, issuer: &str) -> Refusal {
        Refusal::invalid_client(
            7_000_272,
            format!(
                "The certificate with identifier {kid} used to sign the federated credential could not be found in the metadata of identity provider {issuer}. Please validate that your Identity Provider's metadata exposes the key used to sign the incoming token."
            ),
        )
    }

    /// The code for a forged federated token is not known. This one is documented for assertions that
    /// are signed with a certificate, and says the same.
    pub(super) fn bad_signature() -> Refusal {
        Refusal::invalid_client(700_027, "Client assertion failed signature validation.")
    }

    pub(super) fn scope_without_default(scope: &str) -> Refusal {
        Refusal::bad_request(
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )
    }

    pub(super) fn invalid_scope(scope: &str) -> Refusal {
        Refusal::bad_request(
            "invalid_scope",
            70011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        )
    }

    pub(super) fn unknown_resource(resource: &str) -> Refusal {
        Refusal::bad_request(
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named Default Directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
            ),
        )
    }

    /// Documented as a status 400 like `access_denied`.
    pub(super) fn blocked() -> Refusal {
        Refusal::bad_request(
            "access_denied",
            53003,
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        )
    }

    /// Nothing can be signed: the documented answer of a directory that is not ready.
    pub(super) fn not_ready() -> Refusal {
        let (status, error) = (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        let text = "A transient error has occurred. Please try again.".to_owned();
        Refusal { status, error, code: 90033, text }
    }

    /// The JSON of the answer. The parts of the description are parted by single spaces, as they have
    /// been since the end of 2023; before that it was by line breaks.
    pub(super) fn body(&self, trace: Uuid, correlation: Uuid, now: Timestamp) -> Value {
        let timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let mut body = json!({
            "error": self.error,
            "error_description": format!(
                "{self} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        if !WITHOUT_PAGE.contains(&self.code) {
            let page = format!("https://login.microsoftonline.com/error?code={}", self.code);
            body["error_uri"] = Value::from(page);
        }
        body
    }
}

/// Seven digits of a second, as .NET writes them.
fn precise(at: Timestamp) -> String {
    let ticks = at.subsec_nanosecond() / 100;
    format!("{}.{ticks:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"))
}
