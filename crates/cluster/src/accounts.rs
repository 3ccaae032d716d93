//! The webhooks' view of service accounts: a watched cache, as the real webhooks' informers are, and the API server behind it.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use webhooks::{LookupError, ServiceAccountView, ServiceAccounts};

use crate::Watched;

/// Service accounts of a whole cluster.
pub(crate) struct WatchedAccounts {
    cache: Watched<ServiceAccount>,
    client: Client,
}

impl WatchedAccounts {
    /// Begins to watch, and waits until all that is there already is known.
    pub(crate) async fn start(client: Client) -> Self {
        Self { cache: Watched::start(client.clone(), "").await, client }
    }
}

#[async_trait::async_trait]
impl ServiceAccounts for WatchedAccounts {
    async fn find(&self, namespace: &str, name: &str, grace: Duration) -> Option<ServiceAccountView> {
        let found = match self.cache.get(namespace, name) {
            Some(found) => Some(found),
            None => self.cache.wait(namespace, name, grace, |_| true).await.ok(),
        };
        found.map(|account| view(&account))
    }

    async fn look_up(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccountView>, LookupError> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let found = accounts.get_opt(name).await.map_err(|error| LookupError(crate::chain(&error)))?;
        Ok(found.as_ref().map(view))
    }
}

fn view(account: &ServiceAccount) -> ServiceAccountView {
    ServiceAccountView { annotations: account.metadata.annotations.clone().unwrap_or_default() }
}

impl fmt::Debug for WatchedAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedAccounts").field("cache", &self.cache).finish_non_exhaustive()
    }
}
