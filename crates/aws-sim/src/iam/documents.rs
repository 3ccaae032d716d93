//! Policy documents on their way into the store: characters, size, grammar, principals that exist.

use std::sync::Arc;

use trust::policy::{Document, Kind, PolicyError, PrincipalType};

use crate::account::Account;
use crate::account::StoredPolicy;
use crate::error::ApiError;
use crate::query::Text;
use crate::state::State;

/// A document parameter: tab, line ends and U+0020 to U+00FF.
pub(super) const DOCUMENT: Text = Text::of(1, 131_072)
    .within(|char| matches!(char, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'), r"[\u0009\u000A\u000D\u0020-\u00FF]+");

const TRUST_QUOTA: usize = 2048;

/// What a quota counts: characters that are not white space.
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|char| !char.is_whitespace()).count()
}

fn stored(text: &str, document: Document) -> StoredPolicy {
    StoredPolicy { text: text.into(), document: Arc::new(document) }
}

/// A managed or inline policy.
pub(super) fn identity(text: &str) -> Result<StoredPolicy, PolicyError> {
    Ok(stored(text, Document::parse(text, Kind::Identity)?))
}

/// A trust policy. Whether a federated provider exists is not looked at, only its shape; AWS
/// principals must exist.
pub(super) fn trust(text: &str, state: &State) -> Result<StoredPolicy, ApiError> {
    if size(text) > TRUST_QUOTA {
        return Err(ApiError::quota("ACLSizePerRole", TRUST_QUOTA));
    }
    let document = Document::parse(text, Kind::Trust)?;
    let entries = document
        .statements
        .iter()
        .filter_map(|statement| statement.principal.as_ref())
        .flat_map(|principal| &principal.set().entries);
    for (kind, value) in entries {
        if *kind == PrincipalType::Aws && !exists(value, state) {
            return Err(ApiError::malformed_policy(format!("Invalid principal in policy: \"AWS\":\"{value}\"")));
        }
    }
    Ok(stored(text, document))
}

fn exists(principal: &str, state: &State) -> bool {
    if principal == "*" {
        return true;
    }
    let parts: Vec<&str> = principal.splitn(6, ':').collect();
    let (account, resource) = match parts[..] {
        [account] => (account, "root"),
        [_, _, _, _, account, resource] => (account, resource),
        _ => return false,
    };
    let Ok(id) = account.parse() else { return false };
    state.enforced(&id, |account| account.is_some_and(|account| holds(account, resource, principal)))
}

fn holds(account: &Account, resource: &str, principal: &str) -> bool {
    let kind = resource.split('/').next().unwrap_or_default();
    let last = resource.rsplit('/').next().unwrap_or_default();
    match kind {
        "root" => true,
        "user" => account.users.contains_key(last),
        "role" => account.role(last).is_some_and(|role| role.arn == principal),
        "assumed-role" => resource.split('/').nth(1).is_some_and(|name| account.role(name).is_some()),
        _ => false,
    }
}
