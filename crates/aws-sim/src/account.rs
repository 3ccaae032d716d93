//! What one AWS account holds: users, roles, managed policies, OIDC providers.
//! Plain data; the rules for changing it are in `iam/`, the rules for judging with it in `state.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::AccountId;
use trust::policy::{Document, Kind, PolicyError};

/// A stored policy: the text as it was given, and what it says. It is kept as its text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Kept", into = "Kept")]
pub(crate) struct StoredPolicy {
    pub(crate) text: Arc<str>,
    pub(crate) document: Arc<Document>,
}

/// A policy as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kept {
    Identity(String),
    Trust(String),
}

impl TryFrom<Kept> for StoredPolicy {
    type Error = PolicyError;

    fn try_from(kept: Kept) -> Result<StoredPolicy, PolicyError> {
        let (text, kind) = match kept {
            Kept::Identity(text) => (text, Kind::Identity),
            Kept::Trust(text) => (text, Kind::Trust),
        };
        Ok(StoredPolicy { document: Arc::new(Document::parse(&text, kind)?), text: text.into() })
    }
}

impl From<StoredPolicy> for Kept {
    fn from(policy: StoredPolicy) -> Kept {
        // Only a trust policy's statements have principals, and each of them must have.
        let is_trust = policy.document.statements.iter().any(|statement| statement.principal.is_some());
        let text = policy.text.to_string();
        if is_trust { Kept::Trust(text) } else { Kept::Identity(text) }
    }
}

/// Tags in the order in which they were given; keys are unique regardless of case.
pub(crate) type Tags = Vec<(String, String)>;

#[derive(Clone, Debug, Serialize, Deserialize)]
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

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) attached: BTreeSet<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ManagedPolicy {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// By number: `v1` is 1. There is at least one.
    pub(crate) versions: BTreeMap<u32, PolicyVersion>,
    /// The number of the version that is in force; it is among `versions`.
    pub(crate) default: u32,
    /// The latest number given: none is given twice.
    pub(crate) latest: u32,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PolicyVersion {
    pub(crate) document: StoredPolicy,
    pub(crate) created: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Provider {
    /// The issuer without its scheme, exactly as registered: a trailing slash is kept.
    pub(crate) url: String,
    pub(crate) client_ids: Vec<String>,
    /// Lowercase hex SHA-1.
    pub(crate) thumbprints: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) tags: Tags,
}

/// One thing in an account under its key there, as it is, or that it is gone.
#[derive(Clone, Debug)]
pub(crate) enum Entity {
    Role(String, Option<Role>),
    Policy(String, Option<ManagedPolicy>),
    Provider(String, Option<Provider>),
}

/// What a write touches, by its key in the account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Touched<'a> {
    /// In whatever case.
    Role(&'a str),
    /// By ARN.
    Policy(&'a str),
    /// By ARN.
    Provider(&'a str),
}

impl Entity {
    pub(crate) fn is_same(&self, other: &Entity) -> bool {
        match (self, other) {
            (Entity::Role(one, _), Entity::Role(other, _))
            | (Entity::Policy(one, _), Entity::Policy(other, _))
            | (Entity::Provider(one, _), Entity::Provider(other, _)) => one == other,
            _ => false,
        }
    }

    /// Makes `account` hold it, or hold it no longer.
    pub(crate) fn put_into(self, account: &mut Account) {
        match self {
            Entity::Role(key, role) => put(&mut account.roles, key, role),
            Entity::Policy(key, policy) => put(&mut account.policies, key, policy),
            Entity::Provider(key, provider) => put(&mut account.providers, key, provider),
        }
    }
}

fn put<T>(map: &mut BTreeMap<String, T>, key: String, value: Option<T>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
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

    pub(crate) fn entity(&self, touched: Touched<'_>) -> Entity {
        match touched {
            Touched::Role(name) => Entity::Role(name.to_ascii_lowercase(), self.role(name).cloned()),
            Touched::Policy(arn) => Entity::Policy(arn.to_owned(), self.policies.get(arn).cloned()),
            Touched::Provider(arn) => Entity::Provider(arn.to_owned(), self.providers.get(arn).cloned()),
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
