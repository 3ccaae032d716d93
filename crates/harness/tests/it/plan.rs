//! `plan` and `list`: what would be done, without doing it.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

#[tokio::test]
async fn shows_policies_as_they_will_stand_in_the_cloud() {
    let sandbox = Sandbox::with_refusals(&["issuer-without-slash", "annotation-missing"]);
    let ended = sandbox.crossfed(&["plan", "aks-to-aws"]).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.stdout, @r#"
        aks-to-aws: A pod in AKS reads an object in S3

        cluster    aks-shaped, issuer https://westeurope.oic.prod-aks.azure.com/TENANT/CLUSTER/
        webhook    aws-pod-identity, Helm release amazon-eks-pod-identity-webhook, default region eu-central-1
        bucket     in eu-central-1, object test-file.txt (52 bytes)

        [control] A pod in AKS reads an object in S3
          expected     the object is read
          namespace    cf-run-id-control
          account      shared
          role         arn:aws:iam::111122223333:role/cf-run-id-control
          provider     https://westeurope.oic.prod-aks.azure.com/TENANT/CLUSTER/ for sts.amazonaws.com

          trust policy
            {
              "Version": "2012-10-17",
              "Statement": [
                {
                  "Effect": "Allow",
                  "Principal": { "Federated": "arn:aws:iam::111122223333:oidc-provider/westeurope.oic.prod-aks.azure.com/TENANT/CLUSTER/" },
                  "Action": "sts:AssumeRoleWithWebIdentity",
                  "Condition": {
                    "StringEquals": {
                      "westeurope.oic.prod-aks.azure.com/TENANT/CLUSTER/:aud": "sts.amazonaws.com",
                      "westeurope.oic.prod-aks.azure.com/TENANT/CLUSTER/:sub": "system:serviceaccount:cf-run-id-control:s3-reader"
                    }
                  }
                }
              ]
            }

          permission policy
            {
              "Version": "2012-10-17",
              "Statement": [
                {
                  "Effect": "Allow",
                  "Action": ["s3:GetObject"],
                  "Resource": "arn:aws:s3:::cf-run-id-shared/*"
                }
              ]
            }

        [issuer-without-slash] provider without the issuer's slash
          expected     refused with InvalidIdentityToken 400 at link 6 issuer trusted
          change       {"aws":{"provider":{"url":"${issuer_slash_toggled}"}}}
          source       https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html (URLs are compared exactly)
          namespace    cf-run-id-issuer-without-slash
          account      its own
          role         arn:aws:iam::444455556666:role/cf-run-id-issuer-without-slash
          provider     https://westeurope.oic.prod-aks.azure.com/TENANT/CLUSTER for sts.amazonaws.com

        [annotation-missing] service account not annotated
          expected     the webhook leaves the pod alone
          change       {"serviceAccount":{"annotations":{"eks.amazonaws.com/role-arn":null}}}
          source       https://github.com/aws/amazon-eks-pod-identity-webhook (README: only annotated service accounts are mutated)
          namespace    cf-run-id-annotation-missing
          account      shared
          role         arn:aws:iam::111122223333:role/cf-run-id-annotation-missing
          provider     https://westeurope.oic.prod-aks.azure.com/TENANT/CLUSTER/ for sts.amazonaws.com

        added to [folder]/scenarios/aks-to-aws/manifests/pod.yaml where clouds are not real
            spec:
              containers:
              - name: s3-reader
                env:
                - name: HTTPS_PROXY
                  valueFrom:
                    secretKeyRef:
                      name: crossfed-wire
                      key: https-proxy
                - name: SSL_CERT_FILE
                  value: /etc/crossfed/wire/ca.crt
                - name: AWS_EC2_METADATA_DISABLED
                  value: "true"
                volumeMounts:
                - name: crossfed-wire
                  mountPath: /etc/crossfed/wire
                  readOnly: true
              volumes:
              - name: crossfed-wire
                secret:
                  secretName: crossfed-wire
                  items:
                  - key: ca.crt
                    path: ca.crt
        "#);
    assert!(!sandbox.path("_artifacts").exists(), "a plan leaves nothing");
}

#[tokio::test]
async fn a_dry_run_is_the_plan() {
    let sandbox = Sandbox::new();
    let plan = sandbox.crossfed(&["plan", "aks-to-aws"]).run().await;
    let dry = sandbox.crossfed(&["e2e", "aks-to-aws", "--dry-run"]).run().await;
    dry.expect_exit(0);
    assert_eq!(dry.stdout, plan.stdout);
    assert!(!sandbox.path("_artifacts").exists(), "a dry run leaves nothing");
}

#[tokio::test]
async fn lists_scenarios_and_faults() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["list"]).run().await;
    ended.expect_exit(0);
    // A few of the many: how a line looks.
    let shown =
        ["scenarios", "faults", "  both-clouds ", "  wrong-audience ", "  no-credential ", "  azure-webhook-first "];
    let lines: Vec<&str> =
        ended.stdout.lines().filter(|line| shown.iter().any(|part| line.starts_with(part))).collect();
    assert_snapshot!(lines.join("\n"), @r#"
        scenarios
          both-clouds                        One pod reads in both clouds
        faults
          azure-webhook-first                cluster -                   Azure webhook called first
          no-credential                      azure   issuer-trusted      identity without federated credential
          wrong-audience                     aws     audience-accepted   token made for another audience
        "#);

    let json = sandbox.crossfed(&["list", "--output", "json"]).run().await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("must be JSON");
    let fault =
        json["faults"].as_array().and_then(|faults| faults.iter().find(|fault| fault["id"] == "wrong-audience"));
    assert_snapshot!(format!("{:#}", fault.expect("must be listed")), @r#"
        {
          "id": "wrong-audience",
          "title": "token made for another audience",
          "about": "aws",
          "needs": [
            "aws"
          ],
          "tags": [],
          "expect": {
            "refused": {
              "link": "audience-accepted",
              "code": "InvalidIdentityToken",
              "status": 400
            }
          },
          "link": "audience-accepted",
          "transient": false,
          "places": [
            "embedded",
            "kubeconfig",
            "kind",
            "aks",
            "eks"
          ],
          "clouds": [
            "simulated",
            "endpoint",
            "real"
          ],
          "byHand": null,
          "source": "https://github.com/awslabs/amazon-eks-irsa-cfn/pull/18",
          "confidence": "user-reported"
        }
        "#);
}

#[tokio::test]
async fn an_empty_folder_selects_nothing() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("scenarios")).expect("a folder must be made");
    sandbox.crossfed(&["list"]).run().await.expect_exit(4);
}
