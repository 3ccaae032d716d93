//! What a run that passes shows and leaves.

use insta::assert_snapshot;
use quick_xml::events::Event as Xml;
use report::{Event, Report};
use serde_json::Value;

use crate::run::Ended;
use crate::sandbox::Sandbox;
use crate::secrets;

async fn passed(sandbox: &Sandbox) -> Ended {
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1"]).run().await;
    ended.expect_exit(0);
    ended
}

#[tokio::test]
async fn prints_every_check_with_what_it_saw() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox).await;
    assert_eq!(ended.stderr, "");
    assert_snapshot!(ended.settled_stdout(), @r#"
        crossfed 0.1.0  run r1 · cluster embedded · clouds simulated

        aks-to-aws  A pod in AKS reads an object in S3
          ✓ preflight   9 checks planned [time]
          ✓ cluster     embedded, issuer https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/
          ✓ webhooks    amazon-eks-pod-identity-webhook-cf-r1 [time]
          ✓ federation  30 resources in 3 accounts [time]
          ✓ workload    9 namespaces with service account and target [time]
            checks
            ✓ A pod in AKS reads an object in S3                   11 read                52 bytes [time]
            ✓ no OIDC provider for the issuer                      6 issuer trusted       InvalidIdentityToken      400 [time]
            ✓ provider without the issuer's slash                  6 issuer trusted       InvalidIdentityToken      400 [time]
            ✓ role may not get the object                          10 permitted           AccessDenied              403 [time]
            ✓ service account not annotated                        1 opted in             not injected [time]
            ✓ token expired two hours ago                          3 token projected      ExpiredTokenException     400 [time]
            ✓ token made for another audience                      7 audience accepted    InvalidIdentityToken      400 [time]
            ✓ token not signed by the issuer                       5 key published        InvalidIdentityToken      400 [time]
            ✓ trust policy for another namespace                   8 subject accepted     AccessDenied              403 [time]
          ✓ teardown    40 taken back, inventory empty [time]

        PASSED  9 of 9 checks passed [time]
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e aks-to-aws
        "#);
    assert_snapshot!(ended.checks(), @r"
annotation-missing: passed: expected not injected, saw not injected
control: passed: expected read 52, saw read 52
expired-token: passed: expected token-projected ExpiredTokenException 400, saw token-projected ExpiredTokenException 400
forged-signature: passed: expected key-published InvalidIdentityToken 400, saw key-published InvalidIdentityToken 400
issuer-without-slash: passed: expected issuer-trusted InvalidIdentityToken 400, saw issuer-trusted InvalidIdentityToken 400
no-provider: passed: expected issuer-trusted InvalidIdentityToken 400, saw issuer-trusted InvalidIdentityToken 400
role-without-get-object: passed: expected permitted AccessDenied 403, saw permitted AccessDenied 403
wrong-audience: passed: expected audience-accepted InvalidIdentityToken 400, saw audience-accepted InvalidIdentityToken 400
wrong-namespace: passed: expected subject-accepted AccessDenied 403, saw subject-accepted AccessDenied 403
");
}

#[tokio::test]
async fn every_refusal_breaks_at_its_link_and_nothing_after_it_is_claimed() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox).await;
    assert_snapshot!(ended.chains(), @r#"
        annotation-missing x.......... nothing asked of service account: -
        control +++++++++++
        expired-token ++x++++.... volume of the pod's own, expires [moment] asked of sts.eu-central-1.amazonaws.com answered 400 ExpiredTokenException: Token expired: current date/time [seconds] must be before the expiration date/time [seconds]
        forged-signature ++?+x++.... key [kid] asked of sts.eu-central-1.amazonaws.com answered 400 InvalidIdentityToken: The web identity token that was passed could not be validated by AWS. Get a new identity token from the identity provider and then retry the request.
        issuer-without-slash ++???x..... https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/ asked of sts.eu-central-1.amazonaws.com answered 400 InvalidIdentityToken: No OpenIDConnect provider found in your account for https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/
        no-provider ++???x..... https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/ asked of sts.eu-central-1.amazonaws.com answered 400 InvalidIdentityToken: No OpenIDConnect provider found in your account for https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/
        role-without-get-object +++++++++x. s3:GetObject asked of cf-r1-shared.s3.eu-central-1.amazonaws.com answered 403 AccessDenied: User: arn:aws:sts::111122223333:assumed-role/cf-r1-role-without-get-object/web-identity-token-[milliseconds] is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::cf-r1-shared/test-file.txt" because no identity-based policy allows the s3:GetObject action
        wrong-audience ++???+x.... api://AzureADTokenExchange asked of sts.eu-central-1.amazonaws.com answered 400 InvalidIdentityToken: Incorrect token audience
        wrong-namespace +++++++x... system:serviceaccount:cf-r1-wrong-namespace:s3-reader asked of sts.eu-central-1.amazonaws.com answered 403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity
        "#);
}

#[tokio::test]
async fn the_pod_is_admitted_as_the_webhooks_chart_would_have_it() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox).await;
    let pod = ended.artifact("clusters/embedded/resources/cf-r1-control_s3-reader.json");
    assert_snapshot!(pod, @r#"
{
  "kind": "Pod",
  "apiVersion": "v1",
  "metadata": {
    "name": "s3-reader",
    "labels": {
      "app.kubernetes.io/name": "s3-reader",
      "crossfed.dev/run": "r1"
    },
    "namespace": "cf-r1-control",
    "uid": "[uuid]",
    "creationTimestamp": "[moment]",
    "generation": 1,
    "resourceVersion": "[version]"
  },
  "spec": {
    "serviceAccountName": "s3-reader",
    "restartPolicy": "Never",
    "containers": [
      {
        "name": "s3-reader",
        "image": "ghcr.io/crossfed/s3-reader:0.1.0",
        "args": [
          "--bucket",
          "$(BUCKET)",
          "--key",
          "$(KEY)"
        ],
        "env": [
          {
            "name": "BUCKET",
            "valueFrom": {
              "configMapKeyRef": {
                "name": "s3-reader",
                "key": "bucket"
              }
            }
          },
          {
            "name": "KEY",
            "valueFrom": {
              "configMapKeyRef": {
                "name": "s3-reader",
                "key": "key"
              }
            }
          },
          {
            "name": "HTTPS_PROXY",
            "valueFrom": {
              "secretKeyRef": {
                "name": "crossfed-wire",
                "key": "https-proxy"
              }
            }
          },
          {
            "name": "SSL_CERT_FILE",
            "value": "/etc/crossfed/wire/ca.crt"
          },
          {
            "name": "AWS_EC2_METADATA_DISABLED",
            "value": "true"
          },
          {
            "name": "AWS_STS_REGIONAL_ENDPOINTS",
            "value": "regional"
          },
          {
            "name": "AWS_DEFAULT_REGION",
            "value": "eu-central-1"
          },
          {
            "name": "AWS_REGION",
            "value": "eu-central-1"
          },
          {
            "name": "AWS_ROLE_ARN",
            "value": "arn:aws:iam::111122223333:role/cf-r1-control"
          },
          {
            "name": "AWS_WEB_IDENTITY_TOKEN_FILE",
            "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
          }
        ],
        "volumeMounts": [
          {
            "name": "crossfed-wire",
            "mountPath": "/etc/crossfed/wire",
            "readOnly": true
          },
          {
            "name": "kube-api-access-[suffix]",
            "readOnly": true,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"
          },
          {
            "name": "aws-iam-token",
            "readOnly": true,
            "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"
          }
        ],
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "resources": {}
      }
    ],
    "volumes": [
      {
        "name": "aws-iam-token",
        "projected": {
          "sources": [
            {
              "serviceAccountToken": {
                "audience": "sts.amazonaws.com",
                "expirationSeconds": 86400,
                "path": "token"
              }
            }
          ],
          "defaultMode": 420
        }
      },
      {
        "name": "crossfed-wire",
        "secret": {
          "secretName": "crossfed-wire",
          "items": [
            {
              "key": "ca.crt",
              "path": "ca.crt"
            }
          ],
          "defaultMode": 420
        }
      },
      {
        "name": "kube-api-access-[suffix]",
        "projected": {
          "defaultMode": 420,
          "sources": [
            {
              "serviceAccountToken": {
                "expirationSeconds": 3607,
                "path": "token"
              }
            },
            {
              "configMap": {
                "name": "kube-root-ca.crt",
                "items": [
                  {
                    "key": "ca.crt",
                    "path": "ca.crt"
                  }
                ]
              }
            },
            {
              "downwardAPI": {
                "items": [
                  {
                    "path": "namespace",
                    "fieldRef": {
                      "apiVersion": "v1",
                      "fieldPath": "metadata.namespace"
                    }
                  }
                ]
              }
            }
          ]
        }
      }
    ],
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
    "serviceAccount": "s3-reader",
    "enableServiceLinks": true,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "tolerations": [
      {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300
      },
      {
        "key": "node.kubernetes.io/unreachable",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300
      }
    ]
  },
  "status": {
    "phase": "Pending",
    "qosClass": "BestEffort"
  }
}
"#);

    let missing = ended.artifact("clusters/embedded/resources/cf-r1-annotation-missing_s3-reader.json");
    assert!(!missing.contains("AWS_ROLE_ARN") && missing.contains("HTTPS_PROXY"), "only the wire is added: {missing}");
}

#[tokio::test]
async fn events_fold_to_the_report_and_junit_counts_the_same() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox).await;
    let report = ended.report();
    let records = report::read_events(&ended.artifacts.join("events.jsonl")).expect("must read back");
    let mut folded = Report::default();
    for record in &records {
        folded.apply(record);
    }
    assert_eq!(folded, report);
    assert!(matches!(records.last().map(|record| record.event()), Some(Event::RunFinished { exit_code: 0, .. })));

    let counts = |file: &str| {
        let xml = ended.artifact(file);
        let mut reader = quick_xml::Reader::from_str(&xml);
        let mut found: Vec<(String, String, String)> = Vec::new();
        loop {
            match reader.read_event().expect("must be well formed") {
                Xml::Start(tag) | Xml::Empty(tag) => {
                    let attribute = |name: &str| {
                        let value =
                            tag.try_get_attribute(name).expect("must be attributes").map(|value| value.value.to_vec());
                        String::from_utf8(value.unwrap_or_default()).expect("must be UTF-8")
                    };
                    let name = String::from_utf8(tag.name().as_ref().to_vec()).expect("must be UTF-8");
                    found.push((name, attribute("tests"), attribute("failures")));
                }
                Xml::Eof => return found,
                _ => {}
            }
        }
    };
    let found = counts("junit_aks-to-aws.xml");
    assert_eq!(found[0], ("testsuites".into(), "9".into(), "0".into()));
    assert_eq!(found.iter().filter(|(name, ..)| name == "testcase").count(), 9);
    assert!(found.iter().all(|(name, ..)| name != "failure" && name != "skipped" && name != "error"), "{found:?}");
    assert_eq!(counts("junit_runner.xml")[0].2, "0");

    let finished: Value = serde_json::from_str(&ended.artifact("finished.json")).expect("must be JSON");
    assert_eq!((&finished["passed"], &finished["result"]), (&true.into(), &"SUCCESS".into()));
    assert!(ended.artifact("started.json").contains("timestamp"));
}

#[tokio::test]
async fn what_was_created_was_written_down_before_and_is_gone_after() {
    let sandbox = Sandbox::new();
    let ended = passed(&sandbox).await;
    let journal = ended.journal();
    assert_eq!(journal.intended.len(), 41, "{journal:?}");
    assert_eq!(journal.open(), [""; 0]);
    let shown = |label: &&str| ["control", "shared", "webhook", "provider "].iter().any(|part| label.contains(part));
    let mut labels: Vec<&str> = journal.intended.iter().map(|(_, label)| label.as_str()).filter(shown).collect();
    labels.sort_unstable();
    assert_snapshot!(labels.join("\n"), @r#"
        OIDC provider for https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster] in account 111122223334
        OIDC provider for https://westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/ in account 111122223333
        bucket cf-r1-no-provider in account 111122223335
        bucket cf-r1-shared in account 111122223333
        namespace cf-r1-control
        object cf-r1-shared/test-file.txt in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-annotation-missing in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-control in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-expired-token in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-forged-signature in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-wrong-audience in account 111122223333
        policy arn:aws:iam::111122223333:policy/cf-r1-shared on role cf-r1-wrong-namespace in account 111122223333
        policy arn:aws:iam::111122223335:policy/cf-r1-no-provider on role cf-r1-no-provider in account 111122223335
        policy cf-r1-no-provider in account 111122223335
        policy cf-r1-shared in account 111122223333
        role cf-r1-control in account 111122223333
        role cf-r1-no-provider in account 111122223335
        webhook configuration amazon-eks-pod-identity-webhook-cf-r1
        "#);
    for gone in ["kubeconfig", "private"] {
        assert!(!ended.artifacts.join(gone).exists(), "{gone} must be gone");
    }
}

#[tokio::test]
async fn nothing_that_a_run_leaves_holds_a_secret() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1"]).env("CROSSFED_LOG", "trace").run().await;
    ended.expect_exit(0);
    assert!(ended.stderr.lines().count() > 10, "the trace must be there to be looked at: {}", ended.stderr);
    secrets::assert_none(&ended, &[]);
    let requests = ended.artifact("clouds/requests.jsonl");
    assert!(
        requests.contains("cf-r1-control") && requests.contains("aws-sts"),
        "pods and STS must be in the request log"
    );
}

#[tokio::test]
async fn two_runs_in_one_folder_keep_apart() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let (one, two) =
        tokio::join!(sandbox.crossfed(&["e2e", "aks-to-aws"]).run(), sandbox.crossfed(&["e2e", "aks-to-aws"]).run());
    one.expect_exit(0);
    two.expect_exit(0);
    assert_snapshot!(one.stdout.lines().next().unwrap_or_default(), @"crossfed 0.1.0  run [run] · cluster embedded · clouds simulated");
    let folders = std::fs::read_dir(sandbox.path("_artifacts")).expect("must be there").count();
    assert_eq!(folders, 2);
}

#[tokio::test]
async fn one_pod_at_a_time_comes_to_the_same_end() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing", "wrong-audience"]);
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1", "--parallel", "1"]).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.checks(), @r"
annotation-missing: passed: expected not injected, saw not injected
control: passed: expected read 52, saw read 52
wrong-audience: passed: expected audience-accepted InvalidIdentityToken 400, saw audience-accepted InvalidIdentityToken 400
");
}

#[tokio::test]
async fn the_rerun_line_can_be_run() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let ended = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1"]).run().await;
    let line = ended.stdout.lines().find_map(|line| line.trim().strip_prefix("rerun")).expect("must be told").trim();
    let words: Vec<&str> = line.split(' ').skip(2).collect();
    sandbox.crossfed(&words).run().await.expect_exit(0);
}
