//! The variables by which programs find a sandbox. Pure.

use std::path::Path;

use clouds::{aws, azure};
use transport::Proxy;
use trust::IssuerUrl;

use super::endpoints::Endpoints;

/// What the variables say.
pub(super) struct Facts<'a> {
    pub(super) kubeconfig: &'a Path,
    pub(super) root: &'a Path,
    pub(super) proxy: &'a Proxy,
    pub(super) region: &'a str,
    pub(super) account: &'a aws::Account,
    pub(super) subscription: &'a azure::Subscription,
    pub(super) issuer: &'a IssuerUrl,
    /// Where the clouds answer in place of the proxy.
    pub(super) endpoints: Option<&'a Endpoints>,
}

/// What a program on this machine or in a pod needs to find the clouds, and nothing of identity.
pub(super) fn wire(proxy: Option<&Proxy>, root: &Path) -> Vec<(&'static str, String)> {
    let root = root.display().to_string();
    let mut variables = Vec::new();
    if let Some(proxy) = proxy {
        // Curl and Python read the small names too; some read these only.
        for name in ["HTTPS_PROXY", "https_proxy"] {
            variables.push((name, proxy.url().expose().to_owned()));
        }
        for name in ["NO_PROXY", "no_proxy"] {
            variables.push((name, "127.0.0.1,localhost".to_owned()));
        }
        // Node's own fetch looks at proxies since it is told to (Node.js 24 docs, "NODE_USE_ENV_PROXY").
        variables.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    }
    // OpenSSL, Go and rustls; the AWS SDKs; Python's requests; curl; Node.
    for name in ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        variables.push((name, root.clone()));
    }
    // There is no machine in a cloud underneath.
    variables.push(("AWS_EC2_METADATA_DISABLED", "true".to_owned()));
    variables
}

/// All of it, in the order in which it is printed: cluster, wire, the administrators of both clouds.
pub(super) fn variables(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let Facts { kubeconfig, root, proxy, region, account, subscription, issuer, endpoints } = facts;
    let mut variables = vec![("KUBECONFIG", kubeconfig.display().to_string())];
    variables.extend(wire(endpoints.is_none().then_some(*proxy), root));
    variables.extend(endpoints.iter().flat_map(|endpoints| endpoints.variables()));
    variables.extend([
        ("AWS_REGION", (*region).to_owned()),
        ("AWS_DEFAULT_REGION", (*region).to_owned()),
        ("AWS_ACCESS_KEY_ID", account.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", account.secret_access_key.expose().to_owned()),
        ("AZURE_TENANT_ID", subscription.tenant.clone()),
        ("AZURE_SUBSCRIPTION_ID", subscription.id.clone()),
        ("AZURE_CLIENT_ID", subscription.client_id.clone()),
        ("AZURE_CLIENT_SECRET", subscription.client_secret.expose().to_owned()),
        ("CROSSFED_ISSUER", issuer.to_string()),
    ]);
    variables
}

/// Lines for a shell.
pub(super) fn lines(variables: &[(&'static str, String)]) -> String {
    variables.iter().map(|(name, value)| format!("export {name}={}\n", crate::explain::shell_word(value))).collect()
}
