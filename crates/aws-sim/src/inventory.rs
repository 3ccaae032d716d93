//! Everything that stands in the simulator, in words. Must not know what is whose or why it is there.

use crate::account::Account;
use crate::state::State;

/// What IAM holds of an account, but for the user that each account is opened with.
fn of_account(account: &Account) -> Vec<String> {
    let Account { id, roles, policies, providers, .. } = account;
    let mut lines = Vec::new();
    for role in roles.values() {
        lines.push(role.arn.clone());
        lines.extend(role.inline.keys().map(|name| format!("{} inline policy {name}", role.arn)));
        lines.extend(role.attached.iter().map(|policy| format!("{} attached {policy}", role.arn)));
    }
    for policy in policies.values() {
        lines.extend(policy.versions.keys().map(|version| format!("{} v{version}", policy.arn)));
    }
    for (arn, provider) in providers {
        lines.extend(provider.client_ids.iter().map(|id| format!("{arn} client id {id}")));
        lines.push(arn.clone());
    }
    lines.into_iter().map(|line| format!("{id} {line}")).collect()
}

/// IAM's part of all accounts, in order.
pub(crate) fn of_iam(state: &State) -> Vec<String> {
    state.read().accounts.values().flat_map(of_account).collect()
}
