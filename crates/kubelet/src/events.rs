//! Events on pods: what a person reads in `kubectl describe`. A failure to write one is logged and forgotten.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};

use crate::context::Context;

/// Writes a warning about the pod.
pub(crate) async fn warn(context: &Context, pod: &Pod, reason: &str, message: &str) {
    write(context, pod, "Warning", reason, message).await;
}

/// Writes that something went its way.
pub(crate) async fn note(context: &Context, pod: &Pod, reason: &str, message: &str) {
    write(context, pod, "Normal", reason, message).await;
}

async fn write(context: &Context, pod: &Pod, kind: &str, reason: &str, message: &str) {
    let namespace = pod.namespace().unwrap_or_default();
    let now = Some(Time(context.clock.now()));
    let event = Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}.", pod.name_any())),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: pod.metadata.name.clone(),
            namespace: Some(namespace.clone()),
            uid: pod.metadata.uid.clone(),
            resource_version: pod.metadata.resource_version.clone(),
            ..ObjectReference::default()
        },
        type_: Some(kind.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        source: Some(EventSource { component: Some("kubelet".to_owned()), host: Some(context.node.clone()) }),
        first_timestamp: now.clone(),
        last_timestamp: now,
        count: Some(1),
        ..Event::default()
    };
    let events: Api<Event> = Api::namespaced(context.client.clone(), &namespace);
    if let Err(error) = events.create(&PostParams::default(), &event).await {
        tracing::warn!(pod = %pod.name_any(), reason, %error, "event was not written");
    }
}
