//! One handler for each verb and each special subresource, and the table that picks it.

mod apply;
mod create;
mod delete;
mod eviction;
mod log;
mod patch;
mod read;
mod reviews;
mod scale;
mod token;
mod update;
mod watch;

use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::api::{Answer, Call};
use crate::object::Object;
use crate::request::WriteOptions;
use crate::respond;
use crate::status::Status;

/// Answers a request on a resource that exists.
pub(crate) async fn dispatch(call: &mut Call<'_>, method: &Method) -> Answer {
    let (verb, subresource) = (call.info.verb.clone(), call.info.subresource.clone());
    let verb = verb.as_ref();
    if !subresource.is_empty() {
        return part(call, verb, &subresource).await;
    }
    if !call.resource.is_stored() {
        return if verb == "create" { reviews::create(call).await } else { Err(Status::method_not_allowed()) };
    }
    // Changes need a place: a namespaced object cannot be made or dropped across all namespaces.
    let is_homeless = call.resource.namespaced && call.info.namespace.is_empty();
    if !call.resource.verbs.contains(&verb)
        || (is_homeless && !["list", "watch"].contains(&verb))
        || (method == Method::POST && !call.info.name.is_empty())
    {
        return Err(Status::method_not_allowed());
    }
    if !["get", "list", "watch"].contains(&verb) {
        respond::negotiate(&call.headers)?;
    }
    match verb {
        "get" => read::get(call),
        "list" => read::list(call),
        "watch" => watch::watch(call),
        "create" => create::create(call).await,
        "update" => update::update(call).await,
        "patch" => patch::patch(call).await,
        "delete" => delete::delete(call).await,
        "deletecollection" => delete::delete_collection(call).await,
        _ => Err(Status::method_not_allowed()),
    }
}

async fn part(call: &mut Call<'_>, verb: &str, name: &str) -> Answer {
    let Some(part) = call.resource.subresource(name) else {
        return Err(Status::no_such_resource());
    };
    if !part.verbs.contains(&verb) {
        return Err(Status::method_not_allowed());
    }
    let is_own = part.foreign.is_none() && part.kind == call.resource.kind;
    match (name, verb) {
        ("token", _) => token::create(call).await,
        ("log", _) => log::get(call).await,
        ("binding", _) => create::bind(call).await,
        ("scale", _) => scale::scale(call, verb).await,
        ("status" | "finalize", "get") => read::get(call),
        ("status" | "finalize", "update") if is_own => update::update(call).await,
        ("status" | "finalize", "patch") if is_own => patch::patch(call).await,
        ("eviction", _) => eviction::create(call).await,
        // Announced for clients that read discovery; a pod's processes are this machine's own.
        _ => Err(Status::not_served(&format!("{}/{name}", call.resource.plural))),
    }
}

/// Creates an object as a client would whose body is this.
///
/// # Errors
/// The refusal.
pub(crate) async fn create_object(call: &mut Call<'_>, value: Value) -> Result<(), Status> {
    create::store(call, value, &WriteOptions::default(), update::Owners::Found).await.map(drop)
}

/// Changes the object of the call, from the newest state.
///
/// # Errors
/// The refusal.
pub(crate) async fn change_object(call: &mut Call<'_>, change: impl Fn(&Value) -> Value) -> Result<(), Status> {
    let (options, owners) = (WriteOptions::default(), update::Owners::Found);
    let changed = update::change(call, &options, "UpdateOptions", owners, |old, _| Ok(change(old)));
    changed.await.map(drop)
}

/// Deletes the object of the call, with the options of its body.
///
/// # Errors
/// The refusal.
pub(crate) async fn delete_object(call: &mut Call<'_>) -> Result<(), Status> {
    delete::delete(call).await.map(drop)
}

/// One stored object.
fn single(call: &Call<'_>, code: StatusCode, object: &Object) -> Response {
    respond::json(code, object.typed_json(call.resource))
}

/// One object that is not stored, as after a dry run.
fn unstored(call: &Call<'_>, code: StatusCode, value: &Value) -> Response {
    respond::json(code, crate::object::typed_json(call.resource, value.to_string().as_bytes()))
}
