//! How an account is reached: keys, region, proxy, trust roots, deadlines. Reads no environment and no
//! profile file, and knows nothing of what is sent.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use trust::{AccountId, Secret};

use super::error::ProvisionError;
use crate::{Consistency, Wire};

/// Time to reach a host.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for one attempt of one call, body included. IAM writes take up to some seconds.
const ATTEMPT: Duration = Duration::from_secs(20);

/// An account and how to reach it.
#[derive(Clone, Debug)]
pub struct Access {
    /// The account that the keys belong to. It goes into ARNs; a wrong one makes every ARN wrong.
    pub account: AccountId,
    /// Where buckets are made, such as `eu-central-1`.
    pub region: String,
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// Needed with an `ASIA…` key.
    pub session_token: Option<Secret>,
    /// One URL for every service, in place of the services' own hosts. S3 is then addressed by path.
    pub endpoint: Option<String>,
    /// How soon a write is seen by the next call.
    pub consistency: Consistency,
}

/// Why an account cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The proxy's address.
    #[error("proxy URL is not of the form http://user:password@host:port")]
    Proxy,
    /// The root certificate.
    #[error("root certificate of the wire is unusable")]
    Root(#[from] transport::RootsError),
    /// The TLS settings were not taken.
    #[error("TLS settings of the wire were refused: {0}")]
    Tls(String),
}

/// Connections and trust roots. To build one is the expensive part of a client: build one a wire and share it.
#[derive(Clone)]
pub struct HttpStack {
    client: SharedHttpClient,
}

impl HttpStack {
    /// Through the wire, or directly with the system's trust roots.
    ///
    /// # Errors
    /// When the wire's proxy URL or root certificate cannot be read.
    pub fn new(wire: Option<&Wire>) -> Result<Self, AccessError> {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(ATTEMPT).build();
        let mut connector =
            Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        if let Some(wire) = wire {
            // The SDK panics on a bundle that it cannot read, so it is read here first.
            transport::Roots::pem(&wire.root_pem)?;
            let store = TrustStore::empty().with_pem_certificate(wire.root_pem.as_bytes());
            let context = TlsContext::builder().with_trust_store(store).build();
            connector = connector.tls_context(context.map_err(|error| AccessError::Tls(error.to_string()))?);
            if let Some(url) = &wire.proxy_url {
                connector = connector.proxy_config(ProxyConfig::all(url.expose()).map_err(|_| AccessError::Proxy)?);
            }
        }
        // One connector for all: the SDK's own cache would build one more for each client that it validates.
        let connector = SharedHttpConnector::new(connector.build());
        Ok(Self { client: http_client_fn(move |_, _| connector.clone()) })
    }
}

impl fmt::Debug for HttpStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStack").finish_non_exhaustive()
    }
}

/// The clients of one account. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clients {
    account: AccountId,
    region: String,
    consistency: Consistency,
    sdk: SdkConfig,
    iam: aws_sdk_iam::Client,
    s3: aws_sdk_s3::Client,
}

impl Clients {
    /// Clients for `access`, on shared connections. Sends nothing.
    pub fn new(access: &Access, http: &HttpStack) -> Self {
        let credentials = Credentials::new(
            &access.access_key_id,
            access.secret_access_key.expose(),
            access.session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "crossfed",
        );
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(access.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http.client.clone())
            // Retries are ours (see `call`): only then do we know whether a lost attempt may have created something.
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build(),
            );
        sdk.set_endpoint_url(access.endpoint.clone());
        let sdk = sdk.build();
        let mut iam = aws_sdk_iam::config::Builder::from(&sdk);
        if access.endpoint.is_some() {
            // The SDK knows IAM's signing region only for IAM's own host.
            iam.set_region(Some(Region::from_static(iam_region(&access.region))));
        }
        Self {
            account: access.account.clone(),
            region: access.region.clone(),
            consistency: access.consistency,
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            s3: s3_client(&sdk, None),
            sdk,
        }
    }

    /// The account that everything is made in.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Where buckets are made.
    pub fn region(&self) -> &str {
        &self.region
    }

    pub(super) fn consistency(&self) -> Consistency {
        self.consistency
    }

    pub(super) fn iam(&self) -> &aws_sdk_iam::Client {
        &self.iam
    }

    pub(super) fn s3(&self) -> &aws_sdk_s3::Client {
        &self.s3
    }

    /// The S3 of another region, for what a journal of another run names.
    pub(super) fn s3_in(&self, region: &str) -> Cow<'_, aws_sdk_s3::Client> {
        if region == self.region { Cow::Borrowed(&self.s3) } else { Cow::Owned(s3_client(&self.sdk, Some(region))) }
    }
}

/// The account that keys belong to, as STS says (GetCallerIdentity, which needs no permission); that of an endpoint, where one is named.
///
/// # Errors
/// When STS does not answer, refuses the keys, or names no account.
pub async fn caller_account(
    access_key_id: &str,
    secret_access_key: &Secret,
    session_token: Option<&Secret>,
    endpoint: Option<&str>,
    http: &HttpStack,
) -> Result<AccountId, ProvisionError> {
    let token = session_token.map(|token| token.expose().to_owned());
    let credentials = Credentials::new(access_key_id, secret_access_key.expose(), token, None, "crossfed");
    let mut config = aws_sdk_sts::Config::builder();
    config.set_endpoint_url(endpoint.map(str::to_owned));
    let config = config
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http.client.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build())
        .build();
    let answer = aws_sdk_sts::Client::from_conf(config).get_caller_identity().send().await;
    let answer = answer.map_err(|error| ProvisionError::of("GetCallerIdentity", "the keys", &error))?;
    let account = answer.account().unwrap_or_default();
    account
        .parse()
        .map_err(|error: trust::ArnError| ProvisionError::bug("GetCallerIdentity", "the keys", error.to_string()))
}

fn s3_client(sdk: &SdkConfig, region: Option<&str>) -> aws_sdk_s3::Client {
    let mut config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(sdk.endpoint_url().is_some());
    if let Some(region) = region {
        config.set_region(Some(Region::new(region.to_owned())));
    }
    aws_sdk_s3::Client::from_conf(config.build())
}

/// The partition of a region, as ARNs spell it (AWS General Reference).
pub(super) fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Where IAM calls are signed for (AWS General Reference, IAM endpoints).
fn iam_region(region: &str) -> &'static str {
    match partition(region) {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_wire_that_cannot_carry() {
        let check = |proxy: Option<&str>, root: &str, expected: &str| {
            let wire = Wire { proxy_url: proxy.map(Secret::new), root_pem: root.to_owned() };
            let error = HttpStack::new(Some(&wire)).expect_err("wire must be refused");
            assert_eq!(error.to_string(), expected);
        };
        let authority = transport::Authority::generate("t", &trust::SystemClock).expect("authority must generate");
        check(None, "", "root certificate of the wire is unusable");
        check(
            Some("http://u:hunter2@bad host"),
            authority.root_pem(),
            "proxy URL is not of the form http://user:password@host:port",
        );
        check(
            Some("ftp://u:hunter2@h:1"),
            authority.root_pem(),
            "proxy URL is not of the form http://user:password@host:port",
        );
        let good =
            Wire { proxy_url: Some(Secret::new("http://u:p@127.0.0.1:1")), root_pem: authority.root_pem().to_owned() };
        HttpStack::new(Some(&good)).expect("a good wire must be taken");
    }

    #[test]
    fn debug_shows_no_key() {
        let access = Access {
            account: "123456789012".parse().expect("account must parse"),
            region: "eu-central-1".into(),
            access_key_id: "AKIAEXAMPLE".into(),
            secret_access_key: Secret::new("canary-secret"),
            session_token: Some(Secret::new("canary-token")),
            endpoint: None,
            consistency: Consistency::Immediate,
        };
        let clients = Clients::new(&access, &HttpStack::new(None).expect("system roots must load"));
        for shown in [format!("{access:?}"), format!("{clients:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn partitions_follow_the_region() {
        let check =
            |region: &str, expected: (&str, &str)| assert_eq!((partition(region), iam_region(region)), expected);
        check("eu-central-1", ("aws", "us-east-1"));
        check("cn-northwest-1", ("aws-cn", "cn-north-1"));
        check("us-gov-east-1", ("aws-us-gov", "us-gov-west-1"));
    }
}
