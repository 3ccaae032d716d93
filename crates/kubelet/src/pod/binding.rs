//! A pod's binding to this node, tried until it is settled.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _};
use tokio::sync::watch;

use super::{Fate, Wish};
use crate::context::Context;
use crate::pauses::Pauses;
use crate::schedule;

/// Binds, trying again until that is settled; `false` if the pod is not for this node any more.
pub(super) async fn bound(node: &Context, pod: &Pod, mut wish: watch::Receiver<Wish>) -> bool {
    let mut pauses = Pauses::new(Duration::from_millis(200), Duration::from_secs(10));
    loop {
        match schedule::bind(&node.client, pod, &node.node).await {
            Ok(()) => return true,
            Err(kube::Error::Api(answer)) if answer.code == 404 => return false,
            // Bound already; by us, if an earlier answer was lost.
            Err(kube::Error::Api(answer)) if answer.code == 409 => {
                return is_bound_here(node, pod).await;
            }
            Err(error) => {
                tracing::warn!(pod = %pod.name_any(), %error, "pod was not bound, trying again")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pauses.next()) => {}
            _ = wish.wait_for(|wish| wish.fate != Fate::Lives || wish.is_deleting()) => return false,
        }
    }
}

async fn is_bound_here(node: &Context, pod: &Pod) -> bool {
    let pods: Api<Pod> = Api::namespaced(node.client.clone(), &pod.namespace().unwrap_or_default());
    match pods.get_opt(&pod.name_any()).await {
        Ok(Some(found)) => {
            found.uid() == pod.uid()
                && found.spec.and_then(|spec| spec.node_name).as_deref() == Some(node.node.as_str())
        }
        Ok(None) | Err(_) => false,
    }
}
