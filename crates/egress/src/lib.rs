//! The wire: the one way out, for workloads and harness alike.
//!
//! A CONNECT proxy with credentials that ends TLS with the run's own authority, so that programs use the real
//! host names. A host table says who answers for each name; every other name is refused, and named. All that
//! passes is in the request log, under the name of the client whose credentials were used.
//!
//! It knows no cloud: who answers is a router or a URL that somebody else put into the table.

pub mod assertion;
mod body;
mod gate;
pub mod log;
pub mod table;
mod tunnel;
mod way;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::sign::CertifiedKey;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transport::{Authority, Proxy};
use trust::{Secret, SharedClock};

pub use assertion::Assertion;
pub use log::{Exchange, Outcome, RequestLog};
pub use table::{HostPattern, Knows, PatternError, Upstream, UpstreamError};

/// Header by which an upstream learns which client a request came from. Clients cannot set it: the wire overwrites it.
pub const CLIENT_HEADER: &str = "x-crossfed-client";

/// Why the wire could not be laid or changed.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The listening socket.
    #[error("the wire cannot listen")]
    Listen(#[from] std::io::Error),
    /// A certificate that was to be shown under a name.
    #[error("no certificate")]
    Certificate(#[from] transport::AuthorityError),
    /// The TLS library.
    #[error("the certificate cannot be served")]
    Tls(#[from] transport::ServerError),
}

/// What a wire needs.
#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// Signs a certificate for every name in the table.
    pub authority: Arc<Authority>,
    /// Stamps the request log.
    pub clock: SharedClock,
}

/// A running wire; clones are the same wire.
#[derive(Clone)]
pub struct Egress {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    addr: SocketAddr,
    authority: Arc<Authority>,
    clock: SharedClock,
    /// Password to client name.
    clients: Mutex<HashMap<String, Client>>,
    table: RwLock<table::Table>,
    tls: Mutex<HashMap<String, Arc<rustls::ServerConfig>>>,
    log: RequestLog,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

struct Client {
    password: Secret,
}

impl Egress {
    /// Listens on a free loopback port. The table is empty: everything is refused.
    ///
    /// # Errors
    /// When no loopback port is to be had.
    pub async fn start(config: EgressConfig) -> Result<Self, EgressError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let inner = Arc::new(Inner {
            addr: listener.local_addr()?,
            authority: config.authority,
            clock: config.clock,
            clients: Mutex::default(),
            table: RwLock::default(),
            tls: Mutex::default(),
            log: RequestLog::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        inner.tasks.spawn(gate::listen(listener, inner.clone()));
        Ok(Self { inner })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.inner.addr
    }

    /// Gives a client its credentials. The name stands in the request log: one name a pod tells pods apart.
    pub fn admit(&self, client: &str, password: Secret) -> Proxy {
        let mut clients = self.inner.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.insert(client.to_owned(), Client { password: password.clone() });
        Proxy { addr: self.inner.addr, user: client.to_owned(), password }
    }

    /// Says who answers for a name or a family of names; a later entry for the same pattern replaces the earlier.
    pub fn route(&self, pattern: HostPattern, upstream: Upstream) {
        self.inner.table.write().unwrap_or_else(PoisonError::into_inner).insert(pattern, upstream);
    }

    /// Shows a certificate of another authority under a name: one that clients of the wire do not trust.
    ///
    /// # Errors
    /// When the name cannot stand in a certificate.
    pub fn present(&self, host: &str, authority: &Authority) -> Result<(), EgressError> {
        let identity = authority.server_identity(&[host])?;
        let config = Arc::new(transport::server_config(identity)?);
        self.inner.tls.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), config);
        Ok(())
    }

    /// A certificate for a server beside the wire, which clients that trust the wire trust, too.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn identity(&self, names: &[&str]) -> Result<Arc<CertifiedKey>, EgressError> {
        Ok(self.inner.authority.server_identity(names)?)
    }

    /// The host table, for people: pattern and who answers.
    pub fn table(&self) -> Vec<(String, String)> {
        self.inner.table.read().unwrap_or_else(PoisonError::into_inner).describe()
    }

    /// What has passed so far.
    pub fn log(&self) -> &RequestLog {
        &self.inner.log
    }

    /// The root certificate that clients must trust.
    pub fn root_pem(&self) -> &str {
        self.inner.authority.root_pem()
    }

    /// Stops listening and ends every tunnel.
    pub async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("addr", &self.inner.addr).finish_non_exhaustive()
    }
}
