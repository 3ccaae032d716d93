//! What no journal names: clouds that are the run's own are compared as a whole.

use std::process::Command;

use crate::sandbox::Sandbox;
use crate::serves::has;

/// A pod that may do more than it needs, and makes a bucket of its own.
#[tokio::test]
async fn what_a_workload_leaves_in_the_cloud_is_a_leak_although_the_run_did_not_make_it() {
    if !has("aws") {
        return;
    }
    let found = Command::new("sh").args(["-c", "command -v aws"]).output().expect("a shell must run");
    let aws = String::from_utf8(found.stdout).expect("a path");
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    sandbox.edit("scenarios/aks-to-aws/permission-policy.json", "${actions}", "\"s3:*\"");
    sandbox.edit("scenarios/aks-to-aws/permission-policy.json", "${resource}", "*");
    let image = sandbox.script(&format!(
        "AWS_CA_BUNDLE=${{AWS_CA_BUNDLE:-$SSL_CERT_FILE}} {} s3 mb s3://nobody-named-this",
        aws.trim()
    ));
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1", "--image", &image]).run().await;
    ended.expect_exit(102);
    assert!(ended.stdout.contains("nobody-named-this"), "{}", ended.stdout);
    assert!(ended.artifact("clouds/aws/leaks.json").contains("nobody-named-this"));
    assert_eq!(ended.artifact("clouds/aws/inventory-before.json"), "[]");
    assert!(ended.artifact("report.json").contains("nothing of the journal names it"));
}
