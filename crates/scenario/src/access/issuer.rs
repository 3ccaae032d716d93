//! An issuer that the run serves itself, broken in one thing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An issuer in place of the cluster's, at a host of its own on the wire. It has the cluster's signing key, and its two documents
/// are as they should be, save for what is said here. `${issuer}` means it in all texts, and the pod's token names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// A merge patch (RFC 7396) over the discovery document; `null` takes a member away. Texts may hold `${variables}`.
    #[serde(default)]
    pub discovery: Map<String, Value>,
    /// What its key set holds.
    #[serde(default)]
    pub keys: Keys,
    /// HTTP status of both documents, in place of 200.
    #[serde(default)]
    pub status: Option<u16>,
    /// Both documents come this late.
    #[serde(default)]
    pub delay_seconds: Option<u8>,
    /// Who has signed the certificate of its host.
    #[serde(default)]
    pub certificate: Certificate,
}

/// What a key set holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// The key that signs.
    #[default]
    Published,
    /// No key.
    None,
    /// Another key, under another `kid`: as after a rotation that was not published.
    Another,
    /// A hundred other RSA keys and, behind them, the key that signs.
    #[serde(rename = "101-rsa")]
    TooMany,
}

/// Who has signed a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certificate {
    /// Whom the clouds trust.
    #[default]
    Public,
    /// A CA of the run's own, which no cloud trusts.
    Private,
}
