//! A simulated AWS: IAM, STS and S3 as far as federation of workload identities needs them, with the
//! status codes, error codes and message shapes of the real services.
//! Must not know the harness, the cluster or any issuer in advance: it learns an issuer's keys over the wire.

mod account;
mod error;
mod host;
mod iam;
mod identity;
mod managed;
mod query;
mod random;
mod s3;
mod sigv4;
mod state;
mod sts;

use trust::{AccountId, Secret, SharedClock};

/// What the simulator needs from outside.
#[derive(Debug)]
pub struct AwsSimConfig {
    pub clock: SharedClock,
    /// Fetches discovery documents and key sets of any issuer. Its roots are the "publicly trusted"
    /// ones; chains that do not lead to them are held against a provider's thumbprints. Give it a
    /// deadline of five seconds, as AWS has.
    pub issuers: transport::Client,
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
    router: axum::Router,
}

impl AwsSim {
    pub fn new(config: AwsSimConfig) -> AwsSim {
        let state = state::State::new(config.clock, config.issuers.recording_untrusted());
        let router = host::router(state.clone());
        AwsSim { state, router }
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
