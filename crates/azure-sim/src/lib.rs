//! A simulated Azure: Entra ID, Resource Manager, Key Vault and Blob Storage as far as federation of workload
//! identities needs them, with the status codes, error codes and message shapes of the real services.
//! Must not know the harness, the cluster or any issuer in advance: it learns an issuer's keys over the wire.

mod access_token;
mod arm;
mod blob;
mod directory;
mod entra;
mod host;
mod random;
mod rbac;
mod state;
mod storage;
mod vault;
mod vaults;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use trust::{KeyError, KeyRing, Secret, SharedClock, SigningKey};
use uuid::Uuid;

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
    router: axum::Router,
}

impl AzureSim {
    pub fn new(config: AzureSimConfig) -> AzureSim {
        let state = state::State::new(config.clock, config.issuers, config.token_key, config.credential_write);
        let router = host::router(state.clone());
        AzureSim { state, router }
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
    /// (`login.microsoftonline.com`, `login.windows.net`, `management.azure.com`, `*.vault.azure.net`,
    /// `*.blob.core.windows.net`). A vault or storage account that does not exist answers 404 here; in the
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
