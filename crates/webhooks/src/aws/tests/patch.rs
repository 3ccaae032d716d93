//! The patch itself: operations, order, shape.

use super::*;

#[test]
fn patches_the_typical_pod() {
    let mutation = mutate(
        &chart("eu-central-1"),
        &Sources::default(),
        "shop",
        &mk_pod(json!({"spec": {"volumes": [{"name": "data", "emptyDir": {}}]}})),
        Some(&reader()),
        &Lowest,
    );
    let patch = serde_json::to_string_pretty(&ops(mutation.expect("must be a pod"))).expect("json");
    insta::assert_snapshot!(patch, @r#"
        [
          {
            "op": "add",
            "path": "/spec/volumes/0",
            "value": {
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
                ]
              }
            }
          },
          {
            "op": "add",
            "path": "/spec/containers",
            "value": [
              {
                "name": "app",
                "image": "app:1",
                "resources": {},
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
                  }
                ],
                "volumeMounts": [
                  {
                    "name": "aws-iam-token",
                    "readOnly": true,
                    "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"
                  }
                ]
              }
            ]
          }
        ]
        "#);
}

#[test]
fn injects_init_containers_and_native_sidecars_but_not_ephemeral_containers() {
    let pod = mk_pod(json!({"spec": {
        "initContainers": [
            {"name": "migrate", "image": "app:1"},
            {"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"},
        ],
        "ephemeralContainers": [{"name": "shell", "image": "sh:1"}],
    }}));
    let patch = ops(mutate(&Config::bare(), &Sources::default(), "shop", &pod, Some(&reader()), &Lowest).expect("pod"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&patch).expect("json"), @r#"
        [
          {
            "op": "add",
            "path": "/spec/volumes",
            "value": [
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
                  ]
                }
              }
            ]
          },
          {
            "op": "add",
            "path": "/spec/containers",
            "value": [
              {
                "name": "app",
                "image": "app:1",
                "resources": {},
                "env": [
                  {
                    "name": "AWS_ROLE_ARN",
                    "value": "arn:aws:iam::123456789012:role/reader"
                  },
                  {
                    "name": "AWS_WEB_IDENTITY_TOKEN_FILE",
                    "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
                  }
                ],
                "volumeMounts": [
                  {
                    "name": "aws-iam-token",
                    "readOnly": true,
                    "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"
                  }
                ]
              }
            ]
          },
          {
            "op": "add",
            "path": "/spec/initContainers",
            "value": [
              {
                "name": "migrate",
                "image": "app:1",
                "resources": {},
                "env": [
                  {
                    "name": "AWS_ROLE_ARN",
                    "value": "arn:aws:iam::123456789012:role/reader"
                  },
                  {
                    "name": "AWS_WEB_IDENTITY_TOKEN_FILE",
                    "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
                  }
                ],
                "volumeMounts": [
                  {
                    "name": "aws-iam-token",
                    "readOnly": true,
                    "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"
                  }
                ]
              },
              {
                "name": "mesh",
                "image": "mesh:1",
                "restartPolicy": "Always",
                "resources": {},
                "env": [
                  {
                    "name": "AWS_ROLE_ARN",
                    "value": "arn:aws:iam::123456789012:role/reader"
                  },
                  {
                    "name": "AWS_WEB_IDENTITY_TOKEN_FILE",
                    "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
                  }
                ],
                "volumeMounts": [
                  {
                    "name": "aws-iam-token",
                    "readOnly": true,
                    "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"
                  }
                ]
              }
            ]
          }
        ]
        "#);
}

#[test]
fn marks_and_injects_pods_of_eks_pod_identity() {
    let account = account(&[("role-arn", ROLE), ("token-expiration", "10000")]);
    let pod = mk_pod(json!({}));
    let mutation = mutate(&Config::eks("eu-central-1"), &pod_identity(), "shop", &pod, Some(&account), &Lowest);
    let patch = ops(mutation.expect("must be a pod"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&patch).expect("json"), @r#"
        [
          {
            "op": "add",
            "path": "/metadata/labels",
            "value": {
              "eks.amazonaws.com/pod-identity": "enabled"
            }
          },
          {
            "op": "add",
            "path": "/spec/volumes",
            "value": [
              {
                "name": "eks-pod-identity-token",
                "projected": {
                  "sources": [
                    {
                      "serviceAccountToken": {
                        "audience": "pods.eks.amazonaws.com",
                        "expirationSeconds": 10000,
                        "path": "eks-pod-identity-token"
                      }
                    }
                  ]
                }
              }
            ]
          },
          {
            "op": "add",
            "path": "/spec/containers",
            "value": [
              {
                "name": "app",
                "image": "app:1",
                "resources": {},
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
                    "name": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "value": "http://169.254.170.23/v1/credentials"
                  },
                  {
                    "name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                    "value": "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"
                  }
                ],
                "volumeMounts": [
                  {
                    "name": "eks-pod-identity-token",
                    "readOnly": true,
                    "mountPath": "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
                  }
                ]
              }
            ]
          }
        ]
        "#);
}

#[test]
fn puts_its_volume_before_the_others() {
    let check = |volumes: Value, path: &str| {
        let pod = mk_pod(json!({}));
        let pod = apply(&pod, &[crate::PatchOp::add("/spec/volumes", volumes)]);
        let patch =
            ops(mutate(&Config::bare(), &Sources::default(), "shop", &pod, Some(&reader()), &Lowest).expect("pod"));
        assert_eq!(patch[0].path, path);
        assert_eq!(apply(&pod, &patch)["spec"]["volumes"][0]["name"], "aws-iam-token");
    };
    check(json!(null), "/spec/volumes");
    check(json!([]), "/spec/volumes/0");
    check(json!([{"name": "data"}]), "/spec/volumes/0");
}

#[test]
fn sends_containers_even_when_nothing_in_them_changes() {
    let done = json!({
        "name": "app",
        "readinessProbe": {"grpc": {"port": 5000}},
        "resources": {"limits": {"cpu": "1"}},
        "restartPolicyRules": [{"newer": "than the image"}],
        "env": [{"name": "AWS_ROLE_ARN"}, {"name": "AWS_REGION"}, {"name": "AWS_STS_REGIONAL_ENDPOINTS"}],
    });
    let pod = mk_pod(json!({"spec": {"containers": [done], "volumes": [{"name": "aws-iam-token"}]}}));
    let patch = ops(mutate(&Config::bare(), &Sources::default(), "shop", &pod, Some(&reader()), &Lowest).expect("pod"));
    let mut want = done.clone();
    want["readinessProbe"]["grpc"]["service"] = Value::Null;
    assert_eq!(patch, [crate::PatchOp::add("/spec/containers", json!([want]))]);
}
