//! What containers see of their volumes, beyond one mount of one.

use serde_json::json;

use crate::{shell, world};

#[tokio::test]
async fn sub_paths_nested_mounts_and_own_resources_are_seen() {
    let world = world().await;
    world.create("configmaps", "n", json!({"metadata": {"name": "c"}, "data": {"k": "from-c", "other": "x"}}));
    let mut container = shell("cat $CONF; echo; cat $IN/k; echo; cat $CPU; echo; echo $P > $LOGS/f; cat $ALL/p/f");
    container["resources"] = json!({"limits": {"cpu": "2500m"}});
    container["env"] = json!([
        {"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "CONF", "value": "/etc/app.conf"}, {"name": "IN", "value": "/all/in"}, {"name": "CPU", "value": "/me/cpu"},
        {"name": "LOGS", "value": "/logs"}, {"name": "ALL", "value": "/all"},
    ]);
    container["volumeMounts"] = json!([
        {"name": "c", "mountPath": "/etc/app.conf", "subPath": "k"}, {"name": "c", "mountPath": "/all/in"},
        {"name": "e", "mountPath": "/all"}, {"name": "e", "mountPath": "/logs", "subPathExpr": "$(P)"},
        {"name": "d", "mountPath": "/me"},
    ]);
    world.create_pod(
        "p",
        json!({"restartPolicy": "Never", "containers": [container], "volumes": [
            {"name": "c", "configMap": {"name": "c"}}, {"name": "e", "emptyDir": {}},
            {"name": "d", "downwardAPI": {"items": [
                {"path": "cpu", "resourceFieldRef": {"containerName": "app", "resource": "limits.cpu"}},
            ]}},
        ]}),
    );
    world.await_phase("p", "Succeeded").await;
    assert_eq!(world.logs("p/app").await.1, "from-c\nfrom-c\n3\np\n");
    world.node.stop().await;
}
