//! `sandbox`: what its users' programs find in it.

mod runs;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::run::Ended;
use crate::sandbox::Sandbox;

/// Runs a script inside, with the `PATH` of this machine.
async fn inside(words: &[&str], script: &str) -> Ended {
    inside_of(&Sandbox::new(), words, script).await
}

/// The same in a folder that the test keeps, and with it the filters of snapshots.
async fn inside_of(sandbox: &Sandbox, words: &[&str], script: &str) -> Ended {
    sandbox.write("script", script);
    let words: Vec<&str> = ["sandbox"].iter().chain(words).copied().chain(["--exec", "/bin/sh", "script"]).collect();
    let path = std::env::var_os("PATH").expect("a test needs PATH");
    sandbox.crossfed(&words).env("PATH", path).env("HOME", sandbox.path("")).run().await
}

/// True where the program is there; says so where it is not.
#[allow(clippy::print_stderr, reason = "a test that is skipped says why")]
pub(crate) fn has(program: &str) -> bool {
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
        export SSL_CERT_FILE=[private]/ca.crt
        export AWS_CA_BUNDLE=[private]/ca.crt
        export REQUESTS_CA_BUNDLE=[private]/ca.crt
        export CURL_CA_BUNDLE=[private]/ca.crt
        export NODE_EXTRA_CA_CERTS=[private]/ca.crt
        export AWS_EC2_METADATA_DISABLED=true
        export AWS_ENDPOINT_URL_STS=http://127.0.0.1:[port]
        export AWS_ENDPOINT_URL_IAM=http://127.0.0.1:[port]
        export AWS_ENDPOINT_URL_S3=http://127.0.0.1:[port]
        export AZURE_AUTHORITY_HOST=https://localhost:[port]/
        export AZURE_RESOURCE_MANAGER_URL=https://localhost:[port]
        export AZURE_VAULT_SUFFIX=.vault.localhost:[port]
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

#[tokio::test]
async fn images_are_programs_as_a_file_says() {
    if !has("kubectl") {
        return;
    }
    let script = r#"
        set -e
        kubectl run said --image example.com/says:1 --restart Never -- again
        kubectl run busy --image busybox --restart Never -- sh -c 'echo $HOME; ls /var/run/secrets/kubernetes.io/serviceaccount'
        kubectl run none --image example.com/none --restart Never
        kubectl wait pod/said pod/busy --for=jsonpath='{.status.phase}'=Succeeded --timeout=20s
        # The reason goes to and fro between ErrImagePull and ImagePullBackOff.
        kubectl wait pod/none --for=jsonpath='{.status.containerStatuses[0].state.waiting.message}' --timeout=20s
        kubectl logs said
        kubectl logs busy
        kubectl get pod none -o jsonpath='{.status.containerStatuses[0].state.waiting.message}' | grep -o "map it with.*"
    "#;
    let sandbox = Sandbox::new();
    sandbox.write("script", script);
    sandbox.write("images.yaml", "images:\n  - names: [example.com/says]\n    entrypoint: [echo, says]\n");
    let words = ["sandbox", "--images-file", "images.yaml", "--exec", "/bin/sh", "script"];
    let path = std::env::var_os("PATH").expect("a test needs PATH");
    let ended = sandbox.crossfed(&words).env("PATH", path).env("HOME", sandbox.path("")).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        pod/said created
        pod/busy created
        pod/none created
        pod/said condition met
        pod/busy condition met
        pod/none condition met
        says again
        /.crossfed/home
        ca.crt
        namespace
        token
        map it with --image example.com/none=PROGRAM
        "#);
    sandbox.write("images.yaml", "images:\n  - names: []\n");
    let ended = sandbox.crossfed(&["sandbox", "--images-file", "images.yaml"]).run().await;
    ended.expect_exit(2);
    assert_snapshot!(ended.stderr, @"error: --images-file [folder]/images.yaml: image map: an entry has no names");
}

/// What a sandbox keeps is what its user made: objects, issuer and key, accounts with all that is in them.
#[tokio::test]
async fn state_that_is_kept_is_there_again_with_its_identities() {
    if !has("kubectl") || !has("aws") {
        return;
    }
    let sandbox = Sandbox::new();
    let path = std::env::var_os("PATH").expect("a test needs PATH");
    let run = async |script: &str| {
        sandbox.write("script", script);
        let words = ["sandbox", "--flavor", "eks", "--state", "kept", "--exec", "/bin/sh", "script"];
        sandbox.crossfed(&words).env("PATH", &path).env("HOME", sandbox.path("")).env("AWS_PAGER", "").run().await
    };
    let first = r#"
        set -e
        echo hello > file.txt
        aws s3 mb s3://bucket-of-mine > /dev/null
        aws s3 cp --only-show-errors file.txt s3://bucket-of-mine/file.txt
        host=${CROSSFED_ISSUER#https://}
        account=$(aws sts get-caller-identity --query Account --output text)
        aws iam create-open-id-connect-provider --url "$CROSSFED_ISSUER" --client-id-list sts.amazonaws.com > /dev/null
        aws iam create-role --role-name reader --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
            "Principal":{"Federated":"arn:aws:iam::'$account':oidc-provider/'$host'"},"Action":"sts:AssumeRoleWithWebIdentity",
            "Condition":{"StringEquals":{"'$host':sub":"system:serviceaccount:shop:reader"}}}]}' > /dev/null
        aws iam put-role-policy --role-name reader --policy-name read --policy-document '{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}]}'
        kubectl create namespace shop
        kubectl create serviceaccount reader -n shop
        kubectl annotate serviceaccount reader -n shop eks.amazonaws.com/role-arn=arn:aws:iam::$account:role/reader
        kubectl create -f - <<CRD
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
CRD
        kubectl create -f - <<THING
apiVersion: example.com/v1
kind: Thing
metadata: {name: one, namespace: shop}
THING
        kubectl create token reader -n shop --audience sts.amazonaws.com > token
        echo "$CROSSFED_ISSUER" > issuer
        curl -s https://sandbox.crossfed.internal/inventory > inventory
    "#;
    run(first).await.expect_exit(0);
    assert_eq!(std::fs::metadata(sandbox.path("kept")).map(|kept| kept.permissions().mode() & 0o777).ok(), Some(0o700));
    let second = r#"
        set -e
        test "$CROSSFED_ISSUER" = "$(cat issuer)"
        curl -s https://sandbox.crossfed.internal/inventory | diff - inventory
        kubectl get things -n shop -o name
        kubectl run ls -n shop --image amazon/aws-cli --restart Never --overrides '{"spec":{"serviceAccountName":"reader"}}' -- \
            s3 cp --no-progress s3://bucket-of-mine/file.txt -
        kubectl wait pod/ls -n shop --for=jsonpath='{.status.phase}'=Succeeded --timeout=20s
        kubectl logs ls -n shop
        aws sts assume-role-with-web-identity --role-arn arn:aws:iam::111122223333:role/reader --role-session-name old-token \
            --web-identity-token "$(cat token)" --query AssumedRoleUser.Arn --output text
    "#;
    let ended = run(second).await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        thing.example.com/one
        pod/ls created
        pod/ls condition met
        hello
        arn:aws:sts::111122223333:assumed-role/reader/old-token
        "#);
    let ended = sandbox.crossfed(&["sandbox", "--flavor", "aks", "--state", "kept", "--exec", "true"]).run().await;
    ended.expect_exit(2);
    assert_snapshot!(ended.stderr, @"error: --state: it holds a sandbox like eks in eu-central-1: pass --flavor eks --region eu-central-1");
}

/// The clouds at ports of this machine, asked by curl as the simplest program that knows no proxy.
#[tokio::test]
async fn both_clouds_answer_at_endpoints_of_this_machine() {
    if !has("curl") || !has("aws") {
        return;
    }
    let script = r#"
        set -e
        test -z "$HTTPS_PROXY"
        aws sts get-caller-identity --query Account --output text
        aws s3 mb s3://bucket-of-mine
        token=$(curl -s "${AZURE_AUTHORITY_HOST}$AZURE_TENANT_ID/oauth2/v2.0/token" -d grant_type=client_credentials \
            -d client_id=$AZURE_CLIENT_ID --data-urlencode client_secret=$AZURE_CLIENT_SECRET \
            -d scope=https://management.azure.com/.default | grep -o '"access_token":"[^"]*"' | cut -d '"' -f 4)
        curl -s -H "Authorization: Bearer $token" \
            "$AZURE_RESOURCE_MANAGER_URL/subscriptions/$AZURE_SUBSCRIPTION_ID/resourcegroups?api-version=2021-04-01"
    "#;
    let ended = inside(&["--endpoints"], script).await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        111122223333
        make_bucket: bucket-of-mine
        {"value":[]}
        "#);
}

/// The other direction, provisioned by the Azure command line, read by Microsoft's own library for Python in a pod.
#[tokio::test]
async fn az_and_kubectl_lead_a_pod_to_its_vault() {
    let (Some(az), Some(python)) = (named("CROSSFED_AZ"), named("CROSSFED_PYTHON")) else { return };
    if !has("kubectl") {
        return;
    }
    let script = r#"
        set -e
        export AZURE_CONFIG_DIR=$HOME/azure AZURE_CORE_COLLECT_TELEMETRY=false
        $AZ login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID -o none
        $AZ group create -n shop -l westeurope -o none
        $AZ identity create -g shop -n reader --query '[clientId, principalId]' -o tsv > ids
        $AZ identity federated-credential create -g shop --identity-name reader -n eks --issuer "$CROSSFED_ISSUER" \
            --subject system:serviceaccount:default:reader --audiences api://AzureADTokenExchange -o none
        vault=$($AZ keyvault create -g shop -n vault-of-mine -l westeurope --enable-rbac-authorization true --query id -o tsv)
        assign() {
            $AZ role assignment create --assignee-object-id $1 --assignee-principal-type ServicePrincipal --role "$2" --scope $vault -o none
        }
        assign $($AZ ad sp show --id $AZURE_CLIENT_ID --query id -o tsv) "Key Vault Secrets Officer"
        $AZ keyvault secret set --vault-name vault-of-mine -n greeting --value hello -o none
        assign $(tail -n 1 ids) "Key Vault Secrets User"
        cat > read.py <<PROGRAM
from azure.identity import WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient
print(SecretClient("https://vault-of-mine.vault.azure.net", WorkloadIdentityCredential()).get_secret("greeting").value)
PROGRAM
        kubectl create configmap program --from-file=read.py
        for account in reader other; do
            kubectl create serviceaccount $account
            kubectl annotate serviceaccount $account azure.workload.identity/client-id=$(head -n 1 ids)
            kubectl apply -f - <<POD
apiVersion: v1
kind: Pod
metadata: {name: $account, labels: {azure.workload.identity/use: "true"}}
spec:
  serviceAccountName: $account
  restartPolicy: Never
  containers:
  - {name: app, image: my/python, args: [/program/read.py], volumeMounts: [{name: program, mountPath: /program}]}
  volumes: [{name: program, configMap: {name: program}}]
POD
        done
        kubectl wait pod/reader --for=jsonpath='{.status.phase}'=Succeeded --timeout=30s
        kubectl wait pod/other --for=jsonpath='{.status.phase}'=Failed --timeout=30s
        kubectl logs reader
        kubectl logs other | grep -o "AADSTS[0-9]*" | head -n 1
    "#;
    let sandbox = Sandbox::new();
    sandbox.write("script", script);
    let image = format!("my/python={}", python.display());
    let words = ["sandbox", "--flavor", "eks", "--image", &image, "--exec", "/bin/sh", "script"];
    let path = std::env::var_os("PATH").expect("a test needs PATH");
    let invocation = sandbox.crossfed(&words).env("PATH", path).env("HOME", sandbox.path("")).env("AZ", az);
    let ended = invocation.within(Duration::from_secs(100)).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        configmap/program created
        serviceaccount/reader created
        serviceaccount/reader annotated
        pod/reader created
        serviceaccount/other created
        serviceaccount/other annotated
        pod/other created
        pod/reader condition met
        pod/other condition met
        hello
        AADSTS700213
        "#);
}

/// A program that the tests' set-up has installed; says so where there is none.
#[allow(clippy::print_stderr, reason = "a test that is skipped says why")]
fn named(variable: &str) -> Option<PathBuf> {
    let program = std::env::var_os(variable).map(PathBuf::from);
    if program.is_none() {
        eprintln!("skipped: {variable} names no program");
    }
    program
}
