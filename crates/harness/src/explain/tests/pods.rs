//! Pods and service accounts: links 1 and 2, and the token's place.

use super::check;

#[test]
fn opting_in_is_looked_for_where_each_webhook_looks() {
    let aws = "--service-account service-account.yaml --pod pod.yaml --trust-policy trust-policy.json";
    let role = ("service-account.yaml", "eks.amazonaws.com/role-arn:", "other:");
    let annotate = "kubectl annotate serviceaccount reader -n shop --overwrite eks.amazonaws.com/role-arn=";
    check(&[], aws, "+??????+???", &[]);
    check(&[role], aws, "x??????+.?.", &["pods that exist already are not changed", annotate]);
    let on_pod = (
        "pod.yaml",
        "  labels:",
        "  annotations: { eks.amazonaws.com/role-arn: \"arn:aws:iam::123456789012:role/r\" }\n  labels:",
    );
    check(
        &[role, on_pod],
        aws,
        "x??????+.?.",
        &["the annotation is on the pod", "role-arn=arn:aws:iam::123456789012:role/r"],
    );
    let other = ("pod.yaml", "serviceAccountName: reader", "serviceAccountName: default");
    check(&[other], aws, "x??????+.?.", &["set serviceAccountName: reader"]);
    let skipped = ("pod.yaml", "  labels:", "  labels:\n    eks.amazonaws.com/skip-pod-identity-webhook: \"x\"");
    check(&[skipped], aws, "x??????+.?.", &["take the label"]);

    let azure =
        "--service-account service-account.yaml --pod pod.yaml --federated-credential federated-credential.json";
    let label = ("pod.yaml", "azure.workload.identity/use: \"true\"", "app: x");
    let on_account = (
        "service-account.yaml",
        "  annotations:",
        "  labels: { azure.workload.identity/use: \"true\" }\n  annotations:",
    );
    check(&[], azure, "+??????+???", &[]);
    check(&[label], azure, "x??????+.?.", &["read when the pod is created", "kubectl label --local -f pod.yaml"]);
    check(&[label, on_account], azure, "x??????+.?.", &["the label is on the service account: since v1.0"]);
    check(
        &[("service-account.yaml", "azure.workload", "other")],
        azure,
        "x??????+.?.",
        &["azure.workload.identity/client-id=CLIENT_ID"],
    );
}

#[test]
fn what_was_not_injected_is_seen_in_an_admitted_pod_only() {
    let words = "--pod pod-admitted.yaml --trust-policy trust-policy.json";
    let renamed =
        [("pod-admitted.yaml", "AWS_ROLE_ARN", "A"), ("pod-admitted.yaml", "AWS_WEB_IDENTITY_TOKEN_FILE", "B")];
    check(
        &renamed,
        words,
        "?x?????+.?.",
        &["its failurePolicy is Ignore", "kubectl get pod reader -n shop -o yaml | kubectl replace --force"],
    );
    check(&renamed[1..], words, "?x?????+.?.", &["set both"]);
    let words = "--pod pod-admitted.yaml --federated-credential federated-credential.json";
    let gone = [("pod-admitted.yaml", "AZURE_FEDERATED_TOKEN_FILE", "B")];
    check(&gone, words, "+x?????+.?.", &["it was not there then"]);
}

#[test]
fn a_hard_coded_path_of_the_old_webhook_is_told() {
    let old = "/var/run/secrets/azure/tokens/azure-identity-token";
    let admitted = [("pod-admitted.yaml", "/var/run/secrets/azure/wi/token/azure-identity-token", old)];
    let azure = "--pod pod-admitted.yaml --federated-credential federated-credential.json";
    check(&admitted, azure, "++x????+.?.", &["the path of webhook v1.5", "kubectl exec reader -n shop -- printenv"]);
    let manifest = [(
        "pod.yaml",
        "image: example.com/shop/app:1",
        "image: a\n      args: [\"--token-file\", \"/var/run/secrets/azure/tokens/azure-identity-token\"]",
    )];
    let azure = "--pod pod.yaml --federated-credential federated-credential.json";
    check(&manifest, azure, "+??????+???", &["the path of webhook v1.5"]);
}
