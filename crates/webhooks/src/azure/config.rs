//! The settings of the Azure webhook: its flags and environment, and what the chart makes of them. It must not
//! read them from anywhere.

use std::str::FromStr;

use trust::Audience;

use super::endpoint::CustomTokenEndpoint;
use super::layout::Layout;

const REGISTRY: &str = "mcr.microsoft.com/oss/azure/workload-identity";

/// What a real webhook is configured with, and decides once at its start.
///
/// Source: azure-workload-identity, `pkg/config` and `cmd/webhook`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Release line.
    pub layout: Layout,
    /// `AZURE_TENANT_ID`: for accounts that name none.
    pub tenant_id: String,
    /// What `AZURE_ENVIRONMENT` leads to: the value of `AZURE_AUTHORITY_HOST`, with its trailing slash.
    pub authority_host: String,
    /// `--audience`. No environment changes it.
    pub audience: Audience,
    /// What the proxy sidecar is made of.
    pub proxy: ProxyImages,
    /// `--log-level`, which proxies are started with as well.
    pub log_level: String,
    /// Whether the proxy is an init container that keeps running. See [`Config::on_server`].
    pub native_sidecar: bool,
    /// Custom token endpoint; a v1.5 webhook knows none and does not look here.
    pub custom_token_endpoint: Option<CustomTokenEndpoint>,
}

/// The images of the proxy sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyImages {
    /// `PROXY_IMAGE`.
    pub proxy: String,
    /// `PROXY_INIT_IMAGE`.
    pub proxy_init: String,
}

/// A webhook that is configured so does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `AZURE_ENVIRONMENT`.
    #[error("there is no cloud environment matching the name {0:?}")]
    UnknownEnvironment(String),
    /// `gitVersion` of the API server's `/version`.
    #[error("could not parse {0:?} as version")]
    ServerVersion(String),
    /// One of the two flags of a custom token endpoint is empty.
    #[error("custom token endpoint needs both an annotation suffix and an audience")]
    IncompleteEndpoint,
    /// A token for a custom endpoint must not be good for Entra ID.
    #[error("custom token endpoint audience cannot be equal to default audience {:?}", Audience::AZURE_TOKEN_EXCHANGE)]
    EndpointAudience,
    /// The annotation would not be one.
    #[error("custom token endpoint annotation key {0:?} is not valid")]
    EndpointAnnotation(String),
}

impl Config {
    /// The chart's defaults, for an API server of 1.32 or newer in the public cloud.
    pub fn chart(layout: Layout, tenant_id: impl Into<String>) -> Self {
        let release = layout.release();
        Self {
            layout,
            tenant_id: tenant_id.into(),
            authority_host: Environment::Public.authority_host().into(),
            audience: Audience::new(Audience::AZURE_TOKEN_EXCHANGE),
            proxy: ProxyImages {
                proxy: format!("{REGISTRY}/proxy:{release}"),
                proxy_init: format!("{REGISTRY}/proxy-init:{release}"),
            },
            log_level: "info".into(),
            native_sidecar: true,
            custom_token_endpoint: None,
        }
    }

    /// With the authority host of this environment.
    pub fn in_environment(self, environment: Environment) -> Self {
        Self { authority_host: environment.authority_host().into(), ..self }
    }

    /// For an API server of this version (`gitVersion`): native sidecars from 1.32.0 on. What stands behind a
    /// dash makes a version older, so that `v1.32.0-eks-…` has none.
    ///
    /// # Errors
    /// That is no version.
    pub fn on_server(self, git_version: &str) -> Result<Self, ConfigError> {
        let bad = || ConfigError::ServerVersion(git_version.to_owned());
        let text = git_version.strip_prefix('v').unwrap_or(git_version);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, is_final) = match text.split_once('-') {
            Some((core, _)) => (core, false),
            None => (text, true),
        };
        let numbers = core
            .split('.')
            .map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u64>().ok()).flatten());
        let numbers: Vec<u64> = numbers.collect::<Option<_>>().ok_or_else(bad)?;
        let [major, minor, patch] = numbers[..] else {
            return Err(bad());
        };
        Ok(Self { native_sidecar: (major, minor, patch, is_final) >= (1, 32, 0, true), ..self })
    }
}

/// A national cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// `AzurePublicCloud`.
    #[default]
    Public,
    /// `AzureUSGovernmentCloud`.
    UsGovernment,
    /// `AzureChinaCloud`.
    China,
    /// `AzureGermanCloud`.
    German,
}

impl Environment {
    /// Where its tokens are issued.
    pub fn authority_host(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com/",
            Self::UsGovernment => "https://login.microsoftonline.us/",
            Self::China => "https://login.chinacloudapi.cn/",
            Self::German => "https://login.microsoftonline.de/",
        }
    }
}

/// The value of `AZURE_ENVIRONMENT`, in any case, as go-autorest reads it.
impl FromStr for Environment {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        match name.to_ascii_uppercase().as_str() {
            "" | "AZURECLOUD" | "AZUREPUBLICCLOUD" => Ok(Self::Public),
            "AZUREUSGOVERNMENT" | "AZUREUSGOVERNMENTCLOUD" => Ok(Self::UsGovernment),
            "AZURECHINACLOUD" => Ok(Self::China),
            "AZUREGERMANCLOUD" => Ok(Self::German),
            _ => Err(ConfigError::UnknownEnvironment(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_to_the_authority_of_the_environment() {
        let check = |name: &str, want: Option<&str>| {
            let environment = name.parse::<Environment>().ok();
            assert_eq!(
                environment.map(|e| Config::chart(Layout::V1_6, "t").in_environment(e).authority_host),
                want.map(str::to_owned),
                "{name}"
            );
        };
        check("", Some("https://login.microsoftonline.com/"));
        check("AzurePublicCloud", Some("https://login.microsoftonline.com/"));
        check("AzureUSGovernmentCloud", Some("https://login.microsoftonline.us/"));
        check("azureChinaCloud", Some("https://login.chinacloudapi.cn/"));
        check("AzureGermanCloud", Some("https://login.microsoftonline.de/"));
        check("AzureMoonCloud", None);
    }

    #[test]
    fn runs_proxies_as_native_sidecars_from_1_32_on() {
        let check = |version: &str, want: Option<bool>| {
            let config = Config::chart(Layout::V1_6, "t").on_server(version);
            assert_eq!(config.ok().map(|config| config.native_sidecar), want, "{version}");
        };
        check("v1.32.0", Some(true));
        check("v1.36.2", Some(true));
        check("v2.0.0", Some(true));
        check("v1.31.9", Some(false));
        check("v1.31.5+k3s1", Some(false));
        check("v1.32.0+k3s1", Some(true));
        check("v1.32.0-eks-5ca49cb", Some(false));
        check("v1.32.1-eks-5ca49cb", Some(true));
        check("1.33.0", Some(true));
        check("v1.33", None);
        check("v1.33.+1", None);
        check("latest", None);
    }
}
