//! The simulated AWS of this house, in this process, behind the wire.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sim::{AwsSim, AwsSimConfig, AwsSimOptions, LoggedRequest};
use egress::{Egress, Upstream};
use serde::{Deserialize, Serialize};
use transport::{Client, Roots};
use trust::{AccountId, Secret, SharedClock};

use super::{Account, Backend, hosts};
use crate::{Capabilities, CloudError};

/// Name under which STS's own requests stand in the request log.
pub const STS_CLIENT: &str = "aws-sts";

/// What the simulators need.
#[derive(Debug)]
pub struct SimulatedConfig<'a> {
    /// Tells the time.
    pub clock: SharedClock,
    /// The wire, through which STS looks at issuers.
    pub wire: &'a Egress,
    /// How long an issuer may take to answer. The real clouds give it five seconds (AWS re:Post, "Couldn't retrieve verification key").
    pub issuer_deadline: Duration,
    /// A host of issuers that get another deadline.
    pub issuer_exception: Option<(&'a str, Duration)>,
    /// Password of STS on the wire.
    pub wire_password: Secret,
    /// Twelve digits; further accounts count up from it.
    pub first_account: AccountId,
    /// What can be chosen.
    pub options: AwsSimOptions,
}

/// Simulated AWS.
#[derive(Debug)]
pub struct Simulated {
    aws: AwsSim,
    account: Account,
    latest: Mutex<AccountId>,
    capabilities: Capabilities,
}

/// What is kept of an AWS that is to outlive its process. It holds its keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    account: Account,
    latest: AccountId,
    state: aws_sim::Snapshot,
}

fn lock(latest: &Mutex<AccountId>) -> MutexGuard<'_, AccountId> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulated {
    /// Opens the first account.
    ///
    /// # Errors
    /// When the wire's root is unusable.
    pub fn new(config: SimulatedConfig<'_>) -> Result<Self, CloudError> {
        let first = config.first_account.clone();
        let aws = empty(config)?;
        let account = open(&aws, first.clone());
        Ok(Self { aws, account, latest: Mutex::new(first), capabilities: Capabilities::all() })
    }

    /// One more key of the administrator of an account, which is opened if need be.
    pub fn another_key(&self, id: AccountId) -> Account {
        open(&self.aws, id)
    }

    /// What is to be kept of it.
    pub fn keep(&self) -> Kept {
        Kept { account: self.account.clone(), latest: lock(&self.latest).clone(), state: self.aws.snapshot() }
    }

    /// Opens one as it was, with the same administrator.
    ///
    /// # Errors
    /// When the wire's root is unusable, or what was kept cannot be restored.
    pub fn resuming(config: SimulatedConfig<'_>, kept: Kept) -> Result<Self, CloudError> {
        let aws = empty(config)?;
        aws.restore(kept.state).map_err(CloudError::Kept)?;
        let latest = Mutex::new(kept.latest);
        Ok(Self { aws, account: kept.account, latest, capabilities: Capabilities::all() })
    }

    /// What was asked after the request of this number, oldest first; 0 for all that is still known.
    pub fn requests_after(&self, seq: u64) -> Vec<LoggedRequest> {
        self.aws.requests_after(seq)
    }

    /// Everything that stands in its accounts, but for what each has from the beginning: a line each, in order.
    pub fn inventory(&self) -> Vec<String> {
        self.aws.inventory()
    }

    /// All of its services behind one router, for an endpoint beside the wire: the service is chosen by the host's name or, where
    /// that says nothing, by the request's signature.
    pub fn router(&self) -> axum::Router {
        self.aws.router()
    }
}

/// An AWS without accounts.
fn empty(config: SimulatedConfig<'_>) -> Result<AwsSim, CloudError> {
    let proxy = config.wire.admit(STS_CLIENT, config.wire_password);
    let issuers = Client::new(Roots::pem(config.wire.root_pem())?, config.issuer_deadline).through(proxy);
    let issuers = match config.issuer_exception {
        Some((host, deadline)) => issuers.granting(host, deadline),
        None => issuers,
    };
    let issuers = issuers.recording_untrusted();
    Ok(AwsSim::with_options(AwsSimConfig { clock: config.clock, issuers }, &config.options))
}

fn open(aws: &AwsSim, id: AccountId) -> Account {
    let admin = aws.create_account(id.clone());
    Account { id, access_key_id: admin.access_key_id, secret_access_key: admin.secret_access_key, session_token: None }
}

/// The next account id, in twelve digits.
fn after(id: &AccountId) -> AccountId {
    let number: u64 = id.as_str().parse().unwrap_or_default();
    let next = format!("{:012}", (number + 1) % 1_000_000_000_000);
    next.parse().unwrap_or_else(|_| id.clone())
}

impl Backend for Simulated {
    fn title(&self) -> String {
        "simulated".into()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn attach(&self, wire: &Egress, regions: &[&str]) -> Result<(), CloudError> {
        let router = self.aws.router();
        for host in hosts(regions) {
            wire.route(host.parse()?, Upstream::service("simulated AWS", router.clone()));
        }
        Ok(())
    }

    fn account(&self) -> Account {
        self.account.clone()
    }

    fn another_account(&self) -> Result<Account, CloudError> {
        let mut latest = lock(&self.latest);
        *latest = after(&latest);
        Ok(open(&self.aws, latest.clone()))
    }

    fn everything(&self) -> Option<Vec<String>> {
        Some(self.aws.inventory())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_count_up_in_twelve_digits() {
        let check = |from: &str, to: &str| assert_eq!(after(&from.parse().expect("id")).as_str(), to);
        check("111122223333", "111122223334");
        check("000000000009", "000000000010");
        check("999999999999", "000000000000");
    }
}
