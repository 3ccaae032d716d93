//! Server-side apply: a configuration with a field manager, for an object that there is or that there is to be.

use serde_json::Value;

use super::{create, update};
use crate::api::{Answer, Call};
use crate::managed::{self, Writer};
use crate::object::{self, text};
use crate::request::WriteOptions;
use crate::status::{FieldError, Status};

/// The media type.
pub(super) const MEDIA: &str = "application/apply-patch+yaml";

pub(super) async fn apply(call: &mut Call<'_>) -> Answer {
    let options = WriteOptions::of(&call.params, "PatchOptions")?;
    if options.field_manager.is_empty() {
        let error = FieldError::required("fieldManager", "is required for apply patch");
        return Err(Status::invalid("meta.k8s.io", "PatchOptions", "", &[error]));
    }
    let resource = call.resource;
    let config = read(call)?;
    let force = call.params.flag("force");
    let (manager, now) = (options.field_manager.as_str(), call.api.now());
    let subresource = call.info.subresource.clone();
    let writer = Writer { manager, resource, subresource: &subresource, now: &now };
    if call.api.store.get(&call.key()).is_none() {
        if !subresource.is_empty() {
            return Err(call.not_found());
        }
        let value = managed::apply(writer, &Value::Null, &config, force)?;
        call.may_create()?;
        return create::store(call, value, &options, update::Owners::Given).await;
    }
    let merged = |old: &Value, _: &mut Vec<String>| {
        let mut value = managed::apply(writer, old, &config, force)?;
        resource.decode(&mut value).map_err(Status::internal_plain)?;
        crate::defaults::apply(resource, &mut value);
        Ok(value)
    };
    update::change(call, &options, "PatchOptions", update::Owners::Given, merged).await
}

/// The configuration, checked as far as it can be without the object.
fn read(call: &Call<'_>) -> Result<Value, Status> {
    let resource = call.resource;
    let text_of_body = std::str::from_utf8(&call.body).unwrap_or_default();
    // YAML, of which JSON is a part.
    let parsed: Result<Value, _> = serde_saphyr::from_str(text_of_body);
    let mut config = parsed.map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
    let (api_version, kind) = (text(&config, "/apiVersion"), text(&config, "/kind"));
    if (api_version, kind) != (resource.api_version().as_str(), resource.kind) {
        let wanted = format!("{}, Kind={}", resource.api_version(), resource.kind);
        return Err(Status::bad_request(format!("failed to apply: {api_version:?} {kind:?} is not {wanted}")));
    }
    let fields = object::fields(&mut config);
    fields.shift_remove("kind");
    fields.shift_remove("apiVersion");
    if config.pointer("/metadata/managedFields").is_some_and(|list| !list.is_null()) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let (given, name) = (object::name(&config).to_owned(), &call.info.name);
    if !given.is_empty() && given != *name {
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    object::metadata(&mut config).insert("name".into(), name.as_str().into());
    let namespace = if resource.namespaced { call.info.namespace.as_str() } else { "" };
    let given = object::namespace(&config);
    if !given.is_empty() && given != namespace {
        return Err(Status::bad_request("the namespace of the object does not match the namespace on the URL"));
    }
    if !namespace.is_empty() {
        object::metadata(&mut config).insert("namespace".into(), namespace.into());
    }
    let unknown = resource.decode(&mut config).map_err(|why| untyped(call, &why))?;
    if let Some(path) = unknown.first() {
        return Err(untyped(call, &format!(".{path}: field not declared in schema")));
    }
    Ok(config)
}

fn untyped(call: &Call<'_>, why: &str) -> Status {
    let (resource, info) = (call.resource, &call.info);
    let name = if info.namespace.is_empty() { info.name.clone() } else { format!("{}/{}", info.namespace, info.name) };
    let version = if resource.group.is_empty() { format!("/{}", resource.version) } else { resource.api_version() };
    Status::internal_plain(format!(
        "failed to create typed patch object ({name}; {version}, Kind={}): {why}",
        resource.kind
    ))
}
