//! An AWS that another process of this house simulates, reached through that one's wire.

use std::sync::{Mutex, PoisonError};

use egress::{Egress, Upstream};

use super::{Account, Backend, hosts};
use crate::{Capabilities, CloudError};

/// What is known of it.
#[derive(Debug)]
pub struct ElsewhereConfig {
    /// The way to it: [`Upstream::Beyond`].
    pub upstream: Upstream,
    /// The account in which a run works.
    pub account: Account,
    /// Accounts with nothing in them that were opened for this run.
    pub spare: Vec<Account>,
}

/// The simulated AWS of another process.
#[derive(Debug)]
pub struct Elsewhere {
    upstream: Upstream,
    account: Account,
    spare: Mutex<Vec<Account>>,
    capabilities: Capabilities,
}

impl Elsewhere {
    /// Asks nobody.
    pub fn new(config: ElsewhereConfig) -> Self {
        let ElsewhereConfig { upstream, account, spare } = config;
        Self { upstream, account, spare: Mutex::new(spare), capabilities: Capabilities::all() }
    }
}

impl Backend for Elsewhere {
    fn title(&self) -> String {
        "sandbox".into()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn attach(&self, wire: &Egress, regions: &[&str]) -> Result<(), CloudError> {
        for host in hosts(regions) {
            wire.route(host.parse()?, self.upstream.clone());
        }
        Ok(())
    }

    fn account(&self) -> Account {
        self.account.clone()
    }

    fn another_account(&self) -> Result<Account, CloudError> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().ok_or_else(|| CloudError::OneAccount(self.account.id.clone()))
    }
}
