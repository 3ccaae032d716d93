//! An issuer of service-account tokens with its documents on loopback, and the tokens that clients present.

use std::thread;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use http::Uri;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transport::{Authority, Server};
use trust::{Clock, Jwks, SigningKey, SystemClock};

pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";
pub(crate) const SUBJECT: &str = "system:serviceaccount:shop:reader";
/// Tokens outlive the measurement, in which the clock is moved on by an hour or two.
const LIFETIME: i64 = 6 * 3600;

/// A healthy issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// Ends in a slash, as those of AKS do.
    pub(crate) url: String,
    pub(crate) root_pem: String,
    key: SigningKey,
    _server: Server,
}

impl Issuer {
    pub(crate) async fn start() -> Result<Issuer> {
        let authority = Authority::generate("crossfed load", &SystemClock)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("loopback cannot be listened on")?;
        let url = format!("https://{}/load/", listener.local_addr()?);
        let key = SigningKey::generate()?;
        let discovery = json!({
            "issuer": url,
            "jwks_uri": format!("{url}openid/v1/jwks"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        let keys = serde_json::to_string(&Jwks { keys: vec![key.public_jwk().clone()] })?;
        let documents = (discovery.to_string(), keys);
        let app = Router::new().fallback(move |uri: Uri| {
            let (discovery, keys) = documents.clone();
            async move {
                match uri.path() {
                    "/load/.well-known/openid-configuration" => Ok(discovery),
                    "/load/openid/v1/jwks" => Ok(keys),
                    _ => Err(http::StatusCode::NOT_FOUND),
                }
            }
        });
        let server = Server::tls(listener, authority.server_identity(&["127.0.0.1"])?, app)?;
        Ok(Issuer { url, root_pem: authority.root_pem().to_owned(), key, _server: server })
    }

    /// Without its scheme, as IAM registers it.
    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("https://")
    }

    /// What the token of pod `number` claims.
    pub(crate) fn claims(&self, number: usize) -> Value {
        let now = SystemClock.now().as_second();
        let uid = |kind: u8| format!("{number:08x}-0000-4000-8000-0000000000{kind:02x}");
        json!({
            "aud": [AUDIENCE],
            "exp": now + LIFETIME,
            "iat": now,
            "iss": self.url,
            "jti": uid(1),
            "kubernetes.io": {
                "namespace": "shop",
                "node": {"name": "node-1", "uid": uid(2)},
                "pod": {"name": format!("reader-{number}"), "uid": uid(3)},
                "serviceaccount": {"name": "reader", "uid": "d0dba4c6-0000-4000-8000-000000000001"},
            },
            "nbf": now,
            "sub": SUBJECT,
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> Result<String> {
        Ok(self.key.sign(claims)?)
    }

    /// A token of a key that the issuer does not have, under the id of the one that it has.
    pub(crate) fn forge(&self, claims: &Value) -> Result<String> {
        Ok(SigningKey::generate()?.sign_as(self.key.kid(), claims)?)
    }

    /// This many good tokens, no two alike; all cores sign.
    pub(crate) fn tokens(&self, count: usize) -> Result<Vec<String>> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = count.div_ceil(threads).max(1);
        let numbers: Vec<usize> = (0..count).collect();
        thread::scope(|scope| {
            let sign = |numbers: &[usize]| -> Result<Vec<String>> {
                numbers.iter().map(|number| self.sign(&self.claims(*number))).collect()
            };
            let parts: Vec<_> = numbers.chunks(share).map(|part| scope.spawn(move || sign(part))).collect();
            let mut tokens = Vec::with_capacity(count);
            for part in parts {
                tokens.extend(part.join().map_err(|_| anyhow!("a thread that signs tokens failed"))??);
            }
            Ok(tokens)
        })
    }
}
