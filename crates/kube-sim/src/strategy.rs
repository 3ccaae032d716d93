//! What each kind does to an object as it is stored: which parts a request may touch, what is reset, what counts as a generation.
//!
//! Follows the registry strategies of the real server (`PrepareForCreate`, `PrepareForUpdate`). Pure but for the random suffix of ids.

mod service;

use serde_json::{Value, json};

use crate::custom;
use crate::object::{self, carry, section};
use crate::resources::Resource;

/// Kinds whose desired state is numbered.
pub(crate) fn has_generation(resource: &Resource) -> bool {
    if resource.custom.is_some() {
        return true;
    }
    match resource.group {
        "" => ["pods", "replicationcontrollers"].contains(&resource.plural),
        "apps" => resource.plural != "controllerrevisions",
        "batch" | "admissionregistration.k8s.io" | "networking.k8s.io" | "policy" => true,
        "scheduling.k8s.io" | "discovery.k8s.io" | "apiextensions.k8s.io" => true,
        _ => false,
    }
}

/// Kinds that refuse an update which does not say what it was based on.
pub(crate) fn needs_resource_version(resource: &Resource) -> bool {
    matches!(
        (resource.group, resource.plural),
        ("admissionregistration.k8s.io", _) | ("coordination.k8s.io", "leases") | ("", "endpoints")
    )
}

/// Kinds that an update brings into being: `AllowCreateOnUpdate`.
pub(crate) fn creates_on_update(resource: &Resource) -> bool {
    match resource.group {
        "" => ["endpoints", "events", "limitranges", "services"].contains(&resource.plural),
        "coordination.k8s.io" | "rbac.authorization.k8s.io" => true,
        _ => false,
    }
}

/// Kinds whose deletion answers with the object and not with a Status.
pub(crate) fn returns_deleted(resource: &Resource) -> bool {
    resource.group.is_empty()
        && [
            "pods",
            "serviceaccounts",
            "services",
            "persistentvolumes",
            "persistentvolumeclaims",
            "podtemplates",
            "resourcequotas",
        ]
        .contains(&resource.plural)
}

/// Makes a decoded object a new one.
pub(crate) fn prepare_create(resource: &Resource, value: &mut Value) {
    let uid = object::uid(value).to_owned();
    match (resource.group, resource.plural) {
        ("", "namespaces") => {
            let spec = section(value, "spec");
            let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
            if let Value::Array(finalizers) = finalizers
                && !finalizers.iter().any(|one| one == "kubernetes")
            {
                finalizers.push("kubernetes".into());
            }
            object::fields(value).insert("status".into(), json!({"phase": "Active"}));
        }
        ("", "pods") => {
            let class = value.pointer("/status/qosClass").cloned().unwrap_or(Value::Null);
            object::fields(value).insert("status".into(), json!({"phase": "Pending", "qosClass": class}));
        }
        ("", "services") => {
            service::allocate(value);
            object::fields(value).insert("status".into(), json!({"loadBalancer": {}}));
        }
        ("batch", "jobs") => {
            job_labels(value, &uid);
            object::fields(value).insert("status".into(), json!({}));
        }
        ("apiextensions.k8s.io", _) => {
            let status = custom::status(value, "", false);
            object::fields(value).insert("status".into(), status);
        }
        ("apps" | "batch" | "policy", _) if resource.subresource("status").is_some() => {
            object::fields(value).insert("status".into(), json!({}));
        }
        _ if resource.custom.is_some() && resource.subresource("status").is_some() => {
            object::fields(value).shift_remove("status");
        }
        _ => {}
    }
    if has_generation(resource) {
        object::metadata(value).insert("generation".into(), 1.into());
    }
}

/// A job's pods are found by its id, unless it brings a selector of its own.
fn job_labels(value: &mut Value, uid: &str) {
    if value.pointer("/spec/manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    let name = object::name(value).to_owned();
    let labels = [
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", uid),
        ("job-name", &name),
    ];
    let template = section(value, "spec").entry("template").or_insert_with(|| json!({}));
    let of_template = object::fields(object::metadata(template).entry("labels").or_insert_with(|| json!({})));
    for (key, text) in labels {
        of_template.insert(key.into(), text.into());
    }
    // The job itself takes over its template's labels when it has none.
    let copy = Value::Object(of_template.clone());
    object::default(object::metadata(value), "labels", copy);
    section(value, "spec")
        .insert("selector".into(), json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
}

/// Keeps of an update what its path may change, and numbers the outcome.
pub(crate) fn prepare_update(resource: &Resource, subresource: &str, value: &mut Value, old: &Value) {
    keep_system_fields(value, old);
    match subresource {
        "status" => {
            let kept: Vec<String> = old.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
            let given: Vec<String> = value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
            for key in kept.iter().chain(&given).filter(|key| *key != "metadata" && *key != "status") {
                carry(value, old, key);
            }
            if resource.is_core("pods") {
                pod_status(value, old);
            }
        }
        "finalize" => carry(value, old, "status"),
        _ => {
            if resource.subresource("status").is_some() {
                carry(value, old, "status");
            }
            if resource.is_core("services") {
                service::keep(value, old);
            }
            if resource.is_core("namespaces") {
                carry(section_value(value, "spec"), &old["spec"], "finalizers");
            }
        }
    }
    let metadata_generation = old.pointer("/metadata/generation").and_then(Value::as_i64);
    match metadata_generation {
        Some(generation) if has_generation(resource) => {
            let bumped = generation + i64::from(desired_state(value) != desired_state(old));
            object::metadata(value).insert("generation".into(), bumped.into());
        }
        Some(generation) => {
            object::metadata(value).insert("generation".into(), generation.into());
        }
        None => {
            object::metadata(value).shift_remove("generation");
        }
    }
}

/// All but metadata and status.
fn desired_state(value: &Value) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !["metadata", "status"].contains(&key.as_str()))
        .collect();
    members.sort_by_key(|(key, _)| *key);
    members
}

fn keep_system_fields(value: &mut Value, old: &Value) {
    let metadata = object::metadata(value);
    if metadata.get("uid").and_then(Value::as_str).is_none_or(str::is_empty) {
        carry_in(metadata, old, "uid");
    }
    carry_in(metadata, old, "creationTimestamp");
    if object::is_deleting(old) {
        carry_in(metadata, old, "deletionTimestamp");
        if !metadata.contains_key("deletionGracePeriodSeconds") {
            carry_in(metadata, old, "deletionGracePeriodSeconds");
        }
    }
}

fn carry_in(metadata: &mut object::Fields, old: &Value, key: &str) {
    match old.pointer(&format!("/metadata/{key}")) {
        Some(value) => {
            metadata.insert(key.to_owned(), value.clone());
        }
        None => {
            metadata.shift_remove(key);
        }
    }
}

fn section_value<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    object::section(value, key);
    &mut value[key]
}

/// The two spellings of a pod's address are kept in step; its quality of service never changes.
fn pod_status(value: &mut Value, old: &Value) {
    let owners = old.pointer("/metadata/ownerReferences").cloned();
    let metadata = object::metadata(value);
    match owners {
        Some(owners) => metadata.insert("ownerReferences".into(), owners),
        None => metadata.shift_remove("ownerReferences"),
    };
    let class = old.pointer("/status/qosClass").cloned();
    let status = section(value, "status");
    if let Some(class) = class {
        status.insert("qosClass".into(), class);
    }
    let first = status.get("podIPs").and_then(|ips| ips.pointer("/0/ip")).cloned();
    match (status.get("podIP").cloned(), first) {
        (Some(one), first) if first.as_ref() != Some(&one) => {
            status.insert("podIPs".into(), json!([{"ip": one}]));
        }
        (None, Some(first)) => {
            status.insert("podIP".into(), first);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources;

    fn updated(subresource: &str, change: Value) -> Value {
        let old = json!({"metadata": {"name": "p", "uid": "u", "generation": 1, "creationTimestamp": "t"}, "spec": {"nodeName": "n"}, "status": {"phase": "Pending", "qosClass": "BestEffort"}});
        let mut value = old.clone();
        json_patch::merge(&mut value, &change);
        prepare_update(resources::core("pods"), subresource, &mut value, &old);
        value
    }

    #[test]
    fn each_path_changes_its_own_part() {
        let both = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "m"}, "status": {"phase": "Running", "podIP": "10.0.0.9"}});
        let main = updated("", both.clone());
        assert_eq!(
            (&main["spec"]["nodeName"], &main["status"]["phase"], &main["metadata"]["generation"]),
            (&json!("m"), &json!("Pending"), &json!(2))
        );
        let status = updated("status", both);
        assert_eq!(
            (&status["spec"]["nodeName"], &status["status"]["phase"], &status["metadata"]["generation"]),
            (&json!("n"), &json!("Running"), &json!(1))
        );
        assert_eq!(status["status"]["podIPs"], json!([{"ip": "10.0.0.9"}]));
        assert_eq!(status["metadata"]["labels"], json!({"a": "b"}));
    }

    #[test]
    fn system_fields_cannot_be_dropped() {
        let value = updated("", json!({"metadata": {"uid": null, "creationTimestamp": "other", "generation": 9}}));
        assert_eq!(value["metadata"], json!({"name": "p", "uid": "u", "generation": 1, "creationTimestamp": "t"}));
    }

    #[test]
    fn jobs_select_their_pods_by_uid() {
        let mut job = json!({"metadata": {"name": "j", "uid": "u"}, "spec": {"template": {"spec": {}}}});
        prepare_create(resources::known("batch", "jobs"), &mut job);
        assert_eq!(job["spec"]["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}));
        assert_eq!(job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]);
    }
}
