//! The azure-workload-identity webhook: a token for Microsoft Entra workload identity federation. It must not
//! know who calls it, or what Entra ID makes of what it injects.
//!
//! [`mutate`] is the whole decision; [`Webhook`] looks up the service account and speaks AdmissionReview. Which
//! pods come here is said by the registration alone: a pod that does come is mutated, labelled or not.

mod annotations;
mod config;
mod endpoint;
mod inject;
mod layout;
mod mutate;
mod proxy;
mod registration;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

pub use crate::aws::{FailurePolicy, Target};
pub use config::{Config, ConfigError, Environment, ProxyImages};
pub use endpoint::{CaSource, CustomTokenEndpoint};
pub use layout::{Layout, UnknownLayout};
pub use mutate::mutate;
pub use registration::{NAME, Registration, configuration};

use crate::admission::{Request, Response, Review, TypeMeta};
use crate::pod::Pod;
use crate::server::{self, Answer, Handler};
use crate::{Denied, Mutation, ServiceAccounts};

/// Where reviews are sent to.
pub const PATH: &str = "/mutate-v1-pod";

/// `maxRequestSize` of controller-runtime: 7 MiB.
const REVIEW_LIMIT: usize = 7 << 20;

/// Serves the webhook at [`PATH`], and `/healthz`.
pub fn router(config: Config, accounts: Arc<dyn ServiceAccounts>) -> axum::Router {
    Webhook { config, accounts }.router()
}

/// The webhook with everything it looks at.
#[derive(Debug)]
pub struct Webhook {
    config: Config,
    accounts: Arc<dyn ServiceAccounts>,
}

impl Webhook {
    /// A webhook with these settings.
    pub fn new(config: Config, accounts: Arc<dyn ServiceAccounts>) -> Self {
        Self { config, accounts }
    }

    /// [`PATH`] and `/healthz`.
    pub fn router(self) -> axum::Router {
        server::router(PATH, Arc::new(self))
    }

    async fn admit(&self, request: &Request) -> Result<Mutation, Denied> {
        let pod = Pod::read(request.object.as_ref().ok_or_else(no_content)?)?;
        let Request { namespace, .. } = request;
        let name = mutate::service_account_of(&pod);
        let account = match self.accounts.find(namespace, name, Duration::ZERO).await {
            Some(known) => Some(known),
            // The cache may lag behind an account that was created a moment ago.
            None => self.accounts.look_up(namespace, name).await.map_err(Denied::bad_request)?,
        };
        let decision = mutate::mutate_pod(&self.config, &pod, account.as_ref());
        tracing::debug!(
            namespace,
            pod = pod.name,
            service_account = name,
            known = account.is_some(),
            patched = matches!(decision, Ok(Mutation::Patch(_))),
            denied = decision.is_err(),
            "pod reviewed"
        );
        decision
    }
}

/// What there is to read before a review: `Err` is answered without type metadata and uid.
fn read(content_type: &str, body: &[u8]) -> Result<Review, Denied> {
    if body.is_empty() {
        return Err(Denied::bad_request("request body is empty"));
    }
    if body.len() >= REVIEW_LIMIT {
        return Err(Denied {
            code: 413,
            message: format!("request entity is too large; limit is {REVIEW_LIMIT} bytes"),
        });
    }
    if content_type != "application/json" {
        return Err(Denied::bad_request(format!("contentType={content_type}, expected application/json")));
    }
    let mut review = Review::decode(body).map_err(Denied::bad_request)?;
    review.type_meta = known_type(review.type_meta)?;
    Ok(review)
}

/// Both versions of a review, and v1 for one that does not say what it is.
fn known_type(found: TypeMeta) -> Result<TypeMeta, Denied> {
    let or = |text: String, default: &str| match text.as_str() {
        "" => default.to_owned(),
        _ => text,
    };
    let found =
        TypeMeta { kind: or(found.kind, "AdmissionReview"), api_version: or(found.api_version, "admission.k8s.io/v1") };
    match (found.kind.as_str(), found.api_version.as_str()) {
        ("AdmissionReview", "admission.k8s.io/v1" | "admission.k8s.io/v1beta1") => Ok(found),
        (kind, version) => Err(Denied::bad_request(format!("no kind {kind:?} is registered for version {version:?}"))),
    }
}

fn no_content() -> Denied {
    Denied::bad_request("there is no content to decode")
}

#[async_trait::async_trait]
impl Handler for Webhook {
    async fn answer(&self, content_type: &str, body: &[u8]) -> Answer {
        let body = match read(content_type, body) {
            Err(denied) => Response::Coded(Err(denied)).encode(None, ""),
            Ok(Review { type_meta, request }) => {
                let (uid, decision) = match &request {
                    Some(request) => (request.uid.as_str(), self.admit(request).await),
                    None => ("", Err(no_content())),
                };
                Response::Coded(decision).encode(Some(&type_meta), uid)
            }
        };
        // Whatever is wrong, controller-runtime says it in a review.
        Answer { status: StatusCode::OK, content_type: "application/json", body }
    }
}
