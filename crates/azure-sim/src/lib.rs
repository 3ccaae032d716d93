//! A simulated Azure: Entra ID, Resource Manager, Key Vault, Blob Storage and a look-up in Microsoft Graph, as far as federation of
//! workload identities needs them, with the status codes, error codes and message shapes of the real services.
//! Must not know the harness, the cluster or any issuer in advance: it learns an issuer's keys over the wire.

mod access_token;
mod arm;
mod blob;
mod directory;
mod endpoints;
mod entra;
mod graph;
mod host;
mod inventory;
mod origin;
mod propagation;
mod random;
mod rbac;
mod requests;
mod snapshot;
mod space;
mod state;
mod storage;
mod vault;
mod vaults;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use trust::{KeyError, KeyRing, Secret, SharedClock, SigningKey};
use uuid::Uuid;

pub use endpoints::Endpoints;
pub use propagation::Propagation;
pub use requests::{LoggedRequest, Principal};
pub use snapshot::Snapshot;

/// What the simulator needs from outside.
#[derive(Debug)]
pub struct AzureSimConfig {
    pub clock: SharedClock,
    /// Fetches discovery documents and key sets of any issuer. Its roots are the publicly trusted ones:
    /// Entra ID knows no thumbprints.
    pub issuers: transport::Client,
    /// The keys that access tokens are signed with, once there are any; [`token_key`] makes one. A
    /// token request waits for the first ring.
    pub token_key: watch::Receiver<Option<Arc<KeyRing>>>,
    /// How long a write of a federated credential is under way: in that time another one for the same identity is refused, as Azure
    /// refuses it.
    pub credential_write: Duration,
}

/// What can be chosen; the default is a simulator without delays.
#[derive(Clone, Debug, PartialEq)]
pub struct AzureSimOptions {
    /// How late writes are seen; at once where there is none.
    pub propagation: Option<Propagation>,
    /// How many requests the log holds.
    pub requests_kept: usize,
    /// How many bytes of blobs and secrets are held in all; more is refused with 507.
    pub storage_limit: usize,
    /// How long the next piece of a request's body may take.
    pub body_idle: Duration,
    /// After how many seconds to look again at work that goes on, as Resource Manager tells its callers. `az` and the Python SDK
    /// take 0 for nothing said, and wait for half a minute; the real service says 15.
    pub retry_after: u32,
}

impl Default for AzureSimOptions {
    fn default() -> AzureSimOptions {
        AzureSimOptions {
            propagation: None,
            requests_kept: 10_000,
            storage_limit: 2 << 30,
            body_idle: Duration::from_secs(20),
            retry_after: 0,
        }
    }
}

/// Makes a key for access tokens on a thread of its own: it takes a tenth of a second or more, and is
/// not needed before the first token.
///
/// # Errors
/// When no thread can be started.
pub fn token_key() -> std::io::Result<watch::Receiver<Option<Arc<KeyRing>>>> {
    let (sender, receiver) = watch::channel(None);
    std::thread::Builder::new().name("entra-token-key".to_owned()).spawn(move || match SigningKey::generate() {
        Ok(key) => {
            sender.send_replace(Some(Arc::new(KeyRing::new(key))));
        }
        Err(error @ (KeyError::Generate | KeyError::Parse | KeyError::Sign)) => {
            tracing::error!(%error, "access tokens cannot be signed");
        }
    })?;
    Ok(receiver)
}

/// A service principal that owns a subscription.
#[derive(Clone, Debug)]
pub struct AdminCredentials {
    pub tenant: Uuid,
    pub subscription: Uuid,
    pub client_id: Uuid,
    /// What permissions are given to: `oid` of the principal's tokens.
    pub object_id: Uuid,
    pub client_secret: Secret,
}

/// A simulated Azure cloud; clones share their state.
#[derive(Clone, Debug)]
pub struct AzureSim {
    state: state::State,
    requests: Arc<requests::RequestLog>,
    router: axum::Router,
}

impl AzureSim {
    pub fn new(config: AzureSimConfig) -> AzureSim {
        AzureSim::with_options(config, &AzureSimOptions::default())
    }

    pub fn with_options(config: AzureSimConfig, options: &AzureSimOptions) -> AzureSim {
        let state = state::State::new(config, options);
        let requests = Arc::new(requests::RequestLog::new(options.requests_kept));
        let router = host::router(state.clone(), requests.clone());
        AzureSim { state, requests, router }
    }

    /// The requests that were answered after the one numbered `seq`, oldest first, as far as the log still has them; 0 for all.
    pub fn requests_after(&self, seq: u64) -> Vec<LoggedRequest> {
        self.requests.after(seq)
    }

    /// Everything that stands in the tenants and subscriptions: a line each, in order. Two of equal state are equal.
    pub fn inventory(&self) -> Vec<String> {
        inventory::of(&self.state.read())
    }

    /// What is to be kept of it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.state)
    }

    /// Puts back what was kept of one like it. Call it before it answers its first request.
    pub fn restore(&self, snapshot: Snapshot) {
        snapshot.put_into(&self.state);
    }

    /// Opens an empty tenant; one that exists is left as it is.
    pub fn create_tenant(&self, tenant: Uuid) {
        self.state.write().tenant(tenant);
    }

    /// Opens a subscription in a tenant, with a service principal that has the role `Owner` on it.
    /// The tenant is opened too if need be. Called again, it makes one more owner.
    pub fn create_subscription(&self, tenant: Uuid, subscription: Uuid) -> AdminCredentials {
        self.state.create_subscription(tenant, subscription)
    }

    /// Registers an application that has no service principal in its tenant, and returns its client id.
    pub fn register_application(&self, tenant: Uuid) -> Uuid {
        self.state.write().tenant(tenant).register("application", None)
    }

    /// Disables a client (an application or a managed identity), as an administrator of the directory
    /// can, or enables it again. False if the tenant has no such client.
    pub fn set_enabled(&self, tenant: Uuid, client_id: Uuid, enabled: bool) -> bool {
        self.state.with_client(tenant, client_id, |client| client.enabled = enabled)
    }

    /// Puts a client under a conditional access policy that blocks it, or lifts the policy. False if
    /// the tenant has no such client.
    pub fn set_blocked(&self, tenant: Uuid, client_id: Uuid, blocked: bool) -> bool {
        self.state.with_client(tenant, client_id, |client| client.blocked = blocked)
    }

    /// Every Azure host of the simulator behind one router: the service is chosen by the `Host` header
    /// (`login.microsoftonline.com`, `login.windows.net`, `graph.microsoft.com`, `management.azure.com`, `*.vault.azure.net`,
    /// `*.blob.core.windows.net`; see [`Endpoints`] for the names at loopback). A vault or storage account that does not exist answers 404 here; in the
    /// real cloud its name does not resolve (see [`AzureSim::knows_host`]).
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// Whether a host name, without port and in any case, resolves in this cloud: the authority's and Resource
    /// Manager's always, those of vaults and storage accounts as long as there is one of the name. A soft-deleted
    /// vault has no address.
    pub fn knows_host(&self, host: &str) -> bool {
        host::is_known(&self.state, host)
    }
}
