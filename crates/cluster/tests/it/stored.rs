//! A stored pod as a whole: one in short words, one member by member.

use cluster::AzureLayout;
use serde_json::json;

use crate::pods;
use crate::shape::rendered;
use crate::support::{Order, World, pod};

#[tokio::test]
async fn the_shape_of_a_stored_pod_is_this() {
    let world = World::both(Order::AzureFirst, AzureLayout::V1_6).await;
    let (stored, _) = world.admitted(&pods::proxied()).await;
    insta::assert_snapshot!(rendered(&stored), @r#"
        volumes
          aws-iam-token: token for sts.amazonaws.com, 86400 s, at token; mode 420
          kube-api-access: token for the API server, 3607 s, at token, configMap, downwardAPI; mode 420
          azure-workload-identity-reserved-425c89ed5bb78a7623fae60fd8a6f6: token for api://AzureADTokenExchange, 3600 s, at token/azure-identity-token; mode 420
        initContainers azwi-proxy, restarts Always
          AZURE_CLIENT_ID=7f3e2c1a-0000-4000-8000-00000000c11e
          AZURE_TENANT_ID=7f3e2c1a-0000-4000-8000-000000007e4a
          AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/wi/token/azure-identity-token
          AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/
          AWS_STS_REGIONAL_ENDPOINTS=regional
          AWS_DEFAULT_REGION=eu-central-1
          AWS_REGION=eu-central-1
          AWS_ROLE_ARN=arn:aws:iam::123456789012:role/reader
          AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token
          /var/run/secrets/azure/wi <- azure-workload-identity-reserved-425c89ed5bb78a7623fae60fd8a6f6, read-only
          /var/run/secrets/eks.amazonaws.com/serviceaccount <- aws-iam-token, read-only
          /var/run/secrets/kubernetes.io/serviceaccount <- kube-api-access, read-only
        initContainers setup
          AZURE_CLIENT_ID=7f3e2c1a-0000-4000-8000-00000000c11e
          AZURE_TENANT_ID=7f3e2c1a-0000-4000-8000-000000007e4a
          AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/wi/token/azure-identity-token
          AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/
          AWS_STS_REGIONAL_ENDPOINTS=regional
          AWS_DEFAULT_REGION=eu-central-1
          AWS_REGION=eu-central-1
          AWS_ROLE_ARN=arn:aws:iam::123456789012:role/reader
          AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token
          /var/run/secrets/kubernetes.io/serviceaccount <- kube-api-access, read-only
          /var/run/secrets/azure/wi <- azure-workload-identity-reserved-425c89ed5bb78a7623fae60fd8a6f6, read-only
          /var/run/secrets/eks.amazonaws.com/serviceaccount <- aws-iam-token, read-only
        initContainers azwi-proxy-init
          PROXY_PORT=8000
          AZURE_CLIENT_ID=7f3e2c1a-0000-4000-8000-00000000c11e
          AZURE_TENANT_ID=7f3e2c1a-0000-4000-8000-000000007e4a
          AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/wi/token/azure-identity-token
          AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/
          AWS_STS_REGIONAL_ENDPOINTS=regional
          AWS_DEFAULT_REGION=eu-central-1
          AWS_REGION=eu-central-1
          AWS_ROLE_ARN=arn:aws:iam::123456789012:role/reader
          AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token
          /var/run/secrets/azure/wi <- azure-workload-identity-reserved-425c89ed5bb78a7623fae60fd8a6f6, read-only
          /var/run/secrets/eks.amazonaws.com/serviceaccount <- aws-iam-token, read-only
          /var/run/secrets/kubernetes.io/serviceaccount <- kube-api-access, read-only
        containers app
          AZURE_CLIENT_ID=7f3e2c1a-0000-4000-8000-00000000c11e
          AZURE_TENANT_ID=7f3e2c1a-0000-4000-8000-000000007e4a
          AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/wi/token/azure-identity-token
          AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/
          AWS_STS_REGIONAL_ENDPOINTS=regional
          AWS_DEFAULT_REGION=eu-central-1
          AWS_REGION=eu-central-1
          AWS_ROLE_ARN=arn:aws:iam::123456789012:role/reader
          AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token
          /var/run/secrets/kubernetes.io/serviceaccount <- kube-api-access, read-only
          /var/run/secrets/azure/wi <- azure-workload-identity-reserved-425c89ed5bb78a7623fae60fd8a6f6, read-only
          /var/run/secrets/eks.amazonaws.com/serviceaccount <- aws-iam-token, read-only
        "#);
    world.stop().await;
}

#[tokio::test]
async fn the_specification_of_a_stored_pod_is_exactly_this() {
    let world = World::both(Order::AwsFirst, AzureLayout::V1_6).await;
    let (stored, _) = world.admitted(&pod(json!({}))).await;
    let text = serde_json::to_string_pretty(&stored["spec"]).expect("JSON");
    // The built-in plugin's volume ends in chance.
    let chance = stored["spec"]["volumes"][1]["name"].as_str().expect("a name");
    let text = text.replace(chance, "kube-api-access-XXXXX");
    insta::assert_snapshot!(text, @r#"
        {
          "serviceAccountName": "reader",
          "schedulerName": "nobody",
          "containers": [
            {
              "name": "app",
              "image": "app:1",
              "imagePullPolicy": "IfNotPresent",
              "terminationMessagePath": "/dev/termination-log",
              "terminationMessagePolicy": "File",
              "resources": {},
              "volumeMounts": [
                {
                  "name": "kube-api-access-XXXXX",
                  "readOnly": true,
                  "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"
                },
                {
                  "name": "aws-iam-token",
                  "readOnly": true,
                  "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"
                },
                {
                  "name": "azure-workload-identity-reserved-425c89ed5bb78a7623fae60fd8a6f6",
                  "readOnly": true,
                  "mountPath": "/var/run/secrets/azure/wi"
                }
              ],
              "env": [
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
                  "value": "arn:aws:iam::123456789012:role/reader"
                },
                {
                  "name": "AWS_WEB_IDENTITY_TOKEN_FILE",
                  "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
                },
                {
                  "name": "AZURE_CLIENT_ID",
                  "value": "7f3e2c1a-0000-4000-8000-00000000c11e"
                },
                {
                  "name": "AZURE_TENANT_ID",
                  "value": "7f3e2c1a-0000-4000-8000-000000007e4a"
                },
                {
                  "name": "AZURE_FEDERATED_TOKEN_FILE",
                  "value": "/var/run/secrets/azure/wi/token/azure-identity-token"
                },
                {
                  "name": "AZURE_AUTHORITY_HOST",
                  "value": "https://login.microsoftonline.com/"
                }
              ]
            }
          ],
          "restartPolicy": "Always",
          "dnsPolicy": "ClusterFirst",
          "terminationGracePeriodSeconds": 30,
          "securityContext": {},
          "serviceAccount": "reader",
          "enableServiceLinks": true,
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
              "name": "kube-api-access-XXXXX",
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
            },
            {
              "name": "azure-workload-identity-reserved-425c89ed5bb78a7623fae60fd8a6f6",
              "projected": {
                "sources": [
                  {
                    "serviceAccountToken": {
                      "audience": "api://AzureADTokenExchange",
                      "expirationSeconds": 3600,
                      "path": "token/azure-identity-token"
                    }
                  }
                ],
                "defaultMode": 420
              }
            }
          ],
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
        }
        "#);
    world.stop().await;
}
