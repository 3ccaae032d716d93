//! The Azure webhook as its users meet it: what happens to which pod ([`mutation`], [`placing`], [`proxy`],
//! [`endpoint`]), what is refused ([`denial`]), in which patch ([`patch`]), that doing it twice is doing it once
//! ([`twice`]), that it can live beside the AWS one ([`both`]), and what the server answers ([`review`]).

mod both;
mod denial;
mod endpoint;
mod mutation;
mod patch;
mod placing;
mod proxy;
mod review;
mod twice;

use serde_json::{Value, json};
use trust::Audience;

use super::*;
use crate::{PatchOp, ServiceAccountView};

const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
const TENANT: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
const LAYOUTS: [Layout; 2] = [Layout::V1_5, Layout::V1_6];
/// Of a pod called `web`: `printf web | sha256sum`.
const WEB_VOLUME: &str = "azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292";

fn account(annotations: &[(&str, &str)]) -> ServiceAccountView {
    let annotations = annotations.iter().map(|(k, v)| (format!("azure.workload.identity/{k}"), (*v).to_owned()));
    ServiceAccountView { annotations: annotations.collect() }
}

fn reader() -> ServiceAccountView {
    account(&[("client-id", CLIENT)])
}

fn chart(layout: Layout) -> Config {
    Config::chart(layout, TENANT)
}

/// A labelled pod of the account `reader` with these members laid over it.
fn mk_pod(overlay: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "labels": {"azure.workload.identity/use": "true"}},
        "spec": {"serviceAccountName": "reader", "containers": [{"name": "app", "image": "app:1"}]},
    });
    json_patch::merge(&mut pod, &overlay);
    pod
}

/// An overlay with annotations of the webhook's.
fn annotated(annotations: &[(&str, &str)]) -> Value {
    json!({"metadata": {"annotations": account(annotations).annotations}})
}

fn ops(mutation: Result<Mutation, Denied>) -> Vec<PatchOp> {
    match mutation {
        Ok(Mutation::Patch(ops)) => ops,
        other => panic!("must be mutated: {other:?}"),
    }
}

fn apply(pod: &Value, ops: &[PatchOp]) -> Value {
    let patch: json_patch::Patch = serde_json::from_value(json!(ops)).expect("must be a JSON patch");
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).expect("patch must apply");
    pod
}

/// The pod as it comes out.
fn mutated(config: &Config, pod: &Value, account: &ServiceAccountView) -> Value {
    apply(pod, &ops(mutate(config, pod, Some(account))))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().map(|entry| entry["name"].as_str().expect("must have a name")).collect()
}
