//! The proxy sidecar.

use super::*;

fn asking(more: &[(&str, &str)]) -> Value {
    let mut annotations = vec![("inject-proxy-sidecar", "true")];
    annotations.extend(more);
    annotated(&annotations)
}

fn classic() -> Config {
    chart(Layout::V1_5).on_server("v1.31.4").expect("must be a version")
}

fn init_and_app(overlay: Value) -> Value {
    let mut pod = mk_pod(overlay);
    pod["spec"]["initContainers"] = json!([{"name": "init"}]);
    pod
}

#[test]
fn stands_around_the_users_init_containers_from_1_32_on_and_beside_the_containers_before() {
    let check = |config: &Config, pod: &Value, init: &[&str], containers: &[&str]| {
        let pod = mutated(config, pod, &reader());
        assert_eq!(names(&pod["spec"]["initContainers"]), init);
        assert_eq!(names(&pod["spec"]["containers"]), containers);
    };
    let native = chart(Layout::V1_6);
    let plain = mk_pod(asking(&[]));
    let with_init = init_and_app(asking(&[]));
    check(&native, &plain, &["azwi-proxy", "azwi-proxy-init"], &["app"]);
    check(&native, &with_init, &["azwi-proxy", "init", "azwi-proxy-init"], &["app"]);
    check(&classic(), &plain, &["azwi-proxy-init"], &["azwi-proxy", "app"]);
    check(&classic(), &with_init, &["init", "azwi-proxy-init"], &["azwi-proxy", "app"]);
}

#[test]
fn is_injected_as_any_container_and_hardened() {
    let pod = mutated(&chart(Layout::V1_6), &mk_pod(asking(&[("proxy-sidecar-port", "9000")])), &reader());
    let env = pod["spec"]["containers"][0]["env"].clone();
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].clone();
    assert_eq!(names(&env).len(), 4);
    let mut init_env = vec![json!({"name": "PROXY_PORT", "value": "9000"})];
    init_env.extend(env.as_array().expect("env").clone());
    let registry = "mcr.microsoft.com/oss/azure/workload-identity";
    assert_eq!(
        pod["spec"]["initContainers"],
        json!([
            {
                "name": "azwi-proxy",
                "image": format!("{registry}/proxy:v1.6.0"),
                "imagePullPolicy": "IfNotPresent",
                "args": ["--proxy-port=9000", "--log-level=info"],
                "ports": [{"containerPort": 9000}],
                "lifecycle": {"postStart": {"exec": {"command": ["/proxy", "--proxy-port=9000", "--probe", "--log-level=info"]}}},
                "restartPolicy": "Always",
                "resources": {},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "privileged": false,
                    "readOnlyRootFilesystem": true,
                    "runAsNonRoot": true,
                },
                "env": env,
                "volumeMounts": mounts,
            },
            {
                "name": "azwi-proxy-init",
                "image": format!("{registry}/proxy-init:v1.6.0"),
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "securityContext": {
                    "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
                    "privileged": true,
                    "runAsNonRoot": false,
                    "runAsUser": 0,
                },
                "env": init_env,
                "volumeMounts": mounts,
            },
        ])
    );
}

#[test]
fn keeps_no_restart_policy_among_the_containers() {
    let pod = mutated(&classic(), &mk_pod(asking(&[])), &reader());
    let proxy = &pod["spec"]["containers"][0];
    assert_eq!((&proxy["name"], proxy.get("restartPolicy")), (&json!("azwi-proxy"), None));
    assert_eq!(proxy["image"], "mcr.microsoft.com/oss/azure/workload-identity/proxy:v1.5.1");
}

#[test]
fn comes_by_the_annotations_presence_whatever_it_says() {
    for value in ["true", "false", ""] {
        let pod = mk_pod(annotated(&[("inject-proxy-sidecar", value)]));
        let pod = mutated(&chart(Layout::V1_6), &pod, &reader());
        assert_eq!(names(&pod["spec"]["initContainers"]), ["azwi-proxy", "azwi-proxy-init"], "{value}");
    }
    let without = mk_pod(annotated(&[("proxy-sidecar-port", "9000")]));
    let without = mutated(&chart(Layout::V1_6), &without, &reader());
    assert_eq!(without["spec"].get("initContainers"), None);
}

#[test]
fn is_not_injected_beside_a_container_of_its_name() {
    let check = |config: &Config, init: Value, containers: Value, want: (&[&str], &[&str])| {
        let mut pod = mk_pod(asking(&[]));
        pod["spec"]["initContainers"] = init;
        pod["spec"]["containers"] = containers;
        let pod = mutated(config, &pod, &reader());
        let got = (names(&pod["spec"]["initContainers"]), names(&pod["spec"]["containers"]));
        assert_eq!((got.0.as_slice(), got.1.as_slice()), want);
    };
    let one = |name: &str| json!([{"name": name}]);
    check(&chart(Layout::V1_6), one("azwi-proxy"), one("app"), (&["azwi-proxy", "azwi-proxy-init"], &["app"]));
    check(&chart(Layout::V1_6), one("azwi-proxy-init"), one("app"), (&["azwi-proxy", "azwi-proxy-init"], &["app"]));
    check(&classic(), one("init"), one("azwi-proxy"), (&["init", "azwi-proxy-init"], &["azwi-proxy"]));
    // Each looks only where it would go.
    check(
        &chart(Layout::V1_6),
        one("init"),
        one("azwi-proxy"),
        (&["azwi-proxy", "init", "azwi-proxy-init"], &["azwi-proxy"]),
    );
}

#[test]
fn can_be_skipped_like_any_container() {
    let pod = mk_pod(asking(&[("skip-containers", "azwi-proxy-init; azwi-proxy")]));
    let pod = mutated(&chart(Layout::V1_6), &pod, &reader());
    let init = &pod["spec"]["initContainers"];
    assert_eq!(init[0].get("env"), None);
    assert_eq!(names(&init[1]["env"]), ["PROXY_PORT"]);
    for container in [&init[0], &init[1]] {
        assert_eq!(container.get("volumeMounts"), None);
    }
    assert_eq!(names(&pod["spec"]["containers"][0]["env"]).len(), 4);
}
