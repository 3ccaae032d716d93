//! Replacing an object, and the loop that replacing and patching share: read, change, admit, validate, store.

use http::StatusCode;
use serde_json::Value;

use super::create;
use crate::admission::{self, Attributes, Operation};
use crate::api::{Answer, Call};
use crate::decode;
use crate::managed::{self, Writer};
use crate::object::{self, text};
use crate::request::WriteOptions;
use crate::status::{FieldError, Status};
use crate::{defaults, lifecycle, rbac, strategy, validation};

/// Who says to whom the members of the new state belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    /// What changes belongs to the writer.
    Found,
    /// The new state says it, as after an apply.
    Given,
}

/// Attempts at a change while others change the object too.
const ATTEMPTS: usize = 5;

pub(super) async fn update(call: &mut Call<'_>) -> Answer {
    call.require_json()?;
    let options = WriteOptions::of(&call.params, "UpdateOptions")?;
    let resource = call.resource;
    let expected = resource.expected();
    let mut value = decode::object(&call.body, expected, options.field_validation, &mut call.warnings)?;
    same_object(call, &mut value)?;
    defaults::apply(resource, &mut value);
    let wanted = object::uid(&value).to_owned();
    let is_whole = call.info.subresource.is_empty();
    if is_whole && strategy::creates_on_update(resource) && call.api.store.get(&call.key()).is_none() {
        call.may_create()?;
        return create::store(call, value, &options, Owners::Found).await;
    }
    change(call, &options, "UpdateOptions", Owners::Found, |old, _| {
        let found = object::uid(old);
        if !wanted.is_empty() && wanted != found {
            let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}");
            return Err(Status::conflict(resource.group, resource.plural, object::name(old), &why));
        }
        if text(&value, "/metadata/resourceVersion").is_empty() && strategy::needs_resource_version(resource) {
            let error =
                FieldError::invalid("metadata.resourceVersion", &Value::Null, "must be specified for an update");
            let mut status = Status::invalid(resource.group, resource.plural, object::name(old), &[error]);
            status.message = status.message.replace("Invalid value: null", "Invalid value: 0x0");
            return Err(status);
        }
        Ok(value.clone())
    })
    .await
}

/// Body and path must mean the same object.
///
/// # Errors
/// 400.
pub(super) fn same_object(call: &Call<'_>, value: &mut Value) -> Result<(), Status> {
    let (name, given) = (&call.info.name, object::name(value));
    if given.is_empty() {
        return Err(Status::bad_request("name must be provided"));
    }
    if given != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
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

/// Changes the object of the path. `mutate` gets the current state and gives the wanted one.
pub(super) async fn change(
    call: &mut Call<'_>,
    options: &WriteOptions,
    kind: &str,
    owners: Owners,
    mutate: impl Fn(&Value, &mut Vec<String>) -> Result<Value, Status>,
) -> Answer {
    let (api, resource, key) = (call.api, call.resource, call.key());
    let before = call.warnings.len();
    for _ in 0..ATTEMPTS {
        call.warnings.truncate(before);
        let current = api.store.get(&key).ok_or_else(|| call.not_found())?;
        let old = current.value();
        let mut value = mutate(old, &mut call.warnings)?;
        let based_on = text(&value, "/metadata/resourceVersion").to_owned();
        if !based_on.is_empty() && based_on != text(old, "/metadata/resourceVersion") {
            return Err(Status::modified(resource, &key.name));
        }
        let given = managed::take(&mut value);
        let mut bare = old.clone();
        let known = managed::take(&mut bare);
        let namespace = if resource.is_core("namespaces") { key.name.clone() } else { key.namespace.clone() };
        let mut attributes = Attributes {
            operation: Operation::Update,
            resource,
            subresource: &call.info.subresource,
            namespace: &namespace,
            name: &key.name,
            user: &call.user,
            options: options.to_value(kind),
            dry_run: options.dry_run,
            object: Some(value),
            old: Some(bare.clone()),
        };
        admission::admit(&api.store, &api.callers, &mut attributes, &mut call.warnings).await?;
        let mut value = attributes.object.take().unwrap_or(Value::Null);
        rbac::escalation::confirm(&api.store, &call.user, resource, &key.namespace, &value, Some(old))?;
        strategy::prepare_update(resource, &call.info.subresource, &mut value, old);
        let errors = validation::update(resource, &value, old);
        if !errors.is_empty() {
            return Err(Status::invalid(resource.group, resource.kind, &key.name, &errors));
        }
        object::metadata(&mut value).insert("resourceVersion".into(), old["metadata"]["resourceVersion"].clone());
        let owned = match owners {
            Owners::Given => given,
            Owners::Found => {
                let now = api.now();
                let manager = call.manager(options);
                let writer = Writer { manager: &manager, resource, subresource: &call.info.subresource, now: &now };
                managed::updated(writer, given.as_ref(), known.as_ref(), &bare, &value)
            }
        };
        managed::put(&mut value, owned);
        // A change that changes nothing is no event.
        if value == *old && !lifecycle::ends_with(resource, &value) {
            return Ok(super::single(call, StatusCode::OK, &current));
        }
        if options.dry_run {
            return Ok(super::unstored(call, StatusCode::OK, &value));
        }
        let stored = api.store.change(|tx| {
            let is_current = tx.get(&key).is_some_and(|found| found.resource_version() == current.resource_version());
            is_current.then(|| {
                if lifecycle::ends_with(resource, &value) {
                    let last = crate::object::Object::new(value);
                    lifecycle::remove(api, tx, &key);
                    last
                } else {
                    let object = tx.put(key.clone(), value);
                    lifecycle::updated(api, tx, resource, &key, &object);
                    object
                }
            })
        });
        if let Some(object) = stored {
            return Ok(super::single(call, StatusCode::OK, &object));
        }
        // Someone else was faster. The next attempt starts from their state; a client that named another one is told then.
    }
    Err(Status::modified(resource, &key.name))
}
