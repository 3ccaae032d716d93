//! The patch itself: operations, order, shape.

use super::*;

/// A line an operation: what, where, and the names of what is put there.
fn outline(config: &Config, pod: &Value) -> String {
    let ops = ops(mutate(config, pod, Some(&reader())));
    let line = |op: &PatchOp| {
        let what = match &op.value {
            Value::Array(_) => names(&op.value).join(" "),
            value => value["name"].as_str().unwrap_or("-").to_owned(),
        };
        format!("{} {} {what}", op.op, op.path)
    };
    ops.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn makes_lists_that_are_absent() {
    insta::assert_snapshot!(outline(&chart(Layout::V1_5), &mk_pod(json!({}))), @"
    add /spec/containers/0/env AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_FEDERATED_TOKEN_FILE AZURE_AUTHORITY_HOST
    add /spec/containers/0/volumeMounts azure-identity-token
    add /spec/volumes azure-identity-token
    ");
}

#[test]
fn adds_to_lists_that_are_there_and_counts_before_the_proxies_move_them() {
    let mut pod = mk_pod(annotated(&[("inject-proxy-sidecar", ""), ("skip-containers", "side")]));
    pod["spec"]["initContainers"] = json!([{"name": "init", "env": [{"name": "A"}, {"name": "AZURE_CLIENT_ID"}]}]);
    pod["spec"]["containers"] = json!([{"name": "side"}, {"name": "app", "volumeMounts": [{"name": "data"}]}]);
    pod["spec"]["volumes"] = json!([{"name": "data"}]);
    insta::assert_snapshot!(outline(&chart(Layout::V1_6), &pod), @"
    add /spec/initContainers/0/env/2 AZURE_TENANT_ID
    add /spec/initContainers/0/env/3 AZURE_FEDERATED_TOKEN_FILE
    add /spec/initContainers/0/env/4 AZURE_AUTHORITY_HOST
    add /spec/initContainers/0/volumeMounts azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    add /spec/containers/1/env AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_FEDERATED_TOKEN_FILE AZURE_AUTHORITY_HOST
    add /spec/containers/1/volumeMounts/1 azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    add /spec/initContainers/1 azwi-proxy-init
    add /spec/initContainers/0 azwi-proxy
    add /spec/volumes/1 azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    ");
    let classic = chart(Layout::V1_6).on_server("v1.30.0").expect("version");
    insta::assert_snapshot!(outline(&classic, &pod), @"
    add /spec/initContainers/0/env/2 AZURE_TENANT_ID
    add /spec/initContainers/0/env/3 AZURE_FEDERATED_TOKEN_FILE
    add /spec/initContainers/0/env/4 AZURE_AUTHORITY_HOST
    add /spec/initContainers/0/volumeMounts azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    add /spec/containers/1/env AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_FEDERATED_TOKEN_FILE AZURE_AUTHORITY_HOST
    add /spec/containers/1/volumeMounts/1 azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    add /spec/initContainers/1 azwi-proxy-init
    add /spec/containers/0 azwi-proxy
    add /spec/volumes/1 azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    ");
}

#[test]
fn replaces_only_what_differs() {
    let mut pod = mutated(&chart(Layout::V1_6), &mk_pod(json!({})), &reader());
    pod["spec"]["containers"][0]["volumeMounts"][0]["subPath"] = json!("x");
    pod["spec"]["volumes"][0]["projected"]["defaultMode"] = json!(420);
    insta::assert_snapshot!(outline(&chart(Layout::V1_6), &pod), @"
    replace /spec/containers/0/volumeMounts/0 azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    replace /spec/volumes/0 azure-workload-identity-reserved-4b5e57f6eb2f42b9039b3d1e139292
    ");
}

#[test]
fn sends_none_for_a_pod_that_has_everything() {
    for layout in LAYOUTS {
        let pod = mutated(&chart(layout), &mk_pod(json!({})), &reader());
        assert_eq!(mutate(&chart(layout), &pod, Some(&reader())), Ok(Mutation::Unchanged));
    }
}
