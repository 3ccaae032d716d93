//! How a subscription is reached: credential, location, proxy, trust roots, deadlines. Reads no environment and no
//! profile file, and knows nothing of what is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::{Secret as SdkSecret, TokenCredential};
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use reqwest::{Certificate, Proxy, Url};
use trust::Secret;

use super::{Consistency, Wire};

/// Time to reach a host.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for one attempt of one call, body included. Resource Manager itself gives up after a minute.
const ATTEMPT: Duration = Duration::from_secs(60);

/// A subscription and how to reach it.
#[derive(Clone, Debug)]
pub struct Access {
    /// The directory that the subscription trusts.
    pub tenant: String,
    /// Where everything is made. It goes into every id.
    pub subscription: String,
    /// Where it stands, such as `westeurope`.
    pub location: String,
    /// Who makes it: needs to create resources and to assign roles (`Owner`, or `Contributor` with
    /// `Role Based Access Control Administrator`).
    pub credential: Credential,
    /// How soon a write is seen by the next call.
    pub consistency: Consistency,
}

/// What tokens for Resource Manager are got with.
#[derive(Clone)]
pub enum Credential {
    /// A service principal's secret.
    ClientSecret {
        /// Its application.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// Whatever the caller has: the command line's log-in, a pipeline's federated token, …
    Ready(Arc<dyn TokenCredential>),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientSecret { client_id, .. } => {
                f.debug_struct("ClientSecret").field("client_id", client_id).finish_non_exhaustive()
            }
            Self::Ready(_) => f.write_str("Ready"),
        }
    }
}

/// Why a subscription cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The proxy's address.
    #[error("proxy URL is not of the form http://user:password@host:port")]
    Proxy,
    /// The root certificate.
    #[error("root certificate of the wire is unusable")]
    Root(#[from] transport::RootsError),
    /// The HTTP client was not built.
    #[error("HTTP client cannot be set up: {0}")]
    Http(String),
    /// Tenant, client id or secret is not of a form that can be sent.
    #[error("credential is not usable: {0}")]
    Credential(String),
}

/// Connections and trust roots. To build one is the expensive part of a client: build one a wire and share it.
#[derive(Clone)]
pub struct HttpStack {
    client: reqwest::Client,
}

impl HttpStack {
    /// Through the wire, or directly with the system's trust roots.
    ///
    /// # Errors
    /// When the wire's proxy URL or root certificate cannot be read.
    pub fn new(wire: Option<&Wire>) -> Result<Self, AccessError> {
        let http = |error: reqwest::Error| AccessError::Http(error.without_url().to_string());
        // Without `no_proxy` the environment would be asked for one.
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ATTEMPT)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(wire) = wire {
            transport::Roots::pem(&wire.root_pem)?;
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(wire.root_pem.as_bytes()).map_err(http)?);
            if let Some(url) = &wire.proxy_url {
                builder = builder.proxy(proxy(url)?);
            }
        }
        Ok(Self { client: builder.build().map_err(http)? })
    }
}

fn proxy(url: &Secret) -> Result<Proxy, AccessError> {
    let parsed = Url::parse(url.expose()).map_err(|_| AccessError::Proxy)?;
    if parsed.scheme() != "http" || !parsed.has_host() {
        return Err(AccessError::Proxy);
    }
    Proxy::all(parsed).map_err(|_| AccessError::Proxy)
}

impl fmt::Debug for HttpStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStack").finish_non_exhaustive()
    }
}

/// What Azure calls an identity. Neither is known before the identity exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityIds {
    /// The application id: what a pod's service account is annotated with.
    pub client_id: String,
    /// The object id: what permissions are given to.
    pub principal_id: String,
    /// Its directory.
    pub tenant_id: String,
}

/// The clients of one subscription. Cheap to clone; clones know the same identities.
#[derive(Clone)]
pub struct Clients {
    tenant: String,
    subscription: String,
    location: String,
    consistency: Consistency,
    http: reqwest::Client,
    credential: Arc<dyn TokenCredential>,
    identities: Arc<Mutex<BTreeMap<String, IdentityIds>>>,
}

impl Clients {
    /// Clients for `access`, on shared connections. Sends nothing; the first call fetches a token.
    ///
    /// # Errors
    /// When the credential is malformed.
    pub fn new(access: &Access, http: &HttpStack) -> Result<Self, AccessError> {
        let credential = match &access.credential {
            Credential::Ready(credential) => credential.clone(),
            Credential::ClientSecret { client_id, client_secret } => {
                let client_options = ClientOptions {
                    transport: Some(Transport::new(Arc::new(http.client.clone()))),
                    // Retries are ours (see `call`).
                    retry: RetryOptions::none(),
                    // Named, so that the environment is not asked for an authority.
                    cloud: Some(Arc::new(CloudConfiguration::AzurePublic)),
                    ..ClientOptions::default()
                };
                let secret = SdkSecret::new(client_secret.expose().to_owned());
                let options = ClientSecretCredentialOptions { client_options };
                ClientSecretCredential::new(&access.tenant, client_id.clone(), secret, Some(options))
                    .map_err(|error| AccessError::Credential(error.to_string()))?
            }
        };
        Ok(Self {
            tenant: access.tenant.clone(),
            subscription: access.subscription.clone(),
            location: access.location.clone(),
            consistency: access.consistency,
            http: http.client.clone(),
            credential,
            identities: Arc::default(),
        })
    }

    /// The directory.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Where everything is made.
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// Where it stands.
    pub fn location(&self) -> &str {
        &self.location
    }

    pub(super) fn consistency(&self) -> Consistency {
        self.consistency
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(super) fn credential(&self) -> &dyn TokenCredential {
        &*self.credential
    }

    /// What is remembered of the identity with this resource id. Ids differ in case from one answer to the next.
    pub(super) fn known_identity(&self, id: &str) -> Option<IdentityIds> {
        let identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        identities.get(&id.to_ascii_lowercase()).cloned()
    }

    pub(super) fn remember_identity(&self, id: &str, ids: Option<IdentityIds>) {
        let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        match ids {
            Some(ids) => identities.insert(id.to_ascii_lowercase(), ids),
            None => identities.remove(&id.to_ascii_lowercase()),
        };
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("tenant", &self.tenant)
            .field("subscription", &self.subscription)
            .field("location", &self.location)
            .field("consistency", &self.consistency)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> String {
        let authority = transport::Authority::generate("t", &trust::SystemClock).expect("authority must generate");
        authority.root_pem().to_owned()
    }

    #[test]
    fn refuses_a_wire_that_cannot_carry() {
        let root = root();
        let check = |proxy: Option<&str>, root: &str, expected: &str| {
            let wire = Wire { proxy_url: proxy.map(Secret::new), root_pem: root.to_owned() };
            assert_eq!(HttpStack::new(Some(&wire)).expect_err("wire must be refused").to_string(), expected);
        };
        check(None, "", "root certificate of the wire is unusable");
        let form = "proxy URL is not of the form http://user:password@host:port";
        check(Some("http://u:hunter2@bad host"), &root, form);
        check(Some("ftp://u:hunter2@h:1"), &root, form);
        let good = Wire { proxy_url: Some(Secret::new("http://u:p@127.0.0.1:1")), root_pem: root };
        HttpStack::new(Some(&good)).expect("a good wire must be taken");
    }

    #[test]
    fn debug_shows_no_secret_and_a_malformed_tenant_is_refused() {
        let wire = Wire { proxy_url: None, root_pem: root() };
        let http = HttpStack::new(Some(&wire)).expect("wire must be taken");
        let mut access = Access {
            tenant: "11111111-1111-1111-1111-111111111111".into(),
            subscription: "s".into(),
            location: "westeurope".into(),
            credential: Credential::ClientSecret { client_id: "c".into(), client_secret: Secret::new("canary") },
            consistency: Consistency::Immediate,
        };
        let clients = Clients::new(&access, &http).expect("access must be taken");
        for shown in [format!("{access:?}"), format!("{clients:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        access.tenant = "not a tenant".into();
        let error = Clients::new(&access, &http).expect_err("tenant must be refused").to_string();
        assert!(error.starts_with("credential is not usable: invalid tenant ID"), "{error}");
    }
}
