//! How late Azure sees what was written. A federated credential is seen after seconds to minutes, and meanwhile now and now not, even
//! after a first success ("Important considerations and restrictions for federated identity credentials"); a role
//! assignment after up to ten minutes (Azure role-based access control, "Troubleshoot"); a new principal is not known at once to who
//! assigns a role (the same). Of the figures between, nothing is documented.
//! Must not know any request.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use trust::SharedClock;
use trust::lag::{self, Delay, Lag, Write};
use uuid::Uuid;

use crate::directory::{FederatedCredential, Tenant};
use crate::rbac::{Assignments, RoleAssignment};

/// The delays of Azure. Which write takes how long at which copy, and which copy a read meets, follows from the seed alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Propagation {
    /// Everything random follows from it.
    pub seed: u64,
    /// Until Entra ID acts on a federated credential: at least and at most.
    pub credentials: Delay,
    /// Until a role assignment counts: at least and at most.
    pub assignments: Delay,
    /// Until a new principal is found when a role is assigned to it: at least and at most.
    pub principals: Delay,
}

impl Propagation {
    /// The delays of the field, times `factor`: 5 seconds to 2 minutes for credentials, half a minute to 5 minutes for role
    /// assignments, 1 to 30 seconds for principals. A factor that is negative or no number is 0.
    pub fn scaled(factor: f64, seed: u64) -> Propagation {
        Propagation {
            seed,
            credentials: lag::scaled(factor, (5_000, 120_000)),
            assignments: lag::scaled(factor, (30_000, 300_000)),
            principals: lag::scaled(factor, (1_000, 30_000)),
        }
    }
}

/// By client id, then by lower-case name.
pub(crate) type Credentials = BTreeMap<Uuid, BTreeMap<String, FederatedCredential>>;

/// What others than the writer see.
#[derive(Debug)]
pub(crate) struct Lags {
    clock: SharedClock,
    credentials: Lag<Credentials, Credential>,
    assignments: Lag<Assignments, Assignment>,
    principals: Lag<BTreeSet<Uuid>, Principal>,
}

/// A federated credential after a write; none where it was deleted.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) client_id: Uuid,
    pub(crate) key: String,
    pub(crate) held: Option<FederatedCredential>,
}

/// A role assignment that was made or removed.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) held: RoleAssignment,
    pub(crate) is_there: bool,
}

#[derive(Clone)]
struct Principal {
    object_id: Uuid,
    is_there: bool,
}

impl Lags {
    pub(crate) fn new(propagation: &Propagation, clock: SharedClock) -> Lags {
        let Propagation { seed, credentials, assignments, principals } = propagation;
        // They must not go in step.
        Lags {
            clock,
            credentials: Lag::new(*seed, *credentials),
            assignments: Lag::new(seed.wrapping_add(1), *assignments),
            principals: Lag::new(seed.wrapping_add(2), *principals),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn send_credential(&self, write: &Credential) {
        self.credentials.send(write, self.now());
    }

    pub(crate) fn credentials_of(&self, client_id: Uuid) -> Vec<FederatedCredential> {
        let look = |all: &Credentials| all.get(&client_id).into_iter().flat_map(BTreeMap::values).cloned().collect();
        self.credentials.read(self.now(), look)
    }

    pub(crate) fn send_assignment(&self, held: &RoleAssignment, is_there: bool) {
        self.assignments.send(&Assignment { held: held.clone(), is_there }, self.now());
    }

    pub(crate) fn read_assignments<T>(&self, look: impl FnOnce(&Assignments) -> T) -> T {
        self.assignments.read(self.now(), look)
    }

    pub(crate) fn send_principal(&self, object_id: Uuid, is_there: bool) {
        self.principals.send(&Principal { object_id, is_there }, self.now());
    }

    pub(crate) fn knows_principal(&self, object_id: Uuid) -> bool {
        self.principals.read(self.now(), |all| all.contains(&object_id))
    }

    /// An owner is known everywhere at once, with its role.
    pub(crate) fn open(&self, held: &RoleAssignment) {
        self.assignments.open(&Assignment { held: held.clone(), is_there: true });
        self.principals.open(&Principal { object_id: held.principal, is_there: true });
    }

    /// Clients and their federated credentials, everywhere at once.
    pub(crate) fn open_tenant(&self, tenant: &Tenant) {
        for (client_id, client) in &tenant.clients {
            client
                .object_id
                .iter()
                .for_each(|&object_id| self.principals.open(&Principal { object_id, is_there: true }));
            for (key, held) in &client.federated {
                let (client_id, key, held) = (*client_id, key.clone(), Some(held.clone()));
                self.credentials.open(&Credential { client_id, key, held });
            }
        }
    }
}

impl Write<Credentials> for Credential {
    fn is_same(&self, other: &Credential) -> bool {
        self.client_id == other.client_id && self.key == other.key
    }

    fn put_into(self, all: &mut Credentials) {
        let held = all.entry(self.client_id).or_default();
        match self.held {
            Some(credential) => drop(held.insert(self.key, credential)),
            None => drop(held.remove(&self.key)),
        }
        if held.is_empty() {
            all.remove(&self.client_id);
        }
    }
}

impl Write<Assignments> for Assignment {
    fn is_same(&self, other: &Assignment) -> bool {
        self.held.name == other.held.name && self.held.scope.eq_ignore_ascii_case(&other.held.scope)
    }

    fn put_into(self, all: &mut Assignments) {
        all.forget(&self.held);
        if self.is_there {
            all.push(self.held);
        }
    }
}

impl Write<BTreeSet<Uuid>> for Principal {
    fn is_same(&self, other: &Principal) -> bool {
        self.object_id == other.object_id
    }

    fn put_into(self, all: &mut BTreeSet<Uuid>) {
        if self.is_there {
            all.insert(self.object_id);
        } else {
            all.remove(&self.object_id);
        }
    }
}
