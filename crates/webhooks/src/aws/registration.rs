//! How the AWS webhook is registered with an API server, by each of the ways that people install it. It
//! must not know how a configuration is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

const CHART: &str = "amazon-eks-pod-identity-webhook";
const PORT_OF_CHART: u16 = 8443;

/// Whose manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// jkroepke's Helm chart, 2.6.5.
    Chart,
    /// The `deploy/` folder of amazon-eks-pod-identity-webhook.
    Upstream,
    /// What EKS puts into its clusters.
    Eks,
}

/// Where the API server reaches the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A full `https` URL, path included.
    Url(String),
    /// The service that the profile makes, in this namespace.
    Service {
        /// Namespace of the installation.
        namespace: String,
    },
}

/// What becomes of a pod when the webhook cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// It is created without credentials. What everybody ships.
    #[default]
    Ignore,
    /// It is refused.
    Fail,
}

/// One installation.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Whose manifest.
    pub profile: Profile,
    /// Name of the Helm release; only the chart looks at it.
    pub release: String,
    /// Where the webhook is.
    pub target: Target,
    /// The root that its certificate is verified with, PEM. `None` leaves it to cert-manager.
    pub ca_bundle_pem: Option<String>,
    /// `mutatingWebhook.failurePolicy` of the chart.
    pub failure_policy: FailurePolicy,
    /// `mutatingWebhook.namespaceSelector` of the chart: a label selector.
    pub namespace_selector: Option<Value>,
}

impl Profile {
    /// Name of the configuration (and of the service) of a Helm release; only the chart looks at the release.
    pub fn configuration_name(self, release: &str) -> String {
        match self {
            Self::Upstream | Self::Eks => "pod-identity-webhook".into(),
            Self::Chart => {
                // Helm's usual "fullname".
                let full = match release.contains(CHART) {
                    true => release.to_owned(),
                    false => format!("{release}-{CHART}"),
                };
                let cut: String = full.chars().take(63).collect();
                cut.strip_suffix('-').map(str::to_owned).unwrap_or(cut)
            }
        }
    }
}

impl Registration {
    /// An installation with the profile's defaults.
    pub fn new(profile: Profile, target: Target, ca_bundle_pem: Option<String>) -> Self {
        Self {
            profile,
            release: CHART.into(),
            target,
            ca_bundle_pem,
            failure_policy: FailurePolicy::default(),
            namespace_selector: None,
        }
    }

    /// Name of the configuration (and of the service). API servers call webhooks in the order of these names.
    pub fn name(&self) -> String {
        self.profile.configuration_name(&self.release)
    }
}

/// The MutatingWebhookConfiguration, as it is applied: what the API server defaults is left to it.
pub fn configuration(registration: &Registration) -> Value {
    let name = registration.name();
    let mut metadata = json!({"name": name});
    let mut client = Map::new();
    if let Some(pem) = &registration.ca_bundle_pem {
        client.insert("caBundle".into(), Value::from(STANDARD.encode(pem)));
    }
    match &registration.target {
        Target::Url(url) => {
            client.insert("url".into(), Value::from(url.as_str()));
        }
        Target::Service { namespace } => {
            if registration.ca_bundle_pem.is_none() {
                metadata["annotations"] = json!({"cert-manager.io/inject-ca-from": format!("{namespace}/{name}")});
            }
            let mut service = json!({"name": name, "namespace": namespace, "path": "/mutate"});
            if registration.profile == Profile::Chart {
                service["port"] = Value::from(PORT_OF_CHART);
            }
            client.insert("service".into(), service);
        }
    }

    let mut object_selector =
        vec![json!({"key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist"})];
    if registration.profile == Profile::Chart {
        // Its own pods must come up without it.
        object_selector.push(json!({"key": "app.kubernetes.io/name", "operator": "NotIn", "values": [CHART]}));
    }
    let mut webhook = json!({
        "name": match registration.profile {
            Profile::Chart | Profile::Upstream => "pod-identity-webhook.amazonaws.com",
            Profile::Eks => "iam-for-pods.amazonaws.com",
        },
        "failurePolicy": match registration.failure_policy {
            FailurePolicy::Ignore => "Ignore",
            FailurePolicy::Fail => "Fail",
        },
        "clientConfig": client,
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "objectSelector": {"matchExpressions": object_selector},
        "sideEffects": "None",
        // All of them, still: released images answer without the type metadata that v1 asks for.
        "admissionReviewVersions": ["v1beta1"],
    });
    if let Some(selector) = &registration.namespace_selector {
        webhook["namespaceSelector"] = selector.clone();
    }
    if registration.profile == Profile::Eks {
        webhook["reinvocationPolicy"] = Value::from("IfNeeded");
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": metadata,
        "webhooks": [webhook],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(registration: &Registration) -> String {
        serde_json::to_string_pretty(&configuration(registration)).expect("json")
    }

    #[test]
    fn names_the_chart_after_its_release() {
        let check = |release: &str, want: &str| {
            let target = Target::Service { namespace: "irsa".into() };
            let registration =
                Registration { release: release.into(), ..Registration::new(Profile::Chart, target, None) };
            assert_eq!(registration.name(), want);
        };
        check("amazon-eks-pod-identity-webhook", "amazon-eks-pod-identity-webhook");
        check("irsa", "irsa-amazon-eks-pod-identity-webhook");
        check("my-amazon-eks-pod-identity-webhook-2", "my-amazon-eks-pod-identity-webhook-2");
        check(&"r".repeat(60), &format!("{}-am", "r".repeat(60)));
        check(&"r".repeat(62), &"r".repeat(62));
    }

    #[test]
    fn registers_the_chart_by_service_with_its_own_root() {
        let target = Target::Service { namespace: "irsa".into() };
        let registration = Registration {
            failure_policy: FailurePolicy::Fail,
            namespace_selector: Some(json!({"matchLabels": {"irsa": "on"}})),
            ..Registration::new(Profile::Chart, target, Some("PEM".into()))
        };
        insta::assert_snapshot!(text_of(&registration), @r#"
        {
          "apiVersion": "admissionregistration.k8s.io/v1",
          "kind": "MutatingWebhookConfiguration",
          "metadata": {
            "name": "amazon-eks-pod-identity-webhook"
          },
          "webhooks": [
            {
              "name": "pod-identity-webhook.amazonaws.com",
              "failurePolicy": "Fail",
              "clientConfig": {
                "caBundle": "UEVN",
                "service": {
                  "name": "amazon-eks-pod-identity-webhook",
                  "namespace": "irsa",
                  "path": "/mutate",
                  "port": 8443
                }
              },
              "rules": [
                {
                  "operations": [
                    "CREATE"
                  ],
                  "apiGroups": [
                    ""
                  ],
                  "apiVersions": [
                    "v1"
                  ],
                  "resources": [
                    "pods"
                  ]
                }
              ],
              "objectSelector": {
                "matchExpressions": [
                  {
                    "key": "eks.amazonaws.com/skip-pod-identity-webhook",
                    "operator": "DoesNotExist"
                  },
                  {
                    "key": "app.kubernetes.io/name",
                    "operator": "NotIn",
                    "values": [
                      "amazon-eks-pod-identity-webhook"
                    ]
                  }
                ]
              },
              "sideEffects": "None",
              "admissionReviewVersions": [
                "v1beta1"
              ],
              "namespaceSelector": {
                "matchLabels": {
                  "irsa": "on"
                }
              }
            }
          ]
        }
        "#);
    }

    #[test]
    fn registers_upstream_by_service_with_cert_manager() {
        let target = Target::Service { namespace: "default".into() };
        insta::assert_snapshot!(text_of(&Registration::new(Profile::Upstream, target, None)), @r#"
        {
          "apiVersion": "admissionregistration.k8s.io/v1",
          "kind": "MutatingWebhookConfiguration",
          "metadata": {
            "name": "pod-identity-webhook",
            "annotations": {
              "cert-manager.io/inject-ca-from": "default/pod-identity-webhook"
            }
          },
          "webhooks": [
            {
              "name": "pod-identity-webhook.amazonaws.com",
              "failurePolicy": "Ignore",
              "clientConfig": {
                "service": {
                  "name": "pod-identity-webhook",
                  "namespace": "default",
                  "path": "/mutate"
                }
              },
              "rules": [
                {
                  "operations": [
                    "CREATE"
                  ],
                  "apiGroups": [
                    ""
                  ],
                  "apiVersions": [
                    "v1"
                  ],
                  "resources": [
                    "pods"
                  ]
                }
              ],
              "objectSelector": {
                "matchExpressions": [
                  {
                    "key": "eks.amazonaws.com/skip-pod-identity-webhook",
                    "operator": "DoesNotExist"
                  }
                ]
              },
              "sideEffects": "None",
              "admissionReviewVersions": [
                "v1beta1"
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn registers_eks_by_address_and_asks_to_be_called_again() {
        let target = Target::Url("https://127.0.0.1:23443/mutate".into());
        insta::assert_snapshot!(text_of(&Registration::new(Profile::Eks, target, Some("PEM".into()))), @r#"
        {
          "apiVersion": "admissionregistration.k8s.io/v1",
          "kind": "MutatingWebhookConfiguration",
          "metadata": {
            "name": "pod-identity-webhook"
          },
          "webhooks": [
            {
              "name": "iam-for-pods.amazonaws.com",
              "failurePolicy": "Ignore",
              "clientConfig": {
                "caBundle": "UEVN",
                "url": "https://127.0.0.1:23443/mutate"
              },
              "rules": [
                {
                  "operations": [
                    "CREATE"
                  ],
                  "apiGroups": [
                    ""
                  ],
                  "apiVersions": [
                    "v1"
                  ],
                  "resources": [
                    "pods"
                  ]
                }
              ],
              "objectSelector": {
                "matchExpressions": [
                  {
                    "key": "eks.amazonaws.com/skip-pod-identity-webhook",
                    "operator": "DoesNotExist"
                  }
                ]
              },
              "sideEffects": "None",
              "admissionReviewVersions": [
                "v1beta1"
              ],
              "reinvocationPolicy": "IfNeeded"
            }
          ]
        }
        "#);
    }
}
