//! `AssumeRole`: a signed request of a user or a session for a session of another role.
//!
//! Session tags and source identities are not simulated, and refused where they are given.

use jiff::SignedDuration;
use trust::policy::{Context, Document, Outcome, Request};

use crate::error::ApiError;
use crate::identity::{Caller, CallerKind, RoleSession};
use crate::query::{Answer, Parameters, Text};
use crate::state::State;

use super::answer::{write_credentials, write_packed_size, write_user};
use super::exchange::too_long;
use super::session::SessionRequest;

const ACTION: &str = "sts:AssumeRole";
/// The longest session of a role that was assumed with the credentials of a role (IAM user guide, "Role chaining").
const CHAINED_SECONDS: i64 = 3600;
const NOT_SIMULATED: [&str; 4] = ["Tags.member.1.Key", "TransitiveTagKeys.member.1", "SourceIdentity", "SerialNumber"];

/// Answers one request. `context` holds the keys that describe the request itself.
pub(crate) fn assume(
    state: &State,
    caller: &Caller,
    parameters: &Parameters,
    mut context: Context,
) -> Result<Answer, ApiError> {
    let request = SessionRequest::read(parameters, |check| {
        check.optional("ExternalId", Text::of(2, 1224));
    })?;
    if let Some(name) = NOT_SIMULATED.into_iter().find(|name| parameters.get(name).is_some()) {
        return Err(ApiError::not_implemented(name));
    }
    context.set("sts:RoleSessionName", &request.name);
    if let Some(id) = parameters.get("ExternalId") {
        context.set("sts:ExternalId", id);
    }
    let denied = || {
        ApiError::access_denied(format!(
            "User: {} is not authorized to perform: {ACTION} on resource: {}",
            caller.arn, request.role_arn
        ))
    };
    let found = state.enforced(&request.account, |account| {
        let account = account.filter(|_| request.partition == "aws")?;
        let role = account.role(request.role_name()).filter(|role| role.arn == request.role_arn)?;
        Some((role.clone(), request.policies(account)))
    });
    let (role, policies) = found.ok_or_else(denied)?;
    if !is_named(&role.trust.document, caller, &request.role_arn, state, &context) {
        return Err(denied());
    }
    let trust = Some(&*role.trust.document);
    let allowed = state.authorize(Some(caller), ACTION, &request.role_arn, &context, trust, &request.account);
    allowed.map_err(|_| denied())?;
    let is_chained = matches!(caller.kind, CallerKind::AssumedRole(_));
    if is_chained && request.seconds > CHAINED_SECONDS {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if request.seconds > role.max_session_seconds {
        return Err(too_long());
    }
    let now = state.now();
    let session = RoleSession {
        role_arn: role.arn,
        role_name: role.name,
        role_id: role.id,
        policies: policies?,
        context: Context::new().with("aws:TokenIssueTime", now.to_string()),
    };
    let expires = now.saturating_add(SignedDuration::from_secs(request.seconds)).unwrap_or(now);
    let given = state.sessions().issue(&request.account, &session, &request.name, expires);
    Ok(Answer::of(|xml| {
        write_user(xml, &request, &session.role_name, &session.role_id);
        write_credentials(xml, &given);
        write_packed_size(xml, &request);
    }))
}

/// A trust policy must allow by itself, also within one account (IAM user guide, "Policy evaluation logic"): other resources
/// leave that to the caller's policies.
fn is_named(trust: &Document, caller: &Caller, role_arn: &str, state: &State, context: &Context) -> bool {
    let mut facts = state.facts(Some(caller), caller.account.as_str());
    facts.extend(context);
    let request = Request { principal: &caller.principal(), action: ACTION, resource: role_arn, context: &facts };
    trust.evaluate(&request).outcome == Outcome::Allowed
}
