//! Reinvocation: an API server may call a webhook again on what it has made of a pod.

use super::*;

/// One pod for every combination of what the webhook looks at.
fn pods() -> impl Iterator<Item = Value> {
    (0..1_u32 << 9).map(|bits| {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let mut env = Vec::new();
        for (bit, name) in [(0, "AWS_ROLE_ARN"), (1, "AWS_REGION"), (2, "AWS_STS_REGIONAL_ENDPOINTS")] {
            if has(bit) {
                env.push(json!({"name": name, "value": "mine"}));
            }
        }
        let mut app = json!({"name": "app", "env": env});
        if has(3) {
            app["volumeMounts"] = json!([{"name": "aws-iam-token", "mountPath": "/mine"}]);
        }
        let mut pod = mk_pod(json!({"spec": {"containers": [app, {"name": "side", "image": "side:1"}]}}));
        if has(4) {
            pod["spec"]["volumes"] = json!([{"name": "data"}]);
        }
        if has(5) {
            pod["spec"]["initContainers"] = json!([{"name": "init", "readinessProbe": {"grpc": {"port": 1}}}]);
        }
        if has(6) {
            pod["metadata"]["annotations"] = json!({"eks.amazonaws.com/skip-containers": "side,init"});
        }
        if has(7) {
            pod["metadata"]["labels"] = json!({"app": "web"});
        }
        if has(8) {
            pod["spec"]["nodeSelector"] = json!({"kubernetes.io/os": "windows"});
        }
        pod
    })
}

#[test]
fn mutating_twice_is_mutating_once() {
    let irsa = Sources::default();
    for config in [Config::bare(), chart("eu-central-1")] {
        for sources in [&irsa, &pod_identity()] {
            for pod in pods() {
                let mutate = |pod: &Value| {
                    let mutation = mutate(&config, sources, "shop", pod, Some(&reader()), &Lowest);
                    apply(pod, &ops(mutation.expect("must be a pod")))
                };
                let once = mutate(&pod);
                assert_eq!(mutate(&once), once, "{pod}");
                assert_ne!(once, pod, "the first call must do something");
            }
        }
    }
}

#[test]
fn gives_a_container_that_came_later_what_the_others_have() {
    let config = chart("eu-central-1");
    let mutate = |pod: &Value| {
        apply(pod, &ops(mutate(&config, &Sources::default(), "shop", pod, Some(&reader()), &Lowest).expect("pod")))
    };
    let first = mutate(&mk_pod(json!({})));
    let proxied = apply(&first, &[crate::PatchOp::add("/spec/containers/-", json!({"name": "proxy"}))]);
    let second = mutate(&proxied);
    assert_eq!(second["spec"]["containers"][1]["env"], second["spec"]["containers"][0]["env"]);
    assert_eq!(second["spec"]["containers"][0], first["spec"]["containers"][0]);
    assert_eq!(second["spec"]["volumes"], first["spec"]["volumes"]);
}
