//! What containers say of their end.

use serde_json::json;

use crate::{shell, world};

#[tokio::test]
async fn a_container_tells_why_it_ended_where_its_specification_says() {
    let world = world().await;
    let check = async |name: &str, container: serde_json::Value, expected: Option<&str>| {
        world.create_pod(name, json!({"restartPolicy": "Never", "containers": [container]}));
        let pod = world.await_phase(name, "Failed").await;
        let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(ended["message"].as_str(), expected, "{name}: {ended}");
    };
    let container = |script: &str, path: &str| {
        let mut container = shell(script);
        container["terminationMessagePath"] = json!(path);
        container["env"] = json!([{"name": "M", "value": path}]);
        container
    };
    check("written", container("echo why > $M; exit 3", "/dev/termination-log"), Some("why\n")).await;
    check("own-path", container("echo why > $M; exit 3", "/no-such-folder/m"), Some("why\n")).await;
    check("silent", container("exit 3", "/dev/termination-log"), None).await;
    let mut printing = container("echo printed; exit 3", "/dev/termination-log");
    printing["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    check("printed", printing, Some("printed\n")).await;
    assert!(!std::path::Path::new("/no-such-folder").exists());
    world.node.stop().await;
}
