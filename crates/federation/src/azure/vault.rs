//! What can be chosen about a vault. Sends nothing.

use std::fmt;

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
