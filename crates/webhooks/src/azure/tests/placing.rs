//! What becomes of volumes and mounts that are there already.

use super::*;

/// A container called `app` and a volume, both already using `name`; the mount elsewhere.
fn occupied(name: &str, volume: Value) -> Value {
    let mut volume = volume;
    volume["name"] = json!(name);
    let mounts = json!([{"name": "data", "mountPath": "/data"}, {"name": name, "mountPath": "/mine"}]);
    mk_pod(json!({"spec": {
        "containers": [{"name": "app", "volumeMounts": mounts}],
        "volumes": [{"name": "data"}, volume],
    }}))
}

fn token(path: &str) -> Value {
    json!({"projected": {"sources": [{"serviceAccountToken": {"path": path, "audience": "mine"}}]}})
}

#[test]
fn v1_5_leaves_the_users_token_and_mount_alone() {
    let pod = occupied("azure-identity-token", token("azure-identity-token"));
    let after = mutated(&chart(Layout::V1_5), &pod, &reader());
    assert_eq!(after["spec"]["volumes"], pod["spec"]["volumes"]);
    let mounts = "/spec/containers/0/volumeMounts";
    assert_eq!(after.pointer(mounts), pod.pointer(mounts));
}

#[test]
fn v1_5_lets_its_mount_dangle_where_another_volume_has_the_token() {
    let pod = occupied("mine", token("azure-identity-token"));
    let after = mutated(&chart(Layout::V1_5), &pod, &reader());
    assert_eq!(names(&after["spec"]["volumes"]), ["data", "mine"]);
    assert_eq!(names(&after["spec"]["containers"][0]["volumeMounts"]), ["data", "mine", "azure-identity-token"]);
}

#[test]
fn v1_5_appends_a_second_volume_of_its_name() {
    let pod = occupied("azure-identity-token", json!({"emptyDir": {}}));
    let after = mutated(&chart(Layout::V1_5), &pod, &reader());
    assert_eq!(names(&after["spec"]["volumes"]), ["data", "azure-identity-token", "azure-identity-token"]);
}

#[test]
fn v1_6_overwrites_what_has_its_name_where_it_stands() {
    let pod = occupied(WEB_VOLUME, json!({"emptyDir": {}}));
    let after = mutated(&chart(Layout::V1_6), &pod, &reader());
    let fresh = mutated(&chart(Layout::V1_6), &mk_pod(json!({})), &reader());
    assert_eq!(after["spec"]["volumes"], json!([{"name": "data"}, fresh["spec"]["volumes"][0]]));
    assert_eq!(
        after["spec"]["containers"][0]["volumeMounts"],
        json!([{"name": "data", "mountPath": "/data"}, fresh["spec"]["containers"][0]["volumeMounts"][0]])
    );
}

#[test]
fn v1_6_does_not_mind_a_token_at_its_path_in_another_volume() {
    let pod = occupied("mine", token("token/azure-identity-token"));
    let after = mutated(&chart(Layout::V1_6), &pod, &reader());
    assert_eq!(names(&after["spec"]["volumes"]), ["data", "mine", WEB_VOLUME]);
}

#[test]
fn v1_6_mounts_twice_at_one_path_when_a_name_comes_between_two_calls() {
    let mut pod = mk_pod(json!({}));
    pod["metadata"] = json!({"generateName": "web-"});
    let mut pod = mutated(&chart(Layout::V1_6), &pod, &reader());
    pod["metadata"]["name"] = json!("web");
    let pod = mutated(&chart(Layout::V1_6), &pod, &reader());
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().expect("mounts");
    let paths: Vec<&Value> = mounts.iter().map(|mount| &mount["mountPath"]).collect();
    assert_eq!(paths, ["/var/run/secrets/azure/wi"; 2]);
    assert_ne!(mounts[0]["name"], mounts[1]["name"]);
}
