//! An Azure that another process of this house simulates, reached through that one's wire.

use egress::{Egress, Upstream};

use super::{Backend, HOSTS, Subscription};
use crate::{Capabilities, CloudError};

/// What is known of it.
#[derive(Debug)]
pub struct ElsewhereConfig {
    /// The way to it: [`Upstream::Beyond`].
    pub upstream: Upstream,
    /// The subscription in which a run works.
    pub subscription: Subscription,
}

/// The simulated Azure of another process.
#[derive(Debug)]
pub struct Elsewhere {
    upstream: Upstream,
    subscription: Subscription,
    capabilities: Capabilities,
}

impl Elsewhere {
    /// Asks nobody.
    pub fn new(config: ElsewhereConfig) -> Self {
        let ElsewhereConfig { upstream, subscription } = config;
        Self { upstream, subscription, capabilities: Capabilities::all() }
    }
}

impl Backend for Elsewhere {
    fn title(&self) -> String {
        "sandbox".into()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn attach(&self, wire: &Egress) -> Result<(), CloudError> {
        for host in HOSTS {
            wire.route(host.parse()?, self.upstream.clone());
        }
        Ok(())
    }

    fn subscription(&self) -> Subscription {
        self.subscription.clone()
    }
}
