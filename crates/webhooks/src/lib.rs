//! What each cloud's pod identity webhook does to a pod, a server that does it, and how it is registered.
//!
//! The mutations are pure functions over JSON; the server is an [`axum::Router`] that any TLS listener can
//! carry. The crate knows no cluster and no cloud: service accounts come in through [`ServiceAccounts`],
//! and what the AWS webhook reads from a file and a ConfigMap through [`aws::Sources`].
//!
//! ```
//! use serde_json::json;
//! use webhooks::{Mutation, ServiceAccountView, aws};
//!
//! let account = ServiceAccountView {
//!     annotations: [("eks.amazonaws.com/role-arn".into(), "arn:aws:iam::123456789012:role/reader".into())].into(),
//! };
//! let pod = json!({"spec": {"serviceAccountName": "reader", "containers": [{"name": "app", "image": "app:1"}]}});
//! let config = aws::Config::chart(aws::ChartValues::default());
//! let mutation = aws::mutate(&config, &aws::Sources::default(), "shop", &pod, Some(&account), &aws::Lowest)
//!     .expect("a pod");
//! assert!(matches!(mutation, Mutation::Patch(ops) if ops.len() == 2));
//! ```
//!
//! # Deliberate deviations
//!
//! From either:
//!
//! - Upstream also decodes YAML bodies, and the AWS one knows member names in any case. Here a body is JSON with
//!   the member names as documented (save in the ConfigMap, which people write by hand).
//! - The wording of decoder errors follows Go's, but is not promised to be equal to it.
//! - Answers are labelled `application/json`. Upstream sets no content type; the API server ignores it.
//! - A body beyond 16 MiB is refused with 413. The AWS webhook reads without limit; the Azure one stops at 7 MiB
//!   with a review, as does this one.
//!
//! From amazon-eks-pod-identity-webhook, whose source is the fact behind everything else in [`aws`]:
//!
//! - Upstream decodes containers into the Kubernetes types that its image was built with and sends back
//!   what is left: a field newer than the image vanishes, and so do explicit nulls and empty
//!   lists. Here every field is kept; only the additions of that round trip are made (`resources: {}`, and
//!   `service: null` in a gRPC probe). Member order differs, too, which JSON gives no meaning.
//! - A ConfigMap key without `/`, and an entry that is `null`, crash upstream. Here they never match.
//! - Metrics, the debugging handlers and the certificate signing requests of `--in-cluster` are not here.
//!
//! From azure-workload-identity, whose source is the fact behind everything else in [`azure`]:
//!
//! - Upstream sends the difference between the request's bytes and a pod that went through the Kubernetes types
//!   of its image (1.31 in v1.6.0): operations in random order; `resources: {}`, `status: {}`,
//!   `creationTimestamp: null` and the namespace beside what was meant; and fields that are newer than the image
//!   are removed. Here only what was meant is sent, in a fixed order, and every field is kept. Without newer
//!   fields an API server stores the same.
//! - An entry that upstream overwrites is replaced here only where it differs.
//! - The `kind` of the object is not looked at; upstream takes another kind for an empty pod.
//! - `/healthz` is on the webhook's own port, not on one of its own; metrics and the rotation of the serving
//!   certificate are not here.

mod admission;
pub mod aws;
pub mod azure;
mod pod;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use admission::{Denied, Mutation, PatchOp};
pub use pod::NotAPod;

/// The part of a service account that webhooks look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccountView {
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// How long [`ServiceAccounts::look_up`] lets a cache catch up, where nothing better is known.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Why the API server could not say whether there is such an account; shown to whoever creates the pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);

/// Where a webhook finds service accounts: a cache of the cluster's, kept up to date by a watch.
#[async_trait::async_trait]
pub trait ServiceAccounts: Send + Sync + fmt::Debug {
    /// The account, or `None` when it is not known after `grace`.
    ///
    /// A `grace` of zero answers from the cache. Otherwise an account that has not been seen yet is
    /// waited for (and may be fetched) for no longer than `grace`; one that is known is answered at once,
    /// whatever its annotations.
    async fn find(&self, namespace: &str, name: &str, grace: Duration) -> Option<ServiceAccountView>;

    /// The account as the API server has it now, past the cache, or `None` when there is none.
    ///
    /// Unless an implementation asks the API server, the cache is given a second to catch up with it.
    ///
    /// # Errors
    /// The API server gives no answer, or another than yes or no.
    async fn look_up(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccountView>, LookupError> {
        Ok(self.find(namespace, name, LOOK_UP).await)
    }
}
