//! Who answers for the clouds: the simulators in this process, or an endpoint that somebody else runs.
//!
//! A backend puts its hosts on the wire, hands out accounts, and says what it checks. It knows no cluster and
//! no scenario; what it lends is used through the wire like a real cloud.

pub mod capability;
pub mod endpoint;
pub mod simulated;

use std::fmt;

use egress::Egress;
use trust::{AccountId, Secret};

pub use capability::{Capabilities, Capability, UnknownCapability};
pub use endpoint::{Endpoint, EndpointConfig};
pub use simulated::{Simulated, SimulatedConfig};

/// An AWS account that the run may use.
#[derive(Clone, Debug)]
pub struct AwsAccount {
    /// Its id.
    pub id: AccountId,
    /// Key of an administrator.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// For temporary keys.
    pub session_token: Option<Secret>,
}

/// Why a backend cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The endpoint's URL.
    #[error("the endpoint cannot be used")]
    Endpoint(#[from] egress::UpstreamError),
    /// A host name made from a region or an option.
    #[error("a host name cannot be put on the wire")]
    Host(#[from] egress::PatternError),
    /// The trust roots of the wire.
    #[error("the wire's root cannot be used")]
    Roots(#[from] transport::RootsError),
    /// It has one account only.
    #[error("this backend has one account, `{0}`")]
    OneAccount(AccountId),
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
    fn account(&self) -> AwsAccount;

    /// A fresh account with nothing in it, for what an account has only once.
    ///
    /// # Errors
    /// When the backend has no second account.
    fn another_account(&self) -> Result<AwsAccount, CloudError>;
}

/// The AWS hosts that a run uses, in the regions that it uses.
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
