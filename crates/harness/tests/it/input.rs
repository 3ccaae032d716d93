//! What a user gets wrong is told with file, place and the nearest valid name, before anything exists: exit code 2.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

const SCENARIO: &str = "scenarios/aks-to-aws/scenario.yaml";
const POD: &str = "scenarios/aks-to-aws/manifests/pod.yaml";
const TRUST: &str = "scenarios/aks-to-aws/trust-policy.json";
const FAULT: &str = "scenarios/faults/aws/wrong-namespace.yaml";

/// What is said when this one thing is changed in the scenarios.
async fn told(file: &str, from: &str, to: &str) -> String {
    let sandbox = Sandbox::with_own_scenarios();
    sandbox.edit(file, from, to);
    let scenario = file.split('/').nth(1).filter(|name| *name != "faults").unwrap_or("aks-to-aws");
    refused(&sandbox, &["e2e", scenario], 2).await
}

/// What is said when these words are refused; nothing may have been made.
async fn refused(sandbox: &Sandbox, words: &[&str], exit: i32) -> String {
    let ended = sandbox.crossfed(words).run().await;
    ended.expect_exit(exit);
    assert_eq!(ended.stdout, "", "nothing is begun");
    assert!(!sandbox.path("_artifacts").exists(), "nothing is left");
    sandbox.without_paths(ended.stderr.trim_end())
}

/// Several that belong together, a line each.
async fn all_told(changes: &[(&str, &str, &str)]) -> String {
    let mut lines = Vec::new();
    for (file, from, to) in changes {
        lines.push(told(file, from, to).await);
    }
    lines.join("\n")
}

#[tokio::test]
async fn offers_the_nearest_name() {
    let sandbox = Sandbox::with_own_scenarios();
    assert_snapshot!(refused(&sandbox, &["e2e", "aks-to-asw"], 2).await, @r#"error: no scenario `aks-to-asw`; did you mean `aks-to-aws`? (known: aks-to-aws, aks-to-azure, both-clouds, eks-to-aws, eks-to-azure, self-managed-to-aws, self-managed-to-azure)"#);
    assert_snapshot!(refused(&sandbox, &["plan", "postgres"], 2).await, @r#"error: no scenario `postgres` (known: aks-to-aws, aks-to-azure, both-clouds, eks-to-aws, eks-to-azure, self-managed-to-aws, self-managed-to-azure)"#);
    assert_snapshot!(told(SCENARIO, "- wrong-audience", "- wrong-audiences").await, @r#"error: no fault `wrong-audiences`; did you mean `wrong-audience`? (`cargo xtask list` shows all 210)"#);
}

#[tokio::test]
async fn points_at_the_place_in_a_scenario() {
    let changes = [
        (SCENARIO, "title: A pod", "title: [A pod"),
        (SCENARIO, "defaultAwsRegion:", "defaultAwsRegoin:"),
        (SCENARIO, "key: test-file.txt", "keys: test-file.txt"),
        (SCENARIO, "flavor: aks", "flavor: ask"),
        (SCENARIO, "region: westeurope", "region: west/europe"),
        (
            SCENARIO,
            "webhooks:\n    awsPodIdentity: # the Helm chart of amazon-eks-pod-identity-webhook\n      defaultAwsRegion: eu-central-1",
            "webhooks: {}",
        ),
        (SCENARIO, "kind: Scenario", "kind: Scenarios"),
        (SCENARIO, "v1alpha1", "v2"),
        (SCENARIO, "audiences: [sts.amazonaws.com]", "audiences: sts.amazonaws.com"),
        (SCENARIO, "title: A pod in AKS reads an object in S3\n", ""),
    ];
    assert_snapshot!(all_told(&changes).await, @r#"
        error: [folder]/scenarios/aks-to-aws/scenario.yaml:5:8: at `title`: expected string scalar
        error: [folder]/scenarios/aks-to-aws/scenario.yaml:24:7: at `access.webhooks.awsPodIdentity.defaultAwsRegoin`: unknown member `defaultAwsRegoin`; did you mean `defaultAwsRegion`? (known: installedBy, defaultAwsRegion, release)
        error: [folder]/scenarios/aks-to-aws/scenario.yaml:13:13: at `aws.object.keys`: unknown member `keys`; did you mean `key`? (known: key, file)
        error: [folder]/scenarios/aks-to-aws/scenario.yaml:8:11: at `cluster.flavor`: unknown value `ask` (known: aks, eks, self-managed)
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: at `cluster.region`: `west/europe` is no region: lower-case letters, digits and dashes
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: at `access.webhooks.awsPodIdentity`: the scenario names AWS (`aws`), and this webhook is missing: add it
        error: [folder]/scenarios/aks-to-aws/scenario.yaml:4:7: at `kind`: unknown value `Scenarios`; did you mean `Scenario`? (known: Scenario)
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: at `apiVersion`: `crossfed.dev/v2` is not known; this version reads `crossfed.dev/v1alpha1`
        error: [folder]/scenarios/aks-to-aws/scenario.yaml:28:18: at `access.aws.provider.audiences`: expected sequence start
        error: [folder]/scenarios/aks-to-aws/scenario.yaml:41:1: missing field `title`
        "#);
}

#[tokio::test]
async fn keeps_a_scenario_in_its_folder() {
    let changes = [
        (SCENARIO, "trustPolicy: trust-policy.json", "trustPolicy: ../trust-policy.json"),
        (SCENARIO, "file: test-file.txt", "file: /etc/passwd"),
        (SCENARIO, "permissionPolicy: permission-policy.json", "permissionPolicy: no-policy.json"),
        (SCENARIO, "pod: manifests/pod.yaml", "pod: manifests"),
    ];
    assert_snapshot!(all_told(&changes).await, @r"
error: [folder]/scenarios/aks-to-aws/scenario.yaml: at `aws.trustPolicy`: `../trust-policy.json` must be a path below the scenario's folder
error: [folder]/scenarios/aks-to-aws/scenario.yaml: at `aws.object.file`: `/etc/passwd` must be a path below the scenario's folder
error: [folder]/scenarios/aks-to-aws/no-policy.json: the file does not exist
error: [folder]/scenarios/aks-to-aws/manifests: the file cannot be read: Is a directory (os error 21)
");
}

#[tokio::test]
async fn points_at_the_place_in_a_template() {
    let changes = [
        (TRUST, "${subject}", "${subjct}"),
        (TRUST, "${audience}", "${audience"),
        (SCENARIO, "url: ${issuer}\n", "url: ${isuer}\n"),
        (SCENARIO, "issuer_path: ${issuer_path}\n", "issuer_path: ${isuer_path}\n"),
        (TRUST, "\"Effect\": \"Allow\",", "\"Effect\": \"Allow\""),
        (SCENARIO, "url: ${issuer}\n", "url: http://issuer.example\n"),
    ];
    assert_snapshot!(all_told(&changes[..4]).await, @r#"
        error: [folder]/scenarios/aks-to-aws/trust-policy.json:11: no variable is called `subjct`; did you mean `subject`?
        error: [folder]/scenarios/aks-to-aws/trust-policy.json:10: `${` is not closed on its line; write `$${` for a plain one
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: access.aws.provider.url: no variable is called `isuer`; did you mean `issuer`?
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: access.aws.trustPolicy.issuer_path: no variable is called `isuer_path`; did you mean `issuer_path`?
        "#);
    assert_snapshot!(all_told(&changes[4..]).await, @r#"
        error: [folder]/scenarios/aks-to-aws/trust-policy.json:6:7: the filled-in policy is no JSON: expected `,` or `}` at line 6 column 7
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: access.aws.provider.url: issuer `http://issuer.example` must start with https://
        "#);
}

#[tokio::test]
async fn refuses_a_fault_that_does_not_fit() {
    let changes = [
        (
            FAULT,
            "subject: system:serviceaccount:another-namespace:${service_account}",
            "subject: system:serviceaccount:${namespace}:${service_account}",
        ),
        (FAULT, "    trustPolicy:", "    trustPolicies:"),
        (FAULT, "change:\n  aws:\n    trustPolicy:\n      subject: ", "change: "),
        (FAULT, "cause: subject-namespace\n", ""),
        (FAULT, "cause: subject-namespace", "cause: subject-namespac"),
        (FAULT, "fix: aws iam update-assume-role-policy", "fix: \" \""),
        (
            FAULT,
            "  aws:\n    trustPolicy:\n      subject: system:serviceaccount:another-namespace:${service_account}",
            "  aws: null",
        ),
        (
            FAULT,
            "    trustPolicy:\n      subject: system:serviceaccount:another-namespace:${service_account}",
            "    provider: [https://issuer.example, [a]]",
        ),
        (FAULT, "code: AccessDenied", "cod: AccessDenied"),
        (FAULT, "link: subject-accepted", "link: subject-acepted"),
        (FAULT, "confidence: user-reported", "confidence: certain"),
        (FAULT, "source:", "sources:"),
    ];
    assert_snapshot!(all_told(&changes).await, @r#"
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml: at `change`: it changes nothing (tried on scenario `aks-to-aws`)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml: at `change.aws.trustPolicies`: unknown field `trustPolicies`, expected one of `provider`, `thumbprints`, `trustPolicy`, `trustPolicyPatch`, `permissionPolicy`, `permissionPolicyPatch`, `attach`, `inlinePolicy`, `permissionsBoundary`, `bucketPolicy`, `object`, `probe`; did you mean `trustPolicy`? (tried on scenario `aks-to-aws`)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml: at `change`: a mapping is expected: the members of `access` that differ
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml: at `cause`: it is missing: a diagnosis of what breaks is held against it
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml:8:8: at `cause`: unknown value `subject-namespac`; did you mean `subject-namespace`? (known: webhook-not-installed, account-not-annotated, pod-not-labelled, pod-label-value, label-on-service-account, pod-skipped, container-skipped, service-account-missing, volume-named-twice, token-volume-taken, token-lifetime, proxy-on-host-network, proxy-port, variables-in-pod, client-id-missing, tenant-missing, authority-without-tls, token-file-path, old-token-path, token-expired, token-not-yet-valid, token-too-old, token-lives-too-long, token-malformed, token-claim-missing, token-type, issuer-slow, issuer-refuses, issuer-not-published, issuer-throttles, issuer-unavailable, issuer-certificate, provider-thumbprint, discovery-names-another-issuer, discovery-incomplete, key-set-unreachable, key-set-empty, key-set-too-large, key-not-published, token-key-gone, token-names-no-key, signature-invalid, token-of-another-issuer, token-of-entra, provider-missing, provider-slash, role-in-another-account, role-in-another-partition, credential-missing, credential-issuer, credential-issuer-slash, token-audience, default-token, token-audiences-several, token-authorized-party, provider-audience, credential-audience, role-missing, trust-policy-action, trust-policy-audience, trust-policy-key, trust-policy-key-slash, trust-policy-provider, trust-policy-provider-slash, trust-policy-denies, claims-swapped, wildcard-is-plain, subject-case, subject-namespace, subject-account, subject-malformed, role-arn-malformed, session-name, static-credentials, client-id-unknown, client-id-in-pod, principal-id-as-client-id, tenant-unknown, policy-not-attached, policy-action, policy-resource, policy-denies, permissions-boundary, bucket-policy, wrong-region, role-assignment-missing, role-without-values, role-to-client-id, access-policy-missing, access-policy-without-get, access-policy-to-client-id, permission-model, vault-firewall, vault-private, vault-unknown, object-missing, secret-missing, secret-disabled, trust-policy-principal, trust-policy-malformed, policy-resource-malformed, provider-exists, role-has-policies, credentials-too-many, credential-duplicate, credential-name, credential-audiences)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml: at `fix`: an empty text would stand in any fix
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml: at `change.aws`: a fault changes parts of an access, never the whole (tried on scenario `aks-to-aws`)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml: at `change.aws.provider`: a mapping is expected here, and this is a list (tried on scenario `aks-to-aws`)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml:7:38: at `expect.refused.cod`: unknown member `cod`; did you mean `code`? (known: link, code, status)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml:7:20: at `expect.refused.link`: unknown value `subject-acepted`; did you mean `subject-accepted`? (known: opted-in, injected, token-projected, issuer-discoverable, key-published, issuer-trusted, audience-accepted, subject-accepted, credential-issued, permitted, read)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml:11:13: at `confidence`: unknown value `certain` (known: documented, user-reported, recorded, code, inferred)
        error: [folder]/scenarios/faults/aws/wrong-namespace.yaml:10:1: at `sources`: unknown member `sources`; did you mean `source`? (known: title, tags, needs, where, change, byHand, expect, cause, fix, transient, places, clouds, source, confidence)
        "#);
}

#[tokio::test]
async fn refuses_a_manifest_that_is_not_the_pod_of_a_run() {
    let changes = [
        (POD, "  name: s3-reader\n  labels:", "  name: s3-reader\n  namespace: default\n  labels:"),
        (POD, "kind: Pod", "kind: Deployment"),
        (POD, "  serviceAccountName: s3-reader\n", ""),
        (POD, "apiVersion: v1", "apiVersion: v1: v2"),
    ];
    assert_snapshot!(all_told(&changes).await, @r#"
        error: [folder]/scenarios/aks-to-aws/manifests/pod.yaml: at `metadata.namespace`: the run chooses the namespace: leave it out
        error: [folder]/scenarios/aks-to-aws/manifests/pod.yaml: at `kind`: a v1 Pod is expected
        error: [folder]/scenarios/aks-to-aws/manifests/pod.yaml: at `spec.serviceAccountName`: a text is expected here
        error: [folder]/scenarios/aks-to-aws/manifests/pod.yaml:3:15: mapping values are not allowed in this context
        "#);
}

#[tokio::test]
async fn refuses_flags_that_do_not_go_together() {
    let sandbox = Sandbox::with_own_scenarios();
    let mut lines = Vec::new();
    for words in [
        &["--kubeconfig", "x"][..],
        &["--context", "x"],
        &["--node", "process"],
        &[
            "--cluster",
            "kubeconfig",
            "--aws-endpoint",
            "http://127.0.0.1:1",
            "--aws-endpoint-enforces",
            "separate-accounts",
        ],
        &["--scenarios", "elsewhere"],
    ] {
        let words = [&["e2e", "aks-to-aws"], words].concat();
        lines.push(refused(&sandbox, &words, 2).await);
    }
    assert_snapshot!(lines.join("\n"), @r#"
        error: --kubeconfig needs --cluster kubeconfig: the embedded cluster has no use for it
        error: --context needs --cluster kubeconfig: the embedded cluster has no use for it
        error: --node needs --cluster kubeconfig: the embedded cluster has no use for it
        error: --aws-endpoint-enforces: separate-accounts cannot be claimed, since one set of keys is one account
        error: no scenarios folder at elsewhere; run from the repository's root or pass --scenarios DIR
        "#);
}

#[tokio::test]
async fn a_run_id_is_used_once() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let words = ["e2e", "aks-to-aws", "--run-id", "again"];
    sandbox.crossfed(&words).run().await.expect_exit(0);
    let ended = sandbox.crossfed(&words).run().await;
    ended.expect_exit(2);
    assert_eq!(
        sandbox.without_paths(&ended.stderr),
        "error: [folder]/_artifacts/again exists: a run id is used once; pass another --run-id\n"
    );
    assert_eq!(ended.checks().lines().count(), 2, "the first run's report must stay as it is");
}

#[tokio::test]
async fn refuses_a_scenario_that_names_a_cloud_which_its_parts_contradict() {
    const AZURE: &str = "scenarios/eks-to-azure/scenario.yaml";
    const AZURE_POD: &str = "scenarios/eks-to-azure/manifests/pod.yaml";
    const BOTH: &str = "scenarios/both-clouds/scenario.yaml";
    const SELF_MANAGED: &str = "scenarios/self-managed-to-aws/scenario.yaml";
    const LABEL: &str = "    azure.workload.identity/use: \"true\" # the webhook looks at the pod's label, not at the service account's\n";
    let changes = [
        (AZURE_POD, LABEL, ""),
        (AZURE_POD, "use: \"true\"", "use: \"yes\""),
        (POD, "    app.kubernetes.io/name: s3-reader\n", "    azure.workload.identity/use: \"true\"\n"),
        (SCENARIO, "eks.amazonaws.com/role-arn: ${role_arn}", "azure.workload.identity/client-id: c"),
        (AZURE, "azure.workload.identity/client-id: ${client_id}", "eks.amazonaws.com/role-arn: r"),
        (BOTH, "  container: kv-read\n", "  container: kv-reader\n"),
        (BOTH, "  container: kv-read\n", "  container: s3-reader\n"),
        (SELF_MANAGED, "issuer: s3-bucket", "issuer: blob-container"),
        (SELF_MANAGED, "issuer: s3-bucket", "region: eu-central-1"),
        (AZURE, "region: eu-central-1", "issuer: s3-bucket"),
        (SCENARIO, "defaultAwsRegion: eu-central-1 #", "defaultAwsRegion: eu-central-1\n      installedBy: eks #"),
        (AZURE, "layout: v1.6", "layout: v1.7"),
        (AZURE, "name: test-secret,", "name: test_secret,"),
        (AZURE, "audience: api://AzureADTokenExchange", "audience: ${audience}"),
    ];
    assert_snapshot!(all_told(&changes).await, @r#"
        error: [folder]/scenarios/eks-to-azure/manifests/pod.yaml: at `metadata.labels.azure.workload.identity/use`: the scenario names Azure, and the label is missing: without `"true"` the webhook leaves the pod alone
        error: [folder]/scenarios/eks-to-azure/manifests/pod.yaml: at `metadata.labels.azure.workload.identity/use`: the scenario names Azure, and the label is `yes`: without `"true"` the webhook leaves the pod alone
        error: [folder]/scenarios/aks-to-aws/manifests/pod.yaml: at `metadata.labels.azure.workload.identity/use`: the scenario does not name Azure (`azure`): leave the label out
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: at `access.serviceAccount.annotations.eks.amazonaws.com/role-arn`: the scenario names AWS (`aws`), and this annotation is missing: add it
        error: [folder]/scenarios/eks-to-azure/scenario.yaml: at `access.serviceAccount.annotations.eks.amazonaws.com/role-arn`: the scenario does not name AWS (`aws`), and this annotation is here: leave it out
        error: [folder]/scenarios/both-clouds/manifests/pod.yaml: at `spec.containers`: `azure.container` names `kv-reader`, and the pod has no such container (it has s3-reader, kv-read)
        error: [folder]/scenarios/both-clouds/manifests/pod.yaml: at `spec.containers`: container `s3-reader` cannot read in both clouds: name one each (`aws.container`, `azure.container`)
        error: [folder]/scenarios/self-managed-to-aws/scenario.yaml: at `cluster.issuer`: a blob container lies in an Azure subscription, and the scenario does not name Azure
        error: [folder]/scenarios/self-managed-to-aws/scenario.yaml:7:3: at `cluster`: a cluster of flavor self-managed needs `issuer`, where its owner publishes it: s3-bucket or blob-container
        error: [folder]/scenarios/eks-to-azure/scenario.yaml:8:3: at `cluster`: a cluster of flavor eks needs `region`: it is part of the issuer
        error: [folder]/scenarios/aks-to-aws/scenario.yaml: at `access.webhooks.awsPodIdentity.installedBy`: only EKS installs it by itself, and the cluster is of flavor aks: `chart` is left
        error: [folder]/scenarios/eks-to-azure/scenario.yaml:22:15: at `access.webhooks.azureWorkloadIdentity.layout`: unknown value `v1.7`; did you mean `v1.6`? (known: v1.5, v1.6)
        error: [folder]/scenarios/eks-to-azure/scenario.yaml: secret cf-plan-shared/test_secret: a secret's name has 1 to 127 letters, digits and `-`
        error: [folder]/scenarios/eks-to-azure/scenario.yaml: access.azure.federatedCredential.audience: no variable is called `audience`
        "#);
}

#[tokio::test]
async fn a_fault_of_a_cloud_that_the_scenario_does_not_name_is_refused() {
    let sandbox = Sandbox::with_refusals(&["no-credential"]);
    assert_snapshot!(refused(&sandbox, &["e2e", "aks-to-aws"], 2).await, @r#"error: [folder]/scenarios/faults/azure/no-credential.yaml: at `change`: it concerns Azure, and the scenario does not name Azure (`azure`) (tried on scenario `aks-to-aws`)"#);
}

#[tokio::test]
async fn an_id_stands_once_in_the_catalogue() {
    let sandbox = Sandbox::with_own_scenarios();
    let fault = sandbox.read(FAULT);
    sandbox.write("scenarios/faults/azure/wrong-namespace.yaml", &fault);
    assert_snapshot!(refused(&sandbox, &["e2e", "aks-to-aws"], 2).await, @r#"error: [folder]/scenarios/faults/azure/wrong-namespace.yaml: [folder]/scenarios/faults/aws/wrong-namespace.yaml has the same id; ids are unique in the whole catalogue"#);
}

#[tokio::test]
async fn a_secret_beyond_25_kilobytes_is_refused_before_anything_is_created() {
    const SECRET: &str = "scenarios/eks-to-azure/test-secret.txt";
    let sandbox = Sandbox::with_own_scenarios();
    sandbox.write(SECRET, &"x".repeat(25 * 1024 + 1));
    assert_snapshot!(refused(&sandbox, &["e2e", "eks-to-azure"], 2).await, @r#"error: [folder]/scenarios/eks-to-azure/test-secret.txt: the secret has 25601 bytes, and Key Vault takes 25600 (25 KB) at most"#);
    sandbox.write(SECRET, &"x".repeat(25 * 1024));
    let ended = sandbox.crossfed(&["e2e", "eks-to-azure", "--run-id", "largest"]).run().await;
    ended.expect_exit(0);
}
