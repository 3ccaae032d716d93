//! The token in the pod, where it is not the one that the kubelet projects.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where the token in the pod comes from. Without any of these the kubelet projects it, as always; with one of them the
/// run takes a genuine token of the pod's service account, alters it, and puts it where the cloud's SDK looks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// It expired this many seconds ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_for_seconds: Option<u32>,
    /// It has its own `kid` under a signature that the issuer's key did not make.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forged: bool,
    /// The audience that the cluster is asked for, in place of the cloud's. May hold `${variables}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// It was issued this many seconds ago (`iat`, `nbf`), and expires as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u32>,
    /// It expires this many seconds after it was issued (`exp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u32>,
    /// It is valid from this many seconds on (`nbf`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before_seconds: Option<u32>,
    /// A merge patch (RFC 7396) over its claims; `null` takes one away. Applied after the members above. Texts may hold `${variables}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
    /// The same over its header. The signature stays one by the algorithm of the issuer's key (RS256), whatever `alg` says.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub header: Map<String, Value>,
    /// Who signs it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub signed_by: Signer,
    /// This text stands in the file in place of a token. Not together with anything above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// This many bytes of its end are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<u16>,
}

/// Who signs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// The issuer's active key.
    #[default]
    Issuer,
    /// A key that the issuer does not publish, under that key's own `kid`.
    Stranger,
    /// Nobody: the signature is empty, and `alg` is `none`.
    None,
}

impl Token {
    /// Whether the kubelet's own token is used.
    pub fn is_projected(&self) -> bool {
        *self == Token::default()
    }

    /// Whether only the holder of the issuer's private key can make it.
    pub fn needs_signing_key(&self) -> bool {
        let rewritten = self.expired_for_seconds.is_some()
            || self.age_seconds.is_some()
            || self.lifetime_seconds.is_some()
            || self.not_before_seconds.is_some()
            || !self.claims.is_empty()
            || !self.header.is_empty();
        rewritten && self.signed_by == Signer::Issuer && !self.forged
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
