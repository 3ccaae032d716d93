//! Workloads that do not do what they should: crash, lie, hang, get in where they must not.

use insta::assert_snapshot;
use report::Observed;
use serde_json::json;

use crate::run::is_running;
use crate::sandbox::Sandbox;
use crate::secrets;

const WORDS: [&str; 5] = ["e2e", "aks-to-aws", "--run-id", "r1", "--image"];

#[tokio::test]
async fn a_crash_is_shown_with_its_last_words_and_proves_no_refusal() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing", "wrong-audience"]);
    let image = sandbox.script("echo 'no credentials in sight' >&2; exit 7");
    let ended = sandbox.crossfed(&[&WORDS[..], &[&image]].concat()).run().await;
    ended.expect_exit(100);
    assert_snapshot!(ended.checks(), @r"
annotation-missing: failed: expected not injected, saw not injected
control: failed: expected read 52, saw crashed Some(7)
wrong-audience: failed: expected audience-accepted InvalidIdentityToken 400, saw crashed Some(7)
");
    assert_eq!(
        ended.check("control").observed,
        Observed::Crashed { exit_code: Some(7), stderr_tail: "no credentials in sight".into() }
    );
    assert_eq!(
        ended.check("annotation-missing").verdict.reason(),
        Some("its allowed twin was not allowed, so this refusal proves nothing")
    );
    assert_snapshot!(ended.failures(), @r#"
        annotation-missing
          service account not annotated
          expected   not injected: the webhook leaves the pod alone
          observed   not injected
          reason     its allowed twin was not allowed, so this refusal proves nothing
          control    control, the same access without the fault
          cause      the service account asks for no role
          fix        kubectl annotate serviceaccount s3-reader -n cf-r1-annotation-missing --overwrite eks.amazonaws.com/role-arn=arn:aws:iam::111122223333:role/cf-r1-annotation-missing
          source     https://github.com/aws/amazon-eks-pod-identity-webhook (README: only annotated service accounts are
                     mutated) (documented)
          next       less _artifacts/r1/clusters/embedded/podlogs/cf-r1-annotation-missing_s3-reader_s3-reader.log

        control
          A pod in AKS reads an object in S3
          expected   read 52 bytes, sha256 93ca442e653cb6e7...
          observed   the workload crashed, exit code 7
          stderr     no credentials in sight
          reason     expected 52 bytes read, saw the workload end with exit code 7
          next       less _artifacts/r1/clusters/embedded/podlogs/cf-r1-control_s3-reader_s3-reader.log

        wrong-audience
          token made for another audience
          expected   refused at 7 audience accepted: InvalidIdentityToken, HTTP 400
          observed   the workload crashed, exit code 7
          stderr     no credentials in sight
          reason     expected InvalidIdentityToken 400 at link 7 audience accepted, saw the workload end with exit code 7
          control    control, the same access without the fault
          source     https://github.com/awslabs/amazon-eks-irsa-cfn/pull/18 (reported by users)
          next       less _artifacts/r1/clusters/embedded/podlogs/cf-r1-wrong-audience_s3-reader_s3-reader.log

        FAILED  0 of 3 checks passed, 3 failed, exit code 100 [time]
          scenario   aks-to-aws: failed: expected 52 bytes read, saw the workload end with exit code 7
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws --image ghcr.io/crossfed/s3-reader=[folder]/workload
        "#);
    assert_eq!(ended.journal().open(), [""; 0]);
}

#[tokio::test]
async fn other_bytes_are_not_the_object() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    // "Read from the wrong cloud."
    let line = json!({"workload": "liar", "outcome": "read", "bucket": "b", "key": "k", "bytes": 52,
        "sha256": "93ca442e653cb6e7", "content_base64": "UmVhZCBmcm9tIHRoZSB3cm9uZyBjbG91ZC4="});
    let image = sandbox.script(&format!("echo '{line}'"));
    let ended = sandbox.crossfed(&[&WORDS[..], &[&image]].concat()).run().await;
    ended.expect_exit(100);
    assert_snapshot!(ended.checks(), @r#"
        annotation-missing: failed: expected not injected, saw crashed Some(0)
        control: failed: expected read 52, saw crashed Some(0)
        "#);
    assert_snapshot!(ended.check("control").verdict.reason().unwrap_or_default(), @r#"expected 52 bytes read, saw the workload end with exit code 0"#);
}

#[tokio::test]
async fn access_where_it_must_be_refused_is_the_gravest_failure() {
    let sandbox = Sandbox::with_refusals(&["wrong-audience", "wrong-namespace"]);
    // A policy that is too wide: it names no subject, so what the fault changes does not matter.
    let subject = ",\n          \"${issuer_path}:sub\": \"${subject}\"";
    sandbox.edit("scenarios/aks-to-aws/trust-policy.json", subject, "");
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1"]).run().await;
    ended.expect_exit(100);
    assert_snapshot!(ended.checks(), @r"
control: passed: expected read 52, saw read 52
wrong-audience: passed: expected audience-accepted InvalidIdentityToken 400, saw audience-accepted InvalidIdentityToken 400
wrong-namespace: failed: expected subject-accepted AccessDenied 403, saw read 52
");
    assert_snapshot!(ended.failures(), @r#"
        wrong-namespace
          trust policy for another namespace
          ACCEPTED, AND MUST BE REFUSED
          expected   refused at 8 subject accepted: AccessDenied, HTTP 403
          observed   accepted: read 52 bytes, sha256 93ca442e653cb6e7...
          reason     ACCESS WAS GRANTED where it must be refused
          control    control, the same access without the fault
          source     https://github.com/crossplane/crossplane/issues/5578 (reported by users)
          next       less _artifacts/r1/clusters/embedded/podlogs/cf-r1-wrong-namespace_s3-reader_s3-reader.log

        FAILED  1 ACCEPTED THAT MUST BE REFUSED, 2 of 3 checks passed, 1 failed, exit code 100 [time]
          scenario   aks-to-aws: failed: ACCESS WAS GRANTED where it must be refused
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws
        "#);
    assert!(ended.artifact("junit_aks-to-aws.xml").contains(r#"failures="1""#));
}

#[tokio::test]
async fn a_workload_that_never_ends_is_no_verdict_and_is_ended() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let image = sandbox.script(&format!("echo $$ > {}/pid.$$; exec /bin/sleep 600", sandbox.path("").display()));
    let ended = sandbox.crossfed(&[&WORDS[..], &[&image, "--pod-timeout", "1"]].concat()).run().await;
    ended.expect_exit(101);
    assert_snapshot!(ended.checks(), @r"
annotation-missing: infra: expected not injected, saw nothing pod Running
control: infra: expected read 52, saw nothing pod Running
");
    assert_eq!(ended.journal().open(), [""; 0]);
    assert_eq!(left_running(&sandbox), (2, 0), "pods that were started, and that still run");
}

/// How many processes left a `pid.*` file, and how many of them are still there.
fn left_running(sandbox: &Sandbox) -> (usize, usize) {
    let files = std::fs::read_dir(sandbox.path(""))
        .expect("must be read")
        .map(|entry| entry.expect("must be read").file_name());
    let ids: Vec<String> = files.filter_map(|name| name.to_str()?.strip_prefix("pid.").map(str::to_owned)).collect();
    let running = ids.iter().filter(|id| is_running(id)).count();
    (ids.len(), running)
}

#[tokio::test]
async fn a_pod_sees_its_own_environment_and_nothing_of_its_callers() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let image = sandbox.script("/usr/bin/env; exit 1");
    let ended = sandbox
        .crossfed(&[&WORDS[..], &[&image]].concat())
        .env("AWS_ACCESS_KEY_ID", "AKIACANARYCANARY0000")
        .env("CANARY", "1")
        .run()
        .await;
    ended.expect_exit(100);
    let log = ended.artifact("clusters/embedded/podlogs/cf-r1-control_s3-reader_s3-reader.log");
    let mut names: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_snapshot!(names.join("\n"), @r"
AWS_DEFAULT_REGION
AWS_EC2_METADATA_DISABLED
AWS_REGION
AWS_ROLE_ARN
AWS_STS_REGIONAL_ENDPOINTS
AWS_WEB_IDENTITY_TOKEN_FILE
BUCKET
HOME
HOSTNAME
HTTPS_PROXY
KEY
KUBERNETES_PORT
KUBERNETES_PORT_[port]_TCP
KUBERNETES_PORT_[port]_TCP_ADDR
KUBERNETES_PORT_[port]_TCP_PORT
KUBERNETES_PORT_[port]_TCP_PROTO
KUBERNETES_SERVICE_HOST
KUBERNETES_SERVICE_PORT
KUBERNETES_SERVICE_PORT_HTTPS
PATH
PWD
SSL_CERT_FILE
");
}

#[tokio::test]
async fn secrets_that_a_workload_prints_are_taken_out() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let image = sandbox.script(&format!(
        "[ -n \"$AWS_WEB_IDENTITY_TOKEN_FILE\" ] || exit 9\n\
         /bin/cp \"$AWS_WEB_IDENTITY_TOKEN_FILE\" {0}/token; echo \"$HTTPS_PROXY\" > {0}/proxy\n\
         echo \"proxy $HTTPS_PROXY, token:\"; /bin/cat {0}/token >&2; exit 9",
        sandbox.path("").display()
    ));
    let ended = sandbox.crossfed(&[&WORDS[..], &[&image]].concat()).run().await;
    ended.expect_exit(100);
    let (token, proxy) = (sandbox.read("token"), sandbox.read("proxy"));
    let signature = token.trim().rsplit('.').next().filter(|part| part.len() > 300).expect("an RSA signature");
    let password = proxy.split(['@', ':']).nth(2).filter(|part| part.len() == 32).expect("a password");
    secrets::assert_none(&ended, &[signature, password]);
    let log = ended.artifact("clusters/embedded/podlogs/cf-r1-control_s3-reader_s3-reader.log");
    assert_eq!(log.matches("<redacted>").count(), 2, "{log}");
    assert!(
        matches!(ended.check("control").observed, Observed::Crashed { stderr_tail, .. } if stderr_tail.contains("<redacted>"))
    );
}

#[tokio::test]
async fn a_program_that_is_missing_is_told_before_anything_is_created() {
    let sandbox = Sandbox::new();
    let words = ["e2e", "aks-to-aws", "--run-id"];
    let missing =
        sandbox.crossfed(&[&words[..], &["r1"]].concat()).env("CROSSFED_BIN_DIR", sandbox.path("bin")).run().await;
    missing.expect_exit(96);
    assert_snapshot!(missing.stdout, @r#"
        crossfed 0.1.0  run r1 · cluster embedded · clouds simulated

        aks-to-aws  A pod in AKS reads an object in S3
          ✗ preflight   [folder]/bin/s3-reader is missing; run through `cargo xtask`, which builds it [time]

        FAILED  no check was tried, 9 not run, exit code 96 [time]
          scenario   aks-to-aws: infra: [folder]/bin/s3-reader is missing; run through `cargo xtask`, which builds it
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws
        "#);
    assert!(missing.journal().intended.is_empty());
    assert_eq!(missing.report().counts.not_run, 9);

    let unknown = Sandbox::with_own_scenarios();
    unknown.edit("scenarios/aks-to-aws/manifests/pod.yaml", "ghcr.io/crossfed/s3-reader:0.1.0", "amazon/aws-cli");
    let unknown = unknown.crossfed(&[&words[..], &["r2"]].concat()).run().await;
    unknown.expect_exit(96);
    let verdict = unknown.report().scenarios.remove(0).verdict;
    assert_snapshot!(verdict.as_ref().and_then(|verdict| verdict.reason()).unwrap_or_default(), @"image `amazon/aws-cli` stands for no local program; pass --image amazon/aws-cli=PROGRAM");
}
