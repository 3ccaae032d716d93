//! `sandbox`: what its users' programs find in it.

use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::run::Ended;
use crate::sandbox::Sandbox;

/// Runs a script inside, with the `PATH` of this machine.
async fn inside(words: &[&str], script: &str) -> Ended {
    let sandbox = Sandbox::new();
    sandbox.write("script", script);
    let words: Vec<&str> = ["sandbox"].iter().chain(words).copied().chain(["--exec", "/bin/sh", "script"]).collect();
    let path = std::env::var_os("PATH").expect("a test needs PATH");
    sandbox.crossfed(&words).env("PATH", path).env("HOME", sandbox.path("")).run().await
}

/// True where the program is there; says so where it is not.
#[allow(clippy::print_stderr, reason = "a test that is skipped says why")]
fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: `{program}` is not on PATH");
    }
    found
}

#[tokio::test]
async fn every_variable_is_a_line_for_a_shell() {
    let sandbox = Sandbox::new();
    let running =
        sandbox.crossfed(&["sandbox", "--flavor", "eks", "--endpoints"]).env("HOME", sandbox.path("")).start();
    let ended = running.when_it_says("Ctrl-C ends it", Signal::INT).await;
    ended.expect_exit(0);
    assert_eq!(ended.stderr, "");
    let mut lines: Vec<String> = Vec::new();
    for line in ended.stdout.lines() {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let is_secret = ["SECRET", "KEY_ID", "PROXY", "proxy"].iter().any(|word| name.contains(word));
        lines.push(if is_secret && !value.starts_with("127.") { format!("{name}=[...]") } else { line.to_owned() });
    }
    let folder = lines[3].trim_start_matches("export KUBECONFIG=").trim_end_matches("/kubeconfig").to_owned();
    assert!(!Path::new(&folder).exists(), "nothing is left");
    assert_snapshot!(lines.join("\n").replace(&folder, "[private]"), @r#"
        # crossfed sandbox, like eks: ready after [time]
        # issuer    https://oidc.eks.eu-central-1.amazonaws.com/id/[id]
        # webhooks  pod-identity-webhook, azure-wi-webhook-mutating-webhook-configuration
        export KUBECONFIG=[private]/kubeconfig
        export HTTPS_PROXY=[...]
        export https_proxy=[...]
        export NO_PROXY=127.0.0.1,localhost
        export no_proxy=127.0.0.1,localhost
        export SSL_CERT_FILE=[private]/ca.crt
        export AWS_CA_BUNDLE=[private]/ca.crt
        export REQUESTS_CA_BUNDLE=[private]/ca.crt
        export CURL_CA_BUNDLE=[private]/ca.crt
        export NODE_EXTRA_CA_CERTS=[private]/ca.crt
        export NODE_USE_ENV_PROXY=[...]
        export AWS_EC2_METADATA_DISABLED=true
        export AWS_ENDPOINT_URL_STS=http://127.0.0.1:[port]
        export AWS_ENDPOINT_URL_IAM=http://127.0.0.1:[port]
        export AWS_ENDPOINT_URL_S3=http://127.0.0.1:[port]
        export AWS_REGION=eu-central-1
        export AWS_DEFAULT_REGION=eu-central-1
        export AWS_ACCESS_KEY_ID=[...]
        export AWS_SECRET_ACCESS_KEY=[...]
        export AZURE_TENANT_ID=[uuid]
        export AZURE_SUBSCRIPTION_ID=[uuid]
        export AZURE_CLIENT_ID=[uuid]
        export AZURE_CLIENT_SECRET=[...]
        export CROSSFED_ISSUER=https://oidc.eks.eu-central-1.amazonaws.com/id/[id]
        # In another terminal: . [private]/env
        # Ctrl-C ends it.
        "#);
}

#[tokio::test]
async fn a_command_finds_them_and_its_exit_code_is_passed_on() {
    let script = r#"
        test -f "$SSL_CERT_FILE" && grep -q "BEGIN CERTIFICATE" "$SSL_CERT_FILE" || exit 1
        test "$(stat -c %a "$KUBECONFIG")" = 600 || exit 2
        case "$CROSSFED_ISSUER" in https://oidc.eks.eu-west-1.amazonaws.com/id/*) ;; *) exit 3 ;; esac
        exit 42
    "#;
    inside(&["--flavor", "eks", "--region", "eu-west-1"], script).await.expect_exit(42);
    inside(&[], "kill -9 $$").await.expect_exit(137);
}

#[tokio::test]
async fn what_cannot_be_started_is_a_mistake_of_its_user() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["sandbox", "--exec", "/no/such/program"]).run().await;
    ended.expect_exit(2);
    assert_snapshot!(ended.stderr, @"error: --exec: `/no/such/program` cannot be started: No such file or directory (os error 2)");
    let ended =
        sandbox.crossfed(&["sandbox", "--flavor", "eks", "--region", "no region", "--exec", "true"]).run().await;
    ended.expect_exit(2);
    assert!(ended.stderr.starts_with("error: --region: "), "{}", ended.stderr);
}

/// The pod of the public walk-throughs, given its identity by the field's own tools, and its twin without one.
#[tokio::test]
async fn kubectl_and_aws_lead_a_pod_to_its_bucket() {
    if !has("kubectl") || !has("aws") {
        return;
    }
    let script = r#"
        set -e
        export AWS_PAGER=
        echo hello > file.txt
        aws s3 mb s3://bucket-of-mine > /dev/null
        aws s3 cp --no-progress --only-show-errors file.txt s3://bucket-of-mine/file.txt
        host=${CROSSFED_ISSUER#https://}
        account=$(aws sts get-caller-identity --query Account --output text)
        aws iam create-open-id-connect-provider --url "$CROSSFED_ISSUER" --client-id-list sts.amazonaws.com > /dev/null
        aws iam create-role --role-name reader --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
            "Principal":{"Federated":"arn:aws:iam::'$account':oidc-provider/'$host'"},"Action":"sts:AssumeRoleWithWebIdentity",
            "Condition":{"StringEquals":{"'$host':sub":"system:serviceaccount:default:reader","'$host':aud":"sts.amazonaws.com"}}}]}' > /dev/null
        aws iam put-role-policy --role-name reader --policy-name read --policy-document '{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}]}'
        kubectl create serviceaccount reader
        kubectl annotate serviceaccount reader eks.amazonaws.com/role-arn=arn:aws:iam::$account:role/reader
        for account in reader default; do
            kubectl run $account --image amazon/aws-cli --restart Never --overrides '{"spec":{"serviceAccountName":"'$account'"}}' -- \
                s3 cp --no-progress s3://bucket-of-mine/file.txt -
        done
        kubectl wait pod/reader --for=jsonpath='{.status.phase}'=Succeeded --timeout=20s
        kubectl wait pod/default --for=jsonpath='{.status.phase}'=Failed --timeout=20s
        kubectl logs reader
        kubectl logs default | grep -o "Unable to locate credentials"
    "#;
    let ended = inside(&["--flavor", "eks"], script).await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        serviceaccount/reader created
        serviceaccount/reader annotated
        pod/reader created
        pod/default created
        pod/reader condition met
        pod/default condition met
        hello
        Unable to locate credentials
        "#);
}
