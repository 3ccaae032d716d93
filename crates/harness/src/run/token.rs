//! Tokens for faults: a genuine token, altered in the one thing that is to be wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::Client;
use scenario::Cloud;
use scenario::access::Token;
use serde_json::{Value, json};
use trust::{Audience, KeyRing, Secret, UnverifiedToken};

use super::federate::LiveCell;
use super::kube_objects;
use crate::exit::{Exit, Stop};

/// Lifetime that is asked for; what matters is the shape.
const SECONDS: i64 = 3600;

/// Asks the cluster for a token like the pod's own for a cloud.
pub(crate) async fn genuine(client: &Client, cell: &LiveCell, cloud: Cloud) -> Result<Secret, Stop> {
    let audience = match cloud {
        Cloud::Aws => Audience::AWS_STS,
        Cloud::Azure => Audience::AZURE_TOKEN_EXCHANGE,
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

/// The genuine token with the fault in it.
pub(crate) fn altered(genuine: &Secret, fault: &Token, ring: Option<&KeyRing>) -> Result<Secret, Stop> {
    let bug = |message: String| Stop::new(Exit::Internal, message);
    let token = UnverifiedToken::decode(genuine.expose()).map_err(|error| bug(error.to_string()))?;
    let mut claims = token.claims.clone();
    if let Some(seconds) = fault.expired_for_seconds {
        let expired = token.numeric_date("iat").unwrap_or_default() - i64::from(seconds);
        for (name, at) in [("exp", expired), ("iat", expired - SECONDS), ("nbf", expired - SECONDS)] {
            claims.insert(name.to_owned(), Value::from(at));
        }
    }
    let claims = Value::Object(claims);
    if fault.forged {
        return forge(genuine).ok_or_else(|| bug("the genuine token has no signature".to_owned()));
    }
    let ring = ring.ok_or_else(|| bug("an expired token was asked for without the issuer's key".to_owned()))?;
    ring.active().sign(&claims).map(Secret::new).map_err(|error| bug(error.to_string()))
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
    use trust::{Jwks, SignatureError, SigningKey, verify_signature};

    use super::*;

    #[test]
    fn only_the_one_thing_is_wrong() {
        let ring = KeyRing::new(SigningKey::generate().expect("key"));
        let jwks: Jwks = ring.jwks();
        let genuine = ring
            .active()
            .sign(&json!({"iss": "i", "sub": "s", "iat": 10_000, "nbf": 10_000, "exp": 13_600}))
            .map(Secret::new)
            .expect("token");
        let decode = |token: &Secret| UnverifiedToken::decode(token.expose()).expect("must decode");

        let expired = altered(&genuine, &Token { expired_for_seconds: Some(100), forged: false }, Some(&ring))
            .expect("must be made");
        assert_eq!(verify_signature(expired.expose(), &jwks), Ok(()), "an expired token is still the issuer's");
        assert_eq!((decode(&expired).numeric_date("exp"), decode(&expired).subject()), (Some(9_900), Some("s")));

        let forged = altered(&genuine, &Token { expired_for_seconds: None, forged: true }, None).expect("must be made");
        assert_eq!(verify_signature(forged.expose(), &jwks), Err(SignatureError::BadSignature));
        assert_eq!(decode(&forged).claims, decode(&genuine).claims);
        assert_eq!(decode(&forged).header.kid, decode(&genuine).header.kid);
    }
}
