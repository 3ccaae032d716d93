//! Tokens for faults: a genuine token, altered in the one thing that is to be wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::Client;
use scenario::Cloud;
use scenario::access::{self, Signer, Token};
use serde_json::{Map, Value, json};
use trust::{Audience, IssuerUrl, KeyRing, Secret, SigningKey, UnverifiedToken};

use super::federate::LiveCell;
use super::kube_objects;
use crate::exit::{Exit, Stop};

/// Lifetime that is asked for; what matters is the shape.
const SECONDS: i64 = 3600;

/// Asks the cluster for a token like the pod's own for a cloud, or for the audience that the fault names.
pub(crate) async fn genuine(client: &Client, cell: &LiveCell, cloud: Cloud) -> Result<Secret, Stop> {
    let audience = match (&cell.rendered.token.audience, cloud) {
        (Some(audience), _) => audience,
        (None, Cloud::Aws) => Audience::AWS_STS,
        (None, Cloud::Azure) => Audience::AZURE_TOKEN_EXCHANGE,
    };
    let path =
        format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", cell.names.namespace, cell.names.service_account);
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": SECONDS}});
    let answer = kube_objects::create(client, &path, &request)
        .await
        .map_err(|error| kube_objects::refused("a token", &error))?;
    let token = answer.pointer("/status/token").and_then(Value::as_str);
    token
        .map(Secret::new)
        .ok_or_else(|| Stop::new(Exit::Infrastructure, "the API server's token answer holds no token"))
}

/// Who can sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signers<'a> {
    /// The issuer's keys, where the cluster lets us have them.
    pub(crate) issuer: Option<&'a KeyRing>,
    /// A key that no issuer publishes, where the fault asks for one.
    pub(crate) stranger: Option<&'a SigningKey>,
}

/// The genuine token with the fault in it. `issuer` is the one that it must name, where it is not the cluster's.
pub(crate) fn altered(
    genuine: &Secret,
    fault: &Token,
    issuer: Option<&IssuerUrl>,
    signers: Signers<'_>,
) -> Result<Secret, Stop> {
    if let Some(text) = &fault.text {
        return Ok(Secret::new(text.clone()));
    }
    let bug = |message: &str| Stop::new(Exit::Internal, message);
    let token = UnverifiedToken::decode(genuine.expose()).map_err(|error| bug(&error.to_string()))?;
    let claims = claims(&token, fault, issuer, signers.issuer.is_some());
    let as_it_was = claims == token.claims && fault.header.is_empty();
    let signed = match (fault.signed_by, as_it_was) {
        (Signer::Issuer, true) => genuine.clone(),
        (Signer::Issuer, false) => {
            let key = signers.issuer.ok_or_else(|| bug("a token was to be made without the issuer's key"))?.active();
            sign(key, &claims, fault)?
        }
        (Signer::Stranger, _) => {
            let key = signers.stranger.ok_or_else(|| bug("a stranger was to sign, and there is none"))?;
            sign(key, &claims, fault)?
        }
        (Signer::None, _) => {
            let mut header = json!({"alg": "none"});
            access::merge(&mut header, &Value::Object(fault.header.clone()));
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            Secret::new(format!("{}.{}.", part(&header), part(&Value::Object(claims))))
        }
    };
    let signed = match fault.forged {
        true => forge(&signed).ok_or_else(|| bug("the token has no signature to forge"))?,
        false => signed,
    };
    match fault.cut {
        None => Ok(signed),
        Some(bytes) => {
            let text = signed.expose();
            let end = text.len().saturating_sub(bytes.into());
            Ok(Secret::new(text.get(..end).unwrap_or_default()))
        }
    }
}

/// `lasting`: a cluster that grants seconds only (as where renewal is checked) must not add another fault to the one that is meant.
fn claims(token: &UnverifiedToken, fault: &Token, issuer: Option<&IssuerUrl>, lasting: bool) -> Map<String, Value> {
    let mut claims = token.claims.clone();
    let mut set = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    let now = token.numeric_date("iat").unwrap_or_default();
    if let Some(issuer) = issuer {
        set("iss", Value::from(issuer.as_str()));
    }
    if lasting && token.numeric_date("exp").is_some_and(|expiry| expiry < now + SECONDS) {
        set("exp", (now + SECONDS).into());
    }
    let mut issued = now;
    if let Some(seconds) = fault.expired_for_seconds {
        let expired = now - i64::from(seconds);
        issued = expired - SECONDS;
        set("exp", expired.into());
    }
    if let Some(seconds) = fault.age_seconds {
        issued = now - i64::from(seconds);
    }
    if issued != now {
        set("iat", issued.into());
        set("nbf", issued.into());
    }
    if let Some(seconds) = fault.lifetime_seconds {
        set("exp", (issued + i64::from(seconds)).into());
    }
    if let Some(seconds) = fault.not_before_seconds {
        set("nbf", (now + i64::from(seconds)).into());
    }
    let mut claims = Value::Object(claims);
    access::merge(&mut claims, &Value::Object(fault.claims.clone()));
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn sign(key: &SigningKey, claims: &Map<String, Value>, fault: &Token) -> Result<Secret, Stop> {
    let mut header = json!({"alg": "RS256", "kid": key.kid()});
    access::merge(&mut header, &Value::Object(fault.header.clone()));
    let signed = key.sign_with(&header, &Value::Object(claims.clone()));
    signed.map(Secret::new).map_err(|error| Stop::caused(Exit::Internal, error))
}

/// The same header and claims under a signature that no key of the issuer made.
fn forge(genuine: &Secret) -> Option<Secret> {
    let (message, signature) = genuine.expose().rsplit_once('.')?;
    let mut signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    *signature.last_mut()? ^= 1;
    Some(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

#[cfg(test)]
mod tests {
    use trust::{Jwks, SignatureError, verify_signature};

    use super::*;

    struct Bench {
        ring: KeyRing,
        stranger: SigningKey,
        genuine: Secret,
    }

    impl Bench {
        fn new() -> Self {
            let ring = KeyRing::new(SigningKey::generate().expect("key"));
            let claims = json!({"iss": "i", "sub": "s", "aud": ["a"], "iat": 10_000, "nbf": 10_000, "exp": 13_600});
            let genuine = ring.active().sign(&claims).map(Secret::new).expect("token");
            Self { ring, stranger: SigningKey::generate().expect("key"), genuine }
        }

        fn make(&self, fault: Value, issuer: Option<&str>) -> String {
            let fault: Token = serde_json::from_value(fault).expect("fault");
            let issuer = issuer.map(|text| text.parse().expect("issuer"));
            let signers = Signers { issuer: Some(&self.ring), stranger: Some(&self.stranger) };
            altered(&self.genuine, &fault, issuer.as_ref(), signers).expect("must be made").expose().to_owned()
        }

        fn decoded(&self, fault: Value) -> UnverifiedToken {
            UnverifiedToken::decode(&self.make(fault, None)).expect("must decode")
        }
    }

    #[test]
    fn claims_and_header_are_changed_in_what_is_said_and_signed_by_the_issuer() {
        let bench = Bench::new();
        let jwks: Jwks = bench.ring.jwks();
        let check = |fault: Value, iat: Option<i64>, nbf: Option<i64>, exp: Option<i64>| {
            let token = bench.make(fault.clone(), None);
            assert_eq!(verify_signature(&token, &jwks), Ok(()), "{fault} is still the issuer's");
            let token = UnverifiedToken::decode(&token).expect("must decode");
            let found = ["iat", "nbf", "exp"].map(|name| token.numeric_date(name));
            assert_eq!((found, token.subject()), ([iat, nbf, exp], Some("s")), "{fault}");
        };
        check(json!({"expiredForSeconds": 100}), Some(6_300), Some(6_300), Some(9_900));
        check(json!({"ageSeconds": 9_000}), Some(1_000), Some(1_000), Some(13_600));
        check(json!({"lifetimeSeconds": 90_000}), Some(10_000), Some(10_000), Some(100_000));
        check(json!({"ageSeconds": 9_000, "lifetimeSeconds": 1_000}), Some(1_000), Some(1_000), Some(2_000));
        check(json!({"notBeforeSeconds": 600}), Some(10_000), Some(10_600), Some(13_600));
        check(json!({"claims": {"iat": null}}), None, Some(10_000), Some(13_600));
        assert_eq!(bench.decoded(json!({"header": {"typ": "X"}})).header.typ.as_deref(), Some("X"));
        let elsewhere = bench.make(json!({}), Some("https://issuer.crossfed.example/ns"));
        let elsewhere = UnverifiedToken::decode(&elsewhere).expect("must decode");
        assert_eq!(elsewhere.issuer(), Some("https://issuer.crossfed.example/ns"));
    }

    #[test]
    fn signatures_are_wrong_as_asked() {
        let bench = Bench::new();
        let jwks = bench.ring.jwks();
        let genuine = UnverifiedToken::decode(bench.genuine.expose()).expect("must decode");

        let forged = bench.make(json!({"forged": true}), None);
        assert_eq!(verify_signature(&forged, &jwks), Err(SignatureError::BadSignature));
        assert_eq!(UnverifiedToken::decode(&forged), Ok(genuine.clone()), "header and claims stay");

        let strange = bench.make(json!({"signedBy": "stranger"}), None);
        let kid = Some(bench.stranger.kid().to_owned());
        assert_eq!(verify_signature(&strange, &jwks), Err(SignatureError::UnknownKey(kid)));
        let unsigned = bench.make(json!({"signedBy": "none"}), None);
        assert_eq!(verify_signature(&unsigned, &jwks), Err(SignatureError::UnsupportedAlgorithm("none".into())));
        assert_eq!(bench.decoded(json!({"signedBy": "none"})).claims, genuine.claims);
    }

    #[test]
    fn texts_need_not_be_tokens() {
        let bench = Bench::new();
        assert_eq!(bench.make(json!({"text": "not a token"}), None), "not a token");
        let cut = bench.make(json!({"cut": 10}), None);
        assert_eq!(Some(cut.as_str()), bench.genuine.expose().get(..bench.genuine.expose().len() - 10));
        assert_eq!(bench.make(json!({"audience": "x"}), None), bench.genuine.expose(), "the cluster was asked for it");
    }
}
