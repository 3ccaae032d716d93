//! The custom token endpoint of v1.6: tokens are exchanged at a proxy in the cluster instead of at Entra ID. It
//! must not know what a pod gets beside that.

use serde_json::{Value, json};
use trust::Audience;

use super::config::ConfigError;
use super::layout::Layout;

const CA_PATH: &str = "ca-cert/ca.crt";

/// How pods that ask for it reach the proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomTokenEndpoint {
    annotation: String,
    audience: Audience,
    /// `AZURE_KUBERNETES_TOKEN_PROXY`: URL of the proxy.
    pub token_proxy: String,
    /// `AZURE_KUBERNETES_SNI_NAME`: the server name to ask it for. Empty: none.
    pub sni_name: String,
    /// What its certificate is verified with.
    pub ca: CaSource,
}

/// Where the proxy's root comes from. A webhook that is given two of these does not start.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum CaSource {
    /// From nowhere: the container's own roots.
    #[default]
    Absent,
    /// `AZURE_KUBERNETES_CA_DATA`: PEM, in a variable.
    Data(String),
    /// A ConfigMap of this name in the pod's namespace, with a key `ca.crt`.
    ConfigMap(String),
    /// The ClusterTrustBundles of a signer.
    TrustBundle {
        /// Name of the signer.
        signer: String,
        /// Which of them: a label selector.
        label_selector: Option<Value>,
    },
}

impl CustomTokenEndpoint {
    /// For pods whose annotation `azure.workload.identity/use-<suffix>` is `true`, with a token for `audience`.
    ///
    /// # Errors
    /// Either is empty, the audience is the one that Entra ID expects, or the suffix makes no annotation.
    pub fn new(suffix: &str, audience: Audience, token_proxy: &str) -> Result<Self, ConfigError> {
        if suffix.is_empty() || audience.as_str().is_empty() {
            return Err(ConfigError::IncompleteEndpoint);
        }
        if audience.as_str().eq_ignore_ascii_case(Audience::AZURE_TOKEN_EXCHANGE) {
            return Err(ConfigError::EndpointAudience);
        }
        let name = format!("use-{suffix}");
        let annotation = format!("azure.workload.identity/{name}");
        if !is_qualified(&name) {
            return Err(ConfigError::EndpointAnnotation(annotation));
        }
        Ok(Self {
            annotation,
            audience,
            token_proxy: token_proxy.to_owned(),
            sni_name: String::new(),
            ca: CaSource::Absent,
        })
    }

    pub(crate) fn annotation(&self) -> &str {
        &self.annotation
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// In the order in which they are appended. The file is named even where no file is projected.
    pub(crate) fn variables(&self, layout: Layout) -> [(&'static str, String); 4] {
        let data = match &self.ca {
            CaSource::Data(pem) => pem.clone(),
            _ => String::new(),
        };
        let file = format!("{}/{CA_PATH}", layout.mount_path());
        [
            ("AZURE_KUBERNETES_TOKEN_PROXY", self.token_proxy.clone()),
            ("AZURE_KUBERNETES_SNI_NAME", self.sni_name.clone()),
            ("AZURE_KUBERNETES_CA_FILE", file),
            ("AZURE_KUBERNETES_CA_DATA", data),
        ]
    }

    /// What is projected beside the token.
    pub(crate) fn source(&self) -> Option<Value> {
        match &self.ca {
            CaSource::Absent | CaSource::Data(_) => None,
            CaSource::ConfigMap(name) => Some(json!({"configMap": {
                "name": name,
                "items": [{"key": "ca.crt", "path": CA_PATH}],
                "optional": false,
            }})),
            CaSource::TrustBundle { signer, label_selector } => {
                let mut bundle = json!({"signerName": signer});
                if let Some(selector) = label_selector {
                    bundle["labelSelector"] = selector.clone();
                }
                bundle["optional"] = Value::from(false);
                bundle["path"] = Value::from(CA_PATH);
                Some(json!({"clusterTrustBundle": bundle}))
            }
        }
    }
}

/// Kubernetes' rule for the part of an annotation's key behind the slash.
fn is_qualified(name: &str) -> bool {
    let at_ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && at_ends(bytes.first())
        && at_ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_a_webhook_would_not_start_with() {
        let check = |suffix: &str, audience: &str, want: Result<&str, &str>| {
            let endpoint = CustomTokenEndpoint::new(suffix, Audience::new(audience), "https://proxy");
            match (endpoint, want) {
                (Ok(endpoint), Ok(want)) => assert_eq!(endpoint.annotation(), want),
                (Err(error), Err(want)) => {
                    assert!(error.to_string().contains(want), "{error}")
                }
                (got, want) => panic!("{suffix}, {audience}: {got:?}, not {want:?}"),
            }
        };
        let aks = "api://AKSIdentityBinding";
        check("identity-binding", aks, Ok("azure.workload.identity/use-identity-binding"));
        check("", aks, Err("both"));
        check("identity-binding", "", Err("both"));
        check("identity-binding", "API://azureadtokenexchange", Err("default audience"));
        check("a/b", aks, Err("not valid"));
        check("a-", aks, Err("not valid"));
        check(&"a".repeat(59), aks, Ok(&format!("azure.workload.identity/use-{}", "a".repeat(59))));
        check(&"a".repeat(60), aks, Err("not valid"));
    }
}
