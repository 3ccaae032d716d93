//! Any cluster that a kubeconfig names, also a bare kube-apiserver.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig as KubeconfigFile};
use kube::{Api, Client, Config};
use trust::KeyRing;

use crate::discovery::{self, CALL};
use crate::{ApiAccess, ClusterError, Provider};

const NOT_OURS: &str = "they belong to who runs this cluster";

/// A cluster that is already there.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    file: PathBuf,
    context: Option<String>,
    title: Option<String>,
}

impl Kubeconfig {
    /// The cluster of a kubeconfig's context, or of its current context.
    pub fn new(file: PathBuf, context: Option<String>) -> Self {
        Self { file, context, title: None }
    }

    /// The current context's cluster, under another name for reports.
    pub fn titled(file: PathBuf, title: String) -> Self {
        Self { file, context: None, title: Some(title) }
    }
}

impl Kubeconfig {
    /// A client for it. Sends nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such context.
    pub async fn client(&self) -> Result<Client, ClusterError> {
        Client::try_from(self.config().await?)
            .map_err(|error| ClusterError::Kubeconfig { file: self.file.clone(), message: crate::chain(&error) })
    }

    /// A client for the current context of a kubeconfig's text. Sends nothing.
    ///
    /// # Errors
    /// When it is none.
    pub async fn client_of(text: &str) -> Result<Client, ClusterError> {
        let file = Path::new("kubeconfig");
        Client::try_from(from_text(text, None, file).await?)
            .map_err(|error| ClusterError::Kubeconfig { file: file.to_owned(), message: crate::chain(&error) })
    }

    async fn config(&self) -> Result<Config, ClusterError> {
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| ClusterError::Kubeconfig { file: self.file.clone(), message: error.to_string() })?;
        from_text(&text, self.context.clone(), &self.file).await
    }
}

#[async_trait::async_trait]
impl Provider for Kubeconfig {
    fn title(&self) -> String {
        if let Some(title) = &self.title {
            return title.clone();
        }
        match &self.context {
            Some(context) => format!("kubeconfig {} ({context})", self.file.display()),
            None => format!("kubeconfig {}", self.file.display()),
        }
    }

    async fn up(&self) -> Result<ApiAccess, ClusterError> {
        let config = self.config().await?;
        let client = Client::try_from(config.clone())
            .map_err(|error| ClusterError::Kubeconfig { file: self.file.clone(), message: crate::chain(&error) })?;
        let unreachable = |message: String| ClusterError::Unreachable { url: config.cluster_url.to_string(), message };
        let asked = async {
            let (nodes, everything) = (Api::<Node>::all(client.clone()), ListParams::default());
            let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-system");
            tokio::try_join!(nodes.list(&everything), leases.get_opt("kube-controller-manager"))
        };
        let (nodes, controllers) = tokio::time::timeout(CALL, asked)
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", CALL.as_secs())))?
            .map_err(|error| unreachable(crate::chain(&error)))?;
        let issuer = discovery::issuer(&client).await?;
        Ok(ApiAccess {
            issuer_site: discovery::site(&issuer, client),
            issuer,
            bare: controllers.is_none(),
            has_nodes: nodes.items.iter().any(is_ready),
            trusts_node: false,
            config,
        })
    }

    fn gives_signing_key(&self) -> bool {
        false
    }

    async fn signing_key(&self) -> Option<Arc<KeyRing>> {
        None
    }

    fn rotates_keys(&self) -> bool {
        false
    }

    async fn publish_next_key(&self) -> Result<(), ClusterError> {
        Err(ClusterError::Keys(NOT_OURS.into()))
    }

    async fn sign_with_next_key(&self) -> Result<(), ClusterError> {
        Err(ClusterError::Keys(NOT_OURS.into()))
    }

    async fn down(&self) {}
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A client configuration from a kubeconfig's text; nothing is taken from the environment.
pub(crate) async fn from_text(text: &str, context: Option<String>, file: &Path) -> Result<Config, ClusterError> {
    let bad = |message: String| ClusterError::Kubeconfig { file: file.to_owned(), message };
    // The parser quotes the lines around a mistake, and they may hold keys: only its first line is told.
    let first_line = |error: &dyn std::error::Error| crate::chain(error).lines().next().unwrap_or_default().to_owned();
    let kubeconfig = KubeconfigFile::from_yaml(text).map_err(|error| bad(first_line(&error)))?;
    if let Some(wanted) = &context {
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
        if !known.contains(&wanted.as_str()) {
            return Err(bad(format!("it has no context `{wanted}` (known: {})", known.join(", "))));
        }
    }
    let has_proxy = kubeconfig
        .clusters
        .iter()
        .any(|named| named.cluster.as_ref().is_some_and(|cluster| cluster.proxy_url.is_some()));
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| bad(first_line(&error)))?;
    if !has_proxy {
        config.proxy_url = None;
    }
    // A 503 would otherwise be tried for minutes.
    config.default_retry = false;
    Ok(config)
}

/// A certificate in PEM.
pub(crate) fn pem_certificate(der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        let _ = writeln!(pem, "{}", String::from_utf8_lossy(line));
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
