//! Rules for ConfigMaps, Secrets and the definitions of custom kinds.

use serde_json::Value;

use super::Errors;
use crate::names;
use crate::object::{self, Fields};
use crate::resources::Resource;
use crate::status::FieldError;

/// Bytes that all values together may have.
const LIMIT: usize = 1024 * 1024;

pub(super) fn config_map(value: &Value, errors: &mut Errors) {
    let mut size = 0;
    for member in ["data", "binaryData"] {
        for (key, text) in members(value, member) {
            keys(member, key, errors);
            if member == "data" && members(value, "binaryData").any(|(other, _)| other == key) {
                errors.push(FieldError::invalid(
                    format!("data[{key}]"),
                    &key.as_str().into(),
                    "duplicate of key present in binaryData",
                ));
            }
            size += text.as_str().map_or(0, str::len);
        }
    }
    if size > LIMIT {
        errors.push(FieldError::too_long("", LIMIT));
    }
}

/// The few rules without which a definition cannot be served.
pub(super) fn definition(value: &Value, errors: &mut Errors) {
    let word = |pointer: &str| object::text(value, pointer);
    let expected = format!("{}.{}", word("/spec/names/plural"), word("/spec/group"));
    if object::name(value) != expected {
        errors.push(FieldError::invalid(
            "metadata.name",
            &object::name(value).into(),
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    for (field, pointer) in [
        ("spec.group", "/spec/group"),
        ("spec.scope", "/spec/scope"),
        ("spec.names.plural", "/spec/names/plural"),
        ("spec.names.kind", "/spec/names/kind"),
    ] {
        if word(pointer).is_empty() {
            errors.push(FieldError::required(field, ""));
        }
    }
    let stored = object::list(value, "/spec/versions").iter().filter(|version| version["storage"] == true).count();
    if stored != 1 {
        let versions = value.pointer("/spec/versions").cloned().unwrap_or_default();
        errors.push(FieldError::invalid(
            "spec.versions",
            &versions,
            "must have exactly one version marked as storage version",
        ));
    }
}

pub(super) fn secret(value: &Value, errors: &mut Errors) {
    let mut size = 0;
    for (key, text) in members(value, "data") {
        keys("data", key, errors);
        size += text.as_str().map_or(0, |text| text.len() / 4 * 3);
    }
    if size > LIMIT {
        errors.push(FieldError::too_long("data", LIMIT));
    }
    let required: &[&str] = match value["type"].as_str().unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in required {
        if !members(value, "data").any(|(name, _)| name == key) {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        }
    }
}

/// What `immutable` and the type forbid.
pub(super) fn update(resource: &Resource, value: &Value, old: &Value, errors: &mut Errors) {
    let is_secret = resource.plural == "secrets";
    if is_secret && value.get("type") != old.get("type") {
        errors.push(FieldError::invalid("type", &value["type"], "field is immutable"));
    }
    if old.get("immutable") == Some(&Value::Bool(true)) {
        if value.get("immutable") != Some(&Value::Bool(true)) {
            errors.push(FieldError::forbidden("immutable", "field is immutable when `immutable` is set"));
        }
        for member in if is_secret { &["data"][..] } else { &["data", "binaryData"] } {
            if value.get(member) != old.get(member) {
                errors.push(FieldError::forbidden(*member, "field is immutable when `immutable` is set"));
            }
        }
    }
    if is_secret { secret(value, errors) } else { config_map(value, errors) }
}

fn keys(member: &str, key: &str, errors: &mut Errors) {
    for complaint in names::data_key(key) {
        errors.push(FieldError::invalid(format!("{member}[{key}]"), &key.into(), &complaint));
    }
}

fn members<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(member).and_then(Value::as_object).into_iter().flat_map(Fields::iter)
}
