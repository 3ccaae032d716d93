//! Microsoft Graph, as far as `az` looks up who is meant by a name: service principals by application or object id.
//! Must not know what a principal may do elsewhere. Nothing can be changed here.
//!
//! An application needs a permission to read the directory. The owners that the simulator makes have it, managed identities
//! and other applications have not.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::directory::{Client, Tenant};
use crate::entra::Form;
use crate::origin::{self, Origin};
use crate::requests::{Principal, Told};
use crate::state::{Caller, State};

const AUDIENCES: [&str; 2] = ["https://graph.microsoft.com", "https://graph.microsoft.com/"];
/// A thousand ids (Graph reference, `directoryObject: getByIds`), with room.
const BODY_LIMIT: usize = 1 << 17;

/// A refusal: status, code, sentence.
struct Refusal(StatusCode, &'static str, String);

pub(crate) async fn serve(state: &State, origin: &Origin, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut told = Told::default();
    let outcome = match state.read_body(&parts.headers, body, BODY_LIMIT).await {
        Ok(body) => decide(state, origin, &parts, &body, &mut told),
        Err(error) => Err(Refusal(StatusCode::BAD_REQUEST, "BadRequest", error.to_string())),
    };
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal(status, code, message)) => {
            told.error = Some(code.to_owned());
            (status, json!({"error": {"code": code, "message": message}}))
        }
    };
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let id = Uuid::new_v4().to_string();
    for name in ["request-id", "x-ms-request-id"] {
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(name, value);
        }
    }
    response.extensions_mut().insert(told);
    response
}

fn decide(state: &State, origin: &Origin, parts: &Parts, body: &[u8], told: &mut Told) -> Result<Value, Refusal> {
    let caller = authenticate(state, origin, parts)?;
    told.who = Some(Principal::of(&caller));
    let path = parts.uri.path().trim_matches('/');
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let directory = state.read();
    let tenant = directory.tenants.get(&caller.tenant);
    let tenant = tenant.filter(|tenant| tenant.readers.contains(&caller.object_id));
    match (&parts.method, &segments[..]) {
        (&Method::GET, ["me"]) => Err(Refusal(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "/me request is only valid with delegated authentication flow.".to_owned(),
        )),
        (&Method::GET, ["servicePrincipals"]) => {
            told.operation = "ListServicePrincipals".to_owned();
            let form = Form::parse(parts.uri.query().unwrap_or_default().as_bytes());
            let found = filtered(tenant.ok_or_else(denied)?, form.get("$filter").unwrap_or_default())?;
            Ok(
                json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#servicePrincipals", "value": found}),
            )
        }
        (&Method::GET, ["servicePrincipals", id]) => {
            told.operation = "GetServicePrincipal".to_owned();
            let found = id.parse().ok().and_then(|id| by_object(tenant?, id));
            tenant.ok_or_else(denied)?;
            found.ok_or_else(|| absent(id))
        }
        (&Method::GET, ["users"]) => {
            told.operation = "ListUsers".to_owned();
            // There are none.
            tenant.map(|_| json!({"value": []})).ok_or_else(denied)
        }
        (&Method::POST, ["directoryObjects", "getByIds" | "microsoft.graph.getByIds"]) => {
            told.operation = "GetDirectoryObjects".to_owned();
            by_ids(tenant.ok_or_else(denied)?, body)
        }
        _ => Err(Refusal(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "Resource not found for the segment: only service principals are simulated.".to_owned(),
        )),
    }
}

fn authenticate(state: &State, origin: &Origin, parts: &Parts) -> Result<Caller, Refusal> {
    let refuse = |message: &str| Refusal(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message.to_owned());
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer =
        header.and_then(|header| header.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let (_, token) = bearer.ok_or_else(|| refuse("Access token is empty."))?;
    let presented = state.open_token(token.trim()).map_err(|_| refuse("Access token validation failure."))?;
    let is_ours = AUDIENCES.contains(&presented.audience.as_str())
        || (origin.is_plain && origin::is_local_manager(&presented.audience));
    if !is_ours {
        return Err(refuse("Access token validation failure. Invalid audience."));
    }
    let now = state.now();
    if presented.expires <= now || presented.not_before > now {
        return Err(refuse("Lifetime validation failed, the token is expired."));
    }
    Ok(presented.caller.clone())
}

fn denied() -> Refusal {
    let text = "Insufficient privileges to complete the operation.".to_owned();
    Refusal(StatusCode::FORBIDDEN, "Authorization_RequestDenied", text)
}

fn absent(id: &str) -> Refusal {
    let text =
        format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present.");
    Refusal(StatusCode::NOT_FOUND, "Request_ResourceNotFound", text)
}

/// The filters that `az` uses, both for an application's id; a name or URI of an application is none here.
fn filtered(tenant: &Tenant, filter: &str) -> Result<Vec<Value>, Refusal> {
    let unknown = || {
        Refusal(
            StatusCode::BAD_REQUEST,
            "Request_UnsupportedQuery",
            "Unsupported or invalid query filter clause.".to_owned(),
        )
    };
    let rest = filter
        .strip_prefix("servicePrincipalNames/any(c:c eq '")
        .and_then(|rest| rest.strip_suffix("')"))
        .or_else(|| filter.strip_prefix("appId eq '").and_then(|rest| rest.strip_suffix('\'')));
    let asked = rest.ok_or_else(unknown)?;
    let id = asked.parse::<Uuid>().ok();
    let found = id.and_then(|id| show(id, tenant.clients.get(&id)?));
    Ok(found.into_iter().collect())
}

fn by_object(tenant: &Tenant, id: Uuid) -> Option<Value> {
    let client_id = tenant.client_of(id)?;
    show(client_id, tenant.clients.get(&client_id)?)
}

fn by_ids(tenant: &Tenant, body: &[u8]) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(ids) = body["ids"].as_array() else {
        return Err(Refusal(StatusCode::BAD_REQUEST, "Request_BadRequest", "ids must be given.".to_owned()));
    };
    let types = body["types"].as_array();
    let is_asked =
        types.is_none_or(|types| types.iter().any(|kind| kind == "servicePrincipal" || kind == "directoryObject"));
    let ids = ids.iter().take(1000).filter(|_| is_asked);
    let found = ids.filter_map(|id| by_object(tenant, id.as_str()?.parse().ok()?));
    Ok(json!({"value": found.collect::<Vec<Value>>()}))
}

fn show(client_id: Uuid, client: &Client) -> Option<Value> {
    Some(json!({
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": client.object_id?,
        "appId": client_id,
        "displayName": client.name,
        "appDisplayName": client.name,
        "accountEnabled": client.enabled,
        "servicePrincipalNames": [client_id],
        "servicePrincipalType": if client.resource_id.is_some() { "ManagedIdentity" } else { "Application" },
    }))
}
