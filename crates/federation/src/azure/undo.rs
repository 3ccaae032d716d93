//! Taking things away, from what the journal holds alone.

use std::fmt;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::access::Clients;
use super::call::{Reply, Request, call, settle};
use super::create::access_policy;
use super::desired::Principal;
use super::error::ProvisionError;
use super::poll::until_gone;
use super::{Kind, id, owner};

/// What takes one creation back. It is written down before the creation is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delete", rename_all = "kebab-case")]
pub enum Undo {
    /// Deletes an empty resource group.
    ResourceGroup {
        /// Where.
        subscription: String,
        /// Which.
        name: String,
    },
    /// Deletes a vault, with all that is in it, and purges it, so that its name is free again.
    Vault {
        /// Where.
        subscription: String,
        /// Where a deleted one is kept.
        location: String,
        /// Its resource group.
        group: String,
        /// Which.
        name: String,
    },
    /// Leaves a secret to its vault's undo: Resource Manager cannot delete one.
    Secret {
        /// Where.
        subscription: String,
        /// Its vault's resource group.
        group: String,
        /// Its vault.
        vault: String,
        /// Which.
        name: String,
    },
    /// Deletes an identity.
    Identity {
        /// Where.
        subscription: String,
        /// Its resource group.
        group: String,
        /// Which.
        name: String,
    },
    /// Deletes a federated credential.
    FederatedCredential {
        /// Where.
        subscription: String,
        /// Its identity's resource group.
        group: String,
        /// Its identity.
        identity: String,
        /// Which.
        name: String,
    },
    /// Deletes a role assignment on a vault.
    RoleAssignment {
        /// Where.
        subscription: String,
        /// The vault's resource group.
        group: String,
        /// The vault.
        vault: String,
        /// Its GUID.
        name: String,
    },
    /// Takes permissions from a vault's access policies.
    AccessPolicy {
        /// Where.
        subscription: String,
        /// The vault's resource group.
        group: String,
        /// The vault.
        vault: String,
        /// From whom.
        principal: Principal,
        /// Which permissions.
        secrets: Vec<String>,
    },
}

impl Undo {
    /// The subscription that it must be done in.
    pub fn subscription(&self) -> &str {
        match self {
            Self::ResourceGroup { subscription, .. }
            | Self::Vault { subscription, .. }
            | Self::Secret { subscription, .. }
            | Self::Identity { subscription, .. }
            | Self::FederatedCredential { subscription, .. }
            | Self::RoleAssignment { subscription, .. }
            | Self::AccessPolicy { subscription, .. } => subscription,
        }
    }

    pub(super) fn resource(&self) -> String {
        match self {
            Self::ResourceGroup { name, .. } => format!("resource group {name}"),
            Self::Vault { name, .. } => format!("vault {name}"),
            Self::Secret { vault, name, .. } => format!("secret {vault}/{name}"),
            Self::Identity { name, .. } => format!("identity {name}"),
            Self::FederatedCredential { identity, name, .. } => {
                format!("federated credential {name} of identity {identity}")
            }
            Self::RoleAssignment { vault, name, .. } => {
                format!("role assignment {name} on vault {vault}")
            }
            Self::AccessPolicy { vault, principal, .. } => format!("access policy of {principal} on vault {vault}"),
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::ResourceGroup { .. } => "DeleteResourceGroup",
            Self::Vault { .. } => "DeleteVault",
            Self::Secret { .. } => "DeleteSecret",
            Self::Identity { .. } => "DeleteIdentity",
            Self::FederatedCredential { .. } => "DeleteFederatedCredential",
            Self::RoleAssignment { .. } => "DeleteRoleAssignment",
            Self::AccessPolicy { .. } => "RemoveAccessPolicy",
        }
    }
}

/// What a person is told.
impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Self::AccessPolicy { .. } => "remove",
            Self::Vault { .. } => "delete and purge",
            _ => "delete",
        };
        write!(f, "{verb} {} in subscription {}", self.resource(), self.subscription())
    }
}

/// What an undo came to. None leaves anything of ours behind that no other entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undone {
    /// It is gone.
    Deleted,
    /// It was not there.
    AlreadyGone,
    /// It is there, another made it, and it was left alone.
    NotOurs,
    /// It is there, and goes with its vault, which has an entry of its own.
    WithVault,
}

/// Takes back what is known to have been created by us, and waits until it is gone.
///
/// # Errors
/// When the service refuses or does not answer. A resource group that holds anything is refused: what we make in one
/// has an undo of its own.
pub async fn undo(clients: &Clients, undo: &Undo) -> Result<Undone, ProvisionError> {
    check_subscription(clients, undo)?;
    match delete(clients, undo).await {
        Err(error) if error.is_absent() => Ok(Undone::AlreadyGone),
        other => other,
    }
}

/// Takes back what may have been created by `run`: the journal holds the intention and no outcome. Asks the cloud who
/// made it first.
///
/// # Errors
/// As [`undo`], and when the owner cannot be read.
pub async fn undo_unconfirmed(clients: &Clients, entry: &Undo, run: &str) -> Result<Undone, ProvisionError> {
    check_subscription(clients, entry)?;
    match owner::of(clients, entry, run).await? {
        owner::Owner::Absent => Ok(Undone::AlreadyGone),
        owner::Owner::Other => Ok(Undone::NotOurs),
        owner::Owner::Run => undo(clients, entry).await,
    }
}

fn check_subscription(clients: &Clients, undo: &Undo) -> Result<(), ProvisionError> {
    if clients.subscription() == undo.subscription() {
        return Ok(());
    }
    let message =
        format!("it stands in subscription {}, the clients are of {}", undo.subscription(), clients.subscription());
    Err(ProvisionError::new(Kind::Bug, undo.operation(), &undo.resource(), message))
}

async fn delete(clients: &Clients, undo: &Undo) -> Result<Undone, ProvisionError> {
    let (operation, resource) = (undo.operation(), undo.resource());
    let delete =
        |address: &str, version| call(clients, Request::new(Method::DELETE, operation, &resource, address, version));
    match undo {
        Undo::ResourceGroup { subscription, name } => {
            let address = id::group(subscription, name);
            settle(clients, || refuse_full(clients, &address, &resource)).await?;
            let accepted =
                call(clients, Request::new(Method::DELETE, operation, &resource, &address, id::RESOURCES)).await?;
            finish(clients, accepted, Request::get(operation, &resource, &address, id::RESOURCES)).await
        }
        Undo::Vault { subscription, location, group, name } => {
            let vault = id::vault(subscription, group, name);
            delete_vault(clients, &vault, &id::deleted_vault(subscription, location, name), &resource).await
        }
        Undo::Secret { subscription, group, vault, .. } => {
            let address = id::vault(subscription, group, vault);
            let found = call(clients, Request::get("GetVault", &resource, &address, id::VAULTS)).await?;
            if found.body["tags"]["tool"] == "crossfed" {
                return Ok(Undone::WithVault);
            }
            let message = "Resource Manager cannot delete a secret, and its vault stays, since it is not of a run";
            Err(ProvisionError::new(Kind::Invalid, operation, &resource, message))
        }
        Undo::Identity { subscription, group, name } => {
            let address = id::identity(subscription, group, name);
            clients.remember_identity(&address, None);
            let accepted = delete(&address, id::IDENTITIES).await?;
            finish(clients, accepted, Request::get(operation, &resource, &address, id::IDENTITIES)).await
        }
        Undo::FederatedCredential { subscription, group, identity, name } => {
            let accepted = delete(&id::credential(subscription, group, identity, name), id::IDENTITIES).await?;
            Ok(told(&accepted))
        }
        Undo::RoleAssignment { subscription, group, vault, name } => {
            let address = id::assignment(&id::vault(subscription, group, vault), name);
            Ok(told(&delete(&address, id::AUTHORIZATION).await?))
        }
        Undo::AccessPolicy { subscription, group, vault, principal, secrets } => {
            let address = format!("{}/accessPolicies/remove", id::vault(subscription, group, vault));
            let body = access_policy(clients.tenant(), &clients.object_id(principal).await?, secrets);
            call(clients, Request::new(Method::PUT, operation, &resource, &address, id::VAULTS).body(&body)).await?;
            Ok(Undone::Deleted)
        }
    }
}

/// Resource Manager answers a deletion of what is not there with 204 (Azure REST API guidelines, "DELETE").
fn told(reply: &Reply) -> Undone {
    if reply.status == 204 { Undone::AlreadyGone } else { Undone::Deleted }
}

async fn finish(clients: &Clients, accepted: Reply, look: Request<'_>) -> Result<Undone, ProvisionError> {
    let done = told(&accepted);
    if accepted.status == 202 {
        until_gone(clients, accepted, look).await?;
    }
    Ok(done)
}

/// A group takes everything in it along, and not all of it need be ours.
async fn refuse_full(clients: &Clients, group: &str, resource: &str) -> Result<(), ProvisionError> {
    let listed =
        call(clients, Request::get("DeleteResourceGroup", resource, &format!("{group}/resources"), id::RESOURCES))
            .await?;
    let resources = listed.body["value"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(first) = resources.first() else {
        return Ok(());
    };
    let message = format!(
        "it holds {} resources, such as {}",
        resources.len(),
        first["id"].as_str().unwrap_or("one without an id")
    );
    let told = ProvisionError::new(Kind::Invalid, "DeleteResourceGroup", resource, message);
    Err(ProvisionError { code: Some("NotEmpty".to_owned()), ..told })
}

/// A deleted vault keeps its name, for a week at least, unless it is purged.
async fn delete_vault(clients: &Clients, vault: &str, deleted: &str, resource: &str) -> Result<Undone, ProvisionError> {
    let accepted = call(clients, Request::new(Method::DELETE, "DeleteVault", resource, vault, id::VAULTS)).await;
    let there = match accepted {
        Ok(reply) => {
            finish(clients, reply, Request::get("DeleteVault", resource, vault, id::VAULTS)).await? == Undone::Deleted
        }
        Err(error) if error.is_absent() => false,
        Err(error) => return Err(error),
    };
    // It may have been deleted before, and not been purged; then a vault of the same name elsewhere is not ours.
    if !there {
        let kept = call(clients, Request::get("GetDeletedVault", resource, deleted, id::VAULTS)).await?;
        if !kept.property("vaultId").is_some_and(|kept| kept.eq_ignore_ascii_case(vault)) {
            return Ok(Undone::AlreadyGone);
        }
    }
    let address = format!("{deleted}/purge");
    let accepted = call(clients, Request::new(Method::POST, "PurgeVault", resource, &address, id::VAULTS)).await?;
    finish(clients, accepted, Request::get("GetDeletedVault", resource, deleted, id::VAULTS)).await?;
    Ok(Undone::Deleted)
}
