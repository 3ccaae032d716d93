//! Which pods this node takes, and the binding. It places no pod on another node and weighs nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use serde::de::IgnoredAny;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Bound to this node already.
    Here,
    /// Waits for a node, and this one will do.
    Bind,
    /// Waits for a node, but not for this one; says why.
    Unsuitable(String),
    /// Not for this node to decide.
    Elsewhere,
}

pub(crate) fn placement(pod: &Pod, node: &str, labels: &BTreeMap<String, String>) -> Placement {
    let Some(spec) = &pod.spec else {
        return Placement::Elsewhere;
    };
    match spec.node_name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) if name == node => return Placement::Here,
        Some(_) => return Placement::Elsewhere,
        None => {}
    }
    let scheduled_by_default = spec.scheduler_name.as_deref().is_none_or(|name| name == "default-scheduler");
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    if !scheduled_by_default || gated || pod.metadata.deletion_timestamp.is_some() {
        return Placement::Elsewhere;
    }
    for (key, value) in spec.node_selector.iter().flatten() {
        if labels.get(key) != Some(value) {
            return Placement::Unsuitable(format!(
                "node selector {key}={value} does not match the process node {node:?}"
            ));
        }
    }
    let required = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .is_some_and(|affinity| affinity.required_during_scheduling_ignored_during_execution.is_some());
    if required {
        return Placement::Unsuitable("required node affinity is not supported by a process node".to_owned());
    }
    Placement::Bind
}

/// Binds the pod to the node. A 409 or 404 means that it is no longer ours to bind.
pub(crate) async fn bind(client: &Client, pod: &Pod, node: &str) -> Result<(), kube::Error> {
    let namespace = pod.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let name = pod.name_any();
    let binding = Binding {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace),
            uid: pod.metadata.uid.clone(),
            ..ObjectMeta::default()
        },
        target: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(node.to_owned()),
            ..ObjectReference::default()
        },
    };
    let _: IgnoredAny = pods.create_subresource("binding", &name, &PostParams::default(), &binding).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn takes_only_unplaced_pods_of_the_default_scheduler() {
        let labels = BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())]);
        let check = |spec: Value, expected: Placement| {
            let mut spec = spec;
            spec["containers"] = json!([]);
            let pod: Pod =
                serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).expect("pod must parse");
            assert_eq!(placement(&pod, "n", &labels), expected);
        };
        check(json!({}), Placement::Bind);
        check(json!({"schedulerName": "default-scheduler"}), Placement::Bind);
        check(json!({"schedulerName": "mine"}), Placement::Elsewhere);
        check(json!({"nodeName": "n"}), Placement::Here);
        check(json!({"nodeName": "n", "schedulerName": "mine"}), Placement::Here);
        check(json!({"nodeName": "m"}), Placement::Elsewhere);
        check(json!({"schedulingGates": [{"name": "g"}]}), Placement::Elsewhere);
        check(json!({"nodeSelector": {"kubernetes.io/os": "linux"}}), Placement::Bind);
        check(
            json!({"nodeSelector": {"disk": "ssd"}}),
            Placement::Unsuitable(r#"node selector disk=ssd does not match the process node "n""#.to_owned()),
        );
    }
}
