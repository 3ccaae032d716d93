//! IAM: OIDC providers, roles and policies of an account. Every action is signed, and allowed by the
//! caller's own policies like any other. Limits and texts: IAM API reference and IAM quotas.
//! Must not know HTTP or XML beyond the [`Xml`](crate::query::Xml) writer.

mod documents;
mod entities;
mod paging;
mod policies;
mod providers;
mod role_policies;
mod roles;
mod simulation;
mod tags;
mod users;
mod versions;

use trust::policy::Context;

use crate::account::{Account, Touched};
use crate::error::ApiError;
use crate::identity::Caller;
use crate::query::{Answer, Parameters};
use crate::state::State;

/// Every action that is answered.
pub(crate) const ACTIONS: &[&str] = &[
    "AddClientIDToOpenIDConnectProvider",
    "AttachRolePolicy",
    "CreateOpenIDConnectProvider",
    "CreatePolicy",
    "CreatePolicyVersion",
    "CreateRole",
    "DeleteOpenIDConnectProvider",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetOpenIDConnectProvider",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetUser",
    "ListAttachedRolePolicies",
    "ListEntitiesForPolicy",
    "ListInstanceProfilesForRole",
    "ListOpenIDConnectProviderTags",
    "ListOpenIDConnectProviders",
    "ListPolicies",
    "ListPolicyTags",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "RemoveClientIDFromOpenIDConnectProvider",
    "SetDefaultPolicyVersion",
    "SimulateCustomPolicy",
    "SimulatePrincipalPolicy",
    "TagOpenIDConnectProvider",
    "TagPolicy",
    "TagRole",
    "UntagOpenIDConnectProvider",
    "UntagPolicy",
    "UntagRole",
    "UpdateAssumeRolePolicy",
    "UpdateOpenIDConnectProviderThumbprint",
    "UpdateRole",
    "UpdateRoleDescription",
];

/// One authenticated request.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    state: &'a State,
    caller: &'a Caller,
    action: &'a str,
    parameters: &'a Parameters,
    context: &'a Context,
}

/// Answers one signed request.
pub(crate) async fn handle(
    state: &State,
    caller: &Caller,
    action: &str,
    parameters: &Parameters,
    context: &Context,
) -> Result<Answer, ApiError> {
    let call = &Call { state, caller, action, parameters, context };
    match action {
        "CreateOpenIDConnectProvider" => providers::create(call).await,
        "GetOpenIDConnectProvider" => providers::get(call),
        "ListOpenIDConnectProviders" => providers::list(call),
        "DeleteOpenIDConnectProvider" => providers::delete(call),
        "AddClientIDToOpenIDConnectProvider" => providers::add_client_id(call),
        "RemoveClientIDFromOpenIDConnectProvider" => providers::remove_client_id(call),
        "UpdateOpenIDConnectProviderThumbprint" => providers::update_thumbprint(call),
        "TagOpenIDConnectProvider" => providers::tag(call),
        "UntagOpenIDConnectProvider" => providers::untag(call),
        "ListOpenIDConnectProviderTags" => providers::list_tags(call),
        "CreateRole" => roles::create(call),
        "GetRole" => roles::get(call),
        "ListRoles" => roles::list(call),
        "UpdateRole" => roles::update(call),
        "UpdateRoleDescription" => roles::update_description(call),
        "PutRolePermissionsBoundary" => roles::put_boundary(call),
        "DeleteRolePermissionsBoundary" => roles::delete_boundary(call),
        "ListInstanceProfilesForRole" => entities::instance_profiles(call),
        "UpdateAssumeRolePolicy" => roles::update_trust(call),
        "DeleteRole" => roles::delete(call),
        "TagRole" => roles::tag(call),
        "UntagRole" => roles::untag(call),
        "ListRoleTags" => roles::list_tags(call),
        "AttachRolePolicy" => role_policies::attach(call),
        "DetachRolePolicy" => role_policies::detach(call),
        "ListAttachedRolePolicies" => role_policies::list_attached(call),
        "PutRolePolicy" => role_policies::put(call),
        "GetRolePolicy" => role_policies::get(call),
        "DeleteRolePolicy" => role_policies::delete(call),
        "ListRolePolicies" => role_policies::list(call),
        "CreatePolicy" => policies::create(call),
        "GetPolicy" => policies::get(call),
        "GetPolicyVersion" => versions::get(call),
        "CreatePolicyVersion" => versions::create(call),
        "ListPolicyVersions" => versions::list(call),
        "SetDefaultPolicyVersion" => versions::set_default(call),
        "DeletePolicyVersion" => versions::delete(call),
        "ListPolicies" => policies::list(call),
        "ListEntitiesForPolicy" => entities::list(call),
        "DeletePolicy" => policies::delete(call),
        "TagPolicy" => policies::tag(call),
        "UntagPolicy" => policies::untag(call),
        "ListPolicyTags" => policies::list_tags(call),
        "GetUser" => users::get(call),
        "SimulateCustomPolicy" => simulation::custom(call),
        "SimulatePrincipalPolicy" => simulation::principal(call),
        other => Err(ApiError::invalid_action(other, "2010-05-08")),
    }
}

impl Call<'_> {
    /// Whether the caller may do this action on a resource of its account.
    fn authorize(&self, resource: &str) -> Result<(), ApiError> {
        self.authorize_with(resource, self.context)
    }

    fn authorize_with(&self, resource: &str, context: &Context) -> Result<(), ApiError> {
        let action = format!("iam:{}", self.action);
        let account = &self.caller.account;
        Ok(self.state.authorize(Some(self.caller), &action, resource, context, None, account)?)
    }

    /// An ARN in the caller's account.
    fn arn(&self, resource: &str) -> String {
        format!("arn:aws:iam::{}:{resource}", self.caller.account)
    }

    fn read<T>(&self, look: impl FnOnce(&Account) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let account = &self.caller.account;
        self.state.shown(account, |account| look(account.ok_or_else(|| self.no_account())?))
    }

    fn write<T>(
        &self,
        touched: Touched<'_>,
        change: impl FnOnce(&mut Account) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.state.change(&self.caller.account, touched, change).unwrap_or_else(|| Err(self.no_account()))
    }

    /// Callers come from accounts, and accounts are never closed.
    fn no_account(&self) -> ApiError {
        ApiError::access_denied(format!("account {} is not open", self.caller.account))
    }
}
