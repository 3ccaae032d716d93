//! The webhook's view of service accounts: a watched cache, as the real webhook's informer is.

use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use webhooks::{ServiceAccountView, ServiceAccounts};

use crate::Watched;

/// Service accounts of a whole cluster.
#[derive(Debug)]
pub(crate) struct WatchedAccounts(pub(crate) Watched<ServiceAccount>);

#[async_trait::async_trait]
impl ServiceAccounts for WatchedAccounts {
    async fn find(&self, namespace: &str, name: &str, grace: Duration) -> Option<ServiceAccountView> {
        let found = match self.0.get(namespace, name) {
            Some(found) => Some(found),
            None => self.0.wait(namespace, name, grace, |_| true).await.ok(),
        };
        found
            .map(|account| ServiceAccountView { annotations: account.metadata.annotations.clone().unwrap_or_default() })
    }
}
