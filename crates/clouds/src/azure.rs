//! Who answers for Azure.

mod elsewhere;
mod simulated;

use std::fmt;

use egress::Egress;
use serde::{Deserialize, Serialize};
use trust::Secret;

use crate::{Capabilities, CloudError};

pub use azure_sim::{AzureSimOptions, Propagation};
pub use elsewhere::{Elsewhere, ElsewhereConfig};
pub use simulated::{ENTRA_CLIENT, Kept, Simulated, SimulatedConfig};

/// A subscription that the run may use, and the service principal that provisions in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// The directory that it trusts.
    pub tenant: String,
    /// Its id.
    pub id: String,
    /// Object id of the service principal: what permissions are given to.
    pub object_id: String,
    /// Application of the service principal.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// Someone who answers for Azure. Every implementation passes the same checks, as far as its capabilities go.
pub trait Backend: Send + Sync + fmt::Debug {
    /// The word on the command line and in reports.
    fn title(&self) -> String;

    /// What it really checks.
    fn capabilities(&self) -> &Capabilities;

    /// Puts its hosts on the wire.
    ///
    /// # Errors
    /// When a host name is unusable.
    fn attach(&self, wire: &Egress) -> Result<(), CloudError>;

    /// The subscription in which a run works.
    fn subscription(&self) -> Subscription;

    /// Everything that stands in it, a line each in order, where all of it is this process's own.
    fn everything(&self) -> Option<Vec<String>> {
        None
    }
}

/// The hosts that a run uses: Entra ID, Resource Manager, Graph, vaults, storage accounts.
const HOSTS: [&str; 6] = [
    "login.microsoftonline.com",
    "login.windows.net",
    "management.azure.com",
    "graph.microsoft.com",
    "*.vault.azure.net",
    "*.blob.core.windows.net",
];
