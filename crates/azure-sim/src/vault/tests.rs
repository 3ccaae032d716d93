//! Key Vault over its router, with tokens signed here by hand. Every refusal stands beside a request that
//! differs in one thing and is served.

mod admission;
mod deletion;
mod permission;
mod secrets;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;
use trust::{Clock as _, FixedClock, KeyRing, SigningKey};
use uuid::{Uuid, uuid};

use crate::rbac::{self, RoleAssignment};
use crate::state::State;
use crate::vaults::{AccessPolicy, NetworkRules, Vault};
use crate::{AzureSimConfig, AzureSimOptions};

const TENANT: Uuid = uuid!("72f988bf-0000-4000-8000-000000000001");
const OTHER_TENANT: Uuid = uuid!("72f988bf-0000-4000-8000-000000000002");
const SUBSCRIPTION: Uuid = uuid!("5b000000-0000-4000-8000-000000000001");
const CLIENT: Uuid = uuid!("c1000000-0000-4000-8000-000000000001");
const PRINCIPAL: Uuid = uuid!("0b000000-0000-4000-8000-000000000001");

// Azure built-in roles reference.
const ADMINISTRATOR: Uuid = uuid!("00482a5a-887f-4fb3-b363-3b7fe8e74483");
const SECRETS_OFFICER: Uuid = uuid!("b86a8fe4-44ce-4948-aee5-eccb2c155cd7");
const SECRETS_USER: Uuid = uuid!("4633458b-17de-408a-b874-0445c86b69e6");
const READER: Uuid = uuid!("21090545-7ca7-4776-b22c-e363652d74d2");

struct World {
    state: State,
    clock: Arc<FixedClock>,
    keys: Arc<KeyRing>,
    router: Router,
}

impl World {
    /// A vault `Team-KV` by roles, whose secrets `PRINCIPAL` administers.
    fn new() -> World {
        let world = World::with_vault(|_| ());
        world.assign(ADMINISTRATOR, &vault_id("Team-KV"));
        world
    }

    /// A vault `Team-KV` that differs from the usual one; nobody may do anything in it.
    fn with_vault(change: impl FnOnce(&mut Vault)) -> World {
        let at = "2026-05-04T10:00:00Z";
        let clock = Arc::new(FixedClock::new(at.parse().expect("timestamp must parse")));
        let authority = transport::Authority::generate("test", &*clock).expect("authority must generate");
        let roots = transport::Roots::of(&authority).expect("roots must load");
        let client = transport::Client::new(roots, Duration::from_secs(1));
        let keys = Arc::new(KeyRing::new(SigningKey::generate().expect("key must generate")));
        let (_, receiver) = watch::channel(Some(keys.clone()));
        let config = AzureSimConfig {
            clock: clock.clone(),
            issuers: client,
            token_key: receiver,
            credential_write: Duration::ZERO,
        };
        let state = State::new(config, &AzureSimOptions::default());
        let world = World { router: super::router(state.clone()), state, clock, keys };
        let mut vault = world.vault("Team-KV");
        change(&mut vault);
        world.open(vault);
        world
    }

    fn vault(&self, name: &str) -> Vault {
        Vault {
            name: name.to_owned(),
            subscription: SUBSCRIPTION,
            group: "Team".to_owned(),
            location: "westeurope".to_owned(),
            tags: Default::default(),
            tenant: TENANT,
            sku: "standard".to_owned(),
            is_rbac: true,
            access_policies: Vec::new(),
            network: NetworkRules::default(),
            shows_network: false,
            retention_days: 90,
            purge_protection: false,
            created: self.clock.now(),
            incarnation: Uuid::new_v4(),
        }
    }

    fn open(&self, vault: Vault) {
        let key = vault.name.to_ascii_lowercase();
        self.state.write().vaults.insert(key, vault);
    }

    fn assign(&self, role: Uuid, scope: &str) {
        let assignment = RoleAssignment {
            name: Uuid::new_v4(),
            scope: scope.to_owned(),
            role: rbac::role(role).expect("role must exist"),
            principal: PRINCIPAL,
            principal_type: "ServicePrincipal".to_owned(),
            description: None,
            created: self.clock.now(),
            creator: Uuid::nil(),
        };
        self.state.write().assignments.push(assignment);
    }

    fn claims(&self) -> Value {
        let now = self.clock.now().as_second();
        json!({
            "aud": "https://vault.azure.net",
            "iss": format!("https://sts.windows.net/{TENANT}/"),
            "iat": now, "nbf": now, "exp": now + 3600,
            "appid": CLIENT, "oid": PRINCIPAL, "sub": PRINCIPAL, "tid": TENANT, "ver": "1.0",
        })
    }

    fn sign(&self, claims: &Value) -> String {
        self.keys.active().sign(claims).expect("claims must sign")
    }

    fn call(&self, method: &'static str, path: &str) -> Call<'_> {
        Call {
            world: self,
            method,
            host: "team-kv.vault.azure.net",
            target: format!("{path}?api-version=7.4"),
            authorization: Some(format!("Bearer {}", self.sign(&self.claims()))),
            body: String::new(),
            peer: None,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send().await
    }

    async fn put(&self, name: &str, body: Value) -> Answer {
        let path = format!("/secrets/{name}");
        self.call("PUT", &path).body(&body).send().await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path).send().await
    }

    fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}

fn vault_id(name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/Team/providers/Microsoft.KeyVault/vaults/{name}")
}

fn policy(secrets: &[&str]) -> AccessPolicy {
    AccessPolicy {
        tenant: TENANT,
        object_id: PRINCIPAL.to_string(),
        application_id: None,
        secrets: secrets.iter().map(|&permission| permission.to_owned()).collect(),
        permissions: json!({"secrets": secrets}),
    }
}

#[derive(Clone)]
struct Call<'a> {
    world: &'a World,
    method: &'static str,
    host: &'static str,
    target: String,
    authorization: Option<String>,
    body: String,
    peer: Option<IpAddr>,
}

impl Call<'_> {
    fn body(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self
    }

    fn at(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    /// In place of path and query.
    fn target(mut self, target: &str) -> Self {
        self.target = target.to_owned();
        self
    }

    fn authorization(mut self, authorization: Option<String>) -> Self {
        self.authorization = authorization;
        self
    }

    fn from(mut self, peer: &str) -> Self {
        self.peer = Some(peer.parse().expect("address must parse"));
        self
    }

    async fn send(self) -> Answer {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.target)
            .header("host", self.host)
            .header("x-ms-client-request-id", "client-1");
        if let Some(authorization) = self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut request = request.body(Body::from(self.body)).expect("request must build");
        if let Some(peer) = self.peer {
            let peer = transport::PeerAddr(SocketAddr::new(peer, 40000));
            request.extensions_mut().insert(peer);
        }
        let router = self.world.router.clone();
        let response = router.oneshot(request).await.expect("router must answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("body must arrive");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_slice(&body).unwrap_or_default(),
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    json: Value,
    text: String,
}

impl Answer {
    /// The status, and the code with the inner one where there are any.
    fn verdict(&self) -> String {
        let error = &self.json["error"];
        let codes = [&error["code"], &error["innererror"]["code"]];
        let codes = codes.into_iter().filter_map(Value::as_str);
        [self.status.to_string()].into_iter().chain(codes.map(str::to_owned)).collect::<Vec<_>>().join(" ")
    }

    fn message(&self) -> &str {
        self.json["error"]["message"].as_str().unwrap_or_default()
    }

    #[track_caller]
    fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The last part of the id: the version, or in a list of secrets the name.
    fn id_tail(&self) -> String {
        tail(&self.json["id"])
    }

    /// What a list shows.
    fn listed(&self) -> Vec<String> {
        let entries = self.json["value"].as_array().expect("a list must answer");
        entries.iter().map(|entry| tail(&entry["id"])).collect()
    }

    /// Path and query of the link to the next page.
    fn next(&self) -> Option<&str> {
        let link = self.json["nextLink"].as_str()?;
        let rest = link.strip_prefix("https://team-kv.vault.azure.net:443");
        Some(rest.expect("link must lead to the same vault"))
    }
}

fn tail(id: &Value) -> String {
    let id = id.as_str().expect("entry must have an id");
    id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// With version ids made equal.
fn steady(json: &Value) -> String {
    let text = serde_json::to_string_pretty(json).expect("json must print");
    let parts = text.split('/').map(|part| {
        let (head, rest) = part.split_once('"').unwrap_or((part, ""));
        if head.len() == 32 && head.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            format!("<version>\"{rest}")
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("/")
}
