//! What the simulated Azure remembers, and the questions that its services put to one another.
//! Must not know any wire format. The lock is held for look-ups only, never across an await.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::HeaderMap;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::watch;
use transport::BodyError;
use trust::{KeyRing, SharedClock};
use uuid::Uuid;

use crate::access_token::{self, Opened, Presented, TokenFault};
use crate::directory::Directory;
use crate::origin::{self, INSIDE_DOMAIN, Origin};
use crate::propagation::Lags;
use crate::rbac::{self, Assignments};
use crate::space::Space;
use crate::vault::Stores;
use crate::vaults::VaultView;
use crate::{AzureSimConfig, AzureSimOptions};

/// Shared by every service of the simulator; clones are cheap and see the same directory.
#[derive(Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

struct Inner {
    clock: SharedClock,
    issuers: transport::Client,
    token_key: watch::Receiver<Option<Arc<KeyRing>>>,
    credential_write: Duration,
    body_idle: Duration,
    retry_after: u32,
    opened: Opened,
    space: Space,
    secrets: Stores,
    directory: RwLock<Directory>,
}

/// Who an accepted access token says is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) tenant: Uuid,
    /// `appid`: the client id.
    pub(crate) app_id: Uuid,
    /// `oid`: the service principal's object id, which permissions are given to.
    pub(crate) object_id: Uuid,
    /// `iss`, as it stands in the token.
    pub(crate) issuer: String,
}

/// Why a vault takes a request for an unauthenticated one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum VaultAuthError {
    #[error("the request has no bearer token")]
    Missing,
    #[error("the bearer token is no token")]
    Malformed,
    #[error("the bearer token was not signed by this authority")]
    BadSignature,
    #[error("the token is for audience {found}")]
    InvalidAudience { found: String },
    #[error("the token was issued by {found}")]
    InvalidIssuer { expected: String, found: String },
    #[error("the token is not valid any more")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// Which of a vault's two permission models said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Denied {
    #[error("no role assignment allows it")]
    ByRbac,
    #[error("no access policy allows it")]
    ByAccessPolicy,
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.read();
        formatter
            .debug_struct("State")
            .field("tenants", &directory.tenants.keys().collect::<Vec<_>>())
            .field("subscriptions", &directory.subscriptions.len())
            .field("vaults", &directory.vaults.len())
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(config: AzureSimConfig, options: &AzureSimOptions) -> State {
        let AzureSimConfig { clock, issuers, token_key, credential_write } = config;
        let lags = options.propagation.as_ref().map(|propagation| Lags::new(propagation, clock.clone()));
        State {
            inner: Arc::new(Inner {
                clock,
                issuers,
                token_key,
                credential_write,
                body_idle: options.body_idle,
                retry_after: options.retry_after,
                opened: Opened::default(),
                space: Space::new(options.storage_limit),
                secrets: Stores::default(),
                directory: RwLock::new(Directory { lags, ..Directory::default() }),
            }),
        }
    }

    /// What is in the vaults.
    pub(crate) fn secrets(&self) -> &Stores {
        &self.inner.secrets
    }

    /// Reads a request's body to its end.
    pub(crate) async fn read_body(&self, headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, BodyError> {
        transport::read_body(headers, body, limit, self.inner.body_idle).await
    }

    /// When to look again at work that goes on, in seconds.
    pub(crate) fn retry_after(&self) -> u32 {
        self.inner.retry_after
    }

    /// Where blobs and secrets are kept.
    pub(crate) fn space(&self) -> &Space {
        &self.inner.space
    }

    /// How long a write of a federated credential is under way.
    pub(crate) fn credential_write(&self) -> Duration {
        self.inner.credential_write
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The client that fetches discovery documents and key sets of token issuers.
    pub(crate) fn issuers(&self) -> &transport::Client {
        &self.inner.issuers
    }

    /// The keys that access tokens are signed with; follows their maker.
    pub(crate) fn token_key(&self) -> watch::Receiver<Option<Arc<KeyRing>>> {
        self.inner.token_key.clone()
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Directory> {
        // Every write leaves the maps whole, so a panic elsewhere under the lock harms nothing.
        self.inner.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.inner.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vault that answers at `<name>.vault.azure.net`, with or without a port, in any case.
    /// Soft-deleted vaults have no address. Under [`INSIDE_DOMAIN`] the same vault answers to Resource
    /// Manager, which has decided by its own roles, and which no network rule concerns.
    pub(crate) fn vault(&self, host: &str, origin: &Arc<Origin>) -> Option<VaultView> {
        let host = origin::name_of(host);
        if let Some(name) = host.strip_suffix(INSIDE_DOMAIN) {
            return self.read().vaults.get(name).map(|vault| VaultView::from_inside(vault, origin));
        }
        let name = origin::vault_of(&host)?;
        self.read().vaults.get(name).map(|vault| VaultView::of(vault, origin))
    }

    /// Reads an access token for the vaults. `bearer` is what stands after `Bearer `.
    pub(crate) fn check_vault_token(&self, bearer: Option<&str>, vault: &VaultView) -> Result<Caller, VaultAuthError> {
        let bearer = bearer.ok_or(VaultAuthError::Missing)?;
        let presented = self.open_token(bearer).map_err(|fault| match fault {
            TokenFault::Malformed => VaultAuthError::Malformed,
            TokenFault::BadSignature => VaultAuthError::BadSignature,
        })?;
        if !origin::is_vault_resource(&presented.audience) {
            return Err(VaultAuthError::InvalidAudience { found: presented.audience.clone() });
        }
        let expected = access_token::issuer(vault.tenant);
        if presented.caller.issuer != expected {
            return Err(VaultAuthError::InvalidIssuer { expected, found: presented.caller.issuer.clone() });
        }
        let now = self.now();
        if presented.expires <= now {
            return Err(VaultAuthError::Expired);
        }
        if presented.not_before > now {
            return Err(VaultAuthError::NotYetValid);
        }
        Ok(presented.caller.clone())
    }

    /// Signature and shape of one of our own access tokens; audience and dates are the service's business.
    pub(crate) fn open_token(&self, bearer: &str) -> Result<Arc<Presented>, TokenFault> {
        // Without a key nothing was ever signed with it.
        let keys = self.inner.token_key.borrow().clone().ok_or(TokenFault::BadSignature)?;
        self.inner.opened.open(bearer, &keys)
    }

    /// Whether `caller` may do something to the vault's secrets, by the model that the vault uses.
    ///
    /// `data_action` is the role-based name (`Microsoft.KeyVault/vaults/secrets/getSecret/action`),
    /// `permission` the access policy's (`get`). Role assignments count on the vault, above it, and
    /// on the one secret, where `secret` names one.
    pub(crate) fn vault_permission(
        &self,
        caller: &Caller,
        vault: &VaultView,
        secret: Option<&str>,
        data_action: &str,
        permission: &str,
    ) -> Result<(), Denied> {
        if vault.is_inside {
            return Ok(());
        }
        if vault.is_rbac {
            let scope = match secret {
                Some(name) => format!("{}/secrets/{name}", vault.id),
                None => vault.id.clone(),
            };
            let directory = self.read();
            let allows = |held: &Assignments| rbac::allows_data(held, caller, data_action, &scope);
            return directory.seen_assignments(allows).then_some(()).ok_or(Denied::ByRbac);
        }
        let allowed = vault.access_policies.iter().any(|policy| policy.allows_secrets(caller, permission));
        allowed.then_some(()).ok_or(Denied::ByAccessPolicy)
    }
}
