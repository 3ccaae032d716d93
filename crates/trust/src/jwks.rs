//! Key sets and signature verification.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::token::{TokenHeader, UnverifiedToken};

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
    UnverifiedToken::decode(token).map_err(|_| SignatureError::Malformed)?;
    let signed = Signed::of(token)?;
    let at = jwks.position(signed.kid.as_deref()).ok_or(SignatureError::UnknownKey(signed.kid))?;
    let public = jwks.keys[at].components().ok_or(SignatureError::BadSignature)?;
    let verified = public.verify(signed.algorithm.parameters(), signed.message.as_bytes(), &signed.signature);
    verified.map_err(|_| SignatureError::BadSignature)
}

impl Jwks {
    /// Where the key is that a token's header names.
    pub(crate) fn position(&self, kid: Option<&str>) -> Option<usize> {
        let kid = kid?;
        self.keys.iter().position(|key| key.kid.as_deref() == Some(kid) && key.kty == "RSA")
    }
}

impl Jwk {
    /// Modulus and exponent, where they can be read.
    pub(crate) fn components(&self) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        Some(RsaPublicKeyComponents { n: bytes(&self.n)?, e: bytes(&self.e)? })
    }
}

/// The algorithms that are verified here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
}

impl Algorithm {
    pub(crate) fn parameters(self) -> &'static RsaParameters {
        match self {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        }
    }
}

/// A token as its signature sees it.
pub(crate) struct Signed<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) message: &'a str,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Signed<'a> {
    /// Takes apart all but the claims.
    pub(crate) fn of(token: &'a str) -> Result<Signed<'a>, SignatureError> {
        let malformed = || SignatureError::Malformed;
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
        if claims.contains('.') {
            return Err(SignatureError::Malformed);
        }
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| SignatureError::Malformed);
        let header: TokenHeader = crate::object(&bytes(header)?).map_err(|_| SignatureError::Malformed)?;
        let signature = bytes(signature)?;
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            _ => return Err(SignatureError::UnsupportedAlgorithm(header.alg)),
        };
        Ok(Signed { algorithm, kid: header.kid, message, signature })
    }
}
