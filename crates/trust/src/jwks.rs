//! Key sets and signature verification.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::token::UnverifiedToken;

/// One public RSA key as it is published (RFC 7517, RFC 7518 §6.3).
///
/// Keys of other types parse too and never verify anything: a set may hold keys for other purposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type, `RSA` here.
    pub kty: String,
    /// Key id that tokens refer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Intended use, `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_: Option<String>,
    /// Algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Modulus, base64url.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub n: String,
    /// Exponent, base64url.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub e: String,
}

/// A published key set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys, in order of publication.
    #[serde(deserialize_with = "crate::object::objects")]
    pub keys: Vec<Jwk>,
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The token could not be taken apart.
    #[error("the token is malformed")]
    Malformed,
    /// The algorithm is not one that is verified here (RS256, RS384, RS512).
    #[error("signature algorithm {0} is not supported")]
    UnsupportedAlgorithm(String),
    /// The header names no key, or one that is not in the set.
    #[error("no key {} in the issuer's key set", .0.as_deref().unwrap_or("(none named)"))]
    UnknownKey(Option<String>),
    /// The key is there and says no.
    #[error("the signature does not match the published key")]
    BadSignature,
}

/// Checks a token's signature against a key set: the key is found by `kid` alone, never by trying all.
///
/// # Errors
/// See [`SignatureError`]. Claims are not looked at.
pub fn verify_signature(token: &str, jwks: &Jwks) -> Result<(), SignatureError> {
    let header = UnverifiedToken::decode(token).map_err(|_| SignatureError::Malformed)?.header;
    let parameters = match header.alg.as_str() {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        _ => return Err(SignatureError::UnsupportedAlgorithm(header.alg)),
    };
    let key = header
        .kid
        .as_ref()
        .and_then(|kid| jwks.keys.iter().find(|key| key.kid.as_ref() == Some(kid) && key.kty == "RSA"));
    let Some(key) = key else {
        return Err(SignatureError::UnknownKey(header.kid));
    };
    let (message, signature) = token.rsplit_once('.').ok_or(SignatureError::Malformed)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| SignatureError::BadSignature);
    let public = RsaPublicKeyComponents { n: bytes(&key.n)?, e: bytes(&key.e)? };
    public.verify(parameters, message.as_bytes(), &bytes(signature)?).map_err(|_| SignatureError::BadSignature)
}
