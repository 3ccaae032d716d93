//! Who answers for AWS.

mod elsewhere;
mod endpoint;
mod simulated;

use std::fmt;

use egress::Egress;
use serde::{Deserialize, Serialize};
use trust::{AccountId, Secret};

use crate::{Capabilities, CloudError};

pub use aws_sim::{AwsSimOptions, Propagation};
pub use elsewhere::{Elsewhere, ElsewhereConfig};
pub use endpoint::{Endpoint, EndpointConfig};
pub use simulated::{Kept, STS_CLIENT, Simulated, SimulatedConfig};

/// An account that the run may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Key of an administrator.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// For temporary keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
}

/// Someone who answers for AWS. Every implementation passes the same checks, as far as its capabilities go.
pub trait Backend: Send + Sync + fmt::Debug {
    /// The word on the command line and in reports.
    fn title(&self) -> String;

    /// What it really checks.
    fn capabilities(&self) -> &Capabilities;

    /// Puts its hosts for these regions on the wire.
    ///
    /// # Errors
    /// When a host name or the endpoint is unusable.
    fn attach(&self, wire: &Egress, regions: &[&str]) -> Result<(), CloudError>;

    /// The account in which a run works.
    fn account(&self) -> Account;

    /// A fresh account with nothing in it, for what an account has only once.
    ///
    /// # Errors
    /// When the backend has no second account.
    fn another_account(&self) -> Result<Account, CloudError>;

    /// Everything that stands in it, a line each in order, where all of it is this process's own.
    fn everything(&self) -> Option<Vec<String>> {
        None
    }
}

/// The hosts that a run uses, in the regions that it uses.
fn hosts(regions: &[&str]) -> Vec<String> {
    let mut hosts: Vec<String> =
        ["iam.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com", "*.s3.amazonaws.com"].map(str::to_owned).into();
    for region in regions {
        for host in [
            format!("sts.{region}.amazonaws.com"),
            format!("s3.{region}.amazonaws.com"),
            format!("*.s3.{region}.amazonaws.com"),
        ] {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
    hosts
}
