//! The SDK's own HTTP client, with the one thing that it does not do by itself: heed `HTTPS_PROXY` and `NO_PROXY`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};

/// Connect and read timeout.
type Timeouts = (Option<Duration>, Option<Duration>);

/// One connector for each set of timeouts that the SDK asks for, so that connections are used again. Trust roots are the
/// system's, or those of `SSL_CERT_FILE`.
pub(super) fn client() -> SharedHttpClient {
    let connectors: Mutex<HashMap<Timeouts, SharedHttpConnector>> = Mutex::default();
    http_client_fn(move |settings, components| {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = connectors.entry(timeouts).or_insert_with(|| {
            let mut builder =
                Connector::builder().connector_settings(settings.clone()).proxy_config(ProxyConfig::from_env());
            builder.set_sleep_impl(components.sleep_impl());
            SharedHttpConnector::new(builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build())
        });
        connector.clone()
    })
}
