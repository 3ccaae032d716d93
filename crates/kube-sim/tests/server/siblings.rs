//! Calls like the recorded ones, with the answers that the real server's source gives: one table a subject.

use serde_json::{Value, json};

use crate::support::Cluster;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1";

/// Sends a call and checks status and message; a message may be a part of it.
async fn check(cluster: &Cluster, method: &str, path: &str, body: Value, status: u16, message: &str) -> Value {
    let (code, answer) = cluster.send(method, path, (!body.is_null()).then_some(body)).await;
    let found = answer["message"].as_str().unwrap_or_default();
    assert!(code == status && found.contains(message), "{method} {path}: {code} {answer}");
    answer
}

#[tokio::test]
async fn reviews_of_access_are_refused_field_by_field() {
    let cluster = Cluster::start_bare().await;
    let pods = json!({"verb": "get", "resource": "pods"});
    let post = async |plural: &str, body: Value, status: u16, message: &str| {
        check(&cluster, "POST", &format!("{REVIEWS}/{plural}"), body, status, message).await
    };
    let none = "spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or resourceAttributes must be specified";
    post("subjectaccessreviews", json!({"spec": {}}), 422, none).await;
    let user = r#"spec.user: Invalid value: "": at least one of user or group must be specified"#;
    post("subjectaccessreviews", json!({"spec": {"resourceAttributes": pods}}), 422, user).await;
    let both = json!({"spec": {"resourceAttributes": pods, "nonResourceAttributes": {"path": "/"}}});
    let words = "spec.nonResourceAttributes: Invalid value: {\"path\":\"/\"}: cannot be specified in combination with resourceAttributes";
    post("selfsubjectaccessreviews", both, 422, words).await;
    let named = json!({"metadata": {"name": "x"}, "spec": {"resourceAttributes": pods}});
    post("selfsubjectaccessreviews", named, 422, "metadata: Invalid value: {\"name\":\"x\"}: must be empty").await;
    let local = json!({"spec": {"user": "x", "resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}}});
    let words = r#"spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace"#;
    post("namespaces/default/localsubjectaccessreviews", local.clone(), 422, words).await;
    let mut fine = local;
    fine["metadata"] = json!({"namespace": "default"});
    let answer = post("namespaces/default/localsubjectaccessreviews", fine, 201, "").await;
    assert_eq!(answer["status"], json!({"allowed": false}));
    // A verb of one's own is held by who has a rule for it.
    let role = json!({"metadata": {"name": "baker"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["bake"]}]});
    check(&cluster, "POST", &format!("{RBAC}/clusterroles"), role, 201, "").await;
    let binding = json!({"metadata": {"name": "baker"}, "roleRef": {"kind": "ClusterRole", "name": "baker"}, "subjects": [{"kind": "User", "name": "ann"}]});
    check(&cluster, "POST", &format!("{RBAC}/clusterrolebindings"), binding, 201, "").await;
    for (verb, allowed) in [("bake", true), ("fry", false)] {
        let body = json!({"spec": {"user": "ann", "resourceAttributes": {"verb": verb, "resource": "pods"}}});
        assert_eq!(post("subjectaccessreviews", body, 201, "").await["status"]["allowed"], allowed, "{verb}");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn nobody_grants_more_than_they_hold() {
    let cluster = Cluster::start().await;
    let rules = json!([
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create", "update", "get", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    ]);
    let role = json!({"metadata": {"name": "writer"}, "rules": rules});
    check(&cluster, "POST", &format!("{RBAC}/namespaces/default/roles"), role, 201, "").await;
    let subjects = json!([{"kind": "ServiceAccount", "name": "default"}]);
    let binding =
        json!({"metadata": {"name": "writer"}, "roleRef": {"kind": "Role", "name": "writer"}, "subjects": subjects});
    check(&cluster, "POST", &format!("{RBAC}/namespaces/default/rolebindings"), binding, 201, "").await;
    let token =
        check(&cluster, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", json!({}), 201, "").await;
    let token = token["status"]["token"].as_str().expect("a token").to_owned();
    let send = async |method: &str, path: &str, body: Value| {
        let (code, answer) =
            cluster.send_as(Some(&token), method, &format!("{RBAC}/namespaces/default/{path}"), Some(body)).await;
        (code, answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let role = |verbs: &[&str]| json!({"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]});
    assert_eq!(send("POST", "roles", role(&["get"])).await.0, 201);
    let words = "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"system:serviceaccount:default:default\" (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:default\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\" \"list\"]}";
    assert_eq!(send("PUT", "roles/r", role(&["get", "delete", "list"])).await, (403, words.to_owned()));
    let binding = |role: &str| json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects});
    let (code, message) = send("POST", "rolebindings", binding("cluster-admin")).await;
    assert!(code == 403 && message.ends_with("{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"), "{code} {message}");
    let missing = r#"clusterrole.rbac.authorization.k8s.io "none" not found"#;
    assert_eq!(send("POST", "rolebindings", binding("none")).await, (404, missing.to_owned()));
    // Who may not create does not create by an update either.
    let (code, message) = cluster
        .send_as(Some(&token), "PUT", &format!("{RBAC}/clusterroles/c"), Some(json!({"metadata": {"name": "c"}})))
        .await;
    assert_eq!(code, 403, "{message}");
    cluster.stop().await;
}

#[tokio::test]
async fn some_kinds_come_into_being_by_an_update() {
    let cluster = Cluster::start().await;
    let put = async |path: &str, body: Value, status: u16| check(&cluster, "PUT", path, body, status, "").await;
    put(&format!("{RBAC}/namespaces/default/roles/r"), json!({"metadata": {"name": "r"}}), 201).await;
    put(&format!("{RBAC}/namespaces/default/roles/r"), json!({"metadata": {"name": "r"}}), 200).await;
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    let first = put("/api/v1/namespaces/default/services/s", service.clone(), 201).await;
    let again = put("/api/v1/namespaces/default/services/s", service, 200).await;
    assert_eq!(first["spec"]["clusterIP"], again["spec"]["clusterIP"]);
    assert!(first["spec"]["clusterIP"].as_str().is_some_and(|address| address.starts_with("10.")), "{first}");
    put("/api/v1/namespaces/default/configmaps/c", json!({"metadata": {"name": "c"}}), 404).await;
    cluster.stop().await;
}

#[tokio::test]
async fn yaml_is_taken_and_given() {
    let cluster = Cluster::start().await;
    let body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n".to_vec();
    let (code, answer) =
        cluster.send_raw("POST", "/api/v1/namespaces/default/configmaps", "application/yaml", body).await;
    assert_eq!((code, &answer["data"]), (201, &json!({"a": "b"})));
    let (code, answer) =
        cluster.send_raw("POST", "/api/v1/namespaces/default/configmaps", "application/yaml", b"a: [".to_vec()).await;
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(
        code == 400
            && message.starts_with(
                "the object provided is unrecognized (must be of type ConfigMap): error converting YAML to JSON: yaml: "
            ),
        "{code} {message}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn evictions_ask_the_budget() {
    let cluster = Cluster::start().await;
    let pods = "/api/v1/namespaces/default/pods";
    for name in ["a", "b"] {
        let pod = json!({"metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}});
        check(&cluster, "POST", pods, pod, 201, "").await;
        let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        let path = format!("{pods}/{name}/status");
        let media = "application/merge-patch+json";
        assert_eq!(cluster.send_raw("PATCH", &path, media, status.to_string().into_bytes()).await.0, 200);
    }
    let budget =
        json!({"metadata": {"name": "one"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    check(&cluster, "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget, 201, "").await;
    let evict = async |name: &str, body: Value, status: u16, message: &str| {
        check(&cluster, "POST", &format!("{pods}/{name}/eviction"), body, status, message).await
    };
    evict("a", json!({}), 400, "name in URL does not match name in Eviction object").await;
    evict("a", json!({"metadata": {"name": "a"}}), 201, "").await;
    let words = "Cannot evict pod as it would violate the pod's disruption budget.";
    let refused = evict("b", json!({"metadata": {"name": "b"}}), 429, words).await;
    assert_eq!(
        refused["details"]["causes"],
        json!([{"reason": "DisruptionBudget", "message": "The disruption budget one needs 1 healthy pods and has 1 currently"}])
    );
    check(&cluster, "POST", &format!("{pods}/b/exec?command=ls"), json!({}), 501, "pods/exec is not served").await;
    cluster.stop().await;
}

#[tokio::test]
async fn parameters_that_are_no_numbers_are_refused() {
    let cluster = Cluster::start_bare().await;
    for (path, message) in [
        ("/api/v1/pods?limit=x", r#"strconv.ParseInt: parsing "x": invalid syntax"#),
        ("/api/v1/pods?watch=1&timeoutSeconds=1s", r#"strconv.ParseInt: parsing "1s": invalid syntax"#),
        (
            "/api/v1/pods?limit=99999999999999999999",
            r#"strconv.ParseInt: parsing "99999999999999999999": value out of range"#,
        ),
    ] {
        check(&cluster, "GET", path, Value::Null, 400, message).await;
    }
    let future = "/api/v1/namespaces/default?resourceVersion=999999";
    check(&cluster, "GET", future, Value::Null, 504, "Timeout: Too large resource version: 999999, current: ").await;
    cluster.stop().await;
}
