//! Who asks, of which tenant, and whether their roles allow it.
//! Must not know what the request does.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use uuid::Uuid;

use super::error::ArmError;
use super::path::Path;
use crate::access_token::{self, TokenFault};
use crate::origin;
use crate::rbac;
use crate::state::{Caller, State};

const AUDIENCES: [&str; 4] = [
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
];

pub(super) fn authenticate(state: &State, headers: &HeaderMap) -> Result<Caller, ArmError> {
    let refuse = |code, message: String| ArmError::unauthenticated(code, message, None);
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(header) = header else {
        return Err(refuse(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.".to_owned(),
        ));
    };
    let bearer = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = bearer else {
        return Err(refuse(
            "AuthenticationFailedInvalidHeader",
            "Authentication failed. The 'Authorization' header is provided in an invalid format.".to_owned(),
        ));
    };
    let presented = state.open_token(token.trim()).map_err(|fault| match fault {
        TokenFault::Malformed | TokenFault::BadSignature => {
            refuse("InvalidAuthenticationToken", "The access token is invalid.".to_owned())
        }
    })?;
    if !AUDIENCES.contains(&presented.audience.as_str()) && !origin::is_local_manager(&presented.audience) {
        return Err(refuse(
            "InvalidAuthenticationTokenAudience",
            format!(
                "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of the allowed audiences '{}'.",
                presented.audience,
                AUDIENCES.join("','")
            ),
        ));
    }
    let now = state.now();
    if presented.expires <= now {
        return Err(refuse(
            "ExpiredAuthenticationToken",
            format!(
                "The access token expiry UTC time '{}' is earlier than current UTC time '{now}'.",
                presented.expires
            ),
        ));
    }
    if presented.not_before > now {
        return Err(refuse("InvalidAuthenticationToken", "The access token is not valid yet.".to_owned()));
    }
    Ok(presented.caller.clone())
}

/// The tenant of a subscription, which must be the caller's.
pub(super) fn subscription(
    state: &State,
    caller: &Caller,
    subscription: Uuid,
    written: &str,
) -> Result<Uuid, ArmError> {
    let directory = state.read();
    let found = directory.subscriptions.get(&subscription).ok_or_else(|| {
        ArmError::not_found("SubscriptionNotFound", format!("The subscription '{written}' could not be found."))
    })?;
    let expected = access_token::issuer(found.tenant);
    if caller.issuer != expected {
        return Err(ArmError::unauthenticated(
            "InvalidAuthenticationTokenTenant",
            format!(
                "The access token is from the wrong issuer '{}'. It must match the tenant '{expected}' associated with this subscription. Please use the authority (URL) 'https://login.windows.net/{}' to get the token.",
                caller.issuer, found.tenant
            ),
            Some(found.tenant),
        ));
    }
    Ok(found.tenant)
}

pub(super) fn authorize(state: &State, caller: &Caller, path: &Path, method: &Method) -> Result<(), ArmError> {
    let action = path.action(method);
    let scope = path.scope();
    if state.read().seen_assignments(|held| rbac::allows(held, caller, &action, &scope)) {
        return Ok(());
    }
    Err(ArmError::new(
        StatusCode::FORBIDDEN,
        "AuthorizationFailed",
        format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
            caller.app_id, caller.object_id
        ),
    ))
}
