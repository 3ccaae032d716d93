//! Entra, Resource Manager and Blob Storage in a few lines, behind a proxy that leads every name to them: it remembers what is put,
//! and answers by the rules that the tests are about. It checks no permission.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use federation::azure::{Access, Clients, Consistency, Credential, HttpStack, Wire};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transport::{Authority, Server};
use trust::{Secret, SystemClock};

use super::proxy::proxy;

pub(crate) const TENANT: &str = "11111111-1111-1111-1111-111111111111";
pub(crate) const SUBSCRIPTION: &str = "33333333-3333-3333-3333-333333333333";
const ARM: &str = "management.azure.com";
pub(crate) const BLOBS: &str = "cfr1.blob.core.windows.net";

#[derive(Default)]
pub(crate) struct State {
    /// By id in lower case.
    pub(crate) there: BTreeMap<String, Value>,
    /// Vaults by name in lower case.
    pub(crate) deleted: BTreeMap<String, Value>,
    /// What stands in each blob, by path.
    pub(crate) blobs: BTreeMap<String, String>,
    /// Method and path of each request to Resource Manager.
    pub(crate) seen: Vec<String>,
    /// The answer to the next request whose path ends so is lost after the work is done.
    pub(crate) lose: Option<String>,
    operations: BTreeMap<String, u32>,
}

/// Both services and the way to them.
pub(crate) struct Place {
    state: Arc<Mutex<State>>,
    server: Server,
    wire: Wire,
}

impl Place {
    pub(crate) async fn up() -> Self {
        let authority = Authority::generate("azure", &SystemClock).expect("authority must generate");
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let (status, headers, body) =
                answer(&mut shared.lock().expect("state must be whole"), &method, &uri, &headers, &body);
            async move { respond(status, headers, &body) }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
        let identity =
            authority.server_identity(&[ARM, BLOBS, "login.microsoftonline.com"]).expect("identity must be issued");
        let server = Server::tls(listener, identity, app).expect("server must start");
        let proxy_url = Some(Secret::new(proxy(server.addr()).await));
        Self { state, server, wire: Wire { proxy_url, root_pem: authority.root_pem().to_owned() } }
    }

    pub(crate) fn clients(&self) -> Clients {
        self.clients_with("canary-secret")
    }

    pub(crate) fn clients_with(&self, client_secret: &str) -> Clients {
        let access = Access {
            tenant: TENANT.into(),
            subscription: SUBSCRIPTION.into(),
            location: "westeurope".into(),
            credential: Credential::ClientSecret { client_id: "c".into(), client_secret: Secret::new(client_secret) },
            consistency: Consistency::Immediate,
        };
        let http = HttpStack::new(Some(&self.wire)).expect("wire must be taken");
        Clients::new(&access, &http).expect("access must be taken")
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("state must be whole")
    }

    /// How many requests were not questions.
    pub(crate) fn writes(&self) -> usize {
        self.state()
            .seen
            .iter()
            .filter(|line| !line.starts_with("GET") && !line.ends_with("checknameavailability"))
            .count()
    }

    pub(crate) async fn down(self) {
        self.server.stop().await;
    }
}

type Answer = (u16, Option<String>, Value);

fn respond(status: u16, location: Option<String>, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("status must be valid");
    let body = match body {
        Value::Null => String::new(),
        // Of the Blob service, whose codes stand in a header.
        Value::String(code) => {
            let body =
                format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>No.\nTime:1</Message></Error>");
            return (status, [("x-ms-error-code", code.clone())], body).into_response();
        }
        body => body.to_string(),
    };
    match location {
        Some(location) => (status, [("location", location)], body).into_response(),
        None => (status, body).into_response(),
    }
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    (status, None, json!({"error": {"code": code, "message": message}}))
}

fn answer(state: &mut State, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
    if headers["host"] == BLOBS {
        return put_blob(state, method, uri, headers, body);
    }
    if headers["host"] != ARM {
        let form = String::from_utf8_lossy(body);
        if form.contains("client_secret=canary-secret")
            && form.contains("scope=https%3A%2F%2Fmanagement.azure.com%2F.default")
        {
            return (200, None, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "canary-token"}));
        }
        if form.contains("client_secret=canary-secret")
            && form.contains("scope=https%3A%2F%2Fstorage.azure.com%2F.default")
        {
            return (200, None, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "canary-blobs"}));
        }
        let refusal = json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.", "error_codes": [7_000_215]});
        return (401, None, refusal);
    }
    if headers.get("authorization").is_none_or(|value| value != "Bearer canary-token") {
        return error(401, "AuthenticationFailed", "Authentication failed.");
    }
    let query = uri.query().unwrap_or_default();
    if !query.contains("api-version=20") {
        return error(400, "MissingApiVersionParameter", "The api-version query parameter is required.");
    }
    let path = uri.path();
    let key = path.to_ascii_lowercase();
    state.seen.push(format!("{method} {key}"));
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let answer = match method.as_str() {
        "GET" => get(state, path, &key, query),
        "PUT" => put(state, path, &key, body),
        "POST" => post(state, &key, &body),
        _ => delete(state, &key),
    };
    if state.lose.as_ref().is_some_and(|end| key.ends_with(end)) && *method != Method::GET {
        state.lose = None;
        return error(500, "InternalServerError", "Encountered internal server error.");
    }
    answer
}

/// Takes one write of a path, and more if they do not ask for the first.
fn put_blob(state: &mut State, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refuse = |status: u16, code: &str| (status, None, json!(code));
    let path = uri.path();
    state.seen.push(format!("{method} {BLOBS}{path}"));
    if header("authorization") != "Bearer canary-blobs" || header("x-ms-version").is_empty() {
        return refuse(401, "InvalidAuthenticationInfo");
    }
    if header("x-ms-blob-type") != "BlockBlob" {
        return refuse(400, "MissingRequiredHeader");
    }
    if header("if-none-match") == "*" && state.blobs.contains_key(path) {
        return refuse(409, "BlobAlreadyExists");
    }
    let text = format!("{} {}", header("x-ms-blob-content-type"), String::from_utf8_lossy(body));
    state.blobs.insert(path.to_owned(), text);
    if state.lose.take_if(|end| path.ends_with(end.as_str())).is_some() {
        return refuse(500, "InternalError");
    }
    (201, None, Value::Null)
}

fn get(state: &mut State, path: &str, key: &str, query: &str) -> Answer {
    let (parent, last) = key.rsplit_once('/').unwrap_or_default();
    let child_of =
        |prefix: String| move |id: &&String| id.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('/'));
    let all = |state: &State, keep: &dyn Fn(&&String) -> bool| {
        let found = state.there.iter().filter(|(id, _)| keep(id)).map(|(_, value)| value.clone());
        page(path, query, found.collect())
    };
    if parent.ends_with("/operations") {
        let polls = state.operations.entry(key.to_owned()).or_default();
        *polls += 1;
        return if *polls < 3 {
            (202, Some(format!("https://{ARM}{path}?api-version=2021-04-01")), Value::Null)
        } else {
            (204, None, Value::Null)
        };
    }
    match last {
        "deletedvaults" => page(path, query, state.deleted.values().cloned().collect()),
        "vaults" | "userassignedidentities" | "storageaccounts" => {
            let part = key
                .trim_start_matches('/')
                .split_once("/providers/")
                .map(|(_, part)| format!("/providers/{part}/"))
                .unwrap_or_default();
            all(state, &|id| id.split_once(&part).is_some_and(|(_, rest)| !rest.contains('/')))
        }
        "resources" => all(state, &|id| id.strip_prefix(parent).is_some_and(|rest| rest.matches('/').count() == 4)),
        "resourcegroups" | "secrets" | "roleassignments" | "federatedidentitycredentials" | "containers" => {
            all(state, &child_of(format!("{key}/")))
        }
        _ => {
            if let Some((_, name)) = key.split_once("/deletedvaults/") {
                return state
                    .deleted
                    .get(name)
                    .map_or_else(|| error(404, "DeletedVaultNotFound", "no"), |vault| (200, None, vault.clone()));
            }
            let Some(found) = state.there.get_mut(key) else {
                return error(404, "ResourceNotFound", "The resource was not found.");
            };
            let now = found.clone();
            if found["properties"]["provisioningState"] == "RegisteringDns" {
                found["properties"]["provisioningState"] = json!("Succeeded");
            }
            (200, None, now)
        }
    }
}

/// One item a page, so that links are followed.
fn page(path: &str, query: &str, all: Vec<Value>) -> Answer {
    let at: usize = query.split_once("skip=").and_then(|(_, at)| at.parse().ok()).unwrap_or(0);
    let mut body = json!({"value": all.get(at).into_iter().collect::<Vec<_>>()});
    if at + 1 < all.len() {
        body["nextLink"] = json!(format!("https://{ARM}{path}?api-version=2021-04-01&skip={}", at + 1));
    }
    (200, None, body)
}

fn put(state: &mut State, path: &str, key: &str, mut body: Value) -> Answer {
    if let Some((vault, verb)) = key.split_once("/accesspolicies/") {
        let given = body["properties"]["accessPolicies"][0].take();
        let Some(vault) = state.there.get_mut(vault) else {
            return error(404, "ResourceNotFound", "no vault");
        };
        let policies = vault["properties"]["accessPolicies"].as_array_mut().expect("a vault has policies");
        policies.retain(|policy| policy["objectId"] != given["objectId"]);
        if verb == "add" {
            policies.push(given);
        }
        return (200, None, body);
    }
    let (collection, name) = path.rsplit_once('/').unwrap_or_default();
    let collection = collection.to_ascii_lowercase();
    let parent =
        collection.split_once("/providers/microsoft.authorization").map_or(collection.as_str(), |(scope, _)| scope);
    let parent = parent
        .split_once("/providers/")
        .filter(|(_, rest)| rest.matches('/').count() == 1)
        .map_or(parent, |(group, _)| group);
    let parent = parent.strip_suffix("/blobservices/default/containers").unwrap_or(parent);
    let parent = if parent == collection { collection.rsplit_once('/').unwrap_or_default().0 } else { parent };
    if !collection.ends_with("/resourcegroups") && !state.there.contains_key(parent) {
        return error(404, "ParentResourceNotFound", parent);
    }
    let new = !state.there.contains_key(key);
    (body["id"], body["name"]) = (json!(path), json!(name));
    let properties = &mut body["properties"];
    match collection.rsplit('/').next() {
        Some("vaults") => {
            if new && state.deleted.contains_key(&name.to_ascii_lowercase()) {
                return error(409, "ConflictError", "A vault with the same name already exists in deleted state.");
            }
            properties["provisioningState"] = json!("RegisteringDns");
        }
        Some("userassignedidentities") => {
            *properties = json!({"tenantId": TENANT, "clientId": format!("client-of-{name}"), "principalId": format!("principal-of-{name}")})
        }
        Some("secrets") => properties["value"] = Value::Null,
        Some("storageaccounts") => {
            state.there.insert(key.to_owned(), body);
            let link = format!("https://{ARM}/subscriptions/{SUBSCRIPTION}/operations/{name}?api-version=2023-05-01");
            return (202, Some(link), Value::Null);
        }
        Some("roleassignments") if !new => {
            return error(409, "RoleAssignmentExists", "The role assignment already exists.");
        }
        Some("roleassignments") => {
            properties["scope"] = json!(path.split_once("/providers/Microsoft.Authorization").map(|(scope, _)| scope))
        }
        _ => {}
    }
    state.there.insert(key.to_owned(), body.clone());
    (if new { 201 } else { 200 }, None, body)
}

fn post(state: &mut State, key: &str, body: &Value) -> Answer {
    if key.ends_with("/checknameavailability") {
        let name = body["name"].as_str().unwrap_or_default().to_ascii_lowercase();
        let ends = [format!("/vaults/{name}"), format!("/storageaccounts/{name}")];
        let taken =
            state.deleted.contains_key(&name) || state.there.keys().any(|id| ends.iter().any(|end| id.ends_with(end)));
        let told = if taken {
            json!({"nameAvailable": false, "reason": "AlreadyExists", "message": "The name is already in use."})
        } else {
            json!({"nameAvailable": true})
        };
        return (200, None, told);
    }
    let name = key.strip_suffix("/purge").and_then(|id| id.rsplit('/').next()).unwrap_or_default();
    match state.deleted.remove(name) {
        Some(_) => (
            202,
            Some(format!("https://{ARM}/subscriptions/{SUBSCRIPTION}/operations/purge-{name}?api-version=2023-07-01")),
            Value::Null,
        ),
        None => error(404, "DeletedVaultNotFound", "no"),
    }
}

fn delete(state: &mut State, key: &str) -> Answer {
    let Some(mut gone) = state.there.remove(key) else {
        return if key.contains("/providers/") {
            (204, None, Value::Null)
        } else {
            error(404, "ResourceGroupNotFound", "no")
        };
    };
    state.there.retain(|id, _| !id.starts_with(&format!("{key}/")));
    let (collection, name) = key.rsplit_once('/').unwrap_or_default();
    if collection.ends_with("/vaults") {
        let properties = json!({"vaultId": gone["id"].take(), "tags": gone["tags"].take()});
        state.deleted.insert(name.to_owned(), json!({"name": gone["name"], "properties": properties}));
    }
    if collection.ends_with("/resourcegroups") {
        return (
            202,
            Some(format!("https://{ARM}/subscriptions/{SUBSCRIPTION}/operations/group-{name}?api-version=2021-04-01")),
            Value::Null,
        );
    }
    (200, None, Value::Null)
}
