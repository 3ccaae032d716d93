//! Signals in mid-run: what was created is taken down, and the exit code says which signal it was.

use std::time::Duration;

use insta::assert_snapshot;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;

use crate::run::{Ended, is_running};
use crate::sandbox::Sandbox;

/// Runs a scenario whose pods tell the test that they run, and never end; sends the signal once both do.
async fn interrupted(signal: Signal) -> (Sandbox, Ended, Vec<String>) {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let fifo = sandbox.path("running");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe must be made");
    let receiver = pipe::OpenOptions::new().read_write(true).open_receiver(&fifo).expect("a pipe must open");
    let image = sandbox.script(&format!("echo $$ > {}; exec /bin/sleep 600", fifo.display()));
    let running = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1", "--image", &image]).start();
    let mut lines = BufReader::new(receiver).lines();
    let mut pods = Vec::new();
    while pods.len() < 2 {
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
        pods.push(line.expect("pods must start").expect("must be read").expect("the pipe stays open"));
    }
    running.signal(signal);
    let ended = running.end().await;
    (sandbox, ended, pods)
}

#[tokio::test]
async fn ctrl_c_takes_everything_down() {
    let (_sandbox, ended, pods) = interrupted(Signal::INT).await;
    ended.expect_exit(130);
    assert_snapshot!(ended.settled_stdout(), @r#"
        crossfed 0.1.0  run r1 · cluster embedded · clouds simulated

        aks-to-aws  A pod in AKS reads an object in S3
          ✓ preflight   2 checks planned [time]
          ✓ cluster     embedded, issuer https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/
          ✓ webhooks    amazon-eks-pod-identity-webhook-cf-r1 [time]
          ✓ federation  8 resources in 1 account [time]
          ✓ workload    2 namespaces with service account and target [time]
            checks
            note        interrupted: taking down what was created; interrupt again to leave it
          ✓ teardown    11 taken back, inventory empty [time]
            infra       interrupted

        INTERRUPTED  no check was tried, 2 not run, exit code 130 [time]
          phase      aks-to-aws: checks did not finish
          scenario   aks-to-aws: infra: interrupted
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws --image ghcr.io/crossfed/s3-reader=[folder]/workload
        "#);
    assert_eq!(ended.journal().open(), [""; 0]);
    for pod in pods {
        assert!(!is_running(&pod), "process {pod} must be gone");
    }
    assert!(!ended.artifacts.join("kubeconfig").exists(), "a kubeconfig holds a key");
    assert_eq!(ended.report().exit_code, Some(130));
    assert!(ended.artifact("finished.json").contains("ABORTED"));
}

#[tokio::test]
async fn termination_does_the_same() {
    let (_sandbox, ended, _) = interrupted(Signal::TERM).await;
    ended.expect_exit(143);
    assert_eq!(ended.journal().open(), [""; 0]);
}
