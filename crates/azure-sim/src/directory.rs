//! Tenants with their clients, subscriptions with their resources, and role assignments: plain data.
//! Must not know who may touch it, nor how it is written on the wire.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use trust::Secret;
use uuid::Uuid;

use crate::AdminCredentials;
use crate::propagation::{Credential, Lags};
use crate::random;
use crate::rbac::{self, Assignments, OWNER, RoleAssignment};
use crate::state::State;
use crate::storage::StorageAccount;
use crate::vaults::{DeletedVault, Vault};

/// Everything that there is. Names of resources are keys in lower case.
#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) tenants: BTreeMap<Uuid, Tenant>,
    pub(crate) subscriptions: BTreeMap<Uuid, Subscription>,
    /// By name: it is a host name, so that all subscriptions share the names.
    pub(crate) vaults: BTreeMap<String, Vault>,
    pub(crate) deleted_vaults: BTreeMap<String, DeletedVault>,
    /// By name, likewise.
    pub(crate) storage: BTreeMap<String, StorageAccount>,
    pub(crate) assignments: Assignments,
    /// Long-running operations by the opaque part of their URL.
    pub(crate) operations: BTreeMap<String, Operation>,
    /// What others than the writer see; none where they see the same.
    pub(crate) lags: Option<Lags>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tenant {
    /// By client id.
    pub(crate) clients: BTreeMap<Uuid, Client>,
    /// Client ids by the service principal's object id.
    principals: BTreeMap<Uuid, Uuid>,
    /// Object ids of who may read the directory.
    pub(crate) readers: BTreeSet<Uuid>,
}

/// What may ask for a token: an application or a managed identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) name: String,
    /// The service principal's, if the tenant has one for the client.
    pub(crate) object_id: Option<Uuid>,
    /// Resource id of a managed identity; applications have none.
    pub(crate) resource_id: Option<String>,
    pub(crate) enabled: bool,
    /// A conditional access policy blocks it.
    pub(crate) blocked: bool,
    pub(crate) secrets: Vec<Secret>,
    /// By lower-case name.
    pub(crate) federated: BTreeMap<String, FederatedCredential>,
    /// A write of a federated credential is under way.
    pub(crate) is_writing: bool,
}

/// Whose tokens stand for a client. Everything is compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FederatedCredential {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) tenant: Uuid,
    pub(crate) groups: BTreeMap<String, ResourceGroup>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ResourceGroup {
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// The operation that deletes it.
    pub(crate) deleting: Option<String>,
    pub(crate) identities: BTreeMap<String, Identity>,
}

/// A user-assigned managed identity as Resource Manager keeps it; its client is in the tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) client_id: Uuid,
    pub(crate) principal_id: Uuid,
}

/// Something that takes longer than its request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) work: Work,
    pub(crate) is_done: bool,
    /// How often it is still found under way.
    pub(crate) looks: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    DeleteGroup { subscription: Uuid, group: String },
    PurgeVault { vault: String },
}

impl Directory {
    /// Shows everything to everybody at once.
    pub(crate) fn show_all(&self) {
        let Some(lags) = &self.lags else { return };
        self.assignments.iter().for_each(|held| lags.open(held));
        for tenant in self.tenants.values() {
            lags.open_tenant(tenant);
        }
    }
}

impl Tenant {
    /// Adds a client and returns its client id.
    pub(crate) fn register(&mut self, name: &str, object_id: Option<Uuid>) -> Uuid {
        let client_id = Uuid::new_v4();
        let client = Client {
            name: name.to_owned(),
            object_id,
            resource_id: None,
            enabled: true,
            blocked: false,
            secrets: Vec::new(),
            federated: BTreeMap::new(),
            is_writing: false,
        };
        self.clients.insert(client_id, client);
        if let Some(object_id) = object_id {
            self.principals.insert(object_id, client_id);
        }
        client_id
    }

    pub(crate) fn has_principal(&self, object_id: Uuid) -> bool {
        self.principals.contains_key(&object_id)
    }

    pub(crate) fn client_of(&self, object_id: Uuid) -> Option<Uuid> {
        self.principals.get(&object_id).copied()
    }

    fn remove(&mut self, client_id: Uuid) -> Option<Client> {
        let client = self.clients.remove(&client_id)?;
        client.object_id.and_then(|object_id| self.principals.remove(&object_id));
        Some(client)
    }
}

impl Directory {
    /// The tenant, made if need be.
    pub(crate) fn tenant(&mut self, tenant: Uuid) -> &mut Tenant {
        self.tenants.entry(tenant).or_default()
    }

    pub(crate) fn client(&self, tenant: Uuid, client_id: Uuid) -> Option<&Client> {
        self.tenants.get(&tenant)?.clients.get(&client_id)
    }

    pub(crate) fn client_mut(&mut self, tenant: Uuid, client_id: Uuid) -> Option<&mut Client> {
        self.tenants.get_mut(&tenant)?.clients.get_mut(&client_id)
    }

    /// The federated credentials of a client, as the token endpoint sees them.
    pub(crate) fn seen_credentials(&self, client_id: Uuid, client: &Client) -> Vec<FederatedCredential> {
        match &self.lags {
            Some(lags) => lags.credentials_of(client_id),
            None => client.federated.values().cloned().collect(),
        }
    }

    /// Tells of a federated credential that was written, or deleted.
    pub(crate) fn send_credential(&self, client_id: Uuid, key: &str, held: Option<&FederatedCredential>) {
        if let Some(lags) = &self.lags {
            lags.send_credential(&Credential { client_id, key: key.to_owned(), held: held.cloned() });
        }
    }

    /// The role assignments, as those see them who decide by them.
    pub(crate) fn seen_assignments<T>(&self, look: impl FnOnce(&Assignments) -> T) -> T {
        match &self.lags {
            Some(lags) => lags.read_assignments(look),
            None => look(&self.assignments),
        }
    }

    pub(crate) fn assign(&mut self, assignment: RoleAssignment) {
        if let Some(lags) = &self.lags {
            lags.send_assignment(&assignment, true);
        }
        self.assignments.push(assignment);
    }

    /// Removes role assignments, and returns them.
    pub(crate) fn unassign(&mut self, is_gone: impl Fn(&RoleAssignment) -> bool) -> Vec<RoleAssignment> {
        let removed = self.assignments.retain(|held| !is_gone(held));
        if let Some(lags) = &self.lags {
            removed.iter().for_each(|held| lags.send_assignment(held, false));
        }
        removed
    }

    /// Whether a principal is found in a tenant by who assigns a role to it.
    pub(crate) fn sees_principal(&self, tenant: Uuid, object_id: Uuid) -> bool {
        let is_there = self.tenants.get(&tenant).is_some_and(|tenant| tenant.has_principal(object_id));
        is_there && self.lags.as_ref().is_none_or(|lags| lags.knows_principal(object_id))
    }

    /// Tells of a new principal.
    pub(crate) fn send_principal(&self, object_id: Uuid) {
        if let Some(lags) = &self.lags {
            lags.send_principal(object_id, true);
        }
    }

    pub(crate) fn group(&self, subscription: Uuid, group: &str) -> Option<&ResourceGroup> {
        let groups = &self.subscriptions.get(&subscription)?.groups;
        groups.get(&group.to_ascii_lowercase())
    }

    pub(crate) fn group_mut(&mut self, subscription: Uuid, group: &str) -> Option<&mut ResourceGroup> {
        let groups = &mut self.subscriptions.get_mut(&subscription)?.groups;
        groups.get_mut(&group.to_ascii_lowercase())
    }

    /// Puts a vault under soft delete. Its role assignments are lost, as the documentation of
    /// soft delete warns.
    pub(crate) fn delete_vault(&mut self, name: &str, now: Timestamp) {
        let Some(vault) = self.vaults.remove(name) else {
            return;
        };
        self.forget_assignments(&vault.id());
        let kept = SignedDuration::from_hours(24 * i64::from(vault.retention_days));
        let deleted = DeletedVault { deleted: now, purges: now.saturating_add(kept).unwrap_or(now), vault };
        self.deleted_vaults.insert(name.to_owned(), deleted);
    }

    /// Purges what has been kept long enough.
    pub(crate) fn purge_due(&mut self, now: Timestamp) {
        self.deleted_vaults.retain(|_, deleted| now < deleted.purges);
    }

    /// Removes a storage account with all that is in it. Its name is free at once; the real service keeps it back
    /// for a while.
    pub(crate) fn delete_storage(&mut self, name: &str) {
        if let Some(account) = self.storage.remove(name) {
            self.forget_assignments(&account.id());
        }
    }

    /// Removes an identity with its client. Role assignments of its principal stay behind, as they do
    /// in Azure.
    pub(crate) fn remove_identity(&mut self, tenant: Uuid, identity: &Identity, id: &str) {
        if let Some(tenant) = self.tenants.get_mut(&tenant) {
            let gone = tenant.remove(identity.client_id);
            if let Some(lags) = &self.lags {
                lags.send_principal(identity.principal_id, false);
                for key in gone.into_iter().flat_map(|client| client.federated.into_keys()) {
                    lags.send_credential(&Credential { client_id: identity.client_id, key, held: None });
                }
            }
        }
        self.forget_assignments(id);
    }

    /// Removes the role assignments on a resource that is gone, and below it.
    pub(crate) fn forget_assignments(&mut self, scope: &str) {
        self.unassign(|assignment| rbac::covers(scope, &assignment.scope));
    }
}

impl State {
    /// A subscription with one more owner.
    pub(crate) fn create_subscription(&self, tenant: Uuid, subscription: Uuid) -> AdminCredentials {
        let object_id = Uuid::new_v4();
        let client_secret = Secret::new(random::client_secret());
        let created = self.now();
        let mut directory = self.write();
        let tenant_entry = directory.tenant(tenant);
        let client_id = tenant_entry.register("owner", Some(object_id));
        if let Some(client) = tenant_entry.clients.get_mut(&client_id) {
            client.secrets.push(client_secret.clone());
        }
        tenant_entry.readers.insert(object_id);
        directory.subscriptions.entry(subscription).or_insert_with(|| Subscription { tenant, groups: BTreeMap::new() });
        let owner = RoleAssignment {
            name: Uuid::new_v4(),
            scope: format!("/subscriptions/{subscription}"),
            role: &OWNER,
            principal: object_id,
            principal_type: "ServicePrincipal".to_owned(),
            description: None,
            created,
            creator: object_id,
        };
        if let Some(lags) = &directory.lags {
            lags.open(&owner);
        }
        directory.assignments.push(owner);
        AdminCredentials { tenant, subscription, client_id, object_id, client_secret }
    }

    /// Changes a client; false if there is none.
    pub(crate) fn with_client(&self, tenant: Uuid, client_id: Uuid, change: impl FnOnce(&mut Client)) -> bool {
        let mut directory = self.write();
        let client = directory.client_mut(tenant, client_id);
        client.map(change).is_some()
    }
}
