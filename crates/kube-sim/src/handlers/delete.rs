//! Deleting one object or many.

use http::StatusCode;
use serde_json::{Value, json};

use super::read::{self, Selection};
use crate::admission::{self, Attributes, Operation};
use crate::api::{Answer, Call};
use crate::garbage::Propagation;
use crate::go_json;
use crate::lifecycle::{self, DeleteOptions, Deletion};
use crate::object::{self, text};
use crate::request::WriteOptions;
use crate::respond;
use crate::status::{FieldError, Status};
use crate::store::Key;
use crate::strategy;

/// Options from the body, or from the query when there is no body.
fn options(call: &Call<'_>) -> Result<(DeleteOptions, WriteOptions), Status> {
    let mut write = WriteOptions::of(&call.params, "DeleteOptions")?;
    if call.body.is_empty() {
        let asked = Some(call.params.get("propagationPolicy")).filter(|word| !word.is_empty());
        let orphan = call.params.has("orphanDependents").then(|| call.params.flag("orphanDependents"));
        let propagation = propagation(asked, orphan)?;
        let grace = call.params.number("gracePeriodSeconds")?;
        return Ok((DeleteOptions { grace, propagation, ..DeleteOptions::default() }, write));
    }
    call.require_json()?;
    let body = go_json::parse(&call.body)
        .map_err(|why| Status::bad_request(format!("couldn't get version/kind; json parse error: {why}")))?;
    write.dry_run |= object::list(&body, "/dryRun").iter().any(|one| one == "All");
    Ok((of_body(&body)?, write))
}

/// Options as a body says them.
///
/// # Errors
/// 422.
pub(super) fn of_body(body: &Value) -> Result<DeleteOptions, Status> {
    let given = |pointer: &str| Some(text(body, pointer).to_owned()).filter(|text| !text.is_empty());
    Ok(DeleteOptions {
        grace: body.get("gracePeriodSeconds").and_then(Value::as_i64),
        uid: given("/preconditions/uid"),
        resource_version: given("/preconditions/resourceVersion"),
        propagation: propagation(
            body["propagationPolicy"].as_str(),
            body.get("orphanDependents").and_then(Value::as_bool),
        )?,
    })
}

/// How far a deletion reaches, in the new spelling or the old one.
///
/// # Errors
/// 422.
fn propagation(asked: Option<&str>, orphan: Option<bool>) -> Result<Option<Propagation>, Status> {
    let invalid = |error| Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &[error]));
    match (asked, orphan) {
        (Some(word), Some(_)) => {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            invalid(FieldError::invalid("propagationPolicy", &word.into(), why))
        }
        (Some(word), None) => match Propagation::parse(word) {
            Some(known) => Ok(Some(known)),
            None => invalid(FieldError::unsupported("propagationPolicy", &word.into(), &Propagation::NAMES)),
        },
        (None, Some(true)) => Ok(Some(Propagation::Orphan)),
        (None, Some(false)) => Ok(Some(Propagation::Background)),
        (None, None) => Ok(None),
    }
}

/// A job's pods stay when it is not said what becomes of them, and the client is told.
fn warn(call: &mut Call<'_>, options: &DeleteOptions) {
    if call.resource.group == "batch" && call.resource.plural == "jobs" && options.propagation.is_none() {
        call.warnings.push(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"
                .to_owned(),
        );
    }
}

pub(super) async fn delete(call: &mut Call<'_>) -> Answer {
    let (options, write) = options(call)?;
    warn(call, &options);
    let (api, resource, key) = (call.api, call.resource, call.key());
    let current = api.store.get(&key).ok_or_else(|| call.not_found())?;
    admit(call, &key, current.value(), &write).await?;
    if write.dry_run {
        return Ok(super::single(call, StatusCode::OK, &current));
    }
    let deletion = api.store.change(|tx| lifecycle::delete(api, tx, resource, &key, &options))?;
    Ok(match deletion {
        Deletion::Gone(last) if !strategy::returns_deleted(resource) => {
            let mut details = json!({"name": key.name});
            if !resource.group.is_empty() {
                details["group"] = resource.group.into();
            }
            details["kind"] = resource.plural.into();
            details["uid"] = object::uid(last.value()).into();
            let done =
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
            respond::value(StatusCode::OK, &done)
        }
        Deletion::Gone(object) | Deletion::Marked(object) => super::single(call, StatusCode::OK, &object),
    })
}

pub(super) async fn delete_collection(call: &mut Call<'_>) -> Answer {
    let (options, write) = options(call)?;
    warn(call, &options);
    let selection = Selection::of(call)?;
    let (api, resource) = (call.api, call.resource);
    let (found, version) = api.store.list(resource, &call.info.namespace, None);
    let matching: Vec<_> = found.into_iter().filter(|object| selection.matches(object.value())).collect();
    for object in &matching {
        let key = Key::new(resource, object::namespace(object.value()), object::name(object.value()));
        admit(call, &key, object.value(), &write).await?;
        if !write.dry_run {
            match api.store.change(|tx| lifecycle::delete(api, tx, resource, &key, &options)) {
                // Someone else was faster.
                Err(status) if status.code == 404 => {}
                Err(status) => return Err(status),
                Ok(_) => {}
            }
        }
    }
    Ok(read::listed(resource, json!({"resourceVersion": version.to_string()}), &matching))
}

pub(super) async fn admit(call: &mut Call<'_>, key: &Key, value: &Value, write: &WriteOptions) -> Result<(), Status> {
    let namespace = if call.resource.is_core("namespaces") { key.name.clone() } else { key.namespace.clone() };
    let mut attributes = Attributes {
        operation: Operation::Delete,
        resource: call.resource,
        subresource: "",
        namespace: &namespace,
        name: &key.name,
        user: &call.user,
        options: write.to_value("DeleteOptions"),
        dry_run: write.dry_run,
        object: None,
        old: Some(value.clone()),
    };
    admission::admit(&call.api.store, &call.api.callers, &mut attributes, &mut call.warnings).await
}
