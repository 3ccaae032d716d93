//! What all pods of a node share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use kube::Client;
use trust::SharedClock;

use crate::logs::LogShelf;
use crate::namespace::Namespaces;
use crate::programs::Programs;
use crate::resources::Capacity;

/// Where pods find the API server: `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServerAddress {
    /// A host name or address, without brackets.
    pub host: String,
    pub port: u16,
}

pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) node: String,
    pub(crate) programs: Programs,
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    pub(crate) root: PathBuf,
    pub(crate) clock: SharedClock,
    pub(crate) api_server: ApiServerAddress,
    pub(crate) logs: LogShelf,
    pub(crate) capacity: Capacity,
    pub(crate) namespaces: Namespaces,
}
