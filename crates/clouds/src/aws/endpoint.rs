//! An AWS endpoint that somebody else runs: LocalStack, moto, another emulator.
//!
//! It checks what its user says that it checks, and nothing more is assumed.

use egress::{Egress, Upstream};

use super::{Account, Backend, hosts};
use crate::{Capabilities, Capability, CloudError};

/// An endpoint and what is known of it.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Such as `http://127.0.0.1:4566`.
    pub url: String,
    /// The account that its keys belong to.
    pub account: Account,
    /// What it checks.
    pub enforces: Capabilities,
}

/// The endpoint.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    upstream: Upstream,
}

impl Endpoint {
    /// Checks the URL; asks nothing of the endpoint yet.
    ///
    /// # Errors
    /// When the URL is no `http` endpoint.
    pub fn new(mut config: EndpointConfig) -> Result<Self, CloudError> {
        let upstream = Upstream::url(&config.url)?;
        // One set of keys is one account, whatever the endpoint could do with others.
        config.enforces = Capability::ALL
            .into_iter()
            .filter(|&one| one != Capability::SeparateAccounts && config.enforces.has(one))
            .collect();
        Ok(Self { config, upstream })
    }
}

impl Backend for Endpoint {
    fn title(&self) -> String {
        format!("endpoint {}", self.config.url)
    }

    fn capabilities(&self) -> &Capabilities {
        &self.config.enforces
    }

    fn attach(&self, wire: &Egress, regions: &[&str]) -> Result<(), CloudError> {
        for host in hosts(regions) {
            wire.route(host.parse()?, self.upstream.clone());
        }
        Ok(())
    }

    fn account(&self) -> Account {
        self.config.account.clone()
    }

    fn another_account(&self) -> Result<Account, CloudError> {
        Err(CloudError::OneAccount(self.config.account.id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_of_keys_is_one_account_whatever_is_claimed() {
        let account = Account {
            id: "123456789012".parse().expect("id"),
            access_key_id: "AKIAEXAMPLE".into(),
            secret_access_key: trust::Secret::new("s"),
            session_token: None,
        };
        let config =
            |url: &str| EndpointConfig { url: url.into(), account: account.clone(), enforces: Capabilities::all() };
        let endpoint = Endpoint::new(config("http://127.0.0.1:4566")).expect("must be taken");
        assert!(endpoint.capabilities().has(Capability::VerifiesTokens));
        assert!(!endpoint.capabilities().has(Capability::SeparateAccounts));
        assert!(endpoint.another_account().is_err());
        assert!(Endpoint::new(config("https://127.0.0.1")).is_err());
    }
}
