//! Scenarios in a sandbox that is up, and clouds that show writes late.

use insta::assert_snapshot;

use super::{has, inside_of};
use crate::run::Ended;
use crate::sandbox::Sandbox;

/// A shell that runs `crossfed` itself, in the sandbox that runs the shell.
async fn crossfed_inside(sandbox: &Sandbox, words: &[&str], script: &str) -> Ended {
    let program = env!("CARGO_BIN_EXE_crossfed");
    inside_of(sandbox, words, &format!("crossfed() {{ {program} \"$@\"; }}\nset -e\n{script}")).await
}

#[tokio::test]
async fn scenarios_run_in_a_sandbox_that_is_up_by_its_url_and_by_its_file() {
    let script = r#"
        file=$(dirname "$KUBECONFIG")/sandbox.json
        crossfed e2e aks-to-aws --faults wrong-namespace,expired-token --sandbox "$HTTPS_PROXY" --run-id r1
        crossfed e2e aks-to-azure both-clouds --faults none --sandbox "$file" --run-id r2 > second
        tail -n 5 second | grep PASSED
    "#;
    let sandbox = Sandbox::new();
    let ended = crossfed_inside(&sandbox, &["--flavor", "aks"], script).await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        crossfed 0.1.0  run r1 · cluster sandbox, like aks · clouds sandbox

        aks-to-aws  A pod in AKS reads an object in S3
          ✓ preflight   3 checks planned [time]
          ✓ cluster     sandbox, like aks, issuer https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/
          ✓ webhooks    amazon-eks-pod-identity-webhook-cf-r1 [time]
          ✓ federation  8 resources in 1 account [time]
          ✓ workload    2 namespaces with service account and target [time]
            checks
            ✓ A pod in AKS reads an object in S3                   11 read                52 bytes [time]
            ✓ trust policy for another namespace                   8 subject accepted     AccessDenied              403 [time]
            – token expired two hours ago                          skipped: only whoever holds the issuer's private key [time]
                                                                   can make a genuine token that has expired
          ✓ teardown    11 taken back, inventory empty [time]

        PASSED  2 of 2 checks passed, 1 skipped [time]
          skipped    1: only whoever holds the issuer's private key can make a genuine token that has expired (expired-token)
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws --faults wrong-namespace,expired-token --sandbox [private]/sandbox.json
        PASSED  2 of 2 scenarios passed, 3 of 3 checks passed [time]
        "#);
}

#[tokio::test]
async fn a_run_in_a_sandbox_leaves_it_as_it_was() {
    if !has("kubectl") || !has("curl") {
        return;
    }
    let script = r#"
        look() {
            curl -s https://sandbox.crossfed.internal/inventory
            kubectl get namespaces,mutatingwebhookconfigurations -o name
        }
        look > before
        crossfed e2e eks-to-azure eks-to-aws --faults all --sandbox "$HTTPS_PROXY" > /dev/null
        look > after
        diff before after
        curl -s "https://sandbox.crossfed.internal/requests" | grep -c '"client":"sandbox"' > /dev/null
        curl -s -X POST https://sandbox.crossfed.internal/aws/accounts | grep -o '"id":"[0-9]*"'
        curl -s -X POST https://sandbox.crossfed.internal/aws/accounts/444455556666 | grep -o '"id":"[0-9]*"'
        curl -s -X POST https://sandbox.crossfed.internal/aws/accounts/no
        curl -s -X POST "https://sandbox.crossfed.internal/azure/subscriptions?tenant=$AZURE_TENANT_ID" | grep -c "$AZURE_TENANT_ID"
        curl -s https://sandbox.crossfed.internal/what | head -n 1
    "#;
    let sandbox = Sandbox::new();
    let ended = crossfed_inside(&sandbox, &["--flavor", "eks"], script).await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        "id":"111122223341"
        "id":"444455556666"
        `no` is no AWS account id: twelve digits are expected
        1
        crossfed sandbox:
        "#);
}

#[tokio::test]
async fn a_sandbox_that_is_none_is_told_with_its_reason() {
    let script = r#"
        file=$(dirname "$KUBECONFIG")/sandbox.json
        try() { crossfed e2e aks-to-aws --sandbox "$1" || echo "exit $?"; }
        exec 2>&1
        try none.json
        try "$KUBECONFIG" | sed "s|$(dirname "$KUBECONFIG")|[private]|"
        try http://10.0.0.1:80
        try "$(echo "$HTTPS_PROXY" | sed 's/:[0-9a-f]*@/:wrong@/')"
        try http://sandbox:wrong@127.0.0.1:1
        crossfed e2e aks-to-aws --sandbox "$file" --image a=b | head -n 1 || true
    "#;
    let sandbox = Sandbox::new();
    let ended = crossfed_inside(&sandbox, &[], script).await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        error: --sandbox: [folder]/none.json is no file of a sandbox: No such file or directory (os error 2)
        exit 2
        error: --sandbox: [private]/kubeconfig is no file of a sandbox: expected value at line 1 column 1
        exit 2
        error: --sandbox: a URL is its HTTPS_PROXY, such as http://sandbox:<redacted>@127.0.0.1:PORT
        exit 2
        error: --sandbox: its password is another one; it may have been started anew
        exit 96
        error: --sandbox: no sandbox answers: cannot connect to sandbox.crossfed.internal:443: Connection refused (os error 111)
        exit 96
        error: the argument '--sandbox <URL|FILE>' cannot be used with '--image <IMAGE=PROGRAM>'

        Usage: cargo xtask e2e --sandbox <URL|FILE> <SCENARIO>...

        For more information, try '--help'.
        "#);
}

#[tokio::test]
async fn late_writes_are_waited_for_until_they_are_seen_everywhere() {
    let sandbox = Sandbox::new();
    let words = ["e2e", "both-clouds", "--faults", "wrong-namespace", "--propagation", "0.01", "--run-id", "r1"];
    let ended = sandbox.crossfed(&words).run().await;
    ended.expect_exit(0);
    assert!(ended.stdout.contains("control: as expected 3 times in a row after"), "{}", ended.stdout);
    assert!(ended.stdout.contains("taken back, inventory empty"), "{}", ended.stdout);
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--propagation", "-1"]).run().await;
    ended.expect_exit(2);
}
