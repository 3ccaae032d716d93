//! The amazon-eks-pod-identity-webhook: IAM roles for service accounts, and EKS Pod Identity. It must not
//! know who calls it, or what STS makes of what it injects.
//!
//! [`mutate`] is the whole decision; [`Webhook`] looks up the service account and speaks AdmissionReview.

mod annotations;
mod config;
mod container;
mod mutate;
mod patch;
mod registration;
mod sources;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;

pub use config::{ChartValues, Config, ContainerCredentials, RoleArnComposition};
pub use mutate::{Lowest, Randomness, mutate};
pub use registration::{FailurePolicy, Profile, Registration, Target, configuration};
pub use sources::{ContainerIdentities, RoleMap, SourceError, Sources};

use crate::admission::{Request, Response, Review};
use crate::pod::{NotAPod, Pod};
use crate::server::{self, Answer, Handler};
use crate::{Mutation, ServiceAccountView, ServiceAccounts};

/// Where reviews are sent to.
pub const PATH: &str = "/mutate";

/// Serves the webhook at [`PATH`], and `/healthz`, for clusters without EKS Pod Identity and ConfigMap.
pub fn router(config: Config, accounts: Arc<dyn ServiceAccounts>) -> axum::Router {
    Webhook::new(config, accounts).router()
}

/// The webhook with everything it looks at.
#[derive(Debug)]
pub struct Webhook {
    config: Config,
    accounts: Arc<dyn ServiceAccounts>,
    sources: Option<watch::Receiver<Sources>>,
    randomness: Arc<dyn Randomness>,
}

impl Webhook {
    /// A webhook that reads neither file nor ConfigMap.
    pub fn new(config: Config, accounts: Arc<dyn ServiceAccounts>) -> Self {
        Self { config, accounts, sources: None, randomness: Arc::new(Lowest) }
    }

    /// Follows these sources: each request sees their latest state.
    pub fn watching(self, sources: watch::Receiver<Sources>) -> Self {
        Self { sources: Some(sources), ..self }
    }

    /// Spreads the lifetimes of EKS Pod Identity tokens. Without it they are all the shortest, 22 hours.
    pub fn with_randomness(self, randomness: Arc<dyn Randomness>) -> Self {
        Self { randomness, ..self }
    }

    /// [`PATH`] and `/healthz`.
    pub fn router(self) -> axum::Router {
        server::router(PATH, Arc::new(self))
    }

    async fn admit(&self, request: &Request) -> Result<Mutation, NoPod> {
        let pod = Pod::read(request.object.as_ref().ok_or(NoPod::Absent)?)?;
        let Request { namespace, .. } = request;
        // A copy, so that no lock on the sources is held while an account is waited for.
        let sources = self.sources.as_ref().map(|sources| sources.borrow().clone()).unwrap_or_default();
        let account = self.account_of(&pod, namespace, &sources).await;
        let mutation = mutate::mutate_pod(&self.config, &sources, namespace, &pod, account.as_ref(), &*self.randomness);
        tracing::debug!(
            namespace,
            pod = pod.name,
            service_account = pod.service_account,
            known = account.is_some(),
            patched = mutation != Mutation::Unchanged,
            "pod reviewed"
        );
        Ok(mutation)
    }

    /// Waits only where waiting could help: EKS Pod Identity needs no account, and an entry of the ConfigMap
    /// stands in for one that is not there yet.
    async fn account_of(&self, pod: &Pod<'_>, namespace: &str, sources: &Sources) -> Option<ServiceAccountView> {
        let name = pod.service_account;
        let grace = self.config.service_account_lookup_grace;
        let waits = !grace.is_zero()
            && !sources.container_identities.lists(namespace, name)
            && sources.config_map.find(&self.config, namespace, name).is_none();
        self.accounts.find(namespace, name, if waits { grace } else { Duration::ZERO }).await
    }
}

#[derive(Debug, thiserror::Error)]
enum NoPod {
    #[error("unexpected end of JSON input")]
    Absent,
    #[error(transparent)]
    Shape(#[from] NotAPod),
}

#[async_trait::async_trait]
impl Handler for Webhook {
    async fn answer(&self, content_type: &str, body: &[u8]) -> Answer {
        if content_type != "application/json" {
            return Answer {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                content_type: "text/plain; charset=utf-8",
                body: b"Invalid Content-Type, expected `application/json`\n".to_vec(),
            };
        }
        let (review, response) = match Review::decode(body) {
            Ok(review) => {
                let response = match &review.request {
                    None => Response::Refused("bad content".into()),
                    Some(request) => match self.admit(request).await {
                        Ok(mutation) => Response::Allowed(mutation),
                        Err(error) => Response::Refused(error.to_string()),
                    },
                };
                (review, response)
            }
            Err(error) => (Review::default(), Response::Refused(error.to_string())),
        };
        let type_meta = (!self.config.answer_without_type_meta).then_some(&review.type_meta);
        let uid = review.request.as_ref().map_or("", |request| request.uid.as_str());
        Answer { status: StatusCode::OK, content_type: "application/json", body: response.encode(type_meta, uid) }
    }
}
