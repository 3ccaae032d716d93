//! What a run adds to a pod manifest so that the pod finds the wire; `plan` prints it. Nothing of identity is in it.

use std::collections::BTreeMap;

use base64::Engine;
use scenario::Cloud;
use serde_json::{Value, json};
use transport::Proxy;

/// The secret that holds the proxy's address with its password, and the wire's root.
pub(crate) const WIRE_SECRET: &str = "crossfed-wire";
const WIRE_MOUNT: &str = "/etc/crossfed/wire";
/// The secrets that hold tokens made for a fault, one a cloud.
const TOKEN_SECRET: &str = "crossfed-token";
/// The volume that the AWS webhook would add; a pod that brings its own keeps it (amazon-eks-pod-identity-webhook, "volume of that name exists").
const AWS_TOKEN_VOLUME: &str = "aws-iam-token";
/// The variable that the Azure webhook would add; a container that has it keeps it (azure-workload-identity, variable by variable).
const AZURE_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const AZURE_TOKEN_MOUNT: &str = "/var/run/secrets/crossfed";
/// What a workload must not do without a cloud around it: ask the instance metadata service for credentials.
const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

/// Adds to every container: proxy (from a secret, so that no password stands in the pod), trust bundle, no metadata service.
pub fn wire_overlay(pod: &mut Value) {
    let env = [
        json!({"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": WIRE_SECRET, "key": "https-proxy"}}}),
        json!({"name": "SSL_CERT_FILE", "value": format!("{WIRE_MOUNT}/ca.crt")}),
        json!({"name": NO_METADATA.0, "value": NO_METADATA.1}),
    ];
    let mount = json!({"name": WIRE_SECRET, "mountPath": WIRE_MOUNT, "readOnly": true});
    for list in ["containers", "initContainers"] {
        let containers = pod.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            append(container, "env", env.iter().cloned());
            append(container, "volumeMounts", [mount.clone()]);
        }
    }
    let volume = json!({"name": WIRE_SECRET, "secret": {"secretName": WIRE_SECRET, "items": [{"key": "ca.crt", "path": "ca.crt"}]}});
    append(&mut pod["spec"], "volumes", [volume]);
}

/// Name of the secret that holds a token made for a fault.
pub(crate) fn token_secret(cloud: Cloud) -> String {
    format!("{TOKEN_SECRET}-{cloud}")
}

/// Puts a token made for a fault where the cloud's SDK looks for the projected one.
pub(crate) fn token_overlay(pod: &mut Value, cloud: Cloud) {
    let name = match cloud {
        Cloud::Aws => AWS_TOKEN_VOLUME,
        Cloud::Azure => TOKEN_SECRET,
    };
    append(&mut pod["spec"], "volumes", [json!({"name": name, "secret": {"secretName": token_secret(cloud)}})]);
    if cloud == Cloud::Azure {
        let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            append(
                container,
                "env",
                [json!({"name": AZURE_TOKEN_FILE, "value": format!("{AZURE_TOKEN_MOUNT}/token")})],
            );
            let mount = json!({"name": TOKEN_SECRET, "mountPath": AZURE_TOKEN_MOUNT, "readOnly": true});
            append(container, "volumeMounts", [mount]);
        }
    }
}

/// Gives a container variables that it has before any webhook sees the pod.
pub(crate) fn variables(pod: &mut Value, container: &str, variables: &BTreeMap<String, String>) {
    let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
    for one in containers.into_iter().flatten().filter(|one| one["name"] == container) {
        append(one, "env", variables.iter().map(|(name, value)| json!({"name": name, "value": value})));
    }
}

/// Lets the programs of this house read again and again.
pub(crate) fn every(pod: &mut Value, seconds: &str) {
    let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        append(container, "args", ["--every", seconds].map(Value::from));
    }
}

/// Pins the pod to a node and marks it as the run's.
pub(crate) fn placement(pod: &mut Value, node: Option<&str>, run: &str) {
    if let Some(node) = node {
        pod["spec"]["nodeName"] = Value::from(node);
    }
    pod["metadata"]["labels"][super::kube_objects::RUN_LABEL] = Value::from(run);
}

/// The secret behind [`wire_overlay`].
pub(crate) fn wire_secret(proxy: &Proxy, root_pem: &str) -> Value {
    secret(WIRE_SECRET, &[("https-proxy", proxy.url().expose()), ("ca.crt", root_pem)])
}

/// A secret of texts.
pub(crate) fn secret(name: &str, texts: &[(&str, &str)]) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let data: serde_json::Map<String, Value> =
        texts.iter().map(|(key, text)| ((*key).to_owned(), encode(text).into())).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
}

fn append(owner: &mut Value, member: &str, items: impl IntoIterator<Item = Value>) {
    if !owner[member].is_array() {
        owner[member] = json!([]);
    }
    if let Some(list) = owner[member].as_array_mut() {
        list.extend(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_wire_and_nothing_of_identity() {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}],
            "initContainers": [{"name": "i"}]}});
        wire_overlay(&mut pod);
        for pointer in ["/spec/containers/0", "/spec/containers/1", "/spec/initContainers/0"] {
            let container = pod.pointer(pointer).expect("container");
            let names: Vec<_> =
                container["env"].as_array().expect("env").iter().filter_map(|one| one["name"].as_str()).collect();
            assert!(names.ends_with(&["HTTPS_PROXY", "SSL_CERT_FILE", "AWS_EC2_METADATA_DISABLED"]), "{names:?}");
        }
        let text = pod.to_string();
        for word in ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "aws-iam-token", "password"] {
            assert!(!text.contains(word), "{word}");
        }
        let planted = |cloud: Cloud| {
            let mut pod = pod.clone();
            token_overlay(&mut pod, cloud);
            pod
        };
        assert_eq!(planted(Cloud::Aws).pointer("/spec/volumes/1/name"), Some(&json!("aws-iam-token")));
        let azure = planted(Cloud::Azure);
        assert_eq!(azure.pointer("/spec/volumes/1/secret/secretName"), Some(&json!("crossfed-token-azure")));
        let env = azure.pointer("/spec/containers/1/env").and_then(Value::as_array).expect("env");
        assert_eq!(env.last().map(|one| &one["name"]), Some(&json!("AZURE_FEDERATED_TOKEN_FILE")));
    }

    #[test]
    fn variables_are_those_of_one_container() {
        let mut pod =
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b", "env": [{"name": "X", "value": "1"}]}]}});
        variables(&mut pod, "b", &BTreeMap::from([("Y".to_owned(), "2".to_owned())]));
        let expected =
            json!([{"name": "a"}, {"name": "b", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]);
        assert_eq!(pod["spec"]["containers"], expected);
    }
}
