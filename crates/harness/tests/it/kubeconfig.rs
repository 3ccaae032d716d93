//! A cluster that is already there: used like any other, and left as it was found.

use insta::assert_snapshot;

use crate::places::Cluster;
use crate::sandbox::Sandbox;
use crate::secrets;

const WORDS: [&str; 8] =
    ["e2e", "aks-to-aws", "--run-id", "r1", "--cluster", "kubeconfig", "--kubeconfig", "kubeconfig"];

#[tokio::test]
async fn passes_on_a_bare_api_server_and_leaves_nothing_in_it() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::start_bare(&sandbox).await;
    let before = cluster.objects().await;
    let ended = sandbox.crossfed(&WORDS).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.settled_stdout(), @r#"
        crossfed 0.1.0  run r1 · cluster kubeconfig kubeconfig · clouds simulated

        aks-to-aws  A pod in AKS reads an object in S3
          ✓ preflight   9 checks planned [time]
          ✓ cluster     kubeconfig [folder]/kubeconfig, issuer https://issuer.example.test/self-managed [time]
          ✓ webhooks    amazon-eks-pod-identity-webhook-cf-r1 [time]
          ✓ federation  28 resources in 3 accounts [time]
          ✓ workload    8 namespaces with service account and target [time]
            checks
            – token expired two hours ago                          skipped: only whoever holds the issuer's private key [time]
                                                                   can make a genuine token that has expired
            ✓ A pod in AKS reads an object in S3                   11 read                52 bytes [time]
            ✓ no OIDC provider for the issuer                      6 issuer trusted       InvalidIdentityToken      400 [time]
            ✓ provider without the issuer's slash                  6 issuer trusted       InvalidIdentityToken      400 [time]
            ✓ role may not get the object                          10 permitted           AccessDenied              403 [time]
            ✓ service account not annotated                        1 opted in             not injected [time]
            ✓ token made for another audience                      7 audience accepted    InvalidIdentityToken      400 [time]
            ✓ token not signed by the issuer                       5 key published        InvalidIdentityToken      400 [time]
            ✓ trust policy for another namespace                   8 subject accepted     AccessDenied              403 [time]
          ✓ teardown    37 taken back, inventory empty [time]

        PASSED  8 of 8 checks passed, 1 skipped [time]
          skipped    1: only whoever holds the issuer's private key can make a genuine token that has expired (expired-token)
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws --cluster kubeconfig --kubeconfig kubeconfig
        "#);
    assert_eq!(ended.check("expired-token").verdict.word(), "skipped");
    assert_eq!((ended.report().counts.passed, ended.report().counts.skipped), (8, 1));
    assert_eq!(ended.journal().open(), [""; 0]);
    // Who stands in for the missing controllers furnishes the namespaces that were there, as those would.
    let is_unexpected = |path: &&String| !path.ends_with("/default") && !path.ends_with("/kube-root-ca.crt");
    let after = cluster.objects().await;
    assert_eq!(after.difference(&before).filter(is_unexpected).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(before.difference(&after).collect::<Vec<_>>(), [""; 0]);
    secrets::assert_none(&ended, &[]);
}

#[tokio::test]
async fn passes_beside_the_controllers_of_a_control_plane() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox).await;
    let before = cluster.objects().await;
    let ended = sandbox
        .crossfed(&["e2e", "aks-to-aws", "--run-id", "r1", "--cluster", "kubeconfig"])
        .env("KUBECONFIG", "kubeconfig")
        .run()
        .await;
    ended.expect_exit(0);
    assert_eq!(ended.report().counts.passed, 8);
    assert_eq!(cluster.objects().await, before);
}

#[tokio::test]
async fn what_is_asked_to_stay_stays_and_is_in_the_journal() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let cluster = Cluster::start(&sandbox).await;
    let before = cluster.objects().await;
    let ended = sandbox.crossfed(&[&WORDS[..], &["--cleanup", "never"]].concat()).run().await;
    ended.expect_exit(0);
    let after = cluster.objects().await;
    let left: Vec<&str> = after
        .difference(&before)
        .map(String::as_str)
        .filter(|path| path.contains("/namespaces ") || path.contains("webhook"))
        .collect();
    assert_snapshot!(left.join("\n"), @r#"
        /api/v1/namespaces /cf-r1-annotation-missing
        /api/v1/namespaces /cf-r1-control
        /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations /amazon-eks-pod-identity-webhook-cf-r1
        "#);
    assert_snapshot!(ended.journal().open().join("\n"), @r#"
        bucket cf-r1-shared in account 111122223333
        policy cf-r1-shared in account 111122223333
        role cf-r1-control in account 111122223333
        object cf-r1-shared/test-file.txt in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-control in account 111122223333
        OIDC provider for https://issuer.example.test/self-managed in account 111122223333
        role cf-r1-annotation-missing in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-annotation-missing in account 111122223333
        webhook configuration amazon-eks-pod-identity-webhook-cf-r1
        namespace cf-r1-control
        namespace cf-r1-annotation-missing
        "#);
    let teardown = ended.stdout.lines().find(|line| line.contains("teardown"));
    assert_snapshot!(teardown.unwrap_or_default(), @"  – teardown    left in place as --cleanup asks: 3 resources, listed in journal.jsonl [time]");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_used_is_named() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox).await;
    let reason = |ended: &crate::run::Ended| {
        let scenario = ended.report().scenarios.remove(0);
        format!("{} {}", ended.exit, scenario.verdict.as_ref().and_then(|verdict| verdict.reason()).unwrap_or_default())
    };
    let unknown = sandbox.crossfed(&[&WORDS[..], &["--context", "prod"]].concat()).run().await;
    assert_snapshot!(reason(&unknown), @r#"2 the kubeconfig [folder]/kubeconfig cannot be used: it has no context `prod` (known: embedded)"#);

    let kubeconfig = sandbox.read("kubeconfig");
    let server = kubeconfig.lines().find(|line| line.contains("server:")).expect("must have a server");
    sandbox.write("kubeconfig", &kubeconfig.replace(server, "    server: https://127.0.0.1:1"));
    let words = ["e2e", "aks-to-aws", "--cluster", "kubeconfig", "--kubeconfig"];
    let unreachable = sandbox.crossfed(&[&words[..], &["kubeconfig", "--run-id", "r2"]].concat()).run().await;
    assert_snapshot!(reason(&unreachable), @"101 the API server at https://127.0.0.1:1/ does not answer: ServiceError: client error (Connect): client error (Connect): tcp connect error: Connection refused (os error 111)");
    assert!(!unreachable.stdout.contains("left over"), "nothing was made: {}", unreachable.stdout);
    assert_eq!(unreachable.journal().open(), [""; 0]);

    let missing = sandbox.crossfed(&[&words[..], &["elsewhere", "--run-id", "r3"]].concat()).run().await;
    assert_snapshot!(reason(&missing), @r#"2 the kubeconfig [folder]/elsewhere cannot be used: No such file or directory (os error 2)"#);

    sandbox.write("kubeconfig", "apiVersion: v1\nkind: Config\nclusters: 7\n");
    let malformed = sandbox.crossfed(&[&words[..], &["kubeconfig", "--run-id", "r4"]].concat()).run().await;
    let told = sandbox.without_paths(&reason(&malformed));
    assert!(told.starts_with("2 the kubeconfig [folder]/kubeconfig cannot be used: failed to parse"), "{told}");
    assert!(told.contains("line 3 column 11"), "{told}");
    drop(cluster);
}

#[tokio::test]
async fn without_a_kubeconfig_there_is_no_cluster() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1", "--cluster", "kubeconfig"]).run().await;
    ended.expect_exit(2);
    assert_snapshot!(ended.stderr, @"error: --cluster kubeconfig needs --kubeconfig FILE, or KUBECONFIG in the environment");
    assert_eq!(ended.stdout, "", "nothing is begun");
}

#[tokio::test]
async fn a_malformed_kubeconfig_is_not_quoted() {
    let sandbox = Sandbox::new();
    let text = "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: canary-token\n    exec: 7\n";
    sandbox.write("kubeconfig", text);
    let ended = sandbox.crossfed(&WORDS).run().await;
    ended.expect_exit(2);
    assert!(secrets::texts(&ended).iter().all(|(_, text)| !text.contains("canary-token")));
}
