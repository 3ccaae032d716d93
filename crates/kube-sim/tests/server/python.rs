//! The Python `kubernetes` client. Its interpreter is named by `CROSSFED_PYTHON`; without it this test says so and checks nothing.

use std::path::PathBuf;

use crate::node;
use crate::support::Cluster;

#[tokio::test]
async fn the_python_client_gets_what_it_asks_for() {
    let Some(python) = std::env::var_os("CROSSFED_PYTHON") else {
        println!("skipped: CROSSFED_PYTHON names no Python that has the kubernetes package");
        return;
    };
    let cluster = Cluster::start().await;
    let port = cluster.log_endpoint("hello from the node\n").await;
    node::start(&cluster, port).await;
    let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.yaml", uuid::Uuid::new_v4()));
    std::fs::write(&config, cluster.server.kubeconfig()).expect("must be written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/client.py");
    let output = tokio::process::Command::new(python).arg(script).arg(&config).output().await.expect("must run");
    std::fs::remove_file(&config).expect("must be removed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    cluster.stop().await;
}
