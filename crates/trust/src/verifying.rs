//! A key set made ready to verify many tokens.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::signature::ParsedPublicKey;

use crate::jwks::{Algorithm, Jwks, SignatureError, Signed};

/// A key set whose keys are read once, when a token first names them: an issuer's keys sign many tokens, and what is computed of a key before a
/// signature can be checked takes a good part of the check.
pub struct VerifyingKeys {
    jwks: Jwks,
    /// Beside each key of the set.
    read: Vec<Read>,
}

/// A key as it was read for each algorithm; `None` where it cannot be.
#[derive(Default)]
struct Read([OnceLock<Option<ParsedPublicKey>>; 3]);

impl VerifyingKeys {
    /// Makes a set ready.
    pub fn new(jwks: Jwks) -> Self {
        let read = jwks.keys.iter().map(|_| Read::default()).collect();
        Self { jwks, read }
    }

    /// The set itself.
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// As [`verify_signature`](crate::verify_signature), but for the claims, which are not even taken apart:
    /// [`UnverifiedToken::decode`](crate::UnverifiedToken::decode) says whether they can be read.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify(&self, token: &str) -> Result<(), SignatureError> {
        let signed = Signed::of(token)?;
        let at = self.jwks.position(signed.kid.as_deref()).ok_or(SignatureError::UnknownKey(signed.kid))?;
        let read = self.read[at].0[signed.algorithm as usize].get_or_init(|| self.read(at, signed.algorithm));
        let key = read.as_ref().ok_or(SignatureError::BadSignature)?;
        key.verify_sig(signed.message.as_bytes(), &signed.signature).map_err(|_| SignatureError::BadSignature)
    }

    fn read(&self, at: usize, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        self.jwks.keys[at].components()?.to_parsed_public_key(algorithm.parameters()).ok()
    }
}

impl fmt::Debug for VerifyingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKeys").field("jwks", &self.jwks).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::{Jwk, SigningKey, verify_signature};

    #[test]
    fn says_of_every_token_what_the_plain_check_says() {
        let (key, stranger) =
            (SigningKey::generate().expect("key must be made"), SigningKey::generate().expect("key must be made"));
        let small = Jwk { kid: Some("small".into()), n: "AQAB".into(), ..key.public_jwk().clone() };
        let damaged = Jwk { kid: Some("damaged".into()), n: "!".into(), ..key.public_jwk().clone() };
        let other_type = Jwk { kid: Some("curve".into()), kty: "EC".into(), ..key.public_jwk().clone() };
        let jwks = Jwks { keys: vec![damaged, other_type, small, key.public_jwk().clone()] };
        let ready = VerifyingKeys::new(jwks.clone());
        let claims = json!({"sub": "a"});
        let sign = |header: serde_json::Value| key.sign_with(&header, &claims).expect("must sign");
        let good = key.sign(&claims).expect("must sign");
        let (head, signature) = good.rsplit_once('.').expect("a dot");
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let tokens = [
            (good.clone(), true),
            (stranger.sign_as(key.kid(), &claims).expect("must sign"), false),
            (stranger.sign(&claims).expect("must sign"), false),
            (sign(json!({"alg": "RS256", "kid": "damaged"})), false),
            (sign(json!({"alg": "RS256", "kid": "curve"})), false),
            (sign(json!({"alg": "RS256", "kid": "small"})), false),
            (sign(json!({"alg": "RS256"})), false),
            // The signature is one of RS256, whatever the header says.
            (sign(json!({"alg": "RS384", "kid": key.kid()})), false),
            (sign(json!({"alg": "RS512", "kid": key.kid()})), false),
            (sign(json!({"alg": "none", "kid": key.kid()})), false),
            (sign(json!(["RS256", key.kid()])), false),
            (format!("{head}."), false),
            (format!("{head}.!"), false),
            (format!("{head}.{signature}.{signature}"), false),
            (head.to_owned(), false),
            (String::new(), false),
            (format!("{}.{}.{signature}", head.split('.').next().expect("a header"), part(r#"{"sub":"b"}"#)), false),
        ];
        // Twice: what was read the first time says the same.
        for (token, is_good) in tokens.iter().chain(&tokens) {
            let found = ready.verify(token);
            assert_eq!(found, verify_signature(token, &jwks), "{token}");
            assert_eq!(found.is_ok(), *is_good, "{token}");
        }
    }
}
