//! Somebody else in the account, with tools of their own, who tags nothing as crossfed does.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use trust::AccountId;

use super::place::{ACCOUNT, Place};

/// Plain clients of the vendor's SDK.
pub(crate) struct Stranger {
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) s3: aws_sdk_s3::Client,
}

impl Stranger {
    pub(crate) fn at(place: &Place) -> Self {
        let account: AccountId = ACCOUNT.parse().expect("account must parse");
        let admin = place.sim.create_account(account);
        let keys = Credentials::new(admin.access_key_id, admin.secret_access_key.expose(), None, None, "stranger");
        let store = TrustStore::empty().with_pem_certificate(place.root_pem.as_bytes());
        let context = TlsContext::builder().with_trust_store(store).build().expect("root must be taken");
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https();
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .http_client(http)
            .endpoint_url(format!("https://{}", place.server.addr()))
            .build();
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        Self { iam: aws_sdk_iam::Client::new(&sdk), s3: aws_sdk_s3::Client::from_conf(s3) }
    }

    pub(crate) async fn make_provider(&self, url: &str) {
        let thumbprint = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let request = self.iam.create_open_id_connect_provider().url(url).thumbprint_list(thumbprint);
        request.send().await.expect("a stranger must make a provider");
    }
}
