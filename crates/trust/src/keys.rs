//! Signing keys of an issuer.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::jwks::{Jwk, Jwks};

/// Why a key could not be made, read or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Generation failed.
    #[error("an RSA key could not be generated")]
    Generate,
    /// Not a PKCS#8 RSA key in PEM.
    #[error("the key is not an RSA private key in PKCS#8 PEM")]
    Parse,
    /// Signing failed.
    #[error("the token could not be signed")]
    Sign,
}

/// An RSA-2048 key pair that signs service-account tokens with RS256.
pub struct SigningKey {
    pair: KeyPair,
    jwk: Jwk,
}

impl SigningKey {
    /// Makes a new key; takes a tenth of a second or more of one core.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate).and_then(Self::from_pair)
    }

    /// Reads what [`SigningKey::to_pkcs8_pem`] wrote.
    ///
    /// # Errors
    /// When the text is no PKCS#8 RSA private key in PEM.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::Parse)?;
        KeyPair::from_pkcs8(&der).map_err(|_| KeyError::Parse).and_then(Self::from_pair)
    }

    /// The private key in PKCS#8 PEM, for a file that only its owner may read.
    ///
    /// # Errors
    /// When the key cannot be encoded.
    pub fn to_pkcs8_pem(&self) -> Result<crate::Secret, KeyError> {
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = self.pair.as_der().map_err(|_| KeyError::Parse)?;
        let body = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Ok(crate::Secret::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        )))
    }

    fn from_pair(pair: KeyPair) -> Result<Self, KeyError> {
        let public = pair.public_key();
        // kube-apiserver: base64url(SHA-256(DER of the SubjectPublicKeyInfo)), kubernetes pkg/serviceaccount/jwt.go
        let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> = public.as_der().map_err(|_| KeyError::Parse)?;
        let kid = URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, spki.as_ref()));
        let jwk = Jwk {
            kty: "RSA".into(),
            kid: Some(kid),
            use_: Some("sig".into()),
            alg: Some("RS256".into()),
            n: URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            e: URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        };
        Ok(Self { pair, jwk })
    }

    /// Key id, as kube-apiserver computes it.
    pub fn kid(&self) -> &str {
        self.jwk.kid.as_deref().unwrap_or_default()
    }

    /// The half that is published.
    pub fn public_jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs claims into a compact token whose header is `{alg, kid}`, as service-account tokens have it.
    ///
    /// # Errors
    /// When the signature cannot be computed.
    pub fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        self.sign_as(self.kid(), claims)
    }

    /// Signs under another key's id: what a forger does.
    ///
    /// # Errors
    /// When the signature cannot be computed.
    pub fn sign_as(&self, kid: &str, claims: &Value) -> Result<String, KeyError> {
        self.sign_with(&serde_json::json!({"alg": "RS256", "kid": kid}), claims)
    }

    /// Signs under a header as it is given. The signature is always one of RS256, whatever the header says.
    ///
    /// # Errors
    /// When the signature cannot be computed.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> Result<String, KeyError> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Sign)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

/// The key that signs, with those that are published beside it (older, or announced and not yet in use).
#[derive(Clone, Debug)]
pub struct KeyRing {
    active: Arc<SigningKey>,
    others: Vec<Jwk>,
}

impl KeyRing {
    /// A ring of one key.
    pub fn new(active: impl Into<Arc<SigningKey>>) -> Self {
        Self { active: active.into(), others: Vec::new() }
    }

    /// Publishes further keys that do not sign.
    #[must_use]
    pub fn publishing(mut self, others: Vec<Jwk>) -> Self {
        self.others.extend(others);
        self
    }

    /// Signs with another key from now on. All that was published stays so, and tokens in use stay good.
    #[must_use]
    pub fn signing_with(self, key: impl Into<Arc<SigningKey>>) -> Self {
        let active = key.into();
        let others = self.jwks().keys.into_iter().filter(|published| published != active.public_jwk()).collect();
        Self { active, others }
    }

    /// The key that signs.
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// What the issuer publishes, the key that signs first.
    pub fn jwks(&self) -> Jwks {
        let mut keys = vec![self.active.public_jwk().clone()];
        keys.extend(self.others.iter().cloned());
        Jwks { keys }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwks::{SignatureError, verify_signature};

    #[test]
    fn a_signature_holds_for_its_own_key_alone() {
        let key = SigningKey::generate().expect("key must be made");
        let stranger = SigningKey::generate().expect("key must be made");
        let (ours, theirs) =
            (Jwks { keys: vec![key.public_jwk().clone()] }, Jwks { keys: vec![stranger.public_jwk().clone()] });
        let token = key.sign(&json!({"sub": "a"})).expect("must sign");
        let forged = stranger.sign_as(key.kid(), &json!({"sub": "a"})).expect("must sign");

        assert_eq!(verify_signature(&token, &ours), Ok(()));
        assert_eq!(verify_signature(&token, &theirs), Err(SignatureError::UnknownKey(Some(key.kid().to_owned()))));
        assert_eq!(verify_signature(&forged, &ours), Err(SignatureError::BadSignature));
        let (head, tail) = token.split_at(token.find('.').expect("a dot") + 4);
        let altered = format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]);
        assert!(matches!(
            verify_signature(&altered, &ours),
            Err(SignatureError::BadSignature | SignatureError::Malformed)
        ));

        assert_eq!(key.kid().len(), 43, "base64url of 32 bytes");
        let pem = key.to_pkcs8_pem().expect("must encode");
        let again = SigningKey::from_pkcs8_pem(pem.expose()).expect("must read");
        assert_eq!(again.public_jwk(), key.public_jwk());
        assert!(!format!("{key:?} {pem:?}").contains("PRIVATE"));
    }

    #[test]
    fn other_algorithms_are_named_and_refused() {
        let none = format!("{}.e30.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        assert_eq!(verify_signature(&none, &Jwks::default()), Err(SignatureError::UnsupportedAlgorithm("none".into())));
    }

    #[test]
    fn a_rotated_ring_signs_with_the_next_key_and_publishes_both() {
        let key = || Arc::new(SigningKey::generate().expect("key must be made"));
        let (old, next) = (key(), key());
        let published = |ring: &KeyRing| -> Vec<String> {
            ring.jwks().keys.into_iter().map(|key| key.kid.unwrap_or_default()).collect()
        };
        let kids = |keys: [&SigningKey; 2]| keys.map(|key| key.kid().to_owned()).to_vec();

        let announced = KeyRing::new(old.clone()).publishing(vec![next.public_jwk().clone()]);
        let early = announced.active().sign(&json!({})).expect("must sign");
        assert_eq!(published(&announced), kids([&old, &next]));

        let rotated = announced.signing_with(next.clone());
        let late = rotated.active().sign(&json!({})).expect("must sign");
        assert_eq!(published(&rotated), kids([&next, &old]));
        for token in [&early, &late] {
            assert_eq!(verify_signature(token, &rotated.jwks()), Ok(()));
        }
        let without_next = Jwks { keys: vec![old.public_jwk().clone()] };
        assert_eq!(verify_signature(&early, &without_next), Ok(()));
        assert!(matches!(verify_signature(&late, &without_next), Err(SignatureError::UnknownKey(_))));
    }
}
