//! Rules for the volumes of a pod, and for the lifetime of tokens that they ask for.

use serde_json::Value;

use super::Errors;
use crate::names;
use crate::object::{self, list, text};
use crate::status::FieldError;

/// Shortest lifetime of a projected token, in seconds.
const MIN_LIFETIME: i64 = 600;
/// Longest lifetime that is accepted, in seconds.
const MAX_LIFETIME: i64 = 1 << 32;

/// Checks a token lifetime: the words are those of pods and of token requests alike.
pub(crate) fn check_lifetime(field: &str, seconds: i64, min: i64, errors: &mut Errors) {
    if seconds < min {
        errors.push(FieldError::invalid(
            field,
            &seconds.into(),
            &format!("may not specify a duration less than {} minutes", min / 60),
        ));
    }
    if seconds > MAX_LIFETIME {
        errors.push(FieldError::invalid(field, &seconds.into(), "may not specify a duration larger than 2^32 seconds"));
    }
}

/// Checks the volumes and gives their names.
pub(super) fn volumes<'a>(spec: &'a Value, here: &str, errors: &mut Errors) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for (index, volume) in list(spec, "/volumes").iter().enumerate() {
        let at = format!("{here}.volumes[{index}]");
        let name = text(volume, "/name");
        if name.is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        }
        for complaint in if name.is_empty() { Vec::new() } else { names::dns_label(name) } {
            errors.push(FieldError::invalid(format!("{at}.name"), &name.into(), &complaint));
        }
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{at}.name"), &name.into()));
        }
        seen.push(name);
        source(volume, &at, errors);
    }
    seen
}

fn source(volume: &Value, at: &str, errors: &mut Errors) {
    let sources: Vec<&String> =
        volume.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| *key != "name").collect();
    if sources.is_empty() {
        errors.push(FieldError::required(at, "must specify a volume type"));
    }
    for extra in sources.iter().skip(1) {
        errors.push(FieldError::forbidden(format!("{at}.{extra}"), "may not specify more than 1 volume type"));
    }
    if volume.get("secret").is_some_and(|secret| text(secret, "/secretName").is_empty()) {
        errors.push(FieldError::required(format!("{at}.secret.secretName"), ""));
    }
    if volume.get("configMap").is_some_and(|map| text(map, "/name").is_empty()) {
        errors.push(FieldError::required(format!("{at}.configMap.name"), ""));
    }
    for key in ["secret", "configMap", "downwardAPI", "projected"] {
        if volume
            .pointer(&format!("/{key}/defaultMode"))
            .and_then(Value::as_i64)
            .is_some_and(|mode| !(0..=0o777).contains(&mode))
        {
            let field = format!("{at}.{key}.defaultMode");
            errors.push(FieldError::invalid(
                field,
                &volume[key]["defaultMode"],
                "must be a number between 0 and 0777 (octal), both inclusive",
            ));
        }
    }
    if let Some(projected) = volume.get("projected") {
        projected_sources(projected, &format!("{at}.projected"), errors);
    }
}

fn projected_sources(projected: &Value, at: &str, errors: &mut Errors) {
    let mut paths: Vec<String> = Vec::new();
    for (index, source) in list(projected, "/sources").iter().enumerate() {
        let here = format!("{at}.sources[{index}]");
        let kinds = source.as_object().map_or(0, object::Fields::len);
        if kinds == 0 {
            errors.push(FieldError::required(&here, "must specify a volume type"));
        } else if kinds > 1 {
            errors.push(FieldError::forbidden(&here, "may not specify more than 1 volume type"));
        }
        let mut used: Vec<(String, &str)> = Vec::new();
        for key in ["secret", "configMap"] {
            if let Some(keys) = source.get(key)
                && text(keys, "/name").is_empty()
            {
                errors.push(FieldError::required(format!("{here}.{key}.name"), ""));
            }
        }
        for key in ["secret", "configMap", "downwardAPI"] {
            for (position, item) in list(source, &format!("/{key}/items")).iter().enumerate() {
                used.push((format!("{here}.{key}.items[{position}].path"), text(item, "/path")));
            }
        }
        if let Some(token) = source.get("serviceAccountToken") {
            let field = format!("{here}.serviceAccountToken");
            check_lifetime(
                &format!("{field}.expirationSeconds"),
                token["expirationSeconds"].as_i64().unwrap_or(3600),
                MIN_LIFETIME,
                errors,
            );
            if text(token, "/path").is_empty() {
                errors.push(FieldError::required(format!("{field}.path"), ""));
            } else {
                used.push((format!("{field}.path"), text(token, "/path")));
            }
        }
        for (field, path) in used {
            relative_path(path, &field, errors);
            if !path.is_empty() && paths.iter().any(|known| known == path) {
                errors.push(FieldError::invalid(&here, &path.into(), "conflicting duplicate paths"));
            }
            paths.push(path.to_owned());
        }
    }
}

/// A path below a volume's root.
pub(super) fn relative_path(path: &str, field: &str, errors: &mut Errors) {
    if path.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    if path.starts_with('/') {
        errors.push(FieldError::invalid(field, &path.into(), "must be a relative path"));
    }
    if path.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid(field, &path.into(), "must not contain '..'"));
    } else if path.starts_with("..") {
        errors.push(FieldError::invalid(field, &path.into(), "must not start with '..'"));
    }
}
