//! Which objects are refused, and with which causes: rules of the real server's `ValidateCreate` and `ValidateUpdate`.
//!
//! Pure: an object (and its predecessor) in, field errors out, in the order in which the real server lists them.

mod data;
mod pod;
mod rbac;
mod service;
mod small;
mod volume;
mod webhook;
mod workload;

use serde_json::Value;

pub(crate) use volume::check_lifetime;

use crate::custom;
use crate::names;
use crate::object;
use crate::resources::Resource;
use crate::status::FieldError;

/// Errors so far.
pub(crate) type Errors = Vec<FieldError>;

/// Rules for a new object.
pub(crate) fn create(resource: &Resource, value: &Value) -> Errors {
    let mut errors = metadata(resource, value);
    match (resource.group, resource.plural) {
        ("", "pods") => pod::create(value, &mut errors),
        ("", "configmaps") => data::config_map(value, &mut errors),
        ("", "secrets") => data::secret(value, &mut errors),
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => workload::set(value, &mut errors),
        ("batch", "jobs") => workload::job(value, "spec.template.spec", &mut errors),
        ("batch", "cronjobs") => workload::cron_job(value, &mut errors),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            webhook::configuration(value, &mut errors);
        }
        ("apiextensions.k8s.io", _) => data::definition(value, &mut errors),
        ("rbac.authorization.k8s.io", _) => rbac::check(resource, value, &mut errors),
        ("", "services") => service::check(value, &mut errors),
        ("", "events") => small::event(value, &mut errors),
        ("coordination.k8s.io", "leases") => small::lease(value, &mut errors),
        ("policy", "poddisruptionbudgets") => small::budget(value, &mut errors),
        ("scheduling.k8s.io", "priorityclasses") => small::priority_class(value, &mut errors),
        _ => {}
    }
    if let Some(custom) = resource.custom {
        custom::validate(&custom.schema, value, "", &mut errors);
    }
    errors
}

/// Rules for a changed object. The generic metadata rules come twice: the real server applies them on two floors.
pub(crate) fn update(resource: &Resource, value: &Value, old: &Value) -> Errors {
    let generic = metadata_update(value, old);
    let mut errors = generic.clone();
    errors.extend(generic);
    labels_and_annotations(value, &mut errors);
    match (resource.group, resource.plural) {
        ("", "pods") => pod::update(value, old, &mut errors),
        ("", "configmaps" | "secrets") => data::update(resource, value, old, &mut errors),
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => {
            workload::set(value, &mut errors);
            workload::immutable_selector(value, old, &mut errors);
        }
        ("batch", "jobs") => workload::job_update(value, old, &mut errors),
        ("batch", "cronjobs") => workload::cron_job(value, &mut errors),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            webhook::configuration(value, &mut errors);
        }
        ("", "services") => service::update(value, old, &mut errors),
        ("coordination.k8s.io", "leases") => small::lease(value, &mut errors),
        ("policy", "poddisruptionbudgets") => small::budget(value, &mut errors),
        ("scheduling.k8s.io", "priorityclasses") => small::priority_class_update(value, old, &mut errors),
        ("rbac.authorization.k8s.io", _) => {
            rbac::check(resource, value, &mut errors);
            if value.get("roleRef") != old.get("roleRef") {
                errors.push(FieldError::invalid("roleRef", &value["roleRef"], "cannot change roleRef"));
            }
        }
        _ => {}
    }
    if let Some(custom) = resource.custom {
        custom::validate(&custom.schema, value, "", &mut errors);
    }
    errors
}

fn metadata(resource: &Resource, value: &Value) -> Errors {
    let mut errors = Errors::new();
    let name = object::name(value);
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else {
        for complaint in name_rule(resource)(name) {
            errors.push(FieldError::invalid("metadata.name", &name.into(), &complaint));
        }
    }
    labels_and_annotations(value, &mut errors);
    finalizers(value, &mut errors);
    errors
}

fn name_rule(resource: &Resource) -> fn(&str) -> names::Complaints {
    match (resource.group, resource.plural) {
        ("", "namespaces" | "services") => names::dns_label,
        ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::dns_subdomain,
    }
}

fn labels_and_annotations(value: &Value, errors: &mut Errors) {
    if let Some(labels) = object::labels(value) {
        label_map(labels, "metadata.labels", errors);
    }
    let Some(annotations) = value.pointer("/metadata/annotations").and_then(Value::as_object) else {
        return;
    };
    let mut size = 0;
    for (key, text) in annotations {
        // Annotation keys may be in upper case, prefix included.
        for complaint in names::qualified_name(&key.to_lowercase()) {
            errors.push(FieldError::invalid("metadata.annotations", &key.as_str().into(), &complaint));
        }
        size += key.len() + text.as_str().map_or(0, str::len);
    }
    if size > 256 * 1024 {
        errors.push(FieldError::too_long("metadata.annotations", 256 * 1024));
    }
}

/// Rules for a map of labels, wherever it stands.
fn label_map(labels: &object::Fields, field: &str, errors: &mut Errors) {
    for (key, text) in labels {
        for complaint in names::qualified_name(key) {
            errors.push(FieldError::invalid(field, &key.as_str().into(), &complaint));
        }
        for complaint in names::label_value(text.as_str().unwrap_or_default()) {
            errors.push(FieldError::invalid(field, text, &complaint));
        }
    }
}

/// Rules for a label selector, wherever it stands.
fn label_selector(selector: &Value, field: &str, errors: &mut Errors) {
    if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
        label_map(labels, &format!("{field}.matchLabels"), errors);
    }
    for (index, expression) in object::list(selector, "/matchExpressions").iter().enumerate() {
        let here = format!("{field}.matchExpressions[{index}]");
        let has_values = !object::list(expression, "/values").is_empty();
        match object::text(expression, "/operator") {
            "In" | "NotIn" if !has_values => {
                errors.push(FieldError::required(
                    format!("{here}.values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                ));
            }
            "Exists" | "DoesNotExist" if has_values => {
                errors.push(FieldError::forbidden(
                    format!("{here}.values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                ));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.push(FieldError::invalid(
                format!("{here}.operator"),
                &other.into(),
                "not a valid selector operator",
            )),
        }
        let key = object::text(expression, "/key");
        for complaint in names::qualified_name(key) {
            errors.push(FieldError::invalid(format!("{here}.key"), &key.into(), &complaint));
        }
    }
}

fn finalizers(value: &Value, errors: &mut Errors) {
    for finalizer in object::list(value, "/metadata/finalizers").iter().filter_map(Value::as_str) {
        for complaint in names::qualified_name(finalizer) {
            errors.push(FieldError::invalid("metadata.finalizers", &finalizer.into(), &complaint));
        }
    }
}

fn metadata_update(value: &Value, old: &Value) -> Errors {
    let mut errors = Errors::new();
    if object::is_deleting(old) {
        let known = object::list(old, "/metadata/finalizers");
        let added: Vec<&str> = object::list(value, "/metadata/finalizers")
            .iter()
            .filter(|one| !known.contains(one))
            .filter_map(Value::as_str)
            .collect();
        if !added.is_empty() {
            let shown = added.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &detail));
        }
    }
    for key in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let pointer = format!("/metadata/{key}");
        if value.pointer(&pointer) != old.pointer(&pointer) {
            let shown = value.pointer(&pointer).cloned().unwrap_or(Value::Null);
            errors.push(FieldError::invalid(format!("metadata.{key}"), &shown, "field is immutable"));
        }
    }
    errors
}

/// One of a closed set.
fn one_of(value: &Value, field: &str, supported: &[&str], errors: &mut Errors) {
    if value.as_str().is_some_and(|text| !supported.contains(&text)) {
        errors.push(FieldError::unsupported(field, value, supported));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources;
    use crate::status::Status;

    /// Validates a new core object and gives the server's one-line message.
    pub(super) fn refusal(plural: &str, mut value: Value) -> String {
        let resource = resources::all().iter().find(|one| one.plural == plural).expect("must be in the table");
        crate::defaults::apply(resource, &mut value);
        let errors = create(resource, &value);
        if errors.is_empty() {
            String::new()
        } else {
            Status::invalid(resource.group, resource.kind, object::name(&value), &errors).message
        }
    }

    #[test]
    fn names_and_labels_are_checked_on_every_kind() {
        let check = |plural: &str, value: Value, expected: &str| {
            let message = refusal(plural, value);
            assert!(message.contains(expected) && message.is_empty() == expected.is_empty(), "{message}");
        };
        check("serviceaccounts", json!({"metadata": {"name": "a.b"}}), "");
        check(
            "namespaces",
            json!({"metadata": {"name": "dot.ted"}}),
            r#"metadata.name: Invalid value: "dot.ted": must not contain dots"#,
        );
        check("namespaces", json!({"metadata": {}}), "metadata.name: Required value: name or generateName is required");
        check(
            "serviceaccounts",
            json!({"metadata": {"name": "a", "labels": {"a b": "c"}}}),
            r#"metadata.labels: Invalid value: "a b": name part must"#,
        );
        check(
            "configmaps",
            json!({"metadata": {"name": "a", "annotations": {"/x": ""}}}),
            r#"metadata.annotations: Invalid value: "/x": prefix part must be non-empty"#,
        );
        check(
            "configmaps",
            json!({"metadata": {"name": "a"}, "data": {"a/b": ""}}),
            r#"data[a/b]: Invalid value: "a/b": a valid config key"#,
        );
        check("roles", json!({"metadata": {"name": "system:x"}}), "");
    }

    #[test]
    fn identity_cannot_be_changed_and_finalizers_cannot_be_added_while_deleting() {
        let old = json!({"metadata": {"name": "a", "uid": "1", "deletionTimestamp": "t", "finalizers": ["x/y"]}});
        let check = |change: Value, expected: &[&str]| {
            let mut value = old.clone();
            json_patch::merge(&mut value, &change);
            let fields: Vec<String> =
                update(resources::core("configmaps"), &value, &old).into_iter().map(|error| error.field).collect();
            assert_eq!(fields, expected);
        };
        check(json!({}), &[]);
        check(json!({"metadata": {"uid": "2"}}), &["metadata.uid", "metadata.uid"]);
        check(json!({"metadata": {"finalizers": ["x/y", "x/z"]}}), &["metadata.finalizers", "metadata.finalizers"]);
        check(json!({"metadata": {"finalizers": []}}), &[]);
    }
}
