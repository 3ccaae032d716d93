//! The session that an exchange makes: its credentials, its name, its policies.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use trust::Secret;
use trust::policy::{Context, Document, Kind};

use crate::account::{Account, Role};
use crate::error::ApiError;
use crate::identity::{Caller, CallerKind, KeyRecord, RoleSession};
use crate::{managed, random};

use super::request::ExchangeRequest;

/// Credentials on their way to the client.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access_key_id: String,
    pub(super) secret: Secret,
    pub(super) session_token: Secret,
    pub(super) expires: Timestamp,
    pub(super) record: KeyRecord,
}

/// Makes the session; nothing is stored yet. `facts` are the keys that the token gave.
pub(super) fn mk_session(
    request: &ExchangeRequest,
    account: &Account,
    role: &Role,
    provider_arn: &str,
    facts: &Context,
    now: Timestamp,
) -> Result<Issued, ApiError> {
    let mut context = facts.clone();
    context.set("aws:FederatedProvider", provider_arn);
    context.set("aws:TokenIssueTime", now.to_string());
    let caller = Caller {
        account: account.id.clone(),
        arn: format!("arn:aws:sts::{}:assumed-role/{}/{}", account.id, role.name, request.session_name),
        user_id: format!("{}:{}", role.id, request.session_name),
        kind: CallerKind::AssumedRole(Box::new(RoleSession {
            role_arn: role.arn.clone(),
            role_name: role.name.clone(),
            role_id: role.id.clone(),
            policies: session_policies(request, account)?,
            context,
        })),
    };
    let expires = now.saturating_add(SignedDuration::from_secs(request.seconds)).unwrap_or(now);
    let secret = Secret::new(random::secret(30));
    let session_token = Secret::new(format!("IQoJb3JpZ2luX2Vj{}{}", random::secret(96), random::secret(96)));
    Ok(Issued {
        access_key_id: random::id("ASIA", 20),
        record: KeyRecord {
            secret: secret.clone(),
            session_token: Some(session_token.clone()),
            expires: Some(expires),
            caller,
        },
        secret,
        session_token,
        expires,
    })
}

/// Session policies narrow what the role allows. How STS refuses a managed policy that does not exist
/// is not documented; it is treated as a malformed one.
fn session_policies(request: &ExchangeRequest, account: &Account) -> Result<Option<Vec<Arc<Document>>>, ApiError> {
    if request.policy.is_none() && request.policy_arns.is_empty() {
        return Ok(None);
    }
    let mut policies = Vec::new();
    if let Some(text) = &request.policy {
        policies.push(Arc::new(Document::parse(text, Kind::Identity)?));
    }
    for arn in &request.policy_arns {
        policies.push(
            managed::document(account, arn).ok_or_else(|| {
                ApiError::malformed_policy(format!("Policy {arn} does not exist or is not attachable."))
            })?,
        );
    }
    Ok(Some(policies))
}
