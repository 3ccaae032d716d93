//! The JSON Patch that upstream sends: its operations, their order and their shape. It must not know why.

use serde_json::{Value, json};
use trust::Audience;

use super::container::{Identity, Injection, reserialised};
use crate::admission::PatchOp;
use crate::pod::{Pod, has_named, name_of};

/// The token to project.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) audience: Audience,
    /// Seconds.
    pub(crate) expiration: i64,
    /// File in the volume.
    pub(crate) path: String,
}

/// `[label?], [volume?], containers, [initContainers?]`: the lists are replaced whole, and sent even when
/// nothing in them changed.
pub(crate) fn patch(pod: &Pod<'_>, injection: &Injection, token: &Token, skipped: &[String]) -> Vec<PatchOp> {
    let mut ops = Vec::with_capacity(4);
    if let Identity::Container { .. } = injection.identity {
        ops.push(if pod.has_labels {
            PatchOp::add("/metadata/labels/eks.amazonaws.com~1pod-identity", json!("enabled"))
        } else {
            PatchOp::add("/metadata/labels", json!({"eks.amazonaws.com/pod-identity": "enabled"}))
        });
    }
    match pod.volumes {
        // Whatever that volume is: only its name is looked at.
        Some(volumes) if has_named(volumes, &injection.volume_name) => {}
        // Prepended, so that the user's volumes move up by one.
        Some(_) => ops.push(PatchOp::add("/spec/volumes/0", volume(injection, token))),
        None => ops.push(PatchOp::add("/spec/volumes", json!([volume(injection, token)]))),
    }
    let containers = |list: &[Value]| -> Value {
        let injected = |container| match skipped.iter().any(|name| name == name_of(container)) {
            true => reserialised(container),
            false => injection.inject(container),
        };
        list.iter().map(injected).collect()
    };
    ops.push(PatchOp::add("/spec/containers", containers(pod.containers)));
    if !pod.init_containers.is_empty() {
        ops.push(PatchOp::add("/spec/initContainers", containers(pod.init_containers)));
    }
    ops
}

fn volume(injection: &Injection, token: &Token) -> Value {
    let mut source = serde_json::Map::new();
    // Go leaves an empty audience out, and the API server then takes its own.
    if !token.audience.as_str().is_empty() {
        source.insert("audience".into(), Value::from(token.audience.as_str()));
    }
    source.insert("expirationSeconds".into(), Value::from(token.expiration));
    source.insert("path".into(), Value::from(token.path.as_str()));
    json!({"name": injection.volume_name, "projected": {"sources": [{"serviceAccountToken": source}]}})
}
