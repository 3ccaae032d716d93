//! What a run wants to have in a subscription, as data: names and ids. Sends nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use trust::{Audience, IssuerUrl, Secret, Subject};

use super::id;
use super::undo::Undo;

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
}

/// What decides who may read a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultAccess {
    /// Role assignments.
    Rbac,
    /// The vault's own access policies.
    AccessPolicy,
}

/// From where a vault may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultNetwork {
    /// From everywhere.
    Open,
    /// Public, but its firewall lets no address in.
    Firewall,
    /// By private endpoints alone.
    Private,
}

/// Built-in roles on vaults (Azure RBAC, "Azure built-in roles for Security").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultRole {
    /// Reads values of secrets.
    SecretsUser,
    /// Does everything with secrets.
    SecretsOfficer,
    /// Does everything with the vault's data.
    Administrator,
    /// Reads names, but no values.
    Reader,
}

impl VaultRole {
    /// Its GUID, which is the same everywhere.
    pub fn id(self) -> &'static str {
        match self {
            Self::SecretsUser => "4633458b-17de-408a-b874-0445c86b69e6",
            Self::SecretsOfficer => "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
            Self::Administrator => "00482a5a-887f-4fb3-b363-3b7fe8e74483",
            Self::Reader => "21090545-7ca7-4776-b22c-e363652d74d2",
        }
    }
}

impl fmt::Display for VaultRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretsUser => "Key Vault Secrets User",
            Self::SecretsOfficer => "Key Vault Secrets Officer",
            Self::Administrator => "Key Vault Administrator",
            Self::Reader => "Key Vault Reader",
        })
    }
}

/// Who is given a permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Principal {
    /// An identity, by its principal id, as it should be.
    Identity {
        /// Its resource group.
        group: String,
        /// The identity.
        name: String,
    },
    /// An identity's client id, which is no principal: the mistake that people make.
    ClientIdOf {
        /// Its resource group.
        group: String,
        /// The identity.
        name: String,
    },
    /// An object id that is known.
    Object {
        /// The id.
        id: String,
    },
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity { name, .. } => write!(f, "identity {name}"),
            Self::ClientIdOf { name, .. } => write!(f, "client id of identity {name}"),
            Self::Object { id } => write!(f, "principal {id}"),
        }
    }
}

impl Principal {
    /// Group and name of the identity that must be there first.
    pub(super) fn identity(&self) -> Option<(&str, &str)> {
        match self {
            Self::Identity { group, name } | Self::ClientIdOf { group, name } => Some((group, name)),
            Self::Object { .. } => None,
        }
    }
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
        }
    }

    /// Its resource id, known before it exists; an access policy is a part of its vault and has none.
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
            Self::AccessPolicy { .. } => return None,
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
pub(super) mod tests {
    use super::*;

    pub(in crate::azure) fn group(name: &str) -> Desired {
        Desired::ResourceGroup { name: name.into() }
    }
    pub(in crate::azure) fn vault(name: &str) -> Desired {
        Desired::Vault { group: "g".into(), name: name.into(), access: VaultAccess::Rbac, network: VaultNetwork::Open }
    }
    pub(in crate::azure) fn secret(vault: &str, name: &str, value: &str) -> Desired {
        Desired::Secret {
            group: "g".into(),
            vault: vault.into(),
            name: name.into(),
            value: Secret::new(value),
            enabled: true,
        }
    }
    pub(in crate::azure) fn identity(name: &str) -> Desired {
        Desired::Identity { group: "g".into(), name: name.into() }
    }
    pub(in crate::azure) fn credential(identity: &str, name: &str, subject: &str, audiences: &[&str]) -> Desired {
        Desired::FederatedCredential {
            group: "g".into(),
            identity: identity.into(),
            name: name.into(),
            issuer: "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
                .parse()
                .expect("issuer must parse"),
            subject: Subject::new(subject),
            audiences: audiences.iter().map(|&audience| Audience::new(audience)).collect(),
        }
    }
    pub(in crate::azure) fn of(identity: &str) -> Principal {
        Principal::Identity { group: "g".into(), name: identity.into() }
    }
    pub(in crate::azure) fn role(vault: &str, principal: Principal) -> Desired {
        Desired::RoleAssignment { group: "g".into(), vault: vault.into(), role: VaultRole::SecretsUser, principal }
    }
    pub(in crate::azure) fn policy(vault: &str, principal: Principal) -> Desired {
        Desired::AccessPolicy { group: "g".into(), vault: vault.into(), principal, secrets: vec!["get".into()] }
    }

    #[test]
    fn undo_survives_the_journal() {
        let mut lines = String::new();
        for desired in [
            group("g"),
            vault("v"),
            secret("v", "s", "canary"),
            identity("i"),
            credential("i", "f", "system:serviceaccount:demo:reader", &["api://AzureADTokenExchange"]),
            role("v", of("i")),
            policy("v", Principal::ClientIdOf { group: "g".into(), name: "i".into() }),
        ] {
            let undo = desired.undo("sub", "westeurope");
            let line = serde_json::to_string(&undo).expect("undo must serialise");
            assert_eq!(serde_json::from_str::<Undo>(&line).expect("undo must parse"), undo);
            lines += &format!("{undo}\n{line}\n");
        }
        insta::assert_snapshot!(lines, @r#"
        delete resource group g in subscription sub
        {"delete":"resource-group","subscription":"sub","name":"g"}
        delete and purge vault v in subscription sub
        {"delete":"vault","subscription":"sub","location":"westeurope","group":"g","name":"v"}
        delete secret v/s in subscription sub
        {"delete":"secret","subscription":"sub","group":"g","vault":"v","name":"s"}
        delete identity i in subscription sub
        {"delete":"identity","subscription":"sub","group":"g","name":"i"}
        delete federated credential f of identity i in subscription sub
        {"delete":"federated-credential","subscription":"sub","group":"g","identity":"i","name":"f"}
        delete role assignment 10dad165-cf99-8e3e-bb44-49b4e22204b2 on vault v in subscription sub
        {"delete":"role-assignment","subscription":"sub","group":"g","vault":"v","name":"10dad165-cf99-8e3e-bb44-49b4e22204b2"}
        remove access policy of client id of identity i on vault v in subscription sub
        {"delete":"access-policy","subscription":"sub","group":"g","vault":"v","principal":{"kind":"client-id-of","group":"g","name":"i"},"secrets":["get"]}
        "#);
    }

    #[test]
    fn ids_are_known_beforehand() {
        let check = |desired: Desired, expected: Option<&str>| assert_eq!(desired.id("s").as_deref(), expected);
        check(group("g"), Some("/subscriptions/s/resourceGroups/g"));
        check(vault("v"), Some("/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"));
        check(
            credential("i", "f", "s", &[]),
            Some(
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i/federatedIdentityCredentials/f",
            ),
        );
        check(policy("v", of("i")), None);
        // The journal and the creation must speak of one and the same assignment.
        let Undo::RoleAssignment { name, .. } = role("v", of("i")).undo("s", "westeurope") else {
            panic!("undo must be of a role assignment");
        };
        let id = role("v", of("i")).id("s").expect("an assignment has an id");
        assert!(id.ends_with(&format!("/vaults/v/providers/Microsoft.Authorization/roleAssignments/{name}")), "{id}");
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", secret("v", "s", "canary")), "Desired(secret v/s)");
    }
}
