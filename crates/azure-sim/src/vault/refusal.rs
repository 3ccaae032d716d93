//! What a vault says when it says no: statuses, codes and wordings of the real service, from its
//! documentation, recordings of its traffic and users' reports.
//! Must not know the decisions that lead here.

use std::net::IpAddr;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use transport::BodyError;

use super::network::Barrier;
use super::operation::Permission;
use crate::state::{Caller, Denied, VaultAuthError};
use crate::vaults::VaultView;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    /// `innererror.code`: the reason proper, where `code` is as general as `Forbidden`.
    inner: Option<&'static str>,
    /// The header `WWW-Authenticate`, from which clients learn where to ask for which token.
    pub(super) challenge: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), inner: None, challenge: None }
    }

    fn forbidden(inner: Option<&'static str>, message: impl Into<String>) -> Refusal {
        Refusal { inner, ..Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message) }
    }

    /// The innermost code.
    pub(super) fn reason(&self) -> &'static str {
        self.inner.unwrap_or(self.code)
    }

    pub(super) fn body(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(inner) = self.inner {
            error["innererror"] = json!({"code": inner});
        }
        json!({"error": error})
    }

    /// 401, always with the challenge.
    pub(super) fn unauthenticated(vault: &VaultView, error: &VaultAuthError) -> Refusal {
        let message = match error {
            VaultAuthError::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
            VaultAuthError::InvalidAudience { found } => {
                format!("AKV10022: Invalid audience. Expected {}, found: {found}.", vault.origin.vault_resource)
            }
            VaultAuthError::InvalidIssuer { expected, found } => {
                format!("AKV10032: Invalid issuer. Expected one of {expected}, found {found}.")
            }
            VaultAuthError::BadSignature => {
                "AKV10046: Unable to resolve the key used for signature validation.".to_owned()
            }
            // The service shows numbers of Microsoft's token library, whose published texts say what each means.
            VaultAuthError::Expired => "Error validating token: IDX10223".to_owned(),
            VaultAuthError::NotYetValid => "Error validating token: IDX10222".to_owned(),
            VaultAuthError::Malformed => "Error validating token: IDX12741".to_owned(),
        };
        let challenge = format!(
            "Bearer authorization=\"{}/{}\", resource=\"{}\"",
            vault.origin.authority, vault.tenant, vault.origin.vault_resource
        );
        Refusal { challenge: Some(challenge), ..Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", message) }
    }

    pub(super) fn unreachable(vault: &VaultView, caller: &Caller, peer: Option<IpAddr>, barrier: Barrier) -> Refusal {
        let (caller, vault) = (described(caller), located(vault));
        match barrier {
            Barrier::Connection => Refusal::forbidden(
                Some("ForbiddenByConnection"),
                format!(
                    "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nCaller: {caller}\r\nVault: {vault}"
                ),
            ),
            Barrier::Firewall { ignores_trusted_services } => {
                let caller_is = if ignores_trusted_services {
                    "caller was ignored because bypass is set to None"
                } else {
                    "caller is not a trusted service."
                };
                let peer = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
                Refusal::forbidden(
                    Some("ForbiddenByFirewall"),
                    format!(
                        "Client address is not authorized and {caller_is}\r\nClient address: {peer}\r\nCaller: {caller}\r\nVault: {vault}"
                    ),
                )
            }
        }
    }

    pub(super) fn denied(
        vault: &VaultView,
        caller: &Caller,
        secret: Option<&str>,
        permission: &Permission,
        denied: Denied,
    ) -> Refusal {
        let caller = described(caller);
        match denied {
            Denied::ByRbac => {
                let resource = match secret {
                    Some(name) => format!("{}/secrets/{name}", vault.id),
                    None => vault.id.clone(),
                };
                let lines = [
                    "Caller is not authorized to perform action on resource.",
                    "If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.",
                    &format!("Caller: {caller}"),
                    &format!("Action: '{}'", permission.data_action),
                    &format!("Resource: '{}'", resource.to_ascii_lowercase()),
                    "Assignment: (not found)",
                    "DenyAssignmentId: null",
                    "DecisionReason: 'DeniedWithNoValidRBAC' ",
                    &format!("Vault: {}", located(vault)),
                    "",
                ];
                Refusal::forbidden(Some("ForbiddenByRbac"), lines.join("\r\n"))
            }
            Denied::ByAccessPolicy => Refusal::forbidden(
                Some("AccessDenied"),
                format!(
                    "The user, group or application '{caller}' does not have secrets {} permission on key vault '{}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                    permission.policy,
                    located(vault)
                ),
            ),
        }
    }

    pub(super) fn secret_not_found(name: &str, version: Option<&str>) -> Refusal {
        let id = match version {
            Some(version) => format!("{name}/{version}"),
            None => name.to_owned(),
        };
        Refusal::new(
            StatusCode::NOT_FOUND,
            "SecretNotFound",
            format!(
                "A secret with (name/id) {id} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
            ),
        )
    }

    pub(super) fn deleted_secret_not_found(name: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "SecretNotFound", format!("Deleted Secret not found: {name}"))
    }

    pub(super) fn secret_disabled() -> Refusal {
        Refusal::forbidden(Some("SecretDisabled"), "Operation get is not allowed on a disabled secret.")
    }

    pub(super) fn deleted_but_recoverable(name: &str) -> Refusal {
        Refusal {
            inner: Some("ObjectIsDeletedButRecoverable"),
            ..Refusal::new(
                StatusCode::CONFLICT,
                "Conflict",
                format!(
                    "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged."
                ),
            )
        }
    }

    pub(super) fn purge_protected(vault: &VaultView) -> Refusal {
        Refusal::forbidden(
            None,
            format!(
                "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: {}",
                located(vault)
            ),
        )
    }

    pub(super) fn bad_parameter(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "BadParameter", message)
    }

    /// Keys, certificates, backups, and what is no operation at all. The code is the simulator's own.
    pub(super) fn not_simulated(method: &Method, path: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", format!("{method} {path} is not simulated."))
    }

    /// The statuses are HTTP's, the code of the last two is the simulator's own.
    pub(super) fn of_body(error: BodyError) -> Refusal {
        match error {
            BodyError::TooLarge => Refusal::bad_parameter("The request body is too large."),
            BodyError::Incomplete => Refusal::bad_parameter("The request body ended too early."),
            BodyError::Slow => {
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The request body did not come in time.")
            }
        }
    }

    /// The simulator's own limit.
    pub(super) fn no_space() -> Refusal {
        Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", "The simulator holds no more.")
    }

    /// Nothing that a caller did.
    pub(super) fn internal() -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The answer could not be written.")
    }
}

fn described(caller: &Caller) -> String {
    format!("appid={};oid={};iss={}", caller.app_id, caller.object_id, caller.issuer)
}

fn located(vault: &VaultView) -> String {
    format!("{};location={}", vault.name, vault.location)
}
