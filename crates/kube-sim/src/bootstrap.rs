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
use crate::{defaults, rbac, strategy};

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
        put(
            api,
            tx,
            resources::core("services"),
            "default",
            "kubernetes",
            json!({"spec": {"clusterIP": "10.96.0.1", "ports": [port]}}),
        );
        let cluster_roles = resources::known(RBAC, "clusterroles");
        for (name, rules) in roles() {
            let mut role = json!({"rules": rules});
            if let Some(target) = name.strip_prefix("system:aggregate-to-") {
                role["metadata"] = json!({"labels": {aggregate_to(target): "true"}});
            }
            put(api, tx, cluster_roles, "", name, role);
        }
        // Each of the three contains the next.
        for (name, container) in [("admin", None), ("edit", Some("admin")), ("view", Some("edit"))] {
            let selector = json!({"matchLabels": {aggregate_to(name): "true"}});
            let mut role = json!({"aggregationRule": {"clusterRoleSelectors": [selector]}, "rules": null});
            if let Some(container) = container {
                role["metadata"] = json!({"labels": {aggregate_to(container): "true"}});
            }
            put(api, tx, cluster_roles, "", name, role);
        }
        if api.has_controllers {
            rbac::aggregation::settle(tx);
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

fn aggregate_to(role: &str) -> String {
    format!("rbac.authorization.k8s.io/aggregate-to-{role}")
}

const READ: &str = "get,list,watch";
const WRITE: &str = "create,delete,deletecollection,patch,update";

/// Groups, resources and verbs a line, as the real server's bootstrap policy has them.
const VIEW: &[(&str, &str, &str)] = &[
    (
        "",
        "configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status",
        READ,
    ),
    (
        "",
        "bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status",
        READ,
    ),
    ("", "namespaces", READ),
    ("discovery.k8s.io", "endpointslices", READ),
    (
        "apps",
        "controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status",
        READ,
    ),
    ("autoscaling", "horizontalpodautoscalers,horizontalpodautoscalers/status", READ),
    ("batch", "cronjobs,cronjobs/status,jobs,jobs/status", READ),
    ("policy", "poddisruptionbudgets,poddisruptionbudgets/status", READ),
    ("networking.k8s.io", "ingresses,ingresses/status,networkpolicies", READ),
];

const EDIT: &[(&str, &str, &str)] = &[
    ("", "pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy", READ),
    ("", "serviceaccounts", "impersonate"),
    ("", "pods,pods/attach,pods/exec,pods/portforward,pods/proxy", WRITE),
    ("", "pods/eviction", "create"),
    (
        "",
        "configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy",
        WRITE,
    ),
    ("", "serviceaccounts/token", "create"),
    (
        "apps",
        "daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale",
        WRITE,
    ),
    ("autoscaling", "horizontalpodautoscalers", WRITE),
    ("batch", "cronjobs,jobs", WRITE),
    ("policy", "poddisruptionbudgets", WRITE),
    ("networking.k8s.io", "ingresses,networkpolicies", WRITE),
    ("coordination.k8s.io", "leases", "create,delete,deletecollection,get,list,patch,update,watch"),
];

const ADMIN: &[(&str, &str, &str)] = &[
    ("authorization.k8s.io", "localsubjectaccessreviews", "create"),
    ("rbac.authorization.k8s.io", "rolebindings,roles", "create,delete,deletecollection,get,list,patch,update,watch"),
];

fn rules(lines: &[(&str, &str, &str)]) -> Value {
    let words = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    lines
        .iter()
        .map(|(group, resources, verbs)| json!({"apiGroups": [group], "resources": words(resources), "verbs": words(verbs)}))
        .collect()
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
    let paths = |urls: &[&str]| json!({"nonResourceURLs": urls, "verbs": ["get"]});
    vec![
        (
            "cluster-admin",
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]),
        ),
        ("system:aggregate-to-admin", rules(ADMIN)),
        ("system:aggregate-to-edit", rules(EDIT)),
        ("system:aggregate-to-view", rules(VIEW)),
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
