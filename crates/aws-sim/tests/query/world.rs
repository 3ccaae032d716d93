//! What the tests stand on: an account, an issuer, a role that trusts one service account.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sim::{AwsSim, AwsSimConfig, AwsSimOptions};
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::{Request, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use transport::{Authority, Client, Roots, Server};
use trust::{Clock, FixedClock, Jwks, SigningKey, SystemClock};

use crate::signing::{self, Credentials};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";
pub(crate) const SUBJECT: &str = "system:serviceaccount:shop:reader";
pub(crate) const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/reader";

/// A document at the issuer, or what it does instead of giving it.
#[derive(Clone, Debug)]
pub(crate) enum Served {
    Json(Value),
    Status(u16),
    Never,
}

/// An issuer in the shape of AKS ones: its URL ends in a slash.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) key: SigningKey,
    pub(crate) thumbprint: String,
    served: Arc<Mutex<(Served, Served)>>,
    _server: Server,
}

impl Issuer {
    /// Starts one whose certificate comes from `authority`.
    pub(crate) async fn start(authority: &Authority) -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must be free");
        let addr = listener.local_addr().expect("listener must have an address");
        let url = format!("https://{addr}/tenant/guid/");
        let key = SigningKey::generate().expect("key must generate");
        let identity = authority.server_identity(&["127.0.0.1"]).expect("identity must be made");
        let thumbprint = identity.cert.last().expect("chain must not be empty");
        let thumbprint = sha1(thumbprint);
        let jwks = Jwks { keys: vec![key.public_jwk().clone()] };
        let keys = serde_json::to_value(jwks).expect("keys must serialise");
        let discovery = Served::Json(discovery(&url));
        let served = Arc::new(Mutex::new((discovery, Served::Json(keys))));
        let shared = served.clone();
        let app = Router::new().fallback(move |uri: Uri| {
            let (discovery, keys) = shared.lock().expect("lock must be whole").clone();
            async move {
                let document = match uri.path() {
                    "/tenant/guid/.well-known/openid-configuration" => discovery,
                    "/tenant/guid/openid/v1/jwks" => keys,
                    _ => Served::Status(404),
                };
                match document {
                    Served::Json(value) => value.to_string().into_response(),
                    Served::Status(code) => StatusCode::from_u16(code).expect("status must exist").into_response(),
                    Served::Never => std::future::pending().await,
                }
            }
        });
        let server = Server::tls(listener, identity, app).expect("server must start");
        Issuer { url, key, thumbprint, served, _server: server }
    }

    pub(crate) fn serve_discovery(&self, document: Served) {
        self.served.lock().expect("lock must be whole").0 = document;
    }

    pub(crate) fn serve_keys(&self, document: Served) {
        self.served.lock().expect("lock must be whole").1 = document;
    }

    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("https://")
    }

    pub(crate) fn provider_arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{}", self.host())
    }
}

pub(crate) fn discovery(url: &str) -> Value {
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}openid/v1/jwks"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

fn sha1(bytes: &[u8]) -> String {
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A response, read as far as tests need.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Reply {
    /// The text of the first element of this name.
    pub(crate) fn text(&self, element: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!("<{element}>"))?;
        let (text, _) = rest.split_once(&format!("</{element}>"))?;
        Some(quick_xml::escape::unescape(text).expect("text must unescape").into_owned())
    }

    /// `status code: message` of a refusal, `200` of a success.
    pub(crate) fn outcome(&self) -> String {
        match (self.text("Code"), self.text("Message")) {
            (Some(code), Some(message)) => format!("{} {code}: {message}", self.status),
            _ => self.status.to_string(),
        }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        let text = |element: &str| self.text(element).expect("credentials must be there");
        Credentials {
            access_key_id: text("AccessKeyId"),
            secret: trust::Secret::new(text("SecretAccessKey")),
            session_token: Some(text("SessionToken")),
        }
    }
}

pub(crate) struct World {
    pub(crate) sim: AwsSim,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) authority: Authority,
    pub(crate) issuer: Issuer,
    pub(crate) admin: Credentials,
    pub(crate) other_admin: Credentials,
}

/// Form encoding of parameters.
pub(crate) fn form(parameters: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        text.bytes().map(|b| if kept(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

impl World {
    /// Two empty accounts and an issuer that the simulator's trust roots know.
    pub(crate) async fn bare() -> World {
        World::bare_within(Duration::from_secs(5), &AwsSimOptions::default()).await
    }

    async fn bare_within(deadline: Duration, options: &AwsSimOptions) -> World {
        let authority = Authority::generate("public", &SystemClock).expect("authority must be made");
        let issuer = Issuer::start(&authority).await;
        let clock = Arc::new(FixedClock::new(SystemClock.now()));
        let roots = Roots::of(&authority).expect("roots must be taken");
        let issuers = Client::new(roots, deadline);
        let sim = AwsSim::with_options(AwsSimConfig { clock: clock.clone(), issuers }, options);
        let open = |account: &str| {
            let admin = sim.create_account(account.parse().expect("account must parse"));
            Credentials { access_key_id: admin.access_key_id, secret: admin.secret_access_key, session_token: None }
        };
        let (admin, other_admin) = (open(ACCOUNT), open(OTHER_ACCOUNT));
        World { sim, clock, authority, issuer, admin, other_admin }
    }

    /// [`World::bare`] with the provider registered and a role that trusts [`SUBJECT`].
    pub(crate) async fn new() -> World {
        World::within(Duration::from_secs(5)).await
    }

    /// [`World::new`] whose STS gives issuers this long to answer.
    pub(crate) async fn within(deadline: Duration) -> World {
        World::bare_within(deadline, &AwsSimOptions::default()).await.trusting().await
    }

    /// [`World::new`] whose STS keeps an issuer's keys for so many seconds.
    pub(crate) async fn keeping(seconds: i64) -> World {
        let options =
            AwsSimOptions { issuer_keys_kept: SignedDuration::from_secs(seconds), ..AwsSimOptions::default() };
        World::bare_within(Duration::from_secs(5), &options).await.trusting().await
    }

    async fn trusting(self) -> World {
        let world = self;
        let issuer = world.issuer.url.clone();
        world.register(&issuer, "0123456789012345678901234567890123456789").await;
        let trust = world.trust_policy();
        let created = world.iam("CreateRole", &[("RoleName", "reader"), ("AssumeRolePolicyDocument", &trust)]).await;
        assert_eq!(created.outcome(), "200");
        world
    }

    pub(crate) async fn register(&self, url: &str, thumbprint: &str) {
        let created = self
            .iam(
                "CreateOpenIDConnectProvider",
                &[
                    ("Url", url),
                    ("ClientIDList.member.1", "sts.amazonaws.com"),
                    ("ThumbprintList.member.1", thumbprint),
                ],
            )
            .await;
        assert_eq!(created.outcome(), "200");
    }

    /// The usual trust policy: audience and subject by `StringEquals`.
    pub(crate) fn trust_policy(&self) -> String {
        let host = self.issuer.host();
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Federated": self.issuer.provider_arn()},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {
                    format!("{host}:aud"): "sts.amazonaws.com",
                    format!("{host}:sub"): SUBJECT,
                }},
            }],
        })
        .to_string()
    }

    pub(crate) async fn set_trust(&self, document: &str) {
        let set = self.iam("UpdateAssumeRolePolicy", &[("RoleName", "reader"), ("PolicyDocument", document)]).await;
        assert_eq!(set.outcome(), "200", "{document}");
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// The claims of a projected token, fresh.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer.url,
            "sub": SUBJECT,
            "aud": ["sts.amazonaws.com"],
            "iat": self.now(),
            "nbf": self.now(),
            "exp": self.now() + 3600,
        })
    }

    /// A token with claims replaced; `null` removes one.
    pub(crate) fn token(&self, changed: Value) -> String {
        let mut claims = self.claims();
        let members = claims.as_object_mut().expect("claims are an object");
        for (name, value) in changed.as_object().expect("changes are an object") {
            match value {
                Value::Null => members.shift_remove(name),
                other => members.insert(name.clone(), other.clone()),
            };
        }
        self.issuer.key.sign(&claims).expect("token must be signed")
    }

    /// Exchanges a token for the role, with parameters added or replaced.
    pub(crate) async fn exchange(&self, token: &str, changed: &[(&str, &str)]) -> Reply {
        let base = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", ROLE_ARN),
            ("RoleSessionName", "pod"),
            ("WebIdentityToken", token),
        ];
        let replaced = |name: &str| changed.iter().any(|(other, _)| *other == name);
        let mut parameters: Vec<(&str, &str)> = base.into_iter().filter(|(name, _)| !replaced(name)).collect();
        parameters.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
        let host = "sts.eu-central-1.amazonaws.com";
        self.send(host, vec![("host", host.to_owned())], form(&parameters)).await
    }

    /// A signed IAM call of the first account's administrator.
    pub(crate) async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        self.iam_as(&self.admin, action, parameters).await
    }

    pub(crate) async fn iam_as(&self, credentials: &Credentials, action: &str, parameters: &[(&str, &str)]) -> Reply {
        let mut all = vec![("Action", action), ("Version", "2010-05-08")];
        all.extend(parameters);
        let (host, scope) = ("iam.amazonaws.com", ("iam", "us-east-1"));
        self.signed(credentials, host, scope, form(&all), self.clock.now()).await
    }

    pub(crate) async fn identity_of(&self, credentials: &Credentials) -> Reply {
        let body = form(&[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]);
        let (host, scope) = ("sts.eu-central-1.amazonaws.com", ("sts", "eu-central-1"));
        self.signed(credentials, host, scope, body, self.clock.now()).await
    }

    pub(crate) async fn signed(
        &self,
        credentials: &Credentials,
        host: &str,
        scope: (&str, &str),
        body: String,
        at: Timestamp,
    ) -> Reply {
        let headers = signing::headers(credentials, host, scope, &body, at);
        self.send(host, headers, body).await
    }

    pub(crate) async fn send(&self, host: &str, headers: Vec<(&'static str, String)>, body: String) -> Reply {
        let mut request =
            Request::post(format!("https://{host}/")).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body)).expect("request must be built");
        let response = self.sim.router().oneshot(request).await.expect("router never fails");
        let status = response.status().as_u16();
        assert!(response.headers().contains_key("x-amzn-requestid"), "every answer has an id");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("body must end");
        Reply { status, body: String::from_utf8_lossy(&body).into_owned() }
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}
