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
    assert_snapshot!(ended.stdout, @r#"
        scenarios
          aks-to-aws                         A pod in AKS reads an object in S3
          aks-to-azure                       A pod in AKS reads a Key Vault secret
          both-clouds                        One pod reads in both clouds
          eks-to-aws                         A pod in EKS reads an object in S3
          eks-to-azure                       A pod in EKS reads a Key Vault secret
          self-managed-to-aws                A pod in a self-managed cluster reads an object in S3
          self-managed-to-azure              A pod in a self-managed cluster reads a Key Vault secret
        faults
          annotation-missing                 service account not annotated
          azure-webhook-first                Azure webhook called first
          azure-webhook-v1-5                 Azure webhook of the v1.5 line
          credential-for-another-audience    credential for another audience
          credential-for-another-namespace   credential for another namespace
          credential-with-slash              credential not with the issuer's slash
          expired-assertion                  assertion expired two hours ago
          expired-token                      token expired two hours ago
          forged-signature                   token not signed by the issuer
          issuer-without-slash               provider without the issuer's slash
          label-missing                      pod without the label
          no-access-policy                   identity without an access policy
          no-credential                      identity without federated credential
          no-provider                        no OIDC provider for the issuer
          no-role                            identity without a role on the vault
          role-to-client-id                  role given to the client id
          role-without-get-object            role may not get the object
          secret-disabled                    secret is disabled
          wrong-audience                     token made for another audience
          wrong-namespace                    trust policy for another namespace
        "#);

    let json = sandbox.crossfed(&["list", "--output", "json"]).run().await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("must be JSON");
    let fault =
        json["faults"].as_array().and_then(|faults| faults.iter().find(|fault| fault["id"] == "wrong-audience"));
    assert_snapshot!(format!("{:#}", fault.expect("must be listed")), @r#"
{
  "id": "wrong-audience",
  "title": "token made for another audience",
  "expect": {
    "refused": {
      "link": "audience-accepted",
      "code": "InvalidIdentityToken",
      "status": 400
    }
  },
  "transient": false,
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
