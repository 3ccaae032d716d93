//! The issuer URL of a cluster, compared byte by byte everywhere: one slash makes another issuer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The `iss` of a service-account token: an `https` URL without query or fragment.
///
/// AKS issuers end in `/`, EKS ones do not, and nothing here normalises either. Two issuers that
/// differ in case or in the trailing slash are two issuers.
///
/// ```
/// use trust::IssuerUrl;
/// let aks: IssuerUrl = "https://westeurope.oic.prod-aks.azure.com/t/g/".parse().unwrap();
/// assert_eq!(aks.without_scheme(), "westeurope.oic.prod-aks.azure.com/t/g/");
/// assert_eq!(aks.discovery_url(), "https://westeurope.oic.prod-aks.azure.com/t/g/.well-known/openid-configuration");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct IssuerUrl(String);

/// Why a text is no issuer URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The scheme is not `https`.
    #[error("issuer `{0}` must start with https://")]
    NotHttps(String),
    /// No host after the scheme.
    #[error("issuer `{0}` names no host")]
    NoHost(String),
    /// A query, a fragment, white space or a control character.
    #[error("issuer `{0}` must have no query, fragment or white space")]
    Forbidden(String),
}

impl IssuerUrl {
    /// The URL as it is written in tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host, with `:port` where the URL has one.
    pub fn host(&self) -> &str {
        let rest = self.without_scheme();
        rest.split('/').next().unwrap_or(rest)
    }

    /// Path with its leading slash, or the empty string.
    pub fn path(&self) -> &str {
        &self.without_scheme()[self.host().len()..]
    }

    /// The URL less `https://`: what IAM puts into provider ARNs and condition keys.
    pub fn without_scheme(&self) -> &str {
        &self.0["https://".len()..]
    }

    /// Where the discovery document lies (OpenID Connect Discovery 1.0 §4: one terminating `/` is removed first).
    pub fn discovery_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.trimmed())
    }

    /// The URL without its trailing slash, as a base to append a path to.
    pub fn trimmed(&self) -> &str {
        self.0.strip_suffix('/').unwrap_or(&self.0)
    }

    /// True for AKS-shaped issuers.
    pub fn has_trailing_slash(&self) -> bool {
        self.0.ends_with('/')
    }

    /// The commonest mistake: the same issuer with its slash removed, or added.
    pub fn with_slash_toggled(&self) -> IssuerUrl {
        match self.0.strip_suffix('/') {
            Some(bare) => IssuerUrl(bare.to_owned()),
            None => IssuerUrl(format!("{}/", self.0)),
        }
    }
}

impl FromStr for IssuerUrl {
    type Err = IssuerError;

    fn from_str(text: &str) -> Result<Self, IssuerError> {
        let rest = text.strip_prefix("https://").ok_or_else(|| IssuerError::NotHttps(text.to_owned()))?;
        if rest.is_empty() || rest.starts_with('/') || rest.starts_with(':') {
            return Err(IssuerError::NoHost(text.to_owned()));
        }
        if rest.chars().any(|c| c == '?' || c == '#' || c == '@' || c.is_whitespace() || c.is_control()) {
            return Err(IssuerError::Forbidden(text.to_owned()));
        }
        Ok(IssuerUrl(text.to_owned()))
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for IssuerUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_where_iam_and_discovery_expect_them() {
        let check = |text: &str, host: &str, path: &str, discovery: &str| {
            let issuer: IssuerUrl = text.parse().expect("issuer must parse");
            assert_eq!((issuer.host(), issuer.path()), (host, path), "{text}");
            assert_eq!(issuer.discovery_url(), discovery);
            assert_eq!(issuer.to_string(), text);
            assert_eq!(issuer.with_slash_toggled().with_slash_toggled(), issuer);
        };
        check("https://h", "h", "", "https://h/.well-known/openid-configuration");
        check("https://h:8443/a/", "h:8443", "/a/", "https://h:8443/a/.well-known/openid-configuration");
        check(
            "https://oidc.eks.eu-central-1.amazonaws.com/id/AB",
            "oidc.eks.eu-central-1.amazonaws.com",
            "/id/AB",
            "https://oidc.eks.eu-central-1.amazonaws.com/id/AB/.well-known/openid-configuration",
        );
    }

    #[test]
    fn refuses_what_no_cloud_accepts() {
        let check = |text: &str| assert!(text.parse::<IssuerUrl>().is_err(), "{text}");
        ["http://h/", "https://", "https:///x", "https://h/?q", "https://h/#f", "https://h /", "h/", "https://u@h/"]
            .into_iter()
            .for_each(check);
    }
}
