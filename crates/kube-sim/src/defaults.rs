//! What the server fills in when it decodes an object: the defaults of each kind, before admission sees it.
//!
//! Applied again after every webhook's patch, as the real server does. Pure.

mod workload;

use serde_json::{Value, json};

use crate::object::{self, Fields, default, section};
use crate::resources::Resource;

/// Fills in the defaults of a kind.
pub(crate) fn apply(resource: &Resource, value: &mut Value) {
    if resource.custom.is_some() {
        return;
    }
    match (resource.group, resource.plural) {
        ("", "pods") => pod(value),
        ("", "secrets") => default(object::fields(value), "type", "Opaque"),
        ("", "namespaces") => namespace(value),
        ("", "services") => service(value),
        ("apps" | "batch", _) => workload::apply(resource.kind, value),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations") => webhooks(value, true),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations") => webhooks(value, false),
        ("apiextensions.k8s.io", "customresourcedefinitions") => definition(value),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => binding(value),
        ("scheduling.k8s.io", "priorityclasses") => {
            default(object::fields(value), "preemptionPolicy", "PreemptLowerPriority");
        }
        _ => {}
    }
}

fn namespace(value: &mut Value) {
    let name = object::name(value).to_owned();
    let metadata = object::metadata(value);
    if !name.is_empty() {
        object::fields(metadata.entry("labels").or_insert_with(|| json!({})))
            .insert("kubernetes.io/metadata.name".into(), name.into());
    }
}

fn service(value: &mut Value) {
    let spec = section(value, "spec");
    default(spec, "sessionAffinity", "None");
    default(spec, "type", "ClusterIP");
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if ["ClusterIP", "LoadBalancer", "NodePort"].contains(&kind.as_str()) {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if ["LoadBalancer", "NodePort"].contains(&kind.as_str()) {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    for port in items(spec, "ports") {
        default(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            default(port, "targetPort", number);
        }
    }
}

fn definition(value: &mut Value) {
    let spec = section(value, "spec");
    let conversion = object::fields(spec.entry("conversion").or_insert_with(|| json!({})));
    default(conversion, "strategy", "None");
    let names = object::fields(spec.entry("names").or_insert_with(|| json!({})));
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    default(names, "singular", kind.to_lowercase());
    default(names, "listKind", format!("{kind}List"));
}

fn binding(value: &mut Value) {
    default(section(value, "roleRef"), "apiGroup", "rbac.authorization.k8s.io");
    for subject in items(object::fields(value), "subjects") {
        if subject.get("kind").and_then(Value::as_str) != Some("ServiceAccount") {
            default(subject, "apiGroup", "rbac.authorization.k8s.io");
        }
    }
}

fn webhooks(value: &mut Value, mutating: bool) {
    for webhook in items(object::fields(value), "webhooks") {
        default(webhook, "failurePolicy", "Fail");
        default(webhook, "matchPolicy", "Equivalent");
        default(webhook, "namespaceSelector", json!({}));
        default(webhook, "objectSelector", json!({}));
        default(webhook, "timeoutSeconds", 10);
        if mutating {
            default(webhook, "reinvocationPolicy", "Never");
        }
        for rule in items(webhook, "rules") {
            default(rule, "scope", "*");
        }
        if let Some(Value::Object(service)) =
            webhook.get_mut("clientConfig").and_then(|client| client.get_mut("service"))
        {
            default(service, "port", 443);
        }
    }
}

fn pod(value: &mut Value) {
    let spec = section(value, "spec");
    pod_spec(spec);
    default(spec, "enableServiceLinks", true);
    let class = quality(spec);
    let status = section(value, "status");
    default(status, "phase", "Pending");
    default(status, "qosClass", class);
}

fn pod_spec(spec: &mut Fields) {
    for (key, text) in
        [("restartPolicy", "Always"), ("dnsPolicy", "ClusterFirst"), ("schedulerName", "default-scheduler")]
    {
        default(spec, key, text);
    }
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "securityContext", json!({}));
    // The deprecated spelling is kept in step with the new one.
    if let Some(account) = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned() {
        spec.insert("serviceAccountName".into(), account.clone());
        spec.insert("serviceAccount".into(), account);
    }
    for key in ["initContainers", "containers"] {
        items(spec, key).for_each(container);
    }
    items(spec, "volumes").for_each(volume);
}

fn container(container: &mut Fields) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    for (key, text) in [
        ("imagePullPolicy", policy),
        ("terminationMessagePath", "/dev/termination-log"),
        ("terminationMessagePolicy", "File"),
    ] {
        default(container, key, text);
    }
    default(container, "resources", json!({}));
    for port in items(container, "ports") {
        default(port, "protocol", "TCP");
    }
    for variable in items(container, "env") {
        if let Some(Value::Object(field)) = variable.get_mut("valueFrom").and_then(|source| source.get_mut("fieldRef"))
        {
            default(field, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(Value::Object(probe)) = container.get_mut(name) {
            for (key, number) in
                [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
            {
                default(probe, key, number);
            }
            handler(probe);
        }
    }
    if let Some(Value::Object(lifecycle)) = container.get_mut("lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(Value::Object(hook)) = lifecycle.get_mut(name) {
                handler(hook);
            }
        }
    }
}

/// How a probe or a hook asks. A null is an absent member, as everywhere.
fn handler(handler: &mut Fields) {
    let mut complete = |kind: &str, members: &[(&str, &str)]| {
        if let Some(Value::Object(action)) = handler.get_mut(kind) {
            for (key, text) in members {
                if action.get(*key).is_none_or(Value::is_null) {
                    action.insert((*key).to_owned(), (*text).into());
                }
            }
        }
    };
    complete("httpGet", &[("path", "/"), ("scheme", "HTTP")]);
    complete("grpc", &[("service", "")]);
}

/// A reference without digest whose tag is `latest` or absent.
fn is_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    !image.is_empty() && !image.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn volume(volume: &mut Fields) {
    if volume.len() == 1 {
        // A volume without a source is an empty directory.
        volume.insert("emptyDir".into(), json!({}));
    }
    for key in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(Value::Object(source)) = volume.get_mut(key) {
            default(source, "defaultMode", 420);
            if key == "downwardAPI" {
                items(source, "items").for_each(field_file);
            }
        }
    }
    if let Some(Value::Object(projected)) = volume.get_mut("projected") {
        for source in items(projected, "sources") {
            if let Some(Value::Object(token)) = source.get_mut("serviceAccountToken") {
                default(token, "expirationSeconds", 3600);
            }
            if let Some(Value::Object(downward)) = source.get_mut("downwardAPI") {
                items(downward, "items").for_each(field_file);
            }
        }
    }
}

fn field_file(file: &mut Fields) {
    if let Some(Value::Object(field)) = file.get_mut("fieldRef") {
        default(field, "apiVersion", "v1");
    }
}

/// Quality of service: by what the containers ask for and are limited to.
fn quality(spec: &Fields) -> &'static str {
    let containers = ["initContainers", "containers"].into_iter().filter_map(|key| spec.get(key)?.as_array()).flatten();
    let (mut any, mut all) = (false, true);
    for container in containers {
        let limits = container.pointer("/resources/limits").and_then(Value::as_object);
        let requests = container.pointer("/resources/requests").and_then(Value::as_object);
        for key in ["cpu", "memory"] {
            let limit = limits.and_then(|limits| limits.get(key));
            let request = requests.and_then(|requests| requests.get(key));
            any |= limit.is_some() || request.is_some();
            all &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        _ => "Burstable",
    }
}

/// The objects of a list member.
fn items<'a>(fields: &'a mut Fields, key: &str) -> impl Iterator<Item = &'a mut Fields> {
    fields.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources;

    #[test]
    fn pull_policy_follows_the_tag() {
        let check = |image: &str, expected| assert_eq!(is_latest(image), expected, "{image}");
        check("app:1", false);
        check("app", true);
        check("registry:5000/app", true);
        check("registry:5000/app:2", false);
        check("app:latest", true);
        check("app@sha256:00", false);
    }

    #[test]
    fn quality_of_service_is_derived_from_resources() {
        let check = |resources: Value, expected: &str| {
            let mut value = json!({"spec": {"containers": [{"name": "a", "image": "x:1", "resources": resources}]}});
            apply(resources::core("pods"), &mut value);
            assert_eq!(value["status"]["qosClass"], expected, "{value}");
        };
        check(json!({}), "BestEffort");
        check(json!({"requests": {"cpu": "1"}}), "Burstable");
        check(json!({"limits": {"cpu": "1", "memory": "1Gi"}}), "Guaranteed");
        check(json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}), "Burstable");
    }

    #[test]
    fn probes_and_hooks_are_completed() {
        let check = |member: &str, given: Value, expected: Value| {
            let mut value = json!({"spec": {"containers": [{"name": "a", "image": "x:1", member: given}]}});
            apply(resources::core("pods"), &mut value);
            assert_eq!(value["spec"]["containers"][0][member], expected);
        };
        let probe = |action: Value| {
            let mut probe =
                json!({"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
            json_patch::merge(&mut probe, &action);
            probe
        };
        for service in [json!({"port": 1}), json!({"port": 1, "service": null}), json!({"port": 1, "service": ""})] {
            check("livenessProbe", json!({"grpc": service}), probe(json!({"grpc": {"port": 1, "service": ""}})));
        }
        let http = json!({"httpGet": {"port": 1, "path": "/", "scheme": "HTTP"}});
        check("startupProbe", json!({"httpGet": {"port": 1}}), probe(http.clone()));
        check("lifecycle", json!({"preStop": {"httpGet": {"port": 1}}}), json!({"preStop": http}));
        let own = json!({"httpGet": {"port": 1, "path": "/ready", "scheme": "HTTPS"}});
        check("readinessProbe", own.clone(), probe(own));
    }

    #[test]
    fn defaults_do_not_change_what_is_there() {
        let mut value = json!({"spec": {"restartPolicy": "Never", "volumes": [{"name": "t", "projected": {"defaultMode": 256, "sources": [{"serviceAccountToken": {"path": "t"}}]}}],
            "containers": [{"name": "a", "image": "x:1"}]}});
        apply(resources::core("pods"), &mut value);
        let once = value.clone();
        apply(resources::core("pods"), &mut value);
        assert_eq!(value, once);
        assert_eq!(value["spec"]["restartPolicy"], "Never");
        assert_eq!(value["spec"]["volumes"][0]["projected"]["defaultMode"], 256);
        assert_eq!(
            value["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"],
            3600
        );
    }
}
