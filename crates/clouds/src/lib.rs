//! Who answers for the clouds: the simulators in this process, or an endpoint that somebody else runs.
//!
//! A backend puts its hosts on the wire, hands out accounts or subscriptions, and says what it checks. It knows no cluster and
//! no scenario; what it lends is used through the wire like a real cloud.

pub mod aws;
pub mod azure;
pub mod capability;

use trust::AccountId;

pub use capability::{Capabilities, Capability, UnknownCapability};

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
    /// State that was kept.
    #[error("what was kept cannot be restored: {0}")]
    Kept(String),
    /// It has one account only.
    #[error("this backend has one account, `{0}`")]
    OneAccount(AccountId),
    /// The key that access tokens are signed with.
    #[error("no key for access tokens can be made")]
    TokenKey(#[from] std::io::Error),
}
