//! Pods of every shape that the webhooks look at.

use serde_json::{Value, json};

use crate::support::pod;

/// Whatever an ordinary pod has: own volumes, variables, mounts, an init container and a native sidecar.
pub(crate) fn rich() -> Value {
    pod(json!({"spec": {
        "volumes": [{"name": "data", "emptyDir": {}}],
        "initContainers": [
            {"name": "native", "image": "side:1", "restartPolicy": "Always"},
            {"name": "setup", "image": "setup:1"},
        ],
        "containers": [
            {
                "name": "app", "image": "app:1",
                "env": [
                    {"name": "MINE", "value": "1"},
                    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
            {"name": "side", "image": "side:1", "livenessProbe": {"grpc": {"port": 1}}},
        ],
    }}))
}

/// One that asks for the Azure webhook's proxy.
pub(crate) fn proxied() -> Value {
    pod(json!({
        "metadata": {"annotations": {"azure.workload.identity/inject-proxy-sidecar": "true"}},
        "spec": {"initContainers": [{"name": "setup", "image": "setup:1"}]},
    }))
}

pub(crate) fn annotated(annotations: Value) -> Value {
    pod(json!({"metadata": {"annotations": annotations}}))
}
