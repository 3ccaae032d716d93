//! A workload identity credential from the environment, then one `GetSecret`.
//!
//! The vault is asked first without a token: its challenge names what the token must be for. The SDK's check that the
//! challenge belongs to the vault's own domain stays on. The program knows no simulator.

mod args;
mod refusal;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport, Url, new_http_client};
use azure_core::time::Duration;
use azure_identity::{ClientAssertionCredentialOptions, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions};
use azure_security_keyvault_secrets::models::Secret;
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trust::workload::{Outcome, Stage};

pub use args::{HELP, VaultSecret, parse};

/// Reads the secret. Nothing is kept from one call to the next: each takes its credentials from the environment and the
/// token file as they are then, and makes a token exchange of its own.
pub async fn run(secret: &VaultSecret) -> Outcome {
    let vault = match vault_name(&secret.vault_url) {
        Ok(vault) => vault,
        Err(message) => return failed(Stage::Configuration, message),
    };
    // One transport for both: the SDK would build one each, and load the system's trust roots twice.
    let options = ClientOptions {
        transport: Some(Transport::new(new_http_client(None))),
        retry: retry(),
        ..ClientOptions::default()
    };
    let credential = match credential(options.clone()) {
        Ok(credential) => credential,
        Err(error) => return failed(Stage::Credentials, trust::causes(&error)),
    };
    let options = SecretClientOptions { client_options: options, ..SecretClientOptions::default() };
    let client = match SecretClient::new(&secret.vault_url, credential, Some(options)) {
        Ok(client) => client,
        Err(error) => return failed(Stage::Configuration, trust::causes(&error)),
    };
    let read = match client.get_secret(&secret.name, None).await {
        Ok(answer) => answer.into_model(),
        Err(error) => return refusal::of_read(error),
    };
    match read {
        Ok(Secret { value: Some(value), .. }) => content(vault, &secret.name, value.as_bytes()),
        Ok(_) => failed(Stage::Read, "keyvault: the answer holds no value".to_owned()),
        Err(error) => failed(Stage::Read, format!("keyvault: {}", trust::causes(&error))),
    }
}

fn credential(client_options: ClientOptions) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let credential_options = ClientAssertionCredentialOptions { client_options };
    let options =
        WorkloadIdentityCredentialOptions { credential_options, ..WorkloadIdentityCredentialOptions::default() };
    Ok(WorkloadIdentityCredential::new(Some(options))?)
}

/// Two quick ones. The SDK's default tries eight times, which takes over a minute; a pod would rather say what is wrong.
fn retry() -> RetryOptions {
    RetryOptions::exponential(ExponentialRetryOptions {
        initial_delay: Duration::milliseconds(20),
        max_retries: 2,
        max_total_elapsed: Duration::seconds(10),
        max_delay: Duration::seconds(2),
    })
}

/// First label of the host: `https://<vault>.vault.azure.net` (Azure Key Vault, "About keys, secrets, and certificates").
fn vault_name(url: &str) -> Result<String, String> {
    let parsed = Url::parse(url).map_err(|error| format!("--vault-url `{url}` is no URL: {error}"))?;
    if parsed.scheme() != "https" {
        return Err(format!("--vault-url `{url}` must begin with https://"));
    }
    let host = parsed.host_str().unwrap_or_default();
    Ok(host.split('.').next().unwrap_or_default().to_owned())
}

fn content(vault: String, name: &str, value: &[u8]) -> Outcome {
    let sha256 = digest(&SHA256, value).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Outcome::Read {
        bucket: vault,
        key: name.to_owned(),
        bytes: value.len(),
        sha256,
        content_base64: STANDARD.encode(value),
    }
}

fn failed(stage: Stage, message: String) -> Outcome {
    Outcome::Failed { stage, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_is_named_by_its_host() {
        let check = |url: &str, expected: Result<&str, &str>| {
            assert_eq!(vault_name(url).as_deref().map_err(String::as_str), expected, "{url}");
        };
        check("https://cf-r1.vault.azure.net", Ok("cf-r1"));
        check("https://cf-r1.vault.azure.net:8443/", Ok("cf-r1"));
        check(
            "http://cf-r1.vault.azure.net",
            Err("--vault-url `http://cf-r1.vault.azure.net` must begin with https://"),
        );
        check("cf-r1", Err("--vault-url `cf-r1` is no URL: relative URL without a base"));
    }
}
