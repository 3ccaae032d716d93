//! What the control plane knows of a vault: the ground on which the data plane decides.
//! Must not know secrets, nor how a vault is written on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::origin::Origin;
use crate::state::Caller;

/// One entry of a vault's access policies, as far as secrets go; the other kinds are kept as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessPolicy {
    pub(crate) tenant: Uuid,
    /// As written: a client id put here by mistake is accepted, and matches nobody.
    pub(crate) object_id: String,
    /// Present in entries for an application that acts on behalf of a user; these match no workload.
    pub(crate) application_id: Option<Uuid>,
    /// Secret permissions as written (`get`, `list`, ..., `all`).
    pub(crate) secrets: Vec<String>,
    /// The whole `permissions` object, to be shown again.
    pub(crate) permissions: Value,
}

impl AccessPolicy {
    pub(crate) fn allows_secrets(&self, caller: &Caller, permission: &str) -> bool {
        let allows = |held: &String| held.eq_ignore_ascii_case(permission) || held.eq_ignore_ascii_case("all");
        self.application_id.is_none()
            && self.tenant == caller.tenant
            && self.object_id.eq_ignore_ascii_case(&caller.object_id.to_string())
            && self.secrets.iter().any(allows)
    }
}

/// Where a vault may be reached from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkRules {
    /// `publicNetworkAccess`: when false, only private links lead to the vault.
    pub(crate) public_access: bool,
    /// `networkAcls.defaultAction` is `Allow`.
    pub(crate) allow_by_default: bool,
    /// `AzureServices` or `None`.
    pub(crate) bypass: String,
    /// Addresses and CIDR ranges that are let in when the default is `Deny`.
    pub(crate) ip_rules: Vec<String>,
    /// Resource ids of subnets, kept as written.
    pub(crate) subnets: Vec<Value>,
}

impl Default for NetworkRules {
    fn default() -> NetworkRules {
        NetworkRules {
            public_access: true,
            allow_by_default: true,
            bypass: "None".to_owned(),
            ip_rules: Vec::new(),
            subnets: Vec::new(),
        }
    }
}

/// A vault as Resource Manager keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Vault {
    /// In the case in which it was created.
    pub(crate) name: String,
    pub(crate) subscription: Uuid,
    pub(crate) group: String,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) tenant: Uuid,
    /// `standard` or `premium`.
    pub(crate) sku: String,
    pub(crate) is_rbac: bool,
    pub(crate) access_policies: Vec<AccessPolicy>,
    pub(crate) network: NetworkRules,
    /// `networkAcls` were given, and are shown.
    pub(crate) shows_network: bool,
    pub(crate) retention_days: u16,
    pub(crate) purge_protection: bool,
    pub(crate) created: Timestamp,
    /// Another vault of the same name has another one; recovery keeps it.
    pub(crate) incarnation: Uuid,
}

impl Vault {
    /// The resource id.
    pub(crate) fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.KeyVault/vaults/{}",
            self.subscription, self.group, self.name
        )
    }
}

/// A vault under soft delete: its name stays taken until it is purged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DeletedVault {
    pub(crate) vault: Vault,
    pub(crate) deleted: Timestamp,
    pub(crate) purges: Timestamp,
}

/// What the data plane sees of a vault, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct VaultView {
    pub(crate) name: String,
    /// Resource id in the case in which it was created.
    pub(crate) id: String,
    /// Key for the vault's contents: survives soft delete and recovery, not purge.
    pub(crate) incarnation: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) location: String,
    pub(crate) is_rbac: bool,
    pub(crate) access_policies: Vec<AccessPolicy>,
    pub(crate) network: NetworkRules,
    pub(crate) retention_days: u16,
    pub(crate) purge_protection: bool,
    /// How its caller names it.
    pub(crate) origin: Arc<Origin>,
    /// Resource Manager is asking.
    pub(crate) is_inside: bool,
}

impl VaultView {
    pub(crate) fn of(vault: &Vault, origin: &Arc<Origin>) -> VaultView {
        VaultView {
            name: vault.name.clone(),
            id: vault.id(),
            incarnation: vault.incarnation,
            tenant: vault.tenant,
            location: vault.location.clone(),
            is_rbac: vault.is_rbac,
            access_policies: vault.access_policies.clone(),
            network: vault.network.clone(),
            retention_days: vault.retention_days,
            purge_protection: vault.purge_protection,
            origin: origin.clone(),
            is_inside: false,
        }
    }

    /// As Resource Manager sees it.
    pub(crate) fn from_inside(vault: &Vault, origin: &Arc<Origin>) -> VaultView {
        VaultView { network: NetworkRules::default(), is_inside: true, ..VaultView::of(vault, origin) }
    }
}
