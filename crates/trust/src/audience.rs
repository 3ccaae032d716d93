//! The audience of a projected token.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One `aud` value. Both clouds compare it exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Audience(String);

impl Audience {
    /// What IAM OIDC providers for Kubernetes are registered with (AWS, amazon-eks-pod-identity-webhook).
    pub const AWS_STS: &'static str = "sts.amazonaws.com";
    /// What federated identity credentials expect (Microsoft Entra workload identity federation).
    pub const AZURE_TOKEN_EXCHANGE: &'static str = "api://AzureADTokenExchange";

    /// An audience, as written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it stands in the token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
