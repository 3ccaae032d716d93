//! What another process must know of a sandbox to run scenarios in it: a file in its folder, and the same at a host of its wire.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clouds::{aws, azure};
use egress::Upstream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use transport::{Client, FetchError, Fetched, Proxy, Roots};
use trust::{IssuerUrl, Secret};

use super::FlavorKind;
use crate::exit::{Exit, Stop};

/// The host of a sandbox's wire at which it answers for itself. `.internal` is nobody's (ICANN, 2024: reserved for private use).
pub(crate) const HOST: &str = "sandbox.crossfed.internal";
/// Name of the file in its folder.
pub(super) const FILE: &str = "sandbox.json";
/// It answers from memory.
const DEADLINE: Duration = Duration::from_secs(10);

/// A sandbox that is up. It holds its administrators' keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// Whose cluster it is like.
    pub(crate) flavor: FlavorKind,
    pub(crate) issuer: IssuerUrl,
    /// Where this lies.
    pub(crate) file: PathBuf,
    /// Its text.
    pub(crate) kubeconfig: Secret,
    /// Whose certificates its hosts show.
    pub(crate) root_pem: String,
    /// Its proxy, with the password in it.
    pub(crate) proxy: Secret,
    /// Times the delays of the real clouds; none where every write is seen at once.
    pub(crate) propagation: Option<f64>,
    /// What is in it outlives it.
    pub(crate) keeps_state: bool,
    pub(crate) aws: aws::Account,
    pub(crate) azure: azure::Subscription,
}

impl Pass {
    /// Reads `--sandbox`: a file, or the URL of its proxy.
    ///
    /// # Errors
    /// Exit 2 for a file or URL that is none, 96 where no sandbox answers.
    pub(crate) async fn of(text: &str, working_dir: &Path) -> Result<Self, Stop> {
        if text.starts_with("http://") {
            let proxy = proxy(text).ok_or_else(|| {
                let message = "--sandbox: a URL is its HTTPS_PROXY, such as http://sandbox:PASSWORD@127.0.0.1:PORT";
                Stop::new(Exit::Usage, message)
            })?;
            // Its root is not known yet: who listens at this machine's port and knows the password is it.
            let client = Client::new(untrusting()?, DEADLINE).through(proxy).recording_untrusted();
            return ask(&client, http::Method::GET, "").await;
        }
        let file = working_dir.join(text);
        let unusable = |error: String| {
            let message = format!("--sandbox: {} is no file of a sandbox: {error}", file.display());
            Stop::new(Exit::Usage, message)
        };
        let read = std::fs::read_to_string(&file).map_err(|error| unusable(error.to_string()))?;
        let pass: Self = serde_json::from_str(&read).map_err(|error| unusable(error.to_string()))?;
        // The file of one that was killed tells of nobody.
        ask(&pass.client()?, http::Method::GET, "").await
    }

    /// The way to everything that answers in it.
    pub(crate) fn upstream(&self) -> Result<Upstream, Stop> {
        Ok(Upstream::Beyond { proxy: self.proxy()?, roots: self.roots()? })
    }

    pub(crate) fn proxy(&self) -> Result<Proxy, Stop> {
        proxy(self.proxy.expose()).ok_or_else(|| Stop::new(Exit::Usage, "--sandbox: its proxy is no URL"))
    }

    fn roots(&self) -> Result<Roots, Stop> {
        Roots::pem(&self.root_pem).map_err(|error| Stop::new(Exit::Usage, format!("--sandbox: {error}")))
    }

    fn client(&self) -> Result<Client, Stop> {
        Ok(Client::new(self.roots()?, DEADLINE).through(self.proxy()?))
    }

    /// One more key of an AWS account.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(crate) async fn account(&self, id: &str) -> Result<aws::Account, Stop> {
        if self.aws.id.as_str() == id {
            return Ok(self.aws.clone());
        }
        ask(&self.client()?, http::Method::POST, &format!("aws/accounts/{id}")).await
    }

    /// One more owner of a subscription.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(crate) async fn subscription(&self, id: &str) -> Result<azure::Subscription, Stop> {
        if self.azure.id == id {
            return Ok(self.azure.clone());
        }
        let path = format!("azure/subscriptions/{id}?tenant={}", self.azure.tenant);
        ask(&self.client()?, http::Method::POST, &path).await
    }

    /// A client for its cluster.
    ///
    /// # Errors
    /// When its kubeconfig is none.
    pub(crate) async fn cluster(&self) -> Result<kube::Client, Stop> {
        let client = cluster::Kubeconfig::client_of(self.kubeconfig.expose()).await;
        client.map_err(|error| Stop::caused(Exit::Preflight, error))
    }

    /// Opens an AWS account with nothing in it.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(crate) async fn another_account(&self) -> Result<aws::Account, Stop> {
        ask(&self.client()?, http::Method::POST, "aws/accounts").await
    }
}

/// Asks the sandbox for something of itself.
async fn ask<T: DeserializeOwned>(client: &Client, method: http::Method, path: &str) -> Result<T, Stop> {
    let answer = client.send(method, &format!("https://{HOST}/{path}"), &[], Bytes::new()).await;
    let Fetched { status, body, .. } = answer.map_err(|error| match error {
        FetchError::Proxy { status: 407, .. } => {
            Stop::new(Exit::Preflight, "--sandbox: its password is another one; it may have been started anew")
        }
        error => Stop::new(Exit::Preflight, format!("--sandbox: no sandbox answers: {error}")),
    })?;
    if status >= 400 {
        let text = String::from_utf8_lossy(&body);
        return Err(Stop::new(
            Exit::Preflight,
            format!("--sandbox: {path} is answered with {status}: {}", text.trim()),
        ));
    }
    serde_json::from_slice(&body).map_err(|error| {
        Stop::new(Exit::Preflight, format!("--sandbox: {path} is answered with something else: {error}"))
    })
}

/// A proxy of this machine from its URL.
fn proxy(url: &str) -> Option<Proxy> {
    let (credentials, addr) = url.strip_prefix("http://")?.trim_end_matches('/').split_once('@')?;
    let (user, password) = credentials.split_once(':')?;
    let addr: std::net::SocketAddr = addr.parse().ok()?;
    addr.ip().is_loopback().then(|| Proxy { addr, user: user.to_owned(), password: Secret::new(password) })
}

/// Roots that vouch for nobody.
fn untrusting() -> Result<Roots, Stop> {
    let internal = |error: anyhow::Error| Stop::new(Exit::Internal, format!("{error:#}"));
    let authority =
        transport::Authority::generate("nobody", &trust::SystemClock).map_err(|error| internal(error.into()))?;
    Roots::of(&authority).map_err(|error| internal(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_this_machine_with_its_password_is_taken_and_nothing_else() {
        let taken = proxy("http://sandbox:secret@127.0.0.1:8080/").expect("must be taken");
        assert_eq!((taken.user.as_str(), taken.password.expose(), taken.addr.port()), ("sandbox", "secret", 8080));
        for url in [
            "http://127.0.0.1:1",
            "http://a@127.0.0.1:1",
            "http://a:b@10.0.0.1:1",
            "http://a:b@host:1",
            "https://a:b@127.0.0.1:1",
        ] {
            assert!(proxy(url).is_none(), "{url}");
        }
    }
}
