//! What a cluster holds when it starts: system namespaces, the default roles, priority classes.
//!
//! The roles are those that decide about discovery and about the names that manifests refer to; a real server has some sixty more
//! for controllers that do not run here.

use serde_json::{Value, json};

use crate::api::Api;
use crate::lifecycle;
use crate::object;
use crate::resources::{self, Resource};
use crate::store::{Key, Transaction};
use crate::{defaults, strategy};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Fills a new store.
pub(crate) fn fill(api: &Api) {
    api.store.change(|tx| {
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            put(api, tx, resources::core("namespaces"), "", name, json!({}));
            if api.has_controllers {
                lifecycle::furnish(api, tx, name);
            }
        }
        let port = json!({"name": "https", "port": 443, "protocol": "TCP", "targetPort": api.addr.port()});
        put(api, tx, resources::core("services"), "default", "kubernetes", json!({"spec": {"ports": [port]}}));
        for (name, rules) in roles() {
            put(api, tx, resources::known(RBAC, "clusterroles"), "", name, json!({"rules": rules}));
        }
        for (name, groups) in [
            ("cluster-admin", &["system:masters"][..]),
            ("system:discovery", &["system:authenticated"]),
            ("system:basic-user", &["system:authenticated"]),
            ("system:public-info-viewer", &["system:authenticated", "system:unauthenticated"]),
            ("system:service-account-issuer-discovery", &["system:serviceaccounts"]),
        ] {
            let subjects: Vec<Value> =
                groups.iter().map(|group| json!({"kind": "Group", "apiGroup": RBAC, "name": group})).collect();
            let binding =
                json!({"subjects": subjects, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}});
            put(api, tx, resources::known(RBAC, "clusterrolebindings"), "", name, binding);
        }
        for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)] {
            let class = json!({"value": value, "preemptionPolicy": "PreemptLowerPriority"});
            put(api, tx, resources::known("scheduling.k8s.io", "priorityclasses"), "", name, class);
        }
    });
}

fn put(
    api: &Api,
    tx: &mut Transaction<'_>,
    resource: &'static Resource,
    namespace: &str,
    name: &str,
    mut value: Value,
) {
    let metadata = object::metadata(&mut value);
    metadata.insert("name".into(), name.into());
    if !namespace.is_empty() {
        metadata.insert("namespace".into(), namespace.into());
    }
    metadata.insert("uid".into(), object::new_uid().into());
    metadata.insert("creationTimestamp".into(), api.now().into());
    defaults::apply(resource, &mut value);
    strategy::prepare_create(resource, &mut value);
    tx.put(Key::new(resource, namespace, name), value);
}

fn roles() -> Vec<(&'static str, Value)> {
    let all = |verbs: &[&str]| json!({"apiGroups": [""], "resources": ["configmaps", "endpoints", "events", "pods", "pods/log", "pods/status", "serviceaccounts", "services"], "verbs": verbs});
    let apps = |verbs: &[&str]| json!({"apiGroups": ["apps", "batch"], "resources": ["*"], "verbs": verbs});
    let (read, write) = (
        &["get", "list", "watch"][..],
        &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"][..],
    );
    let secrets = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": write});
    let tokens = json!({"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]});
    let roles = json!({"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": write});
    let paths = |urls: &[&str]| json!({"nonResourceURLs": urls, "verbs": ["get"]});
    vec![
        (
            "cluster-admin",
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]),
        ),
        ("admin", json!([all(write), apps(write), secrets, tokens, roles])),
        ("edit", json!([all(write), apps(write), secrets, tokens])),
        ("view", json!([all(read), apps(read)])),
        (
            "system:discovery",
            json!([paths(&[
                "/api",
                "/api/*",
                "/apis",
                "/apis/*",
                "/healthz",
                "/livez",
                "/openapi",
                "/openapi/*",
                "/readyz",
                "/version",
                "/version/"
            ])]),
        ),
        ("system:public-info-viewer", json!([paths(&["/healthz", "/livez", "/readyz", "/version", "/version/"])])),
        (
            "system:basic-user",
            json!([
                {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], "verbs": ["create"]},
                {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
            ]),
        ),
        (
            "system:service-account-issuer-discovery",
            json!([paths(&[
                "/.well-known/openid-configuration",
                "/.well-known/openid-configuration/",
                "/openid/v1/jwks",
                "/openid/v1/jwks/"
            ])]),
        ),
    ]
}
