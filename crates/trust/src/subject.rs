//! The subject of a service-account token.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `sub` of a token. Both clouds compare it exactly, case included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(String);

impl Subject {
    /// A subject, as written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The subject that Kubernetes gives to a service account.
    ///
    /// ```
    /// assert_eq!(trust::Subject::service_account("shop", "reader").as_str(), "system:serviceaccount:shop:reader");
    /// ```
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self(format!("system:serviceaccount:{namespace}:{name}"))
    }

    /// As it stands in the token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
