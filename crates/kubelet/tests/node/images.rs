//! Images that an image map knows.

use std::path::PathBuf;

use kubelet::{NodeConfig, ProcessNode, Programs};
use serde_json::json;

use crate::fake_api::Running;
use crate::{World, fake_api, mk_config};

/// A node whose image map knows `amazon/aws-cli` as a script that prints its arguments.
async fn world_with_aws(tools: &tempfile::TempDir) -> World {
    use std::os::unix::fs::PermissionsExt as _;
    let aws = tools.path().join("aws");
    std::fs::write(&aws, "#!/bin/sh\necho \"aws $*\"\n").expect("program must be written");
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).expect("mode must be set");
    let running: Running = fake_api::start(std::time::Duration::from_secs(3600)).await;
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let search = [tools.path().to_owned(), PathBuf::from("/bin")];
    let programs = Programs::usual(&search).expect("usual map must be read");
    let node = ProcessNode::start(NodeConfig { programs, ..mk_config(&running, &folder) }).await;
    World { running, node: node.expect("node must start"), folder }
}

#[tokio::test]
async fn the_pod_of_a_walk_through_runs_unchanged() {
    let tools = tempfile::tempdir().expect("temp folder must be made");
    let world = world_with_aws(&tools).await;
    let check = async |name: &str, image: &str, words: serde_json::Value, expected: &str| {
        let mut container = words;
        container["name"] = json!("app");
        container["image"] = json!(image);
        world.create_pod(name, json!({"restartPolicy": "Never", "containers": [container]}));
        world.await_phase(name, "Succeeded").await;
        assert_eq!(world.logs(&format!("{name}/app")).await.1, expected, "{name}");
    };
    check("args", "amazon/aws-cli", json!({"args": ["s3", "ls", "s3://b"]}), "aws s3 ls s3://b\n").await;
    check("command", "amazon/aws-cli:2.15.0", json!({"command": ["aws", "s3", "ls"]}), "aws s3 ls\n").await;
    let script = json!({"command": ["/bin/sh", "-c", "aws s3 cp s3://b/f . && echo done"]});
    check("script", "docker.io/amazon/aws-cli", script, "aws s3 cp s3://b/f .\ndone\n").await;
    check("shell", "busybox:1.36", json!({"args": ["sh", "-c", "echo hello"]}), "hello\n").await;
    world.node.stop().await;
}

#[tokio::test]
async fn a_command_that_is_not_there_fails_the_container() {
    let tools = tempfile::tempdir().expect("temp folder must be made");
    let world = world_with_aws(&tools).await;
    let check = async |name: &str, command: &str, why: &str| {
        let container = json!({"name": "app", "image": "busybox", "command": [command]});
        world.create_pod(name, json!({"restartPolicy": "Never", "containers": [container]}));
        let pod = world.await_phase(name, "Failed").await;
        let end = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!((&end["reason"], &end["exitCode"]), (&json!("StartError"), &json!(128)));
        assert!(end["message"].as_str().expect("message").contains(why), "{end}");
    };
    check("named", "no-such-program", "executable file not found in $PATH").await;
    check("at-a-path", "/no-such-folder/program", "o such file or directory").await;
    world.node.stop().await;
}

#[tokio::test]
async fn a_message_is_found_where_a_program_has_its_path_built_in() {
    let tools = tempfile::tempdir().expect("temp folder must be made");
    let world = world_with_aws(&tools).await;
    let container = json!({
        "name": "app", "image": "busybox", "command": ["sh", "-c", "echo why > /no-such-folder/m; exit 3"],
        "terminationMessagePath": "/no-such-folder/m",
    });
    world.create_pod("p", json!({"restartPolicy": "Never", "containers": [container]}));
    let pod = world.await_phase("p", "Failed").await;
    if let Some(event) = world.list("events").into_iter().find(|event| event["reason"] == "RewrittenPaths") {
        println!("skipped: {}", event["message"]);
        return;
    }
    let end = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&end["message"], &end["exitCode"]), (&json!("why\n"), &json!(3)), "{end}");
    world.node.stop().await;
}

/// A pod whose script has its paths built in.
fn built_in_paths(image: &str) -> serde_json::Value {
    let script = "cat /no-such-folder/in/k; echo; cat /var/run/secrets/no-such/token; echo; pwd; echo x > $HOME/f && cat ~/f; \
                  grep -c . /etc/passwd > /dev/null && cat file:/no-such-folder/in/k; touch /no-such-folder/in/written; exit 0";
    json!({"restartPolicy": "Never", "containers": [{
        "name": "app", "image": image, "command": ["sh", "-c", script], "workingDir": "/no-such-work/x",
        "readinessProbe": {"exec": {"command": ["cat", "/no-such-folder/in/k"]}},
        "volumeMounts": [
            {"name": "c", "mountPath": "/no-such-folder/in"}, {"name": "e", "mountPath": "/no-such-folder"},
            {"name": "t", "mountPath": "/var/run/secrets/no-such"},
        ],
    }], "volumes": [
        {"name": "c", "configMap": {"name": "c"}}, {"name": "e", "emptyDir": {}},
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ]})
}

#[tokio::test]
async fn built_in_paths_are_found_where_the_system_permits_a_namespace() {
    let tools = tempfile::tempdir().expect("temp folder must be made");
    let world = world_with_aws(&tools).await;
    world.create("configmaps", "n", json!({"metadata": {"name": "c"}, "data": {"k": "from-c"}}));
    world.create_pod("p", built_in_paths("busybox"));
    let pod = world.await_phase("p", "Succeeded").await;
    let event = world.list("events").into_iter().find(|event| event["reason"] == "RewrittenPaths");
    if let Some(event) = event {
        println!("skipped: {}", event["message"]);
        return;
    }
    let token = format!("1 default {} null", pod["metadata"]["uid"].as_str().map_or(json!(null), |uid| json!(uid)));
    let (_, lines) = world.logs("p/app").await;
    // The last word is no path of the pod's: it is not rewritten, so it is not found.
    let lines: Vec<_> = lines.lines().filter(|line| !line.contains("No such file")).collect();
    assert_eq!(lines, ["from-c", &token, "/no-such-work/x", "x"]);
    assert!(!std::path::Path::new("/no-such-folder").exists() && !std::path::Path::new("/no-such-work").exists());
    world.delete_pod("p", 0);
    world.await_gone("p").await;
    world.node.stop().await;
    assert_eq!(world.folder.path().read_dir().expect("folder").count(), 0);
}

#[tokio::test]
async fn rewritten_paths_are_found_where_a_value_begins_with_one() {
    let running = fake_api::start(std::time::Duration::from_secs(3600)).await;
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let mut programs = Programs::new();
    let map = "images: [{names: [sh], cmd: [sh], commands: any, paths: rewritten}]";
    programs.read_map(map, folder.path(), &[PathBuf::from("/bin")]).expect("map must be read");
    let node = ProcessNode::start(NodeConfig { programs, ..mk_config(&running, &folder) }).await;
    let world = World { running, node: node.expect("node must start"), folder };
    world.create("configmaps", "n", json!({"metadata": {"name": "c"}, "data": {"k": "from-c"}}));
    world.create_pod(
        "p",
        json!({"restartPolicy": "Never", "volumes": [{"name": "c", "configMap": {"name": "c"}}], "containers": [{
            "name": "app", "image": "sh", "command": ["sh", "-c", "cat $0; cat /no-such-folder/k || echo built-in", "/no-such-folder/k"],
            "volumeMounts": [{"name": "c", "mountPath": "/no-such-folder"}],
        }]}),
    );
    world.await_phase("p", "Succeeded").await;
    let (_, lines) = world.logs("p/app").await;
    assert!(lines.contains("from-c") && lines.contains("built-in"), "{lines}");
    world.node.stop().await;
}
