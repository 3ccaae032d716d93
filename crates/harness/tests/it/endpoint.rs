//! An AWS endpoint that somebody else runs: what it does not check is skipped with that reason, and what cannot be reached is named.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::{Router, routing};
use insta::assert_snapshot;
use rustix::process::Signal;
use tokio::sync::Notify;

use crate::places::{ACCOUNT, Aws, Cluster, serve};
use crate::run::{Ended, Invocation};
use crate::sandbox::Sandbox;
use crate::secrets;

const WORDS: [&str; 9] =
    ["e2e", "aks-to-aws", "--run-id", "r1", "--cluster", "kubeconfig", "--kubeconfig", "kubeconfig", "--aws-endpoint"];

fn against(sandbox: &Sandbox, aws: &Aws, more: &[&str]) -> Invocation {
    let url = aws.url();
    let invocation = sandbox.crossfed(&[&WORDS[..], &[url.as_str()], more].concat());
    invocation
        .env("AWS_ACCESS_KEY_ID", &aws.keys.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", aws.keys.secret_access_key.expose())
}

fn reason(ended: &Ended) -> String {
    let scenario = ended.report().scenarios.remove(0);
    format!("{} {}", ended.exit, scenario.verdict.as_ref().and_then(|verdict| verdict.reason()).unwrap_or_default())
}

#[tokio::test]
async fn what_an_endpoint_is_not_known_to_check_is_skipped_and_counted() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox).await;
    let aws = Aws::start(&cluster, |router| router).await;
    let ended = against(&sandbox, &aws, &[]).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.settled_stdout(), @r#"
        crossfed 0.1.0  run r1 · cluster kubeconfig kubeconfig · clouds endpoint http://127.0.0.1:[port]

        aks-to-aws  A pod in AKS reads an object in S3
          ✓ preflight   9 checks planned [time]
          ✓ cluster     kubeconfig [folder]/kubeconfig, issuer https://issuer.example.test/self-managed [time]
          ✓ webhooks    amazon-eks-pod-identity-webhook-cf-r1 [time]
          ✓ federation  8 resources in 1 account [time]
          ✓ workload    2 namespaces with service account and target [time]
            checks
            – no OIDC provider for the issuer                      skipped: it needs an AWS account of its own, and [time]
                                                                   endpoint http://127.0.0.1:[port] has one only
            – provider without the issuer's slash                  skipped: it needs an AWS account of its own, and [time]
                                                                   endpoint http://127.0.0.1:[port] has one only
            – role may not get the object                          skipped: endpoint http://127.0.0.1:[port] is not [time]
                                                                   known to check this (enforces-permissions)
            – token expired two hours ago                          skipped: endpoint http://127.0.0.1:[port] is not [time]
                                                                   known to check this (verifies-tokens)
            – token made for another audience                      skipped: endpoint http://127.0.0.1:[port] is not [time]
                                                                   known to check this (verifies-tokens)
            – token not signed by the issuer                       skipped: endpoint http://127.0.0.1:[port] is not [time]
                                                                   known to check this (verifies-tokens)
            – trust policy for another namespace                   skipped: endpoint http://127.0.0.1:[port] is not [time]
                                                                   known to check this (enforces-trust)
            ✓ A pod in AKS reads an object in S3                   11 read                52 bytes [time]
            ✓ service account not annotated                        1 opted in             not injected [time]
          ✓ teardown    11 taken back, inventory empty [time]

        PASSED  2 of 2 checks passed, 7 skipped [time]
          skipped    1: endpoint http://127.0.0.1:[port] is not known to check this (enforces-trust) (wrong-namespace)
          skipped    3: endpoint http://127.0.0.1:[port] is not known to check this (verifies-tokens) (wrong-audience,
                     expired-token, forged-signature)
          skipped    2: it needs an AWS account of its own, and endpoint http://127.0.0.1:[port] has one only
                     (issuer-without-slash, no-provider)
          skipped    1: endpoint http://127.0.0.1:[port] is not known to check this (enforces-permissions)
                     (role-without-get-object)
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws --cluster kubeconfig --kubeconfig kubeconfig --aws-endpoint http://127.0.0.1:[port]
        "#);
    assert_eq!((ended.report().counts.passed, ended.report().counts.skipped), (2, 7));
    assert_eq!(ended.journal().open(), [""; 0]);
}

#[tokio::test]
async fn what_it_is_said_to_check_is_tried_in_its_one_account() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox).await;
    let aws = Aws::start(&cluster, |router| router).await;
    let enforces = ["--aws-endpoint-enforces", "verifies-tokens,enforces-trust,enforces-permissions"];
    let ended = against(&sandbox, &aws, &enforces).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.checks(), @r"
annotation-missing: passed: expected not injected, saw not injected
control: passed: expected read 52, saw read 52
expired-token: skipped: expected token-projected ExpiredTokenException 400, saw nothing
forged-signature: passed: expected key-published InvalidIdentityToken 400, saw key-published InvalidIdentityToken 400
issuer-without-slash: skipped: expected issuer-trusted InvalidIdentityToken 400, saw nothing
no-provider: skipped: expected issuer-trusted InvalidIdentityToken 400, saw nothing
role-without-get-object: passed: expected permitted AccessDenied 403, saw permitted AccessDenied 403
wrong-audience: passed: expected audience-accepted InvalidIdentityToken 400, saw audience-accepted InvalidIdentityToken 400
wrong-namespace: passed: expected subject-accepted AccessDenied 403, saw subject-accepted AccessDenied 403
");
    secrets::assert_none(&ended, &[aws.keys.secret_access_key.expose(), &aws.keys.access_key_id]);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_told_and_stays_in_the_journal() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let cluster = Cluster::start(&sandbox).await;
    let aws = Aws::start(&cluster, |router| router.layer(from_fn(refuse_deletions))).await;
    let ended = against(&sandbox, &aws, &[]).run().await;
    ended.expect_exit(102);
    assert_snapshot!(ended.journal().open().join("\n"), @r"
bucket cf-r1-shared in account 123456789012
object cf-r1-shared/test-file.txt in account 123456789012
");
    let report = ended.report();
    let left = &report.scenarios[0].leftovers;
    for id in ["cf-r1-shared", "cf-r1-shared/test-file.txt"] {
        assert!(left.iter().any(|one| one.id == id && !one.why.is_empty()), "{id} must be among {left:?}");
    }
    assert!(report.counts.leaked >= 2 && ended.stdout.contains(" leaked, exit code 102"), "{}", ended.stdout);
}

async fn refuse_deletions(request: Request, next: Next) -> impl IntoResponse {
    if request.method() == Method::DELETE {
        let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        return (StatusCode::FORBIDDEN, body).into_response();
    }
    next.run(request).await
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_leaves_the_journal() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let cluster = Cluster::start(&sandbox).await;
    let (reading, deleting) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hang = {
        let (reading, deleting) = (reading.clone(), deleting.clone());
        move |request: Request, next: Next| {
            let (reading, deleting) = (reading.clone(), deleting.clone());
            async move {
                match *request.method() {
                    Method::GET if request.uri().path().ends_with("/test-file.txt") => reading.notify_one(),
                    Method::DELETE => deleting.notify_one(),
                    _ => return next.run(request).await,
                }
                std::future::pending().await
            }
        }
    };
    let aws = Aws::start(&cluster, |router| router.layer(from_fn(hang))).await;
    let running = against(&sandbox, &aws, &[]).env("CI", "1").start();
    reading.notified().await;
    running.signal(Signal::INT);
    deleting.notified().await;
    running.signal(Signal::INT);
    let ended = running.end().await;
    ended.expect_exit(130);
    assert!(!ended.journal().open().is_empty(), "what is left must be in the journal");
}

#[track_caller]
fn assert_whose_keys(ended: &Ended) {
    let told = reason(ended);
    assert!(
        told.starts_with("101 the endpoint does not say whose keys these are")
            && told.ends_with("pass --aws-account ID"),
        "{told}"
    );
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_is_named() {
    let sandbox = Sandbox::new();
    let with_keys = |url: &str, id: &str| {
        let words = ["e2e", "aks-to-aws", "--run-id", id, "--aws-endpoint", url];
        sandbox
            .crossfed(&words)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "canary-secret-of-the-endpoint")
    };
    let unreachable = with_keys("http://127.0.0.1:1", "r1").run().await;
    assert_whose_keys(&unreachable);
    assert!(secrets::texts(&unreachable).iter().all(|(_, text)| !text.contains("canary-secret-of-the-endpoint")));

    let stranger = serve(Router::new().fallback(routing::any(|| async { (StatusCode::NOT_FOUND, "what?") }))).await;
    let stranger = with_keys(&format!("http://{stranger}"), "r2").run().await;
    assert_whose_keys(&stranger);

    let scheme = with_keys("https://127.0.0.1:4566", "r3").run().await;
    scheme.expect_exit(2);
    assert_snapshot!(scheme.stderr, @"error: --aws-endpoint: `https://127.0.0.1:[port]`: only http:// endpoints can be passed on to");

    let keyless =
        sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r4", "--aws-endpoint", "http://127.0.0.1:1"]).run().await;
    assert_snapshot!(reason(&keyless), @"96 --aws-endpoint needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (most emulators take any value)");

    let words =
        ["e2e", "aks-to-aws", "--run-id", "r5", "--aws-endpoint", "http://127.0.0.1:1", "--aws-account", ACCOUNT];
    let silent =
        sandbox.crossfed(&words).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").run().await;
    let told = reason(&silent);
    assert!(told.starts_with("101 account 123456789012: ") && told.contains("status 502"), "{told}");
}
