//! The decision of the Azure webhook, from a pod and its service account to a patch or a refusal. Pure: it must
//! not know where either was found.

use serde_json::{Value, json};

use super::annotations::Settings;
use super::config::Config;
use super::inject::Injection;
use super::proxy::Proxy;
use crate::admission::PatchOp;
use crate::pod::Pod;
use crate::{Denied, Mutation, ServiceAccountView};

/// What the webhook does to `pod`, which runs as `account`.
///
/// The label that pods are selected by is not looked at. `account` is `None` where there is no such account;
/// one without annotations is an account all the same, and its pods get all but a client id.
///
/// # Errors
/// `pod` cannot be decoded as a pod, there is no account, or an annotation asks for what is not allowed.
pub fn mutate(config: &Config, pod: &Value, account: Option<&ServiceAccountView>) -> Result<Mutation, Denied> {
    mutate_pod(config, &Pod::read(pod)?, account)
}

/// The name that the account is looked up by.
pub(crate) fn service_account_of<'a>(pod: &Pod<'a>) -> &'a str {
    match pod.service_account {
        "" => "default",
        name => name,
    }
}

pub(crate) fn mutate_pod(
    config: &Config,
    pod: &Pod<'_>,
    account: Option<&ServiceAccountView>,
) -> Result<Mutation, Denied> {
    let account = account.ok_or_else(|| {
        let name = service_account_of(pod);
        Denied::bad_request(format!("serviceaccounts {name:?} not found"))
    })?;
    let proxy = Proxy::read(config, pod)?;
    let settings = Settings::read(config, pod, account)?;
    let ops = patch(pod, &Injection::new(config, pod, settings), proxy);
    Ok(match ops.is_empty() {
        true => Mutation::Unchanged,
        false => Mutation::Patch(ops),
    })
}

/// `[spec?], [env and mount of each init container], [of each container], [proxies?], [volume?]`. Containers
/// come before the proxies, which move them up.
fn patch(pod: &Pod<'_>, injection: &Injection<'_>, proxy: Proxy) -> Vec<PatchOp> {
    let mut ops = Vec::new();
    if !pod.has_spec {
        ops.push(PatchOp::add("/spec", json!({})));
    }
    for (key, containers) in [("initContainers", pod.init_containers), ("containers", pod.containers)] {
        for (index, container) in containers.iter().enumerate() {
            ops.extend(injection.container_ops(container, &format!("/spec/{key}/{index}")));
        }
    }
    let injected = |container: Option<Value>| container.map(|container| injection.inject(container));
    enclose(
        &mut ops,
        "/spec/initContainers",
        pod.init_containers,
        injected(proxy.first_init),
        injected(proxy.last_init),
    );
    enclose(&mut ops, "/spec/containers", pod.containers, injected(proxy.first), None);
    ops.extend(injection.volume_ops(pod.volumes));
    ops
}

/// Puts a container before and one behind those that are there.
fn enclose(ops: &mut Vec<PatchOp>, path: &str, present: &[Value], first: Option<Value>, last: Option<Value>) {
    if present.is_empty() {
        let all: Vec<Value> = first.into_iter().chain(last).collect();
        if !all.is_empty() {
            ops.push(PatchOp::add(path, Value::Array(all)));
        }
        return;
    }
    // The last one first: its index is that of the list as it was.
    ops.extend(last.map(|last| PatchOp::add(format!("{path}/{}", present.len()), last)));
    ops.extend(first.map(|first| PatchOp::add(format!("{path}/0"), first)));
}
