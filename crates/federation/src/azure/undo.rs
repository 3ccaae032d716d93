//! What takes things away, as the journal holds it, and whether it may be done. How each goes, `delete` knows.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::access::Clients;
use super::delete::delete;
use super::error::ProvisionError;
use super::principal::Principal;
use super::{Kind, owner};

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
    /// Deletes a storage account, with all that is in it.
    StorageAccount {
        /// Where.
        subscription: String,
        /// Its resource group.
        group: String,
        /// Which.
        name: String,
    },
    /// Deletes a container, with all that is in it.
    Container {
        /// Where.
        subscription: String,
        /// Its account's resource group.
        group: String,
        /// Its account.
        account: String,
        /// Which.
        name: String,
    },
    /// Deletes a role assignment on a storage account.
    StorageRole {
        /// Where.
        subscription: String,
        /// The account's resource group.
        group: String,
        /// The account.
        account: String,
        /// Its GUID.
        name: String,
    },
    /// Leaves a blob to its storage account's undo: the leave to write it may be gone already.
    Blob {
        /// Where its account is.
        subscription: String,
        /// Its account.
        account: String,
        /// Its container.
        container: String,
        /// Which.
        name: String,
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
            | Self::AccessPolicy { subscription, .. }
            | Self::StorageAccount { subscription, .. }
            | Self::Container { subscription, .. }
            | Self::StorageRole { subscription, .. }
            | Self::Blob { subscription, .. } => subscription,
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
            Self::StorageAccount { name, .. } => format!("storage account {name}"),
            Self::Container { account, name, .. } => format!("container {account}/{name}"),
            Self::StorageRole { account, name, .. } => format!("role assignment {name} on storage account {account}"),
            Self::Blob { account, container, name, .. } => format!("blob {account}/{container}/{name}"),
        }
    }

    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::ResourceGroup { .. } => "DeleteResourceGroup",
            Self::Vault { .. } => "DeleteVault",
            Self::Secret { .. } => "DeleteSecret",
            Self::Identity { .. } => "DeleteIdentity",
            Self::FederatedCredential { .. } => "DeleteFederatedCredential",
            Self::RoleAssignment { .. } => "DeleteRoleAssignment",
            Self::AccessPolicy { .. } => "RemoveAccessPolicy",
            Self::StorageAccount { .. } => "DeleteStorageAccount",
            Self::Container { .. } => "DeleteContainer",
            Self::StorageRole { .. } => "DeleteStorageRole",
            Self::Blob { .. } => "DeleteBlob",
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
    /// It is there, and goes with its vault or storage account, which has an entry of its own.
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
