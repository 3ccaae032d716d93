//! A JSON web token, read without trusting it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Header members that matter to the exchanges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenHeader {
    /// Signature algorithm, such as `RS256`.
    pub alg: String,
    /// Which key of the issuer's set signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// `JWT`, or absent: service-account tokens carry none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
}

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts joined by dots.
    #[error("a token has three parts, this one has {0}")]
    Parts(usize),
    /// A part is not base64url without padding.
    #[error("the token's {0} is not base64url")]
    Encoding(&'static str),
    /// A part is not the JSON object that it should be.
    #[error("the token's {0} is not a JSON object of the expected shape")]
    Json(&'static str),
}

/// Header and claims of a token whose signature nobody has checked yet. The signature is not kept.
#[derive(Clone, PartialEq)]
pub struct UnverifiedToken {
    /// Decoded header.
    pub header: TokenHeader,
    /// Decoded claims.
    pub claims: Map<String, Value>,
}

impl UnverifiedToken {
    /// Takes a compact token apart.
    ///
    /// # Errors
    /// When it has not three parts, or one of the first two is not base64url JSON. Surrounding white space is an error too.
    pub fn decode(token: &str) -> Result<Self, TokenError> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(TokenError::Parts(parts.len()));
        };
        let bytes = |text: &str, part| URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Encoding(part));
        bytes(signature, "signature")?;
        let header = bytes(header, "header")?;
        Ok(Self {
            header: crate::object(&header).map_err(|_| TokenError::Json("header"))?,
            claims: serde_json::from_slice(&bytes(claims, "payload")?).map_err(|_| TokenError::Json("payload"))?,
        })
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// `azp`, the authorized party.
    pub fn authorized_party(&self) -> Option<&str> {
        self.text("azp")
    }

    /// `aud`, written as a string or as an array of strings.
    pub fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A time claim in whole seconds since 1970; fractions are no NumericDate that the clouds accept.
    pub fn numeric_date(&self, claim: &str) -> Option<i64> {
        self.claims.get(claim).and_then(Value::as_i64)
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }
}

impl fmt::Debug for UnverifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedToken").field("header", &self.header).field("claims", &self.claims).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    #[test]
    fn reads_audience_as_string_and_as_array() {
        let check = |claims: &str, expected: &[&str]| {
            let token = UnverifiedToken::decode(&token(r#"{"alg":"RS256"}"#, claims)).expect("token must decode");
            assert_eq!(token.audiences(), expected);
        };
        check(r#"{"aud":"a"}"#, &["a"]);
        check(r#"{"aud":["a","b"]}"#, &["a", "b"]);
        check("{}", &[]);
        check(r#"{"aud":7}"#, &[]);
    }

    #[test]
    fn refuses_damaged_tokens() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        let check = |text: &str, error: TokenError| assert_eq!(UnverifiedToken::decode(text), Err(error));
        check("", TokenError::Parts(1));
        check("a.b", TokenError::Parts(2));
        check(&format!("{good}\n"), TokenError::Encoding("signature"));
        check("a.e30.c2ln", TokenError::Encoding("header"));
        check(&token("[]", "{}"), TokenError::Json("header"));
        check(&token(r#"["RS256", "kid", "JWT"]"#, "{}"), TokenError::Json("header"));
        check(&token(r#"{"alg":"RS256"}"#, "[]"), TokenError::Json("payload"));
    }

    #[test]
    fn fractions_are_no_dates() {
        let token =
            UnverifiedToken::decode(&token(r#"{"alg":"RS256"}"#, r#"{"exp":1.5,"iat":3}"#)).expect("must decode");
        assert_eq!((token.numeric_date("exp"), token.numeric_date("iat")), (None, Some(3)));
    }
}
