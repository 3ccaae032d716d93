//! A simulated AWS: IAM, STS and S3 as far as federation of workload identities needs them, with the
//! status codes, error codes and message shapes of the real services.
//! Must not know the harness, the cluster or any issuer in advance: it learns an issuer's keys over the wire.

mod account;
mod error;
mod host;
mod iam;
mod identity;
mod inventory;
mod managed;
mod propagation;
mod query;
mod random;
mod requests;
mod s3;
mod sessions;
mod sigv4;
mod snapshot;
mod state;
mod sts;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use trust::{AccountId, Secret, SharedClock};

pub use propagation::Propagation;
pub use requests::{LoggedRequest, Signer};
pub use snapshot::Snapshot;

/// What the simulator needs from outside.
#[derive(Debug)]
pub struct AwsSimConfig {
    pub clock: SharedClock,
    /// Fetches discovery documents and key sets of any issuer. Its roots are the "publicly trusted"
    /// ones; chains that do not lead to them are held against a provider's thumbprints. Give it a
    /// deadline of five seconds, as AWS has.
    pub issuers: transport::Client,
}

/// What can be chosen; the default is a simulator without delays that asks an issuer anew for every token.
#[derive(Clone, Debug, PartialEq)]
pub struct AwsSimOptions {
    /// How late writes to IAM are seen; at once where there is none.
    pub propagation: Option<Propagation>,
    /// How long the key set of an issuer is good for further tokens. One that names a key which is not in it has it fetched
    /// anew; a key that was withdrawn is accepted so much longer.
    pub issuer_keys_kept: SignedDuration,
    /// How many requests the log holds.
    pub requests_kept: usize,
    /// How many bytes of objects S3 holds; more is refused with 507.
    pub storage_limit: usize,
    /// How long the next piece of a request's body may take.
    pub body_idle: Duration,
}

impl Default for AwsSimOptions {
    fn default() -> AwsSimOptions {
        AwsSimOptions {
            propagation: None,
            issuer_keys_kept: SignedDuration::ZERO,
            requests_kept: 10_000,
            storage_limit: 2 << 30,
            body_idle: Duration::from_secs(20),
        }
    }
}

/// The credentials of an account's administrator.
#[derive(Clone, Debug)]
pub struct AdminCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
}

/// A simulated AWS partition `aws`; clones share their state.
#[derive(Clone, Debug)]
pub struct AwsSim {
    state: state::State,
    requests: Arc<requests::RequestLog>,
    s3: s3::Front,
    router: axum::Router,
}

impl AwsSim {
    pub fn new(config: AwsSimConfig) -> AwsSim {
        AwsSim::with_options(config, &AwsSimOptions::default())
    }

    pub fn with_options(config: AwsSimConfig, options: &AwsSimOptions) -> AwsSim {
        let state = state::State::new(config.clock, config.issuers.recording_untrusted(), options);
        let requests = Arc::new(requests::RequestLog::new(options.requests_kept));
        let s3 = s3::Front::new(state.clone(), options.storage_limit, options.body_idle);
        let router = host::router(state.clone(), s3.clone(), requests.clone(), options);
        AwsSim { state, requests, s3, router }
    }

    /// The requests that were answered after the one numbered `seq`, oldest first, as far as the log still has them; 0 for all.
    pub fn requests_after(&self, seq: u64) -> Vec<LoggedRequest> {
        self.requests.after(seq)
    }

    /// What is to be kept of it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.state, self.s3.snapshot())
    }

    /// Puts back what was kept of one like it. Call it before it answers its first request.
    ///
    /// # Errors
    /// What cannot be restored, and why.
    pub fn restore(&self, snapshot: Snapshot) -> Result<(), String> {
        let buckets = snapshot.put_into(&self.state);
        self.s3.restore(buckets)
    }

    /// Everything that stands in the accounts, but for the user that each is opened with: a line each, in order. Two of equal state
    /// are equal.
    pub fn inventory(&self) -> Vec<String> {
        inventory::of_iam(&self.state).into_iter().chain(self.s3.inventory()).collect()
    }

    /// Opens an account that holds one IAM user with `AdministratorAccess`. Called again for the
    /// same account, it issues one more access key of that user.
    pub fn create_account(&self, account: AccountId) -> AdminCredentials {
        let (access_key_id, secret_access_key) = self.state.create_account(&account);
        AdminCredentials { access_key_id, secret_access_key }
    }

    /// Every AWS host of the simulator behind one router: the service is chosen by the `Host` header.
    /// Where that names none, the credential scope or the form's `Version` decides.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }
}
