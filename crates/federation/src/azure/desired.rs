//! What a run wants to have in a subscription, as data: names and ids. Sends nothing.

use std::fmt;

use trust::{Audience, IssuerUrl, Secret, Subject};

use super::id;
use super::principal::Principal;
use super::undo::Undo;
use super::vault::{VaultAccess, VaultNetwork, VaultRole};

/// One thing to create.
#[derive(Clone, PartialEq, Eq)]
pub enum Desired {
    /// A resource group. Everything else stands in one.
    ResourceGroup {
        /// Its name.
        name: String,
    },
    /// A key vault.
    Vault {
        /// Its resource group.
        group: String,
        /// Unique among all vaults of the cloud.
        name: String,
        /// What decides who may read.
        access: VaultAccess,
        /// From where it may be reached.
        network: VaultNetwork,
    },
    /// A secret, written through Resource Manager, which needs no permission on the vault's data.
    Secret {
        /// The vault's resource group.
        group: String,
        /// The vault.
        vault: String,
        /// Its name.
        name: String,
        /// Its value.
        value: Secret,
        /// A disabled one cannot be read.
        enabled: bool,
    },
    /// A user-assigned identity.
    Identity {
        /// Its resource group.
        group: String,
        /// Its name.
        name: String,
    },
    /// A federated credential of an identity.
    FederatedCredential {
        /// The identity's resource group.
        group: String,
        /// The identity.
        identity: String,
        /// Its name.
        name: String,
        /// The issuer, slash and all.
        issuer: IssuerUrl,
        /// The subject, letter by letter.
        subject: Subject,
        /// Azure takes exactly one.
        audiences: Vec<Audience>,
    },
    /// A role on a vault.
    RoleAssignment {
        /// The vault's resource group.
        group: String,
        /// The vault.
        vault: String,
        /// The role.
        role: VaultRole,
        /// Who gets it.
        principal: Principal,
    },
    /// Permissions on a vault's secrets, for a vault with access policies.
    AccessPolicy {
        /// The vault's resource group.
        group: String,
        /// The vault.
        vault: String,
        /// Who gets them.
        principal: Principal,
        /// Such as `get` and `list`.
        secrets: Vec<String>,
    },
    /// A storage account that lets its containers be public: `StorageV2`, `Standard_LRS`, TLS 1.2 at least.
    StorageAccount {
        /// Its resource group.
        group: String,
        /// Unique among all storage accounts of the cloud.
        name: String,
    },
    /// A container whose blobs everybody may read who knows their names.
    Container {
        /// The account's resource group.
        group: String,
        /// The account.
        account: String,
        /// Its name.
        name: String,
    },
    /// Leave to write an account's blobs (role Storage Blob Data Contributor), which nobody has without it.
    StorageRole {
        /// The account's resource group.
        group: String,
        /// The account.
        account: String,
        /// Who gets it.
        principal: Principal,
    },
    /// A blob, written by the provisioning principal itself, who needs [`Desired::StorageRole`]. See also
    /// [`super::publish`], which overwrites.
    Blob {
        /// The account.
        account: String,
        /// The container.
        container: String,
        /// Its name, slashes and all.
        name: String,
        /// What readers are told that it is.
        content_type: String,
        /// What it holds.
        body: Vec<u8>,
    },
}

impl Desired {
    /// What a person calls it.
    pub fn label(&self) -> String {
        match self {
            Self::ResourceGroup { name } => format!("resource group {name}"),
            Self::Vault { name, .. } => format!("vault {name}"),
            Self::Secret { vault, name, .. } => format!("secret {vault}/{name}"),
            Self::Identity { name, .. } => format!("identity {name}"),
            Self::FederatedCredential { identity, name, .. } => {
                format!("federated credential {name} of identity {identity}")
            }
            Self::RoleAssignment { vault, role, principal, .. } => {
                format!("role {role} of {principal} on vault {vault}")
            }
            Self::AccessPolicy { vault, principal, .. } => format!("access policy of {principal} on vault {vault}"),
            Self::StorageAccount { name, .. } => format!("storage account {name}"),
            Self::Container { account, name, .. } => format!("container {account}/{name}"),
            Self::StorageRole { account, principal, .. } => {
                format!("role Storage Blob Data Contributor of {principal} on storage account {account}")
            }
            Self::Blob { account, container, name, .. } => format!("blob {account}/{container}/{name}"),
        }
    }

    /// Its resource id, known before it exists. An access policy is a part of its vault and has none; nor has a blob.
    pub fn id(&self, subscription: &str) -> Option<String> {
        Some(match self {
            Self::ResourceGroup { name } => id::group(subscription, name),
            Self::Vault { group, name, .. } => id::vault(subscription, group, name),
            Self::Secret { group, vault, name, .. } => id::secret(subscription, group, vault, name),
            Self::Identity { group, name } => id::identity(subscription, group, name),
            Self::FederatedCredential { group, identity, name, .. } => {
                id::credential(subscription, group, identity, name)
            }
            Self::RoleAssignment { group, vault, role, principal } => {
                let scope = id::vault(subscription, group, vault);
                id::assignment(&scope, &id::assignment_name(&scope, role.id(), &principal.to_string()))
            }
            Self::StorageAccount { group, name } => id::storage_account(subscription, group, name),
            Self::Container { group, account, name } => id::container(subscription, group, account, name),
            Self::StorageRole { group, account, principal } => {
                let scope = id::storage_account(subscription, group, account);
                id::assignment(&scope, &id::assignment_name(&scope, id::BLOB_CONTRIBUTOR, &principal.to_string()))
            }
            Self::AccessPolicy { .. } | Self::Blob { .. } => return None,
        })
    }

    /// What takes it back, known before it exists.
    pub fn undo(&self, subscription: &str, location: &str) -> Undo {
        let subscription = subscription.to_owned();
        match self.clone() {
            Self::ResourceGroup { name } => Undo::ResourceGroup { subscription, name },
            Self::Vault { group, name, .. } => Undo::Vault { subscription, location: location.to_owned(), group, name },
            Self::Secret { group, vault, name, .. } => Undo::Secret { subscription, group, vault, name },
            Self::Identity { group, name } => Undo::Identity { subscription, group, name },
            Self::FederatedCredential { group, identity, name, .. } => {
                Undo::FederatedCredential { subscription, group, identity, name }
            }
            Self::RoleAssignment { group, vault, role, principal } => {
                let scope = id::vault(&subscription, &group, &vault);
                let name = id::assignment_name(&scope, role.id(), &principal.to_string());
                Undo::RoleAssignment { subscription, group, vault, name }
            }
            Self::AccessPolicy { group, vault, principal, secrets } => {
                Undo::AccessPolicy { subscription, group, vault, principal, secrets }
            }
            Self::StorageAccount { group, name } => Undo::StorageAccount { subscription, group, name },
            Self::Container { group, account, name } => Undo::Container { subscription, group, account, name },
            Self::StorageRole { group, account, principal } => {
                let scope = id::storage_account(&subscription, &group, &account);
                let name = id::assignment_name(&scope, id::BLOB_CONTRIBUTOR, &principal.to_string());
                Undo::StorageRole { subscription, group, account, name }
            }
            Self::Blob { account, container, name, .. } => Undo::Blob { subscription, account, container, name },
        }
    }
}

/// Values are left out: they may be canaries.
impl fmt::Debug for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desired({})", self.label())
    }
}

#[cfg(test)]
pub(super) mod tests;
