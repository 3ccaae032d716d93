//! Creating objects, and binding pods to nodes.

use http::StatusCode;
use serde_json::{Value, json};

use super::update::Owners;
use crate::admission::{self, Attributes, Operation};
use crate::api::{Answer, Call};
use crate::decode::{self, Expected};
use crate::managed::{self, Writer};
use crate::object::{self, text};
use crate::request::WriteOptions;
use crate::resources;
use crate::respond;
use crate::status::Status;
use crate::store::Key;
use crate::{controllers, defaults, lifecycle, rbac, strategy, validation};

/// Letters of `generateName` that are kept: five more come behind.
const LONGEST_BASE: usize = 58;

pub(super) async fn create(call: &mut Call<'_>) -> Answer {
    call.require_json()?;
    let options = WriteOptions::of(&call.params, "CreateOptions")?;
    let resource = call.resource;
    let expected = resource.expected();
    let value = decode::object(&call.body, expected, options.field_validation, &mut call.warnings)?;
    store(call, value, &options, Owners::Found).await
}

/// Brings a new object through admission and validation into the store. Owners that it has are kept, as after an apply.
pub(super) async fn store(call: &mut Call<'_>, mut value: Value, options: &WriteOptions, owners: Owners) -> Answer {
    let resource = call.resource;
    let given = managed::take(&mut value).filter(|_| owners == Owners::Given);
    wipe(&mut value);
    settle_namespace(call, &mut value)?;
    defaults::apply(resource, &mut value);
    let owned = given.or_else(|| {
        let (manager, now) = (call.manager(options), call.api.now());
        let writer = Writer { manager: &manager, resource, subresource: "", now: &now };
        managed::updated(writer, None, None, &Value::Null, &value)
    });
    let name = object::name(&value).to_owned();
    let api = call.api;
    // A namespace is its own namespace to webhooks.
    let namespace = if resource.is_core("namespaces") { name.clone() } else { call.info.namespace.clone() };
    let mut attributes = Attributes {
        operation: Operation::Create,
        resource,
        subresource: "",
        namespace: &namespace,
        name: &name,
        user: &call.user,
        // As if it had been created by a POST, whatever it came by.
        options: options.to_value("CreateOptions"),
        dry_run: options.dry_run,
        object: Some(value),
        old: None,
    };
    admission::admit(&api.store, &api.callers, &mut attributes, &mut call.warnings).await?;
    let mut value = attributes.object.take().unwrap_or(Value::Null);
    rbac::escalation::confirm(&api.store, &call.user, resource, &call.info.namespace, &value, None)?;
    complete(call, &mut value);
    managed::put(&mut value, owned);
    let errors = validation::create(resource, &value);
    if !errors.is_empty() {
        return Err(Status::invalid(resource.group, resource.kind, object::name(&value), &errors));
    }
    if !text(&value, "/metadata/resourceVersion").is_empty() {
        return Err(Status::plain(500, "resourceVersion should not be set on objects to be created"));
    }
    let key = Key::new(resource, object::namespace(&value), object::name(&value));
    if options.dry_run {
        return match api.store.get(&key) {
            Some(_) => Err(Status::already_exists(resource, &key.name)),
            None => Ok(super::unstored(call, StatusCode::CREATED, &value)),
        };
    }
    let created = api.store.change(|tx| {
        if tx.get(&key).is_some() {
            return Err(Status::already_exists(resource, &key.name));
        }
        // The namespace may have begun to go while webhooks were asked.
        if resource.namespaced {
            let home = tx.get(&Key::new(resources::core("namespaces"), "", &key.namespace));
            if home.is_none_or(|home| object::is_deleting(home.value())) {
                return Err(Status::not_found_as("", "namespaces", &key.namespace));
            }
        }
        let object = tx.put(key.clone(), value);
        lifecycle::created(api, tx, resource, &key, &object);
        Ok(object)
    })?;
    if controllers::is_workload(resource) {
        controllers::start(api);
    }
    Ok(super::single(call, StatusCode::CREATED, &created))
}

/// Members that only the server sets.
fn wipe(value: &mut Value) {
    let metadata = object::metadata(value);
    for key in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generation",
        "managedFields",
    ] {
        metadata.shift_remove(key);
    }
}

fn settle_namespace(call: &Call<'_>, value: &mut Value) -> Result<(), Status> {
    let wanted = if call.resource.namespaced { call.info.namespace.as_str() } else { "" };
    let given = object::namespace(value);
    if !given.is_empty() && given != wanted {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !wanted.is_empty() {
        object::metadata(value).insert("namespace".into(), wanted.into());
    }
    Ok(())
}

/// Name, id and date, then what the kind adds.
fn complete(call: &Call<'_>, value: &mut Value) {
    let base = text(value, "/metadata/generateName").to_owned();
    let is_generated = object::name(value).is_empty() && !base.is_empty();
    let metadata = object::metadata(value);
    if is_generated {
        let kept: String = base.chars().take(LONGEST_BASE).collect();
        metadata.insert("name".into(), format!("{kept}{}", object::suffix()).into());
    }
    metadata.insert("uid".into(), object::new_uid().into());
    metadata.insert("creationTimestamp".into(), call.api.now().into());
    defaults::apply(call.resource, value);
    strategy::prepare_create(call.resource, value);
}

/// `pods/binding`: what a scheduler does.
pub(super) async fn bind(call: &mut Call<'_>) -> Answer {
    call.require_json()?;
    let options = WriteOptions::of(&call.params, "CreateOptions")?;
    let expected = Expected { group: "", version: "v1", kind: "Binding", custom: None };
    let binding = decode::object(&call.body, expected, options.field_validation, &mut call.warnings)?;
    let (kind, node) = (text(&binding, "/target/kind"), text(&binding, "/target/name"));
    let mut errors = Vec::new();
    if !["", "Node"].contains(&kind) {
        errors.push(crate::status::FieldError::unsupported("target.kind", &kind.into(), &["Node", "<empty>"]));
    }
    if node.is_empty() {
        errors.push(crate::status::FieldError::required("target.name", ""));
    }
    if !errors.is_empty() {
        return Err(Status::invalid("", "Binding", object::name(&binding), &errors));
    }
    let key = call.key();
    let refuse = |why: String| Err(Status::conflict("", "pods/binding", &key.name, &why));
    let now = call.api.now();
    call.api.store.change(|tx| {
        let pod = tx.get(&key).ok_or_else(|| Status::not_found(call.resource, &key.name))?;
        let wanted_uid = object::uid(&binding);
        if !wanted_uid.is_empty() && wanted_uid != object::uid(pod.value()) {
            return refuse(format!(
                "Precondition failed: UID in precondition: {wanted_uid}, UID in object meta: {}",
                object::uid(pod.value())
            ));
        }
        if object::is_deleting(pod.value()) {
            return refuse(format!("pod {} is being deleted, cannot be assigned to a host", key.name));
        }
        let bound = text(pod.value(), "/spec/nodeName");
        if !bound.is_empty() {
            return refuse(format!("pod {} is already assigned to node {bound:?}", key.name));
        }
        if options.dry_run {
            return Ok(());
        }
        let mut value = pod.value().clone();
        object::section(&mut value, "spec").insert("nodeName".into(), node.into());
        if let Some(Value::Object(annotations)) = binding.pointer("/metadata/annotations") {
            let known = object::metadata(&mut value).entry("annotations").or_insert_with(|| json!({}));
            object::fields(known).extend(annotations.clone());
        }
        let status = object::section(&mut value, "status");
        let conditions = status.entry("conditions").or_insert_with(|| json!([]));
        if let Value::Array(conditions) = conditions {
            conditions.retain(|condition| text(condition, "/type") != "PodScheduled");
            conditions.push(
                json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}),
            );
        }
        tx.put(key.clone(), value);
        Ok(())
    })?;
    Ok(respond::value(
        StatusCode::CREATED,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
    ))
}
