//! What one AWS account holds: users, roles, managed policies, OIDC providers.
//! Plain data; the rules for changing it are in `iam/`, the rules for judging with it in `state.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use trust::AccountId;
use trust::policy::Document;

/// A stored policy: the text as it was given, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct StoredPolicy {
    pub(crate) text: Arc<str>,
    pub(crate) document: Arc<Document>,
}

/// Tags in the order in which they were given; keys are unique regardless of case.
pub(crate) type Tags = Vec<(String, String)>;

#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    pub(crate) description: Option<String>,
    pub(crate) max_session_seconds: i64,
    pub(crate) trust: StoredPolicy,
    /// ARN of a managed policy.
    pub(crate) boundary: Option<String>,
    /// ARNs of managed policies.
    pub(crate) attached: BTreeSet<String>,
    pub(crate) inline: BTreeMap<String, StoredPolicy>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) attached: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct ManagedPolicy {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) document: StoredPolicy,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// The issuer without its scheme, exactly as registered: a trailing slash is kept.
    pub(crate) url: String,
    pub(crate) client_ids: Vec<String>,
    /// Lowercase hex SHA-1.
    pub(crate) thumbprints: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) tags: Tags,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) users: BTreeMap<String, User>,
    /// By lowercase name: role names are unique regardless of case.
    pub(crate) roles: BTreeMap<String, Role>,
    /// Customer managed policies by ARN.
    pub(crate) policies: BTreeMap<String, ManagedPolicy>,
    /// By ARN.
    pub(crate) providers: BTreeMap<String, Provider>,
}

impl Account {
    pub(crate) fn new(id: AccountId) -> Account {
        Account {
            id,
            users: BTreeMap::new(),
            roles: BTreeMap::new(),
            policies: BTreeMap::new(),
            providers: BTreeMap::new(),
        }
    }

    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(&name.to_ascii_lowercase())
    }

    pub(crate) fn role_mut(&mut self, name: &str) -> Option<&mut Role> {
        self.roles.get_mut(&name.to_ascii_lowercase())
    }

    /// How many roles and users hold a managed policy.
    pub(crate) fn attachments(&self, policy_arn: &str) -> usize {
        self.roles.values().filter(|role| role.attached.contains(policy_arn)).count()
            + self.users.values().filter(|user| user.attached.contains(policy_arn)).count()
    }

    /// How many roles use a managed policy as their permissions boundary.
    pub(crate) fn boundary_uses(&self, policy_arn: &str) -> usize {
        self.roles.values().filter(|role| role.boundary.as_deref() == Some(policy_arn)).count()
    }
}
