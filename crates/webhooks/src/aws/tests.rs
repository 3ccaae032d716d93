//! The AWS webhook as its users meet it: what happens to which pod ([`mutation`]), in which patch ([`patch`]), that doing it
//! twice is doing it once ([`twice`]), and what the server answers ([`review`]).

mod mutation;
mod patch;
mod review;
mod twice;

use serde_json::{Value, json};

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

fn account(annotations: &[(&str, &str)]) -> ServiceAccountView {
    let annotations = annotations.iter().map(|(k, v)| (format!("eks.amazonaws.com/{k}"), (*v).to_owned()));
    ServiceAccountView { annotations: annotations.collect() }
}

fn reader() -> ServiceAccountView {
    account(&[("role-arn", ROLE)])
}

/// A pod of `shop/reader` with these members laid over it.
fn mk_pod(overlay: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"serviceAccountName": "reader", "containers": [{"name": "app", "image": "app:1"}]},
    });
    json_patch::merge(&mut pod, &overlay);
    pod
}

fn chart(region: &str) -> Config {
    Config::chart(ChartValues { default_aws_region: region.into(), ..ChartValues::default() })
}

/// Sources that list `shop/reader` for EKS Pod Identity.
fn pod_identity() -> Sources {
    let file = r#"{"identities":[{"namespace":"shop","serviceAccount":"reader"}]}"#;
    Sources { container_identities: ContainerIdentities::parse(file).expect("file"), ..Sources::default() }
}

fn ops(mutation: Mutation) -> Vec<crate::PatchOp> {
    match mutation {
        Mutation::Patch(ops) => ops,
        Mutation::Unchanged => panic!("must be mutated"),
    }
}

fn apply(pod: &Value, ops: &[crate::PatchOp]) -> Value {
    let patch: json_patch::Patch = serde_json::from_value(json!(ops)).expect("must be a JSON patch");
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).expect("patch must apply");
    pod
}
