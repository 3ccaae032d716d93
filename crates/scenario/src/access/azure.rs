//! Azure's part of an access: the identity's federated credential, what it may do, and the vault that it reads.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::patch::Values;

/// What Azure holds for one pod. The identity itself is always there, one a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureAccess {
    /// The identity's federated credential; `null` means that it has none.
    pub federated_credential: Option<FederatedCredential>,
    /// Federated credentials besides that one, created one after the other.
    #[serde(default)]
    pub more_credentials: Vec<FederatedCredential>,
    /// The vault.
    #[serde(default)]
    pub vault: Vault,
    /// The secret, besides its name and value.
    #[serde(default)]
    pub secret: Secret,
    /// The identity's role on the vault; `null` means none.
    pub role_assignment: Option<RoleAssignment>,
    /// The identity's entry in the vault's own access policies; `null` means none.
    pub access_policy: Option<AccessPolicy>,
}

/// A federated credential. Texts may hold `${variables}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedCredential {
    /// The issuer, slash and all.
    pub issuer: String,
    /// `system:serviceaccount:<namespace>:<name>`, letter by letter.
    pub subject: String,
    /// The one audience: `api://AzureADTokenExchange` in the public cloud. Azure refuses a list of several.
    pub audience: Values,
    /// Its name, in place of the one that the run chooses.
    #[serde(default)]
    pub name: Option<String>,
}

/// A key vault, as far as a fault may change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vault {
    /// What decides who may read.
    #[serde(default)]
    pub permission_model: PermissionModel,
    /// From where it may be reached.
    #[serde(default)]
    pub network: Network,
}

/// What decides who may read a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionModel {
    /// Azure role assignments.
    #[default]
    Rbac,
    /// The vault's own access policies.
    AccessPolicy,
}

impl fmt::Display for PermissionModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rbac => "rbac",
            Self::AccessPolicy => "access-policy",
        })
    }
}

/// From where a vault may be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// From everywhere.
    #[default]
    Open,
    /// Public, but its firewall lets no address in.
    Firewall,
    /// By private endpoints alone.
    Private,
}

/// A secret's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    /// A disabled one cannot be read.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it is in the vault.
    #[serde(default = "yes")]
    pub exists: bool,
}

impl Default for Secret {
    fn default() -> Self {
        Self { enabled: true, exists: true }
    }
}

fn yes() -> bool {
    true
}

/// A role on the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleAssignment {
    /// Which role.
    pub role: VaultRole,
    /// By which of its ids the identity is named.
    #[serde(default)]
    pub principal: Principal,
}

/// Built-in roles on vaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultRole {
    /// Reads values of secrets.
    KeyVaultSecretsUser,
    /// Does everything with secrets.
    KeyVaultSecretsOfficer,
    /// Does everything with the vault's data.
    KeyVaultAdministrator,
    /// Reads names, but no values.
    KeyVaultReader,
}

/// An entry of a vault's access policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessPolicy {
    /// Permissions on secrets, such as `get`.
    pub secrets: Vec<String>,
    /// By which of its ids the identity is named.
    #[serde(default)]
    pub principal: Principal,
}

/// By which id a permission names the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Principal {
    /// Its principal id, as it should be.
    #[default]
    PrincipalId,
    /// Its client id, which is no principal: the mistake that people make.
    ClientId,
}
