//! The other direction: what a run of eks-to-azure shows and leaves, and the baselines.

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::Ended;
use crate::sandbox::Sandbox;
use crate::secrets;

async fn passed(sandbox: &Sandbox, scenario: &str) -> Ended {
    let ended = sandbox.crossfed(&["e2e", scenario, "--run-id", "r1"]).run().await;
    ended.expect_exit(0);
    ended
}

#[tokio::test]
async fn prints_every_check_with_what_it_saw() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox, "eks-to-azure").await;
    assert_eq!(ended.stderr, "");
    assert_snapshot!(ended.settled_stdout(), @r#"
        crossfed 0.1.0  run r1 · cluster embedded · clouds simulated

        eks-to-azure  A pod in EKS reads a Key Vault secret
          ✓ preflight   10 checks planned [time]
          ✓ cluster     embedded, issuer https://oidc.eks.eu-central-1.amazonaws.com/id/[id]
          ✓ webhooks    azure-wi-webhook-mutating-webhook-configuration [time]
          ✓ federation  33 resources in 1 subscription [time]
          ✓ workload    10 namespaces with service account and target [time]
            checks
            ✓ A pod in EKS reads a Key Vault secret                11 read                52 bytes [time]
            ✓ assertion expired two hours ago                      3 token projected      AADSTS700024              401 [time]
            ✓ credential for another audience                      7 audience accepted    AADSTS700212              401 [time]
            ✓ credential for another namespace                     8 subject accepted     AADSTS700213              401 [time]
            ✓ credential not with the issuer's slash               6 issuer trusted       AADSTS700211              401 [time]
            ✓ identity without a role on the vault                 10 permitted           ForbiddenByRbac           403 [time]
            ✓ identity without federated credential                6 issuer trusted       AADSTS70025               401 [time]
            ✓ pod without the label                                1 opted in             not injected [time]
            ✓ role given to the client id                          10 permitted           ForbiddenByRbac           403 [time]
            ✓ secret is disabled                                   11 read                SecretDisabled            403 [time]
          ✓ teardown    44 taken back, inventory empty [time]

        PASSED  10 of 10 checks passed [time]
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e eks-to-azure
        "#);
}

#[tokio::test]
async fn every_refusal_breaks_at_its_link_and_nothing_after_it_is_claimed() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox, "eks-to-azure").await;
    assert_snapshot!(ended.chains(), @r#"
        control +++++++++++
        credential-for-another-audience ++???+x+... api://AzureADTokenExchange asked of login.microsoftonline.com answered 401 AADSTS700212: AADSTS700212: No matching federated identity record found for presented assertion audience 'api://AzureADTokenExchange'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation Trace ID: [uuid] Correlation ID: [uuid] Timestamp: [moment]
        credential-for-another-namespace ++???+?x... system:serviceaccount:cf-r1-credential-for-another-namespace:kv-read asked of login.microsoftonline.com answered 401 AADSTS700213: AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:cf-r1-credential-for-another-namespace:kv-read'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation Trace ID: [uuid] Correlation ID: [uuid] Timestamp: [moment]
        credential-with-slash ++???x..... https://oidc.eks.eu-central-1.amazonaws.com/id/[id] asked of login.microsoftonline.com answered 401 AADSTS700211: AADSTS700211: No matching federated identity record found for presented assertion issuer 'https://oidc.eks.eu-central-1.amazonaws.com/id/[id]'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation Trace ID: [uuid] Correlation ID: [uuid] Timestamp: [moment]
        expired-assertion ++x..+++... volume of the pod's own, expires [moment] asked of login.microsoftonline.com answered 401 AADSTS700024: AADSTS700024: Client assertion is not within its valid time range. Current time: [moment], assertion valid from [moment], expiry time of assertion [moment]. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials . Trace ID: [uuid] Correlation ID: [uuid] Timestamp: [moment]
        label-missing x.......... nothing asked of pod: -
        no-credential ++???x..... https://oidc.eks.eu-central-1.amazonaws.com/id/[id] asked of login.microsoftonline.com answered 401 AADSTS70025: AADSTS70025: The client '[uuid]'(cf-r1-no-credential) has no configured federated identity credentials. Trace ID: [uuid] Correlation ID: [uuid] Timestamp: [moment]
        no-role +++++++++x. secrets/getSecret asked of cf-r1-shared.vault.azure.net answered 403 ForbiddenByRbac: Caller is not authorized to perform action on resource. | If role assignments, deny assignments or role definitions were changed recently, please observe propagation time. | Caller: appid=[uuid];oid=[uuid];iss=https://sts.windows.net/[uuid]/ | Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action' | Resource: '/subscriptions/[uuid]/resourcegroups/cf-r1-group/providers/microsoft.keyvault/vaults/cf-r1-shared/secrets/test-secret' | Assignment: (not found) | DenyAssignmentId: null | DecisionReason: 'DeniedWithNoValidRBAC'  | Vault: cf-r1-shared;location=westeurope |
        role-to-client-id +++++++++x. secrets/getSecret asked of cf-r1-shared.vault.azure.net answered 403 ForbiddenByRbac: Caller is not authorized to perform action on resource. | If role assignments, deny assignments or role definitions were changed recently, please observe propagation time. | Caller: appid=[uuid];oid=[uuid];iss=https://sts.windows.net/[uuid]/ | Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action' | Resource: '/subscriptions/[uuid]/resourcegroups/cf-r1-group/providers/microsoft.keyvault/vaults/cf-r1-shared/secrets/test-secret' | Assignment: (not found) | DenyAssignmentId: null | DecisionReason: 'DeniedWithNoValidRBAC'  | Vault: cf-r1-shared;location=westeurope |
        secret-disabled ++++++++++x - asked of cf-r1-secret-disabled.vault.azure.net answered 403 SecretDisabled: Operation get is not allowed on a disabled secret.
        "#);
}

/// Environment, mounts and token volumes of the first container, a line each.
fn identity(pod: &str) -> String {
    let pod: Value = serde_json::from_str(pod).expect("must be JSON");
    let list = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let env =
        list("/spec/containers/0/env").into_iter().map(|one| format!("{}={}", text(&one["name"]), text(&one["value"])));
    let mounts = list("/spec/containers/0/volumeMounts");
    let mounts = mounts.into_iter().map(|one| format!("{} at {}", text(&one["name"]), text(&one["mountPath"])));
    let volumes = list("/spec/volumes").into_iter().filter(|one| one.get("projected").is_some());
    env.chain(mounts).chain(volumes.map(|one| one.to_string())).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn both_layouts_of_the_webhook_put_the_token_where_the_environment_says() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox, "eks-to-azure").await;
    assert_snapshot!(identity(&ended.artifact("clusters/embedded/resources/cf-r1-control_kv-read.json")), @r#"
        VAULT_URL=
        SECRET=
        HTTPS_PROXY=
        SSL_CERT_FILE=/etc/crossfed/wire/ca.crt
        AWS_EC2_METADATA_DISABLED=true
        AZURE_CLIENT_ID=[uuid]
        AZURE_TENANT_ID=[uuid]
        AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/wi/token/azure-identity-token
        AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/
        crossfed-wire at /etc/crossfed/wire
        kube-api-access-[suffix] at /var/run/secrets/kubernetes.io/serviceaccount
        azure-workload-identity-reserved-381d7085a76fe4b177395ffa41f342 at /var/run/secrets/azure/wi
        {"name":"kube-api-access-[suffix]","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}]}}
        {"name":"azure-workload-identity-reserved-381d7085a76fe4b177395ffa41f342","projected":{"sources":[{"serviceAccountToken":{"audience":"api://AzureADTokenExchange","expirationSeconds":3600,"path":"token/azure-identity-token"}}],"defaultMode":420}}
        "#);
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox, "aks-to-azure").await;
    assert_snapshot!(identity(&ended.artifact("clusters/embedded/resources/cf-r1-control_kv-read.json")), @r#"
        VAULT_URL=
        SECRET=
        HTTPS_PROXY=
        SSL_CERT_FILE=/etc/crossfed/wire/ca.crt
        AWS_EC2_METADATA_DISABLED=true
        AZURE_CLIENT_ID=[uuid]
        AZURE_TENANT_ID=[uuid]
        AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/tokens/azure-identity-token
        AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/
        crossfed-wire at /etc/crossfed/wire
        kube-api-access-[suffix] at /var/run/secrets/kubernetes.io/serviceaccount
        azure-identity-token at /var/run/secrets/azure/tokens
        {"name":"kube-api-access-[suffix]","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}]}}
        {"name":"azure-identity-token","projected":{"sources":[{"serviceAccountToken":{"audience":"api://AzureADTokenExchange","expirationSeconds":3600,"path":"azure-identity-token"}}],"defaultMode":420}}
        "#);
}

#[tokio::test]
async fn what_was_created_was_written_down_before_and_is_gone_after() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox, "eks-to-azure").await;
    let journal = ended.journal();
    assert_eq!(journal.open(), [""; 0]);
    let shown = |label: &&str| {
        ["control", "shared", "webhook", "group", "secret-disabled"].iter().any(|part| label.contains(part))
    };
    let mut labels: Vec<&str> = journal.intended.iter().map(|(_, label)| label.as_str()).filter(shown).collect();
    labels.sort_unstable();
    assert_snapshot!(labels.join("\n"), @r#"
        federated credential crossfed of identity cf-r1-control in subscription [uuid]
        federated credential crossfed of identity cf-r1-secret-disabled in subscription [uuid]
        identity cf-r1-control in subscription [uuid]
        identity cf-r1-secret-disabled in subscription [uuid]
        namespace cf-r1-control
        namespace cf-r1-secret-disabled
        resource group cf-r1-group in subscription [uuid]
        role Key Vault Secrets User of client id of identity cf-r1-role-to-client-id on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-control on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-credential-for-another-audience on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-credential-for-another-namespace on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-credential-with-slash on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-expired-assertion on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-label-missing on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-no-credential on vault cf-r1-shared in subscription [uuid]
        role Key Vault Secrets User of identity cf-r1-secret-disabled on vault cf-r1-secret-disabled in subscription [uuid]
        secret cf-r1-secret-disabled/test-secret in subscription [uuid]
        secret cf-r1-shared/test-secret in subscription [uuid]
        vault cf-r1-secret-disabled in subscription [uuid]
        vault cf-r1-shared in subscription [uuid]
        webhook configuration azure-wi-webhook-mutating-webhook-configuration
        "#);
}

#[tokio::test]
async fn all_goes_over_the_wire_with_the_real_host_names_and_holds_no_secret() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["e2e", "eks-to-azure", "--run-id", "r1"]).env("CROSSFED_LOG", "trace").run().await;
    ended.expect_exit(0);
    secrets::assert_none(&ended, &[]);
    let mut lines: Vec<String> = ended
        .artifact("clouds/requests.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("must be JSON"))
        .filter(|line| line["client"] == "cf-r1-control" || line["client"] == "azure-entra")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let assertion =
                line.get("assertion").map(|token| format!(" {} for {}", text_of(&token["sub"]), token["aud"]));
            format!(
                "{} {} {}{} {}{}",
                text("client"),
                text("method"),
                text("host"),
                text("path"),
                line["status"],
                assertion.unwrap_or_default()
            )
        })
        .collect();
    lines.sort();
    lines.dedup();
    assert_snapshot!(lines.join("\n"), @r#"
        azure-entra GET oidc.eks.eu-central-1.amazonaws.com/id/[id]/.well-known/openid-configuration 200
        azure-entra GET oidc.eks.eu-central-1.amazonaws.com/id/[id]/keys 200
        cf-r1-control GET cf-r1-shared.vault.azure.net/secrets/test-secret/ 200
        cf-r1-control GET cf-r1-shared.vault.azure.net/secrets/test-secret/ 401
        cf-r1-control POST login.microsoftonline.com/[uuid]/oauth2/v2.0/token 200 system:serviceaccount:cf-r1-control:kv-read for ["api://AzureADTokenExchange"]
        "#);
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_self_managed_issuer_is_two_public_files() {
    for (scenario, host) in [
        ("self-managed-to-aws", "cf-r1-issuer.s3.eu-central-1.amazonaws.com"),
        ("self-managed-to-azure", ".blob.core.windows.net"),
    ] {
        let sandbox = Sandbox::new();
        let ended = passed(&sandbox, scenario).await;
        let requests = ended.artifact("clouds/requests.jsonl");
        let read = |client: &str, path: &str| {
            requests.lines().map(|line| serde_json::from_str::<Value>(line).expect("must be JSON")).any(|line| {
                line["client"] == client
                    && text_of(&line["host"]).ends_with(host)
                    && text_of(&line["path"]).ends_with(path)
                    && line["method"] == "GET"
                    && line["status"] == 200
            })
        };
        let cloud = if scenario.ends_with("aws") { "aws-sts" } else { "azure-entra" };
        for path in ["/.well-known/openid-configuration", "/openid/v1/jwks"] {
            assert!(read(cloud, path), "{scenario}: {cloud} must read {path} at {host}\n{requests}");
        }
        assert_eq!(ended.journal().open(), [""; 0]);
    }
}
