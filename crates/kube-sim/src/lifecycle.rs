//! How objects end, and what a namespace brings and takes with it.
//!
//! Deletion follows `k8s.io/apiserver/pkg/registry`: grace for pods on a node, finalizers hold, the rest goes at once.
//! The two namespace controllers that every cluster runs live here too. It knows the store, no HTTP.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::api::Api;
use crate::custom;
use crate::garbage::{self, Propagation};
use crate::object::{self, Object, text};
use crate::rbac;
use crate::resources::{self, Resource};
use crate::status::Status;
use crate::store::{Key, Transaction};

/// Names of what every namespace is furnished with: the account and the root certificate.
const FURNITURE: [&str; 2] = ["default", "kube-root-ca.crt"];

/// What a client wants of a deletion.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) grace: Option<i64>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) propagation: Option<Propagation>,
}

/// What a deletion came to.
#[derive(Debug)]
pub(crate) enum Deletion {
    /// The object is gone; this was its last state.
    Gone(Arc<Object>),
    /// It stays for now, marked.
    Marked(Arc<Object>),
}

/// Deletes an object as its kind demands.
///
/// # Errors
/// 404, or 409 when a precondition does not hold.
pub(crate) fn delete(
    api: &Api,
    tx: &mut Transaction<'_>,
    resource: &Resource,
    key: &Key,
    options: &DeleteOptions,
) -> Result<Deletion, Status> {
    let current = tx.get(key).ok_or_else(|| Status::not_found(resource, &key.name))?;
    preconditions(resource, current.value(), options)?;
    if resource.is_core("namespaces") {
        return Ok(delete_namespace(api, tx, key, &current));
    }
    let grace = if resource.is_core("pods") { pod_grace(current.value(), options.grace) } else { None };
    let has_finalizers = object::has_finalizers(current.value());
    if object::is_deleting(current.value()) {
        let left = current.value().pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
        return Ok(match (grace.filter(|_| options.grace.is_some()), left) {
            (Some(shorter), Some(left)) if shorter < left => {
                let marked = mark(api, tx, key, current.value(), shorter, false);
                if shorter > 0 || has_finalizers { Deletion::Marked(marked) } else { gone(api, tx, key, marked) }
            }
            // Confirmed by the node, or asked for again: what has no more grace and no finalizer goes.
            (Some(0), Some(0) | None) if !has_finalizers => gone(api, tx, key, current),
            _ => Deletion::Marked(current),
        });
    }
    let marked = Propagation::marked(current.value()).unwrap_or(Propagation::default_of(resource));
    let mut value = current.value().clone();
    options.propagation.unwrap_or(marked).mark(&mut value);
    let has_finalizers = object::has_finalizers(&value);
    let deletion = match grace {
        Some(seconds) => {
            let marked = mark(api, tx, key, &value, seconds, true);
            if seconds > 0 || has_finalizers { Deletion::Marked(marked) } else { gone(api, tx, key, marked) }
        }
        None if has_finalizers => Deletion::Marked(mark(api, tx, key, &value, 0, true)),
        None => gone(api, tx, key, current),
    };
    if api.has_controllers && has_finalizers {
        garbage::settle(api, tx, key);
    }
    Ok(deletion)
}

fn preconditions(resource: &Resource, value: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let conflict = |why: String| Err(Status::conflict(resource.group, resource.plural, object::name(value), &why));
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != object::uid(value)) {
        let found = object::uid(value);
        return conflict(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({found}). The object might have been deleted and then recreated"
        ));
    }
    let found = text(value, "/metadata/resourceVersion");
    if let Some(version) = options.resource_version.as_deref().filter(|version| *version != found) {
        return conflict(format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({found}). The object might have been modified"
        ));
    }
    Ok(())
}

/// Seconds that a pod gets: what was asked for, else its own period; none where nothing runs.
fn pod_grace(pod: &Value, asked: Option<i64>) -> Option<i64> {
    let is_over = ["Failed", "Succeeded"].contains(&text(pod, "/status/phase"));
    if text(pod, "/spec/nodeName").is_empty() || is_over {
        return Some(0);
    }
    let period =
        asked.or_else(|| pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64)).unwrap_or(0);
    Some(if period < 0 { 1 } else { period })
}

fn mark(api: &Api, tx: &mut Transaction<'_>, key: &Key, value: &Value, seconds: i64, is_first: bool) -> Arc<Object> {
    let mut value = value.clone();
    let now = api.issuer.clock.now();
    let at = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
    let metadata = object::metadata(&mut value);
    metadata.insert("deletionTimestamp".into(), object::time(at).into());
    metadata.insert("deletionGracePeriodSeconds".into(), seconds.into());
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64).filter(|_| is_first) {
        metadata.insert("generation".into(), (generation + 1).into());
    }
    tx.put(key.clone(), value)
}

/// What follows the creation of an object.
pub(crate) fn created(api: &Api, tx: &mut Transaction<'_>, resource: &Resource, key: &Key, object: &Object) {
    if resource.is_core("namespaces") && api.has_controllers {
        furnish(api, tx, &key.name);
    }
    if is_definition(resource) {
        let mut accepted = object.value().clone();
        let status = custom::status(&accepted, &api.now(), true);
        object::fields(&mut accepted).insert("status".into(), status);
        api.kinds.learn(&accepted);
        tx.put(key.clone(), accepted);
    }
    if api.has_controllers {
        garbage::sweep(api, tx, key, object.value());
        aggregate(tx, key);
    }
}

/// A cluster role that comes, changes or goes may be part of others.
fn aggregate(tx: &mut Transaction<'_>, key: &Key) {
    if key.is_of(resources::known("rbac.authorization.k8s.io", "clusterroles")) {
        rbac::aggregation::settle(tx);
    }
}

/// What follows a change of an object.
pub(crate) fn updated(api: &Api, tx: &mut Transaction<'_>, resource: &Resource, key: &Key, object: &Object) {
    if is_definition(resource) {
        api.kinds.learn(object.value());
    }
    if api.has_controllers {
        aggregate(tx, key);
    }
}

fn is_definition(resource: &Resource) -> bool {
    resource.group == "apiextensions.k8s.io"
}

fn gone(api: &Api, tx: &mut Transaction<'_>, key: &Key, last: Arc<Object>) -> Deletion {
    remove(api, tx, key);
    Deletion::Gone(last)
}

/// Takes an object away, and with the last one of a namespace that goes, the namespace. What a namespace is furnished with comes again.
pub(crate) fn remove(api: &Api, tx: &mut Transaction<'_>, key: &Key) {
    let last = tx.remove(key);
    if key.is_of(resources::known("apiextensions.k8s.io", "customresourcedefinitions")) {
        for served in api.kinds.forget(&key.name) {
            tx.of(served).iter().for_each(|inner| drop(tx.remove(inner)));
        }
    }
    if let Some(last) = last.filter(|_| api.has_controllers) {
        garbage::follow(api, tx, last.value(), &key.namespace);
        aggregate(tx, key);
    }
    if !api.has_controllers || key.namespace.is_empty() {
        return;
    }
    let home = tx.get(&Key::new(resources::core("namespaces"), "", &key.namespace));
    match home {
        Some(home) if !object::is_deleting(home.value()) => {
            if FURNITURE.contains(&key.name.as_str()) {
                furnish(api, tx, &key.namespace);
            }
        }
        _ => settle(tx, &key.namespace),
    }
}

/// An update may be what ends an object: the last finalizer of one that is marked.
pub(crate) fn ends_with(resource: &Resource, value: &Value) -> bool {
    let left = value.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    let held = resource.is_core("namespaces") && !object::list(value, "/spec/finalizers").is_empty();
    object::is_deleting(value) && left == 0 && !object::has_finalizers(value) && !held
}

fn delete_namespace(api: &Api, tx: &mut Transaction<'_>, key: &Key, current: &Arc<Object>) -> Deletion {
    let mut marked = current.clone();
    if !object::is_deleting(current.value()) {
        let mut value = current.value().clone();
        object::metadata(&mut value).insert("deletionTimestamp".into(), api.now().into());
        object::section(&mut value, "status").insert("phase".into(), "Terminating".into());
        marked = tx.put(key.clone(), value);
    } else if ends_with(resources::core("namespaces"), current.value()) {
        tx.remove(key);
        return Deletion::Gone(current.clone());
    }
    if api.has_controllers {
        for (inner, _) in tx.in_namespace(&key.name) {
            if let Some(resource) = api.kinds.all().into_iter().find(|resource| inner.is_of(resource)) {
                // Whatever is gone already needs no deletion.
                let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
                let _ = delete(api, tx, resource, &inner, &options);
            }
        }
        settle(tx, &key.name);
    }
    Deletion::Marked(marked)
}

/// The namespace controller: an empty namespace that is marked goes.
fn settle(tx: &mut Transaction<'_>, namespace: &str) {
    let key = Key::new(resources::core("namespaces"), "", namespace);
    let Some(current) = tx.get(&key) else { return };
    if !object::is_deleting(current.value())
        || object::has_finalizers(current.value())
        || !tx.in_namespace(namespace).is_empty()
    {
        return;
    }
    let foreign = object::list(current.value(), "/spec/finalizers").iter().any(|one| one != "kubernetes");
    if !foreign {
        tx.remove(&key);
    }
}

/// The service-account and root-CA controllers: what every namespace is furnished with.
pub(crate) fn furnish(api: &Api, tx: &mut Transaction<'_>, namespace: &str) {
    let mut add = |plural: &str, name: &str, mut value: Value| {
        let resource = resources::core(plural);
        value["metadata"] =
            json!({"name": name, "namespace": namespace, "uid": object::new_uid(), "creationTimestamp": api.now()});
        let key = Key::new(resource, namespace, name);
        if tx.get(&key).is_none() {
            tx.put(key, value);
        }
    };
    let [account, root] = FURNITURE;
    add("serviceaccounts", account, json!({"metadata": {}}));
    add("configmaps", root, json!({"metadata": {}, "data": {"ca.crt": api.root_pem}}));
}
