//! What is in a subscription, of the kinds that we create: taken before and after a run, the difference is a leak.

use std::collections::BTreeSet;
use std::fmt;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::Clients;
use super::error::ProvisionError;
use super::{Tags, id, list};

/// Listings at one time.
const AT_ONCE: usize = 8;

/// The kinds that we create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// Id: its name.
    ResourceGroup,
    /// Id: its name.
    Vault,
    /// Deleted, and keeping its name. Id: its name.
    DeletedVault,
    /// Id: `vault/secret`.
    Secret,
    /// Id: its name.
    Identity,
    /// Id: `identity/credential`.
    FederatedCredential,
    /// On a vault. Id: `vault role-guid principal-id`.
    RoleAssignment,
    /// Id: `vault principal-id`.
    AccessPolicy,
    /// Id: its name.
    StorageAccount,
    /// With its blobs, which are not looked at. Id: `account/container`.
    Container,
    /// On a storage account. Id: `account role-guid principal-id`.
    StorageRole,
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ResourceGroup => "resource group",
            Self::Vault => "vault",
            Self::DeletedVault => "deleted vault",
            Self::Secret => "secret",
            Self::Identity => "identity",
            Self::FederatedCredential => "federated credential",
            Self::RoleAssignment => "role assignment",
            Self::AccessPolicy => "access policy",
            Self::StorageAccount => "storage account",
            Self::Container => "container",
            Self::StorageRole => "storage role assignment",
        })
    }
}

/// One thing that is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Which one.
    pub id: String,
}

/// How far to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole subscription: for one that is ours alone.
    Subscription,
    /// The groups, vaults, identities and storage accounts that are tagged with this run, and what is in them.
    Run(String),
}

impl Scope {
    fn holds(&self, tags: &Value) -> bool {
        match self {
            Self::Subscription => true,
            Self::Run(run) => Tags::claims(pairs(tags), run),
        }
    }
}

/// Names and values of tags.
pub(super) fn pairs(tags: &Value) -> impl Iterator<Item = (&str, &str)> {
    tags.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// What stands in the subscription itself, of our kinds and whosever.
pub(super) struct Everything {
    pub(super) groups: Vec<Value>,
    pub(super) vaults: Vec<Value>,
    pub(super) deleted: Vec<Value>,
    pub(super) identities: Vec<Value>,
    pub(super) accounts: Vec<Value>,
}

impl Everything {
    pub(super) async fn of(clients: &Clients) -> Result<Self, ProvisionError> {
        let subscription = id::subscription(clients.subscription());
        let whole = |operation, path: &str, version| {
            let path = format!("{subscription}/{path}");
            async move { list::all(clients, operation, "the subscription", &path, version).await }
        };
        let (groups, vaults, deleted, identities, accounts) = tokio::try_join!(
            whole("ListResourceGroups", "resourcegroups", id::RESOURCES),
            whole("ListVaults", "providers/Microsoft.KeyVault/vaults", id::VAULTS),
            whole("ListDeletedVaults", "providers/Microsoft.KeyVault/deletedVaults", id::VAULTS),
            whole("ListIdentities", "providers/Microsoft.ManagedIdentity/userAssignedIdentities", id::IDENTITIES),
            whole("ListStorageAccounts", list::STORAGE_ACCOUNTS, id::STORAGE),
        )?;
        Ok(Self { groups, vaults, deleted, identities, accounts })
    }
}

/// Everything of our kinds in the subscription, sorted.
///
/// # Errors
/// When a listing is refused or not answered. What vanishes meanwhile is no error.
pub async fn inventory(clients: &Clients, scope: &Scope) -> Result<Vec<Item>, ProvisionError> {
    let Everything { groups, vaults, deleted, identities, accounts } = Everything::of(clients).await?;
    let ours = |all: Vec<Value>| all.into_iter().filter(|one| scope.holds(&one["tags"])).collect::<Vec<_>>();
    let (groups, vaults, identities, accounts) = (ours(groups), ours(vaults), ours(identities), ours(accounts));
    let (secrets, assignments, credentials, containers, storage_roles) = tokio::try_join!(
        each(&vaults, |vault| children(clients, "ListSecrets", vault, "secrets", id::VAULTS)),
        each(&vaults, |vault| roles_on(clients, vault)),
        each(&identities, |identity| children(
            clients,
            "ListFederatedCredentials",
            identity,
            "federatedIdentityCredentials",
            id::IDENTITIES
        )),
        each(&accounts, |account| children(
            clients,
            "ListContainers",
            account,
            "blobServices/default/containers",
            id::STORAGE
        )),
        each(&accounts, |account| roles_on(clients, account)),
    )?;
    let mut items = BTreeSet::new();
    let mut note = |kind, id: String| items.insert(Item { kind, id });
    for group in &groups {
        note(ItemKind::ResourceGroup, name(group));
    }
    for vault in &vaults {
        note(ItemKind::Vault, name(vault));
        let policies = vault["properties"]["accessPolicies"].as_array().into_iter().flatten();
        for object in policies.filter_map(|policy| policy["objectId"].as_str()) {
            note(ItemKind::AccessPolicy, format!("{} {object}", name(vault)));
        }
    }
    for vault in deleted.iter().filter(|vault| scope.holds(&vault["properties"]["tags"])) {
        note(ItemKind::DeletedVault, name(vault));
    }
    for identity in &identities {
        note(ItemKind::Identity, name(identity));
    }
    for (vault, secret) in &secrets {
        note(ItemKind::Secret, format!("{}/{}", name(vault), name(secret)));
    }
    for (identity, credential) in &credentials {
        note(ItemKind::FederatedCredential, format!("{}/{}", name(identity), name(credential)));
    }
    for account in &accounts {
        note(ItemKind::StorageAccount, name(account));
    }
    for (account, container) in &containers {
        note(ItemKind::Container, format!("{}/{}", name(account), name(container)));
    }
    for (kind, assignments) in [(ItemKind::RoleAssignment, &assignments), (ItemKind::StorageRole, &storage_roles)] {
        for (owner, assignment) in assignments {
            let text = |name: &str| assignment["properties"][name].as_str().unwrap_or_default();
            let role = text("roleDefinitionId").rsplit('/').next().unwrap_or_default();
            note(kind, format!("{} {role} {}", name(owner), text("principalId")));
        }
    }
    Ok(items.into_iter().collect())
}

pub(super) fn name(resource: &Value) -> String {
    resource["name"].as_str().unwrap_or_default().to_owned()
}

/// The children of all parents, each with its parent.
pub(super) async fn each<'a, F>(
    parents: &'a [Value],
    listing: impl Fn(&'a Value) -> F,
) -> Result<Vec<(&'a Value, Value)>, ProvisionError>
where
    F: Future<Output = Result<Vec<Value>, ProvisionError>>,
{
    let listings = parents.iter().map(|parent| {
        let listed = listing(parent);
        async move { Ok(listed.await?.into_iter().map(move |child| (parent, child)).collect::<Vec<_>>()) }
    });
    let lists: Vec<Vec<_>> = stream::iter(listings).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

pub(super) async fn children(
    clients: &Clients,
    operation: &'static str,
    parent: &Value,
    path: &str,
    version: &str,
) -> Result<Vec<Value>, ProvisionError> {
    let path = format!("{}/{path}", parent["id"].as_str().unwrap_or_default());
    match list::all(clients, operation, &name(parent), &path, version).await {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        other => other,
    }
}

/// The role assignments on `owner` itself.
pub(super) async fn roles_on(clients: &Clients, owner: &Value) -> Result<Vec<Value>, ProvisionError> {
    let path = "providers/Microsoft.Authorization/roleAssignments";
    let listed = children(clients, "ListRoleAssignments", owner, path, id::AUTHORIZATION).await?;
    let id = owner["id"].as_str().unwrap_or_default();
    // The listing names those of the group and the subscription, too.
    let own = |role: &Value| role["properties"]["scope"].as_str().is_some_and(|scope| scope.eq_ignore_ascii_case(id));
    Ok(listed.into_iter().filter(own).collect())
}
