//! What faults can change, and what can come of it: one of each kind, chosen on the command line.

use std::time::Duration;

use insta::assert_snapshot;

use crate::run::Ended;
use crate::sandbox::Sandbox;

async fn tried(sandbox: &Sandbox, scenario: &str, faults: &str) -> Ended {
    let ended = sandbox.crossfed(&["e2e", scenario, "--faults", faults, "--run-id", "r1"]).run().await;
    ended.expect_exit(0);
    assert!(ended.journal().open().is_empty(), "{:?}", ended.journal().open());
    ended
}

#[tokio::test]
async fn each_way_to_break_an_access_in_aws_ends_as_its_file_says() {
    let sandbox = Sandbox::new();
    let faults = "trust-policy-with-resource,key-not-published,token-just-expired,bucket-policy-denies,\
                  boundary-without-get-object,wrong-thumbprint,session-name-with-colon,forged-signature,no-default-token";
    let ended = tried(&sandbox, "aks-to-aws", faults).await;
    assert_snapshot!(ended.checks(), @r#"
        boundary-without-get-object: passed: expected permitted AccessDenied 403, saw permitted AccessDenied 403
        bucket-policy-denies: passed: expected permitted AccessDenied 403, saw permitted AccessDenied 403
        control: passed: expected read 52, saw read 52
        forged-signature: passed: expected key-published InvalidIdentityToken 400, saw key-published InvalidIdentityToken 400
        key-not-published: passed: expected issuer-discoverable InvalidIdentityToken 400, saw issuer-discoverable InvalidIdentityToken 400
        no-default-token: passed: expected read 52, saw read 52
        session-name-with-colon: passed: expected credential-issued ValidationError 400, saw credential-issued ValidationError 400
        token-just-expired: passed: expected read 52, saw read 52
        trust-policy-with-resource: passed: expected not created MalformedPolicyDocument 400, saw not created MalformedPolicyDocument 400: CreateRole of role cf-r1-trust-policy-with-resource
        wrong-thumbprint: passed: expected read 52, saw read 52
        "#);
}

#[tokio::test]
async fn each_way_to_break_an_access_in_azure_ends_as_its_file_says() {
    let sandbox = Sandbox::new();
    let faults = "assertion-without-iat,token-of-ten-minutes,client-id-missing,two-audiences,no-default-token";
    let ended = tried(&sandbox, "eks-to-azure", faults).await;
    assert_snapshot!(ended.checks(), @r#"
        assertion-without-iat: passed: expected token-projected AADSTS70023 400, saw token-projected AADSTS70023 400
        client-id-missing: passed: expected injected gave up: AZURE_CLIENT_ID, saw injected gave up: no client id specified. Check pod configuration or set client_id in the options: environment variable AZURE_CLIENT_ID not set: environment variable not found
        control: passed: expected read 52, saw read 52
        no-default-token: passed: expected read 52, saw read 52
        token-of-ten-minutes: passed: expected rejected 400 token expiration, saw rejected 400 admission webhook "mutation.azure-workload-identity.io" denied the request: token expiration 600 not valid. Expected value to be between 3600 and 86400
        two-audiences: passed: expected not created  400, saw not created BadRequest 400: CreateFederatedCredential of federated credential crossfed of identity cf-r1-two-audiences
        "#);
    assert_snapshot!(ended.chains(), @r#"
        assertion-without-iat ++x..+++... volume of the pod's own, expires [moment] asked of login.microsoftonline.com answered 400 AADSTS70023: AADSTS70023: External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00. Token issued at 0. Token expires on [seconds]. Trace ID: [uuid] Correlation ID: [uuid] Timestamp: [moment]
        client-id-missing +x......... client nothing, /var/run/secrets/azure/wi/token/azure-identity-token asked of the workload's log: no client id specified. Check pod configuration or set client_id in the options: environment variable AZURE_CLIENT_ID not set: environment variable not found
        control +++++++++++
        no-default-token +++++++++++
        token-of-ten-minutes +x......... nothing asked of the API server's admission: admission webhook "mutation.azure-workload-identity.io" denied the request: token expiration 600 not valid. Expected value to be between 3600 and 86400
        two-audiences ???????????
        "#);
}

#[tokio::test]
async fn a_fault_towards_one_cloud_leaves_the_other_access_as_it_is() {
    let sandbox = Sandbox::new();
    let faults = "key-not-published,trust-policy-with-resource,session-name-with-colon,assertion-without-iat,token-of-ten-minutes";
    let ended = tried(&sandbox, "both-clouds", faults).await;
    assert_snapshot!(ended.checks(), @r#"
        assertion-without-iat/aws: passed: expected read 52, saw read 52
        assertion-without-iat/azure: passed: expected token-projected AADSTS70023 400, saw token-projected AADSTS70023 400
        control/aws: passed: expected read 52, saw read 52
        control/azure: passed: expected read 52, saw read 52
        key-not-published/aws: passed: expected issuer-discoverable InvalidIdentityToken 400, saw issuer-discoverable InvalidIdentityToken 400
        key-not-published/azure: passed: expected read 52, saw read 52
        session-name-with-colon/aws: passed: expected credential-issued ValidationError 400, saw credential-issued ValidationError 400
        session-name-with-colon/azure: passed: expected read 52, saw read 52
        token-of-ten-minutes/aws: passed: expected rejected 400 token expiration, saw rejected 400 admission webhook "mutation.azure-workload-identity.io" denied the request: token expiration 600 not valid. Expected value to be between 3600 and 86400
        token-of-ten-minutes/azure: passed: expected rejected 400 token expiration, saw rejected 400 admission webhook "mutation.azure-workload-identity.io" denied the request: token expiration 600 not valid. Expected value to be between 3600 and 86400
        trust-policy-with-resource/aws: passed: expected not created MalformedPolicyDocument 400, saw not created MalformedPolicyDocument 400: CreateRole of role cf-r1-trust-policy-with-resource
        "#);
}

#[tokio::test]
async fn what_a_cloud_does_and_must_refuse_is_the_gravest_failure() {
    let sandbox = Sandbox::with_own_scenarios();
    sandbox.write(
        "scenarios/faults/aws/harmless.yaml",
        "title: harmless\nchange: { token: { lifetimeSeconds: 1800 } }\nexpect: { not-created: { status: 400 } }\n\
         cause: token-expired\nfix: wait\nsource: none\nconfidence: inferred\n",
    );
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--faults", "harmless", "--run-id", "r1"]).run().await;
    ended.expect_exit(100);
    assert_snapshot!(ended.checks(), @r#"
        control: passed: expected read 52, saw read 52
        harmless: failed: expected not created  400, saw read 52
        "#);
    assert!(ended.stdout.contains("ACCEPTED, AND MUST BE REFUSED"), "{}", ended.stdout);
}

#[tokio::test]
async fn what_cannot_be_tried_here_is_skipped_with_its_reason() {
    let sandbox = Sandbox::with_own_scenarios();
    let file = |id: &str, lines: &str| {
        let diagnosed = if lines.starts_with("byHand") { "" } else { "cause: policy-denies\nfix: aws iam\n" };
        let text = format!(
            "title: t\n{lines}\nexpect: {{ refused: {{ link: permitted, code: AccessDenied, status: 403 }} }}\n\
             {diagnosed}source: none\nconfidence: inferred\n"
        );
        sandbox.write(&format!("scenarios/faults/aws/{id}.yaml"), &text);
    };
    file("by-a-person", "byHand: a service control policy denies it");
    file("on-eks", "places: [eks]\nchange: { env: { A: b } }");
    file("in-the-cloud", "clouds: [real]\nchange: { env: { A: b } }");
    let ended = tried(&sandbox, "aks-to-aws", "by-a-person,on-eks,in-the-cloud").await;
    assert_snapshot!(ended.checks(), @r#"
        by-a-person: skipped: expected permitted AccessDenied 403, saw nothing
        control: passed: expected read 52, saw read 52
        in-the-cloud: skipped: expected permitted AccessDenied 403, saw nothing
        on-eks: skipped: expected permitted AccessDenied 403, saw nothing
        "#);
    assert_snapshot!(ended.stdout.lines().filter(|line| line.contains("skipped")).collect::<Vec<_>>().join("\n"), @r#"
            – t                                                    skipped: only a person can do it: a service control [time]
            – t                                                    skipped: it is tried only with clouds that are real [time]
            – t                                                    skipped: it is tried only where pods run in eks [time]
        PASSED  1 of 1 check passed, 3 skipped [time]
          skipped    1: only a person can do it: a service control policy denies it (by-a-person)
          skipped    1: it is tried only with clouds that are real (in-the-cloud)
          skipped    1: it is tried only where pods run in eks (on-eks)
        "#);
}

#[tokio::test]
async fn a_selection_that_means_nothing_is_refused_with_what_was_probably_meant() {
    let sandbox = Sandbox::new();
    let check = |words: &'static str| {
        let (scenario, faults) = words.split_once(' ').expect("two words");
        let invocation = sandbox.crossfed(&["plan", scenario, "--faults", faults]);
        async move {
            let ended = invocation.run().await;
            format!("{words}: exit {}: {}", ended.exit, ended.stderr.lines().next().unwrap_or_default())
        }
    };
    let mut said = Vec::new();
    for words in [
        "aks-to-aws wrong-namespce",
        "aks-to-aws no-role",
        "aks-to-aws tag=isuer",
        "aks-to-aws link=permited",
        "aks-to-aws cloud=azure",
    ] {
        said.push(check(words).await);
    }
    let shortened = said.join("\n");
    let shortened: Vec<&str> = shortened.lines().map(|line| line.split(" (known").next().unwrap_or_default()).collect();
    assert_snapshot!(shortened.join("\n"), @r#"
        aks-to-aws wrong-namespce: exit 2: error: no fault `wrong-namespce`; did you mean `wrong-namespace`? (`cargo xtask list` shows all 210)
        aks-to-aws no-role: exit 2: error: --faults: `no-role` fits no selected scenario; `list` says what each fault needs
        aks-to-aws tag=isuer: exit 2: error: no fault has the tag `isuer`; did you mean `issuer`?
        aks-to-aws link=permited: exit 2: error: invalid value 'link=permited' for '--faults <LIST>': no link `permited`; did you mean `permitted`?
        aks-to-aws cloud=azure: exit 4: error: --faults: no fault that fits a selected scenario is selected
        "#);
}

#[tokio::test]
async fn faults_are_selected_by_link_tag_cloud_and_name() {
    let sandbox = Sandbox::new();
    let ids = |faults: &'static str| {
        let invocation = sandbox.crossfed(&["plan", "aks-to-aws", "--faults", faults]);
        async move {
            let ended = invocation.run().await;
            ended.expect_exit(0);
            let cells = ended.stdout.lines().filter_map(|line| line.strip_prefix('[')?.split(']').next());
            cells.map(str::to_owned).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids("none").await, ["control"]);
    assert_eq!(ids("wrong-namespace,no-provider").await, ["control", "no-provider", "wrong-namespace"]);
    let all = ids("all").await;
    assert!(all.len() > ids("default").await.len());
    assert_eq!(
        ids("cloud=aws").await.len(),
        all.len() - ids("all").await.iter().filter(|id| is_of_cluster(id)).count()
    );
    let issuer = ids("tag=issuer").await;
    assert!(
        issuer.contains(&"key-not-published".to_owned()) && !issuer.contains(&"no-provider".to_owned()),
        "{issuer:?}"
    );
    let trusted = ids("link=issuer-trusted").await;
    assert!(
        trusted.contains(&"no-provider".to_owned()) && !trusted.contains(&"wrong-namespace".to_owned()),
        "{trusted:?}"
    );
}

fn is_of_cluster(id: &str) -> bool {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/faults/cluster");
    folder.join(format!("{id}.yaml")).is_file()
}

#[tokio::test]
async fn the_diagnosis_finds_link_cause_and_fix_of_a_catalogue_whose_names_it_does_not_see() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["bench", "diagnosis"]).within(Duration::from_secs(150)).run().await;
    println!("{}", ended.stdout);
    ended.expect_exit(0);
}
