//! How the Azure webhook is registered with an API server, by its chart and by the AKS add-on alike. It must not
//! know how a configuration is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{FailurePolicy, PATH, Target};

/// Name of the configuration, whatever the release is called. API servers call webhooks in the order of these
/// names.
pub const NAME: &str = "azure-wi-webhook-mutating-webhook-configuration";

const SERVICE: &str = "azure-wi-webhook-webhook-service";

/// One installation.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Where the webhook is. By chart: the service in `azure-workload-identity-system`; by add-on: in `kube-system`.
    pub target: Target,
    /// The root that its certificate is verified with, PEM. `None` leaves it to the webhook, which rotates its
    /// own certificate.
    pub ca_bundle_pem: Option<String>,
    /// [`FailurePolicy::Fail`] as shipped. No value of the chart changes it, but some platforms do.
    pub failure_policy: FailurePolicy,
    /// `mutatingWebhookNamespaceSelector` of the chart: a label selector.
    pub namespace_selector: Option<Value>,
}

impl Registration {
    /// An installation as shipped.
    pub fn new(target: Target, ca_bundle_pem: Option<String>) -> Self {
        Self { target, ca_bundle_pem, failure_policy: FailurePolicy::Fail, namespace_selector: None }
    }
}

/// The MutatingWebhookConfiguration, as it is applied: what the API server defaults is left to it.
pub fn configuration(registration: &Registration) -> Value {
    let mut client = Map::new();
    if let Some(pem) = &registration.ca_bundle_pem {
        client.insert("caBundle".into(), Value::from(STANDARD.encode(pem)));
    }
    match &registration.target {
        Target::Url(url) => {
            client.insert("url".into(), Value::from(url.as_str()));
        }
        Target::Service { namespace } => {
            let service = json!({"name": SERVICE, "namespace": namespace, "path": PATH});
            client.insert("service".into(), service);
        }
    }
    let mut webhook = json!({
        "name": "mutation.azure-workload-identity.io",
        "admissionReviewVersions": ["v1", "v1beta1"],
        "clientConfig": client,
        "failurePolicy": match registration.failure_policy {
            FailurePolicy::Ignore => "Ignore",
            FailurePolicy::Fail => "Fail",
        },
        "matchPolicy": "Equivalent",
        // A sidecar that somebody adds later is to have its share.
        "reinvocationPolicy": "IfNeeded",
        "objectSelector": {"matchLabels": {"azure.workload.identity/use": "true"}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "sideEffects": "None",
    });
    if let Some(selector) = &registration.namespace_selector {
        webhook["namespaceSelector"] = selector.clone();
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME, "labels": {"azure-workload-identity.io/system": "true"}},
        "webhooks": [webhook],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_the_chart_by_service_for_labelled_pods_only() {
        let target = Target::Service { namespace: "azure-workload-identity-system".into() };
        let text = serde_json::to_string_pretty(&configuration(&Registration::new(target, None)));
        insta::assert_snapshot!(text.expect("json"), @r#"
        {
          "apiVersion": "admissionregistration.k8s.io/v1",
          "kind": "MutatingWebhookConfiguration",
          "metadata": {
            "name": "azure-wi-webhook-mutating-webhook-configuration",
            "labels": {
              "azure-workload-identity.io/system": "true"
            }
          },
          "webhooks": [
            {
              "name": "mutation.azure-workload-identity.io",
              "admissionReviewVersions": [
                "v1",
                "v1beta1"
              ],
              "clientConfig": {
                "service": {
                  "name": "azure-wi-webhook-webhook-service",
                  "namespace": "azure-workload-identity-system",
                  "path": "/mutate-v1-pod"
                }
              },
              "failurePolicy": "Fail",
              "matchPolicy": "Equivalent",
              "reinvocationPolicy": "IfNeeded",
              "objectSelector": {
                "matchLabels": {
                  "azure.workload.identity/use": "true"
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
              "sideEffects": "None"
            }
          ]
        }
        "#);
    }

    #[test]
    fn changes_only_what_an_installation_changes() {
        let target = Target::Url("https://127.0.0.1:9443/mutate-v1-pod".into());
        let shipped = Registration::new(target, Some("PEM".into()));
        let changed = Registration {
            failure_policy: FailurePolicy::Ignore,
            namespace_selector: Some(json!({"matchLabels": {"team": "shop"}})),
            ..shipped.clone()
        };
        let mut want = configuration(&shipped);
        assert_eq!(
            want["webhooks"][0]["clientConfig"],
            json!({"caBundle": "UEVN", "url": "https://127.0.0.1:9443/mutate-v1-pod"})
        );
        want["webhooks"][0]["failurePolicy"] = json!("Ignore");
        want["webhooks"][0]["namespaceSelector"] = json!({"matchLabels": {"team": "shop"}});
        assert_eq!(configuration(&changed), want);
    }

    #[test]
    fn is_called_after_the_aws_chart_and_before_what_is_called_pod_identity() {
        use crate::aws;
        let aws = |profile, release: &str| {
            let target = Target::Url("https://localhost/".into());
            aws::Registration { release: release.into(), ..aws::Registration::new(profile, target, None) }.name()
        };
        let chart = aws::Profile::Chart;
        assert!(aws(chart, "amazon-eks-pod-identity-webhook").as_str() < NAME);
        assert!(aws(chart, "irsa").as_str() > NAME);
        assert!(aws(aws::Profile::Eks, "").as_str() > NAME);
        assert!(aws(aws::Profile::Upstream, "").as_str() > NAME);
    }
}
