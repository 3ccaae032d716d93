//! IAM: OIDC providers, roles and policies of an account. Every action is signed, and allowed by the
//! caller's own policies like any other. Limits and texts: IAM API reference and IAM quotas.
//! Must not know HTTP or XML beyond the [`Xml`](crate::query::Xml) writer.

mod documents;
mod paging;
mod policies;
mod providers;
mod role_policies;
mod roles;
mod tags;

use trust::policy::Context;

use crate::account::Account;
use crate::error::ApiError;
use crate::identity::Caller;
use crate::query::{Answer, Parameters};
use crate::state::{Directory, State};

/// Every action that is answered.
pub(crate) const ACTIONS: &[&str] = &[
    "AddClientIDToOpenIDConnectProvider",
    "AttachRolePolicy",
    "CreateOpenIDConnectProvider",
    "CreatePolicy",
    "CreateRole",
    "DeleteOpenIDConnectProvider",
    "DeletePolicy",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetOpenIDConnectProvider",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListOpenIDConnectProviderTags",
    "ListOpenIDConnectProviders",
    "ListPolicies",
    "ListPolicyTags",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "PutRolePolicy",
    "RemoveClientIDFromOpenIDConnectProvider",
    "TagOpenIDConnectProvider",
    "TagPolicy",
    "TagRole",
    "UntagOpenIDConnectProvider",
    "UntagPolicy",
    "UntagRole",
    "UpdateAssumeRolePolicy",
    "UpdateOpenIDConnectProviderThumbprint",
    "UpdateRole",
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
        "GetPolicyVersion" => policies::get_version(call),
        "ListPolicies" => policies::list(call),
        "DeletePolicy" => policies::delete(call),
        "TagPolicy" => policies::tag(call),
        "UntagPolicy" => policies::untag(call),
        "ListPolicyTags" => policies::list_tags(call),
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
        let directory = self.state.read();
        look(directory.accounts.get(&self.caller.account).ok_or_else(|| self.no_account())?)
    }

    fn write<T>(&self, change: impl FnOnce(&mut Account) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let directory: &mut Directory = &mut self.state.write();
        change(directory.accounts.get_mut(&self.caller.account).ok_or_else(|| self.no_account())?)
    }

    /// Callers come from accounts, and accounts are never closed.
    fn no_account(&self) -> ApiError {
        ApiError::access_denied(format!("account {} is not open", self.caller.account))
    }
}
