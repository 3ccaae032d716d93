//! What is written down before a teardown takes it away: after a failure, and only then.

use insta::assert_snapshot;

use crate::run::Ended;
use crate::sandbox::Sandbox;
use crate::secrets;

fn collection(ended: &Ended) -> Vec<String> {
    let folder = ended.artifacts.join("clusters/embedded");
    let texts = secrets::texts(ended).into_iter();
    let below = texts.filter_map(|(path, _)| Some(path.strip_prefix(&folder).ok()?.display().to_string()));
    let mut below: Vec<String> = below.collect();
    below.sort();
    below
}

#[tokio::test]
async fn a_failed_run_leaves_what_stood_before_its_teardown() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let image = sandbox.script("echo 'last words'; exit 7");
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1", "--image", &image]).run().await;
    ended.expect_exit(100);
    assert_snapshot!(collection(&ended).join("\n"), @r#"
        collected.txt
        events.json
        podlogs/cf-r1-annotation-missing_s3-reader_s3-reader.log
        podlogs/cf-r1-control_s3-reader_s3-reader.log
        resources/cf-r1-annotation-missing_s3-reader.json
        resources/cf-r1-control_s3-reader.json
        resources/configmaps_cf-r1-annotation-missing_kube-root-ca.crt.json
        resources/configmaps_cf-r1-annotation-missing_s3-reader.json
        resources/configmaps_cf-r1-control_kube-root-ca.crt.json
        resources/configmaps_cf-r1-control_s3-reader.json
        resources/namespaces_cf-r1-annotation-missing.json
        resources/namespaces_cf-r1-control.json
        resources/pods_cf-r1-annotation-missing_s3-reader.json
        resources/pods_cf-r1-control_s3-reader.json
        resources/serviceaccounts_cf-r1-annotation-missing_default.json
        resources/serviceaccounts_cf-r1-annotation-missing_s3-reader.json
        resources/serviceaccounts_cf-r1-control_default.json
        resources/serviceaccounts_cf-r1-control_s3-reader.json
        webhooks.json
        "#);
    assert_eq!(ended.artifact("clusters/embedded/collected.txt"), "run r1: before teardown\n");
    let log = ended.artifact("clusters/embedded/podlogs/cf-r1-control_s3-reader_s3-reader.log");
    assert_eq!(log, "last words\n");
    let pod = ended.artifact("clusters/embedded/resources/pods_cf-r1-control_s3-reader.json");
    assert!(pod.contains(r#""phase": "Failed""#) && pod.contains(r#""exitCode": 7"#), "{pod}");
    let hooks = ended.artifact("clusters/embedded/webhooks.json");
    assert!(hooks.contains("amazon-eks-pod-identity-webhook-cf-r1"), "{hooks}");
    assert!(!ended.stdout.contains("evidence is incomplete"), "{}", ended.stdout);
    assert_eq!(ended.journal().open(), [""; 0]);
    secrets::assert_none(&ended, &[]);
}

#[tokio::test]
async fn a_run_that_passed_leaves_its_pods_alone() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1"]).run().await;
    ended.expect_exit(0);
    assert_snapshot!(collection(&ended).join("\n"), @r#"
        podlogs/cf-r1-annotation-missing_s3-reader_s3-reader.log
        podlogs/cf-r1-control_s3-reader_s3-reader.log
        resources/cf-r1-annotation-missing_s3-reader.json
        resources/cf-r1-control_s3-reader.json
        "#);
}
