//! Secrets of a vault as resources: Resource Manager writes them and never shows a value.
//! Must not know how a vault keeps them: it asks the vault, from inside, in the caller's name.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::path::{SECRETS, VAULTS};
use super::{Call, groups};
use crate::access_token::{self, Grant};
use crate::origin::{INSIDE_DOMAIN, VAULT_RESOURCE};
use crate::vaults::Vault;

const DATA_PLANE_VERSION: &str = "7.4";
const BODY_LIMIT: usize = 1 << 22;

pub(super) async fn list(call: &Call<'_>, group: &str, vault: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let vault = find(call, group, vault)?;
    let secrets = items(call, &vault).await?;
    Ok(Answer::list(secrets.iter().map(|secret| show(call, &vault, secret)).collect()))
}

pub(super) async fn one(call: &Call<'_>, group: &str, vault: &str, name: &str) -> Result<Answer, ArmError> {
    let vault = find(call, group, vault)?;
    match *call.method {
        Method::GET => {
            let is_asked = |secret: &&Value| name_of(secret).eq_ignore_ascii_case(name);
            let secrets = items(call, &vault).await?;
            let found = secrets.iter().find(is_asked);
            let found =
                found.ok_or_else(|| ArmError::resource_not_found(SECRETS, &format!("{}/{name}", vault.name), group))?;
            Ok(Answer::ok(show(call, &vault, found)))
        }
        Method::PUT => put(call, &vault, name).await,
        _ => Err(call.unsupported()),
    }
}

fn find(call: &Call<'_>, group: &str, name: &str) -> Result<Vault, ArmError> {
    let directory = call.state.read();
    let found = groups::must_exist(call, &directory, group)?;
    super::vaults::held(call, &directory, &found.name, name)
        .cloned()
        .ok_or_else(|| ArmError::resource_not_found(VAULTS, name, &found.name))
}

async fn put(call: &Call<'_>, vault: &Vault, name: &str) -> Result<Answer, ArmError> {
    let body = call.body.object()?;
    let properties = body::properties(&body)?;
    let mut secret = Map::new();
    for field in ["value", "contentType", "attributes"] {
        if let Some(value) = properties.get(field) {
            secret.insert(field.to_owned(), value.clone());
        }
    }
    secret.insert("tags".to_owned(), json!(body::tags(&body)?.unwrap_or_default()));
    let path = format!("/secrets/{name}?api-version={DATA_PLANE_VERSION}");
    let (_, written) = ask(call, vault, Method::PUT, &path, Value::Object(secret)).await?;
    Ok(Answer::ok(show(call, vault, &written)))
}

/// Every secret of the vault, without values.
async fn items(call: &Call<'_>, vault: &Vault) -> Result<Vec<Value>, ArmError> {
    let mut path = format!("/secrets?api-version={DATA_PLANE_VERSION}");
    let mut secrets = Vec::new();
    loop {
        let (_, mut page) = ask(call, vault, Method::GET, &path, Value::Null).await?;
        if let Value::Array(items) = page["value"].take() {
            secrets.extend(items);
        }
        let next = page["nextLink"].as_str().and_then(|link| link.parse::<http::Uri>().ok());
        match next.and_then(|next| Some(next.path_and_query()?.to_string())) {
            Some(next) => path = next,
            None => return Ok(secrets),
        }
    }
}

/// Sends a request into the vault. A refusal comes back as its own.
async fn ask(
    call: &Call<'_>,
    vault: &Vault,
    method: Method,
    path: &str,
    body: Value,
) -> Result<(StatusCode, Value), ArmError> {
    let broken =
        || ArmError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The vault did not answer.");
    let token = token(call, vault).ok_or_else(broken)?;
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    let host = format!("{}{INSIDE_DOMAIN}", vault.name.to_ascii_lowercase());
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, host)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(|_| ArmError::bad_request("The name of the secret is invalid."))?;
    let mut request = request;
    request.extensions_mut().insert(call.origin.clone());
    let vaults: Router = call.vaults.clone();
    let response = match vaults.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let bytes = to_bytes(response.into_body(), BODY_LIMIT).await;
    let answer: Value = serde_json::from_slice(&bytes.map_err(|_| broken())?).unwrap_or_default();
    if status.is_success() {
        return Ok((status, answer));
    }
    let error = &answer["error"];
    let text = |name: &str| error[name].as_str();
    Err(ArmError::new(status, text("code").unwrap_or("BadRequest"), text("message").unwrap_or_default()))
}

/// A token of the caller's for the vaults, for this one request.
fn token(call: &Call<'_>, vault: &Vault) -> Option<String> {
    let grant = Grant {
        tenant: vault.tenant,
        client_id: call.caller.app_id,
        object_id: call.caller.object_id,
        resource_id: None,
        audience: VAULT_RESOURCE,
        appidacr: "2",
        now: call.state.now(),
        lifetime: SignedDuration::from_mins(1),
    };
    let keys = call.state.token_key().borrow().clone()?;
    access_token::sign(&grant, &keys).ok()
}

/// The name in an id `https://<vault>/secrets/<name>[/<version>]`.
fn name_of(secret: &Value) -> &str {
    let id = secret["id"].as_str().unwrap_or_default();
    let rest = id.split_once("/secrets/").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn show(call: &Call<'_>, vault: &Vault, secret: &Value) -> Value {
    let name = name_of(secret);
    let uri = format!("{}/secrets/{name}", call.origin.vault(&vault.name));
    let attributes = &secret["attributes"];
    let mut shown = json!({
        "id": format!("{}/secrets/{name}", vault.id()),
        "name": name,
        "type": SECRETS,
        "location": vault.location,
        "tags": secret["tags"].as_object().cloned().unwrap_or_default(),
        "properties": {
            "attributes": {
                "enabled": attributes["enabled"],
                "created": attributes["created"],
                "updated": attributes["updated"],
            },
            "secretUri": uri,
        },
    });
    for date in ["nbf", "exp"] {
        if let Some(value) = attributes.get(date) {
            shown["properties"]["attributes"][date] = value.clone();
        }
    }
    if let Some(kind) = secret.get("contentType") {
        shown["properties"]["contentType"] = kind.clone();
    }
    // Only a write names the version.
    if let Some(id) = secret["id"].as_str().filter(|id| *id != uri) {
        shown["properties"]["secretUriWithVersion"] = Value::from(id);
    }
    shown
}
