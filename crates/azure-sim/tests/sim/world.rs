//! What the tests stand on: a tenant with a subscription, an issuer, and an identity that trusts one service account.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::IntoResponse;
use azure_sim::{AdminCredentials, AzureSim, AzureSimConfig, AzureSimOptions};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use transport::{Authority, Client, Roots, Server};
use trust::{Clock, FixedClock, Jwks, SigningKey, SystemClock};
use uuid::Uuid;

pub(crate) const SUBJECT: &str = "system:serviceaccount:shop:reader";
pub(crate) const AUDIENCE: &str = "api://AzureADTokenExchange";
pub(crate) const LOGIN: &str = "login.microsoftonline.com";
pub(crate) const MANAGER: &str = "management.azure.com";
pub(crate) const RESOURCES: &str = "2021-04-01";
pub(crate) const IDENTITY: &str = "2024-11-30";
pub(crate) const VAULT: &str = "2023-07-01";
pub(crate) const ROLES: &str = "2022-04-01";
pub(crate) const STORAGE: &str = "2023-05-01";

/// A document at the issuer, or what it does instead of giving it.
#[derive(Clone, Debug)]
pub(crate) enum Served {
    Json(Value),
    Status(u16),
    Never,
}

/// An issuer in the shape of EKS ones: its URL ends in no slash.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) key: SigningKey,
    served: Arc<Mutex<(Served, Served)>>,
    _server: Server,
}

impl Issuer {
    pub(crate) async fn start(authority: &Authority) -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must be free");
        let addr = listener.local_addr().expect("listener must have an address");
        let url = format!("https://{addr}/id/0123456789ABCDEF0123456789ABCDEF");
        let key = SigningKey::generate().expect("key must generate");
        let identity = authority.server_identity(&["127.0.0.1"]).expect("identity must be made");
        let keys = Served::Json(json!(Jwks { keys: vec![key.public_jwk().clone()] }));
        let served = Arc::new(Mutex::new((Served::Json(discovery(&url)), keys)));
        let shared = Arc::clone(&served);
        let app = Router::new().fallback(move |uri: Uri| {
            let (discovery, keys) = shared.lock().expect("lock must be whole").clone();
            async move {
                let document = match uri.path().rsplit('/').next() {
                    Some("openid-configuration") => discovery,
                    Some("keys") => keys,
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
        Issuer { url, key, served, _server: server }
    }

    pub(crate) fn serve_discovery(&self, document: Served) {
        self.served.lock().expect("lock must be whole").0 = document;
    }

    pub(crate) fn serve_keys(&self, document: Served) {
        self.served.lock().expect("lock must be whole").1 = document;
    }
}

pub(crate) fn discovery(url: &str) -> Value {
    json!({"issuer": url, "jwks_uri": format!("{url}/keys")})
}

/// A response, read as far as tests need.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// `status code` of a refusal of Resource Manager, `status` of a success.
    pub(crate) fn outcome(&self) -> String {
        match self.body["error"]["code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }

    /// `status error number` of a refusal of Entra, `status` of a success.
    pub(crate) fn refusal(&self) -> String {
        match (self.body["error"].as_str(), self.body["error_codes"][0].as_u64()) {
            (Some(error), Some(number)) => format!("{} {error} {number}", self.status),
            _ => self.status.to_string(),
        }
    }

    pub(crate) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn description(&self) -> &str {
        self.body["error_description"].as_str().unwrap_or_default()
    }

    pub(crate) fn token(&self) -> String {
        let token = self.body["access_token"].as_str();
        token.expect("answer must hold a token").to_owned()
    }
}

pub(crate) struct World {
    pub(crate) sim: AzureSim,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) authority: Authority,
    pub(crate) issuer: Issuer,
    pub(crate) admin: AdminCredentials,
    /// The administrator's token for Resource Manager.
    pub(crate) bearer: String,
    pub(crate) client_id: Uuid,
    pub(crate) principal_id: Uuid,
}

impl World {
    /// A subscription with nothing in it.
    pub(crate) async fn bare() -> World {
        World::within(Duration::from_secs(5)).await
    }

    pub(crate) async fn within(deadline: Duration) -> World {
        World::with_options(deadline, &AzureSimOptions::default()).await
    }

    pub(crate) async fn with_options(deadline: Duration, options: &AzureSimOptions) -> World {
        let authority = Authority::generate("public", &SystemClock).expect("authority must be made");
        let issuer = Issuer::start(&authority).await;
        let clock = Arc::new(FixedClock::new(SystemClock.now()));
        let roots = Roots::pem(authority.root_pem()).expect("roots must be read");
        let config = AzureSimConfig {
            clock: clock.clone(),
            issuers: Client::new(roots, deadline),
            token_key: azure_sim::token_key().expect("thread must start"),
            credential_write: Duration::from_millis(10),
        };
        let sim = AzureSim::with_options(config, options);
        let admin = sim.create_subscription(Uuid::new_v4(), Uuid::new_v4());
        let (client_id, principal_id) = (Uuid::nil(), Uuid::nil());
        let mut world = World { sim, clock, authority, issuer, admin, bearer: String::new(), client_id, principal_id };
        world.bearer = world.login(&world.admin).await;
        world
    }

    /// A group `g` with an identity `reader` that trusts one service account of the issuer.
    pub(crate) async fn new() -> World {
        World::bare().await.furnished().await
    }

    pub(crate) async fn furnished(mut self) -> World {
        let place = json!({"location": "westeurope"});
        assert_eq!(self.put("/resourceGroups/g", RESOURCES, &place).await.outcome(), "201");
        let identity = self.put(&identity("reader"), IDENTITY, &place).await;
        assert_eq!(identity.outcome(), "201");
        let id = |name: &str| identity.body["properties"][name].as_str().and_then(|id| id.parse().ok());
        self.client_id = id("clientId").expect("identity must have a client id");
        self.principal_id = id("principalId").expect("identity must have a principal id");
        let credential = self.credential("reader", "eks", &self.issuer.url, SUBJECT, AUDIENCE).await;
        assert_eq!(credential.outcome(), "201");
        self
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        host: &str,
        path: &str,
        bearer: Option<&str>,
        body: String,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", host);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let request = request.body(Body::from(body)).expect("request must be made");
        let response = self.sim.router().oneshot(request).await.expect("router must answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 22).await.expect("body must be read");
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    /// A form post to a tenant's token endpoint.
    pub(crate) async fn post_token(&self, tenant: &str, form: &[(&str, &str)]) -> Reply {
        let path = format!("/{tenant}/oauth2/v2.0/token");
        self.send(Method::POST, LOGIN, &path, None, encode(form)).await
    }

    async fn login(&self, admin: &AdminCredentials) -> String {
        self.login_for(admin, "https://management.azure.com/.default").await
    }

    /// A token of an owner for a resource.
    pub(crate) async fn login_for(&self, admin: &AdminCredentials, scope: &str) -> String {
        let (client, tenant) = (admin.client_id.to_string(), admin.tenant.to_string());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("client_secret", admin.client_secret.expose()),
            ("scope", scope),
        ];
        self.post_token(&tenant, &form).await.token()
    }

    /// A token of the service account, with some claims other than usual.
    pub(crate) fn assertion(&self, changed: Value) -> String {
        self.issuer.key.sign(&self.claims(changed)).expect("token must be signed")
    }

    /// Claims set to null are left out.
    pub(crate) fn claims(&self, changed: Value) -> Value {
        let now = self.clock.now().as_second();
        let mut claims = json!({
            "iss": self.issuer.url, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 3600,
        });
        for (name, value) in changed.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        if let Some(claims) = claims.as_object_mut() {
            claims.retain(|_, value| !value.is_null());
        }
        claims
    }

    /// The exchange of an assertion for a token for the vaults, with some parameters other than usual.
    /// An empty parameter is left out.
    pub(crate) async fn exchange(&self, assertion: &str, changed: &[(&str, &str)]) -> Reply {
        let tenant = self.admin.tenant.to_string();
        self.exchange_at(&tenant, assertion, changed).await
    }

    pub(crate) async fn exchange_at(&self, tenant: &str, assertion: &str, changed: &[(&str, &str)]) -> Reply {
        let client = self.client_id.to_string();
        let usual = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("scope", "https://vault.azure.net/.default"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ];
        let changes = |name: &str| changed.iter().any(|(changed, _)| *changed == name);
        let kept = usual.into_iter().filter(|(name, _)| !changes(name));
        let form: Vec<(&str, &str)> =
            kept.chain(changed.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        self.post_token(tenant, &form).await
    }

    /// A request to Resource Manager in the administrator's name; `path` is what follows the subscription.
    pub(crate) async fn manage(&self, method: Method, path: &str, version: &str, body: &Value) -> Reply {
        let glue = if path.contains('?') { '&' } else { '?' };
        let path = format!("/subscriptions/{}{path}{glue}api-version={version}", self.admin.subscription);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, MANAGER, &path, Some(&self.bearer), body).await
    }

    pub(crate) async fn put(&self, path: &str, version: &str, body: &Value) -> Reply {
        self.manage(Method::PUT, path, version, body).await
    }

    pub(crate) async fn get(&self, path: &str, version: &str) -> Reply {
        self.manage(Method::GET, path, version, &Value::Null).await
    }

    pub(crate) async fn delete(&self, path: &str, version: &str) -> Reply {
        self.manage(Method::DELETE, path, version, &Value::Null).await
    }

    pub(crate) async fn credential(
        &self,
        identity: &str,
        name: &str,
        issuer: &str,
        subject: &str,
        audience: &str,
    ) -> Reply {
        let body = json!({"properties": {"issuer": issuer, "subject": subject, "audiences": [audience]}});
        self.put(&credential(identity, name), IDENTITY, &body).await
    }

    /// A vault in group `g`.
    pub(crate) async fn vault(&self, name: &str, properties: Value) -> Reply {
        let mut all = json!({
            "tenantId": self.admin.tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [],
        });
        for (name, value) in properties.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        self.put(&vault(name), VAULT, &json!({"location": "westeurope", "properties": all})).await
    }

    /// A storage account in group `g`.
    pub(crate) async fn account(&self, name: &str, properties: Value) -> Reply {
        let body = json!({
            "location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": properties,
        });
        self.put(&account(name), STORAGE, &body).await
    }

    /// A container; `access` is `None`, `Blob` or `Container`.
    pub(crate) async fn container(&self, account: &str, name: &str, access: &str) -> Reply {
        self.put(&container(account, name), STORAGE, &json!({"properties": {"publicAccess": access}})).await
    }

    /// Follows the link of an accepted request until it says something else than 202.
    pub(crate) async fn follow(&self, accepted: &Reply) -> Vec<u16> {
        let link = accepted.headers["location"].to_str().expect("link must be text").to_owned();
        let uri: Uri = link.parse().expect("link must be a URL");
        let path = uri.path_and_query().expect("link must have a path").to_string();
        let mut seen = Vec::new();
        while seen.last().is_none_or(|status| *status == 202) && seen.len() < 10 {
            let host = uri.host().expect("link must have a host");
            seen.push(self.send(Method::GET, host, &path, Some(&self.bearer), String::new()).await.status);
        }
        seen
    }
}

pub(crate) fn identity(name: &str) -> String {
    format!("/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

pub(crate) fn credential(identity: &str, name: &str) -> String {
    format!("{}/federatedIdentityCredentials/{name}", self::identity(identity))
}

pub(crate) fn vault(name: &str) -> String {
    format!("/resourceGroups/g/providers/Microsoft.KeyVault/vaults/{name}")
}

pub(crate) fn account(name: &str) -> String {
    format!("/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/{name}")
}

pub(crate) fn container(account: &str, name: &str) -> String {
    format!("{}/blobServices/default/containers/{name}", self::account(account))
}

pub(crate) fn encode(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        text.bytes()
            .map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect::<String>()
    };
    let pairs: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    pairs.join("&")
}
