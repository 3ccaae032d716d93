//! Rules for pods and pod templates.

use serde_json::Value;

use super::{Errors, one_of, volume};
use crate::names;
use crate::object::{self, list, text};
use crate::status::FieldError;

pub(super) fn create(value: &Value, errors: &mut Errors) {
    spec(&value["spec"], "spec", errors);
}

/// Rules for a pod spec at `here`, in the real server's order.
pub(super) fn spec(spec: &Value, here: &str, errors: &mut Errors) {
    let volumes = volume::volumes(spec, here, errors);
    let containers = list(spec, "/containers");
    if containers.is_empty() {
        errors.push(FieldError::required(format!("{here}.containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for key in ["containers", "initContainers"] {
        for (index, one) in list(spec, &format!("/{key}")).iter().enumerate() {
            container(one, &format!("{here}.{key}[{index}]"), &volumes, &mut seen, errors);
        }
    }
    one_of(&spec["restartPolicy"], &format!("{here}.restartPolicy"), &["Always", "OnFailure", "Never"], errors);
    one_of(
        &spec["dnsPolicy"],
        &format!("{here}.dnsPolicy"),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
        errors,
    );
    if let Some(labels) = spec.get("nodeSelector").and_then(Value::as_object) {
        super::label_map(labels, &format!("{here}.nodeSelector"), errors);
    }
    for (member, rule) in [
        ("serviceAccountName", names::dns_subdomain as fn(&str) -> names::Complaints),
        ("nodeName", names::dns_subdomain),
        ("hostname", names::dns_label),
        ("subdomain", names::dns_label),
    ] {
        let name = text(spec, &format!("/{member}"));
        if !name.is_empty() {
            for complaint in rule(name) {
                errors.push(FieldError::invalid(format!("{here}.{member}"), &name.into(), &complaint));
            }
        }
    }
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_i64()
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = format!("must be between 1 and {}, inclusive", i32::MAX);
        errors.push(FieldError::invalid(format!("{here}.activeDeadlineSeconds"), &seconds.into(), &detail));
    }
}

fn container<'a>(container: &'a Value, here: &str, volumes: &[&str], seen: &mut Vec<&'a str>, errors: &mut Errors) {
    let at = |member: &str| format!("{here}.{member}");
    let name = text(container, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(at("name"), ""));
    } else {
        for complaint in names::dns_label(name) {
            errors.push(FieldError::invalid(at("name"), &name.into(), &complaint));
        }
    }
    if seen.contains(&name) {
        errors.push(FieldError::duplicate(at("name"), &name.into()));
    } else {
        seen.push(name);
    }
    let image = text(container, "/image");
    if image.is_empty() {
        errors.push(FieldError::required(at("image"), ""));
    } else if image.trim() != image {
        errors.push(FieldError::invalid(at("image"), &image.into(), "must not have leading or trailing whitespace"));
    }
    one_of(
        &container["terminationMessagePolicy"],
        &at("terminationMessagePolicy"),
        &["FallbackToLogsOnError", "File"],
        errors,
    );
    ports(container, here, errors);
    for (index, variable) in list(container, "/env").iter().enumerate() {
        environment(variable, &format!("{here}.env[{index}]"), errors);
    }
    mounts(container, here, volumes, errors);
    one_of(&container["imagePullPolicy"], &at("imagePullPolicy"), &["Always", "IfNotPresent", "Never"], errors);
}

fn ports(container: &Value, here: &str, errors: &mut Errors) {
    for (index, port) in list(container, "/ports").iter().enumerate() {
        let at = format!("{here}.ports[{index}]");
        match port["containerPort"].as_i64() {
            None => errors.push(FieldError::required(format!("{at}.containerPort"), "")),
            Some(number) if !(1..=65535).contains(&number) => {
                errors.push(FieldError::invalid(
                    format!("{at}.containerPort"),
                    &number.into(),
                    "must be between 1 and 65535, inclusive",
                ));
            }
            Some(_) => {}
        }
        one_of(&port["protocol"], &format!("{at}.protocol"), &["SCTP", "TCP", "UDP"], errors);
    }
}

fn environment(variable: &Value, at: &str, errors: &mut Errors) {
    let name = text(variable, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    }
    for complaint in names::env_name(name) {
        errors.push(FieldError::invalid(format!("{at}.name"), &name.into(), &complaint));
    }
    let Some(source) = variable.get("valueFrom") else {
        return;
    };
    let field = format!("{at}.valueFrom");
    if !text(variable, "/value").is_empty() {
        errors.push(FieldError::invalid(&field, &"".into(), "may not be specified when `value` is not empty"));
    }
    match source.as_object().map_or(0, object::Fields::len) {
        0 => errors.push(FieldError::invalid(
            &field,
            &"".into(),
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        )),
        1 => {}
        _ => {
            errors.push(FieldError::invalid(&field, &"".into(), "may not have more than one field specified at a time"))
        }
    }
}

fn mounts(container: &Value, here: &str, volumes: &[&str], errors: &mut Errors) {
    let mut paths: Vec<&str> = Vec::new();
    for (index, mount) in list(container, "/volumeMounts").iter().enumerate() {
        let at = format!("{here}.volumeMounts[{index}]");
        let (name, path) = (text(mount, "/name"), text(mount, "/mountPath"));
        if name.is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        }
        if path.is_empty() {
            errors.push(FieldError::required(format!("{at}.mountPath"), ""));
        }
        if !volumes.contains(&name) {
            errors.push(FieldError::not_found(format!("{at}.name"), &name.into()));
        }
        if paths.contains(&path) {
            errors.push(FieldError::invalid(format!("{at}.mountPath"), &path.into(), "must be unique"));
        }
        paths.push(path);
        let below = text(mount, "/subPath");
        if !below.is_empty() {
            volume::relative_path(below, &format!("{at}.subPath"), errors);
        }
    }
}

/// A running pod's spec is all but frozen.
pub(super) fn update(value: &Value, old: &Value, errors: &mut Errors) {
    for key in ["containers", "initContainers"] {
        for (index, container) in list(value, &format!("/spec/{key}")).iter().enumerate() {
            if text(container, "/image").trim().is_empty() {
                errors.push(FieldError::required(format!("spec.{key}[{index}].image"), ""));
            }
        }
    }
    if thawed(&value["spec"], &old["spec"]) != old["spec"] {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.push(FieldError::forbidden("spec", detail));
    }
}

/// The new spec with every change that is allowed undone.
fn thawed(new: &Value, old: &Value) -> Value {
    let mut spec = new.clone();
    for key in ["containers", "initContainers"] {
        let images: Vec<Option<Value>> =
            list(old, &format!("/{key}")).iter().map(|container| container.get("image").cloned()).collect();
        for (container, image) in spec.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().zip(images) {
            if let (Some(image), true) = (image, container.is_object()) {
                container["image"] = image;
            }
        }
    }
    let shrinks = match (new["activeDeadlineSeconds"].as_i64(), old["activeDeadlineSeconds"].as_i64()) {
        (Some(new), Some(old)) => new <= old,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if shrinks {
        object::carry(&mut spec, old, "activeDeadlineSeconds");
    }
    if list(old, "/tolerations").iter().all(|toleration| list(new, "/tolerations").contains(toleration)) {
        object::carry(&mut spec, old, "tolerations");
    }
    if old["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0)
        && new["terminationGracePeriodSeconds"] == 1
    {
        object::carry(&mut spec, old, "terminationGracePeriodSeconds");
    }
    spec
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::refusal;
    use super::*;

    fn with(spec: Value) -> String {
        let mut whole = json!({"containers": [{"name": "app", "image": "app:1"}]});
        json_patch::merge(&mut whole, &spec);
        refusal("pods", json!({"metadata": {"name": "p"}, "spec": whole}))
            .trim_start_matches("Pod \"p\" is invalid: ")
            .to_owned()
    }

    #[test]
    fn pods_are_refused_field_by_field() {
        let check = |spec: Value, expected: &str| assert_eq!(with(spec), expected);
        let app = |extra: Value| {
            let mut container = json!({"name": "app", "image": "app:1"});
            json_patch::merge(&mut container, &extra);
            json!({"containers": [container]})
        };
        let token = |seconds: i64| json!({"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": seconds}}]}}]});
        check(json!({}), "");
        check(json!({"containers": []}), "spec.containers: Required value");
        check(app(json!({"image": null})), "spec.containers[0].image: Required value");
        check(
            json!({"initContainers": [{"name": "app", "image": "x:1"}]}),
            r#"spec.initContainers[0].name: Duplicate value: "app""#,
        );
        check(
            app(json!({"volumeMounts": [{"name": "v", "mountPath": "/x"}]})),
            r#"spec.containers[0].volumeMounts[0].name: Not found: "v""#,
        );
        check(
            app(json!({"env": [{"name": "1=A"}]})),
            r#"spec.containers[0].env[0].name: Invalid value: "1=A": a valid environment variable name must consist only of printable ASCII characters other than '='"#,
        );
        check(
            app(json!({"imagePullPolicy": "Maybe"})),
            r#"spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never""#,
        );
        check(token(600), "");
        check(
            token(599),
            "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        );
        check(json!({"volumes": [{"name": "v"}, {"name": "v"}]}), r#"spec.volumes[1].name: Duplicate value: "v""#);
    }

    #[test]
    fn only_a_few_fields_of_a_pod_can_change() {
        let old = json!({"spec": {"containers": [{"name": "a", "image": "x:1"}], "tolerations": [{"key": "k"}], "serviceAccountName": "default"}});
        let check = |change: Value, allowed: bool| {
            let mut value = old.clone();
            json_patch::merge(&mut value, &change);
            let mut errors = Errors::new();
            update(&value, &old, &mut errors);
            assert_eq!(errors.is_empty(), allowed, "{change}");
        };
        check(json!({"spec": {"containers": [{"name": "a", "image": "x:2"}]}}), true);
        check(json!({"spec": {"containers": [{"name": "b", "image": "x:1"}]}}), false);
        check(json!({"spec": {"tolerations": [{"key": "k"}, {"key": "l"}]}}), true);
        check(json!({"spec": {"tolerations": [{"key": "l"}]}}), false);
        check(json!({"spec": {"activeDeadlineSeconds": 5}}), true);
        check(json!({"spec": {"serviceAccountName": "web"}}), false);
    }
}
