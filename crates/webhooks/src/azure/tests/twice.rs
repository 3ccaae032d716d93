//! Reinvocation: the API server calls the webhook again on what others have made of a pod since.

use super::*;

/// One pod for every combination of what the webhook looks at.
fn pods() -> impl Iterator<Item = Value> {
    (0..1_u32 << 9).map(|bits| {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let mut app = json!({"name": "app"});
        if has(0) {
            app["env"] = json!([{"name": "AZURE_CLIENT_ID", "value": "mine"}]);
        }
        if has(1) {
            app["volumeMounts"] = json!([
                {"name": "azure-identity-token", "mountPath": "/mine"},
                {"name": WEB_VOLUME, "mountPath": "/mine-too"},
            ]);
        }
        let mut pod = mk_pod(json!({"spec": {"containers": [app, {"name": "side"}]}}));
        if has(2) {
            pod["spec"]["volumes"] = json!([{"name": "data"}, {"name": WEB_VOLUME, "emptyDir": {}}]);
        }
        if has(3) {
            pod["spec"]["initContainers"] = json!([{"name": "init", "restartPolicy": "Always"}]);
        }
        let mut annotations = Vec::new();
        if has(4) {
            annotations.push(("skip-containers", "side;init;azwi-proxy"));
        }
        if has(5) {
            annotations.push(("inject-proxy-sidecar", "true"));
        }
        if has(6) {
            annotations.push(("use-identity-binding", "true"));
        }
        json_patch::merge(&mut pod, &annotated(&annotations));
        if has(7) {
            pod["metadata"]["name"] = Value::Null;
            pod["metadata"]["generateName"] = json!("web-");
        }
        if has(8) {
            pod["spec"]["containers"][1]["env"] = json!([]);
        }
        pod
    })
}

#[test]
fn mutating_twice_is_mutating_once() {
    let endpoint =
        CustomTokenEndpoint::new("identity-binding", Audience::new("api://AKSIdentityBinding"), "https://10.0.0.1");
    for layout in LAYOUTS {
        for native_sidecar in [false, true] {
            let config = Config {
                native_sidecar,
                custom_token_endpoint: Some(endpoint.clone().expect("endpoint")),
                ..chart(layout)
            };
            for pod in pods() {
                let once = mutated(&config, &pod, &reader());
                assert_ne!(once, pod, "the first call must do something");
                let again = mutate(&config, &once, Some(&reader()));
                assert_eq!(again, Ok(Mutation::Unchanged), "{layout}: {pod}");
            }
        }
    }
}

#[test]
fn overwrites_a_volume_that_the_api_server_has_completed_in_the_newer_layout_alone() {
    for (layout, is_overwritten) in LAYOUTS.into_iter().zip([false, true]) {
        let once = mutated(&chart(layout), &mk_pod(json!({})), &reader());
        let mut completed = once.clone();
        completed["spec"]["volumes"][0]["projected"]["defaultMode"] = json!(420);
        let want = match is_overwritten {
            true => Mutation::Patch(vec![PatchOp::replace("/spec/volumes/0", once["spec"]["volumes"][0].clone())]),
            false => Mutation::Unchanged,
        };
        assert_eq!(mutate(&chart(layout), &completed, Some(&reader())), Ok(want), "{layout}");
    }
}

#[test]
fn gives_a_container_that_came_later_what_the_others_have() {
    for layout in LAYOUTS {
        let first = mutated(&chart(layout), &mk_pod(json!({})), &reader());
        let late = PatchOp::add("/spec/containers/-", json!({"name": "late"}));
        let second = mutated(&chart(layout), &apply(&first, &[late]), &reader());
        let containers = &second["spec"]["containers"];
        assert_eq!(containers[0], first["spec"]["containers"][0]);
        for list in ["env", "volumeMounts"] {
            assert_eq!(containers[1][list], containers[0][list]);
        }
        assert_eq!(second["spec"]["volumes"], first["spec"]["volumes"]);
    }
}
