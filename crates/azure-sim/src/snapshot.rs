//! What is kept of the simulator where its state is to outlive it. Access tokens are not: their key is another one then.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::{Directory, Operation, Subscription, Tenant};
use crate::rbac::Assignments;
use crate::state::State;
use crate::storage::StorageAccount;
use crate::vault::Store;
use crate::vaults::{DeletedVault, Vault};

/// Tenants, subscriptions and all that is in them. It holds secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    tenants: BTreeMap<Uuid, Tenant>,
    subscriptions: BTreeMap<Uuid, Subscription>,
    vaults: BTreeMap<String, Vault>,
    deleted_vaults: BTreeMap<String, DeletedVault>,
    storage: BTreeMap<String, StorageAccount>,
    assignments: Assignments,
    operations: BTreeMap<String, Operation>,
    secrets: HashMap<Uuid, Store>,
}

impl Snapshot {
    pub(crate) fn of(state: &State) -> Snapshot {
        let directory = state.read();
        let Directory { tenants, subscriptions, vaults, deleted_vaults, storage, assignments, operations, lags: _ } =
            &*directory;
        Snapshot {
            tenants: tenants.clone(),
            subscriptions: subscriptions.clone(),
            vaults: vaults.clone(),
            deleted_vaults: deleted_vaults.clone(),
            storage: storage.clone(),
            assignments: assignments.clone(),
            operations: operations.clone(),
            secrets: state.secrets().snapshot(),
        }
    }

    /// Replaces all that there is, and shows it everywhere at once.
    pub(crate) fn put_into(self, state: &State) {
        state.secrets().restore(self.secrets);
        let mut directory = state.write();
        directory.tenants = self.tenants;
        directory.subscriptions = self.subscriptions;
        directory.vaults = self.vaults;
        directory.deleted_vaults = self.deleted_vaults;
        directory.storage = self.storage;
        directory.operations = self.operations;
        directory.assignments = self.assignments;
        directory.show_all();
    }
}

/// Bytes as Base64.
pub(crate) mod base64 {
    use axum::body::Bytes;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map(Bytes::from).map_err(D::Error::custom)
    }
}

/// A built-in role by its id.
pub(crate) mod role {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use uuid::Uuid;

    use crate::rbac::{self, Role};

    pub(crate) fn serialize<S: Serializer>(role: &&'static Role, serializer: S) -> Result<S::Ok, S::Error> {
        role.id.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static Role, D::Error> {
        let id = Uuid::deserialize(deserializer)?;
        rbac::role(id).ok_or_else(|| D::Error::custom(format!("{id} is no role that is known")))
    }
}
