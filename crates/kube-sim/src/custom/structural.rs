//! Objects of a custom kind against their structural schema: unknown members go, defaults come, values are checked.
//!
//! Follows `apiextensions-apiserver/pkg/apiserver/schema` and the messages of `kube-openapi/pkg/validation`. Patterns, formats and CEL rules
//! are not checked.

use serde_json::Value;

use crate::object::list;
use crate::status::FieldError;

/// Reads an object: prunes (the paths of what goes are returned) and fills in defaults.
///
/// # Errors
/// Go's message on metadata of a wrong type.
pub(crate) fn decode(schema: &Value, value: &mut Value) -> Result<Vec<String>, String> {
    let mut unknown = crate::schema::decode("", value)?;
    prune(schema, value, "", true, &mut unknown);
    default(schema, value);
    Ok(unknown)
}

fn is_set(schema: &Value, flag: &str) -> bool {
    schema.get(flag).is_some_and(|value| *value == true)
}

fn prune(schema: &Value, value: &mut Value, path: &str, is_resource: bool, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let preserves = is_set(schema, "x-kubernetes-preserve-unknown-fields");
            let is_resource = is_resource || is_set(schema, "x-kubernetes-embedded-resource");
            let keys: Vec<String> = fields.keys().cloned().collect();
            for key in keys {
                if is_resource && ["apiVersion", "kind", "metadata"].contains(&key.as_str()) {
                    continue;
                }
                let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let known = schema
                    .get("properties")
                    .and_then(|all| all.get(&key))
                    .or_else(|| schema.get("additionalProperties"));
                match (known, fields.get_mut(&key)) {
                    (Some(inner), Some(value)) if inner.is_object() => prune(inner, value, &here, false, unknown),
                    (Some(_), _) => {}
                    _ if preserves => {}
                    _ => {
                        fields.shift_remove(&key);
                        unknown.push(here);
                    }
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune(&schema["items"], item, &format!("{path}[{index}]"), false, unknown);
            }
        }
        _ => {}
    }
}

fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if let Some(given) = inner.get("default")
                    && fields.get(key).is_none_or(|value| value.is_null() && !is_set(inner, "nullable"))
                {
                    fields.insert(key.clone(), given.clone());
                }
                if let Some(value) = fields.get_mut(key) {
                    default(inner, value);
                }
            }
            if let Some(inner) = schema.get("additionalProperties") {
                fields.values_mut().for_each(|value| default(inner, value));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| default(&schema["items"], item)),
        _ => {}
    }
}

/// Checks a value; `path` is empty for the object itself.
pub(crate) fn validate(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if value.is_null() && (is_set(schema, "nullable") || path.is_empty()) {
        return;
    }
    if !has_type(schema, value) {
        let given = type_of(value);
        let wanted = schema["type"].as_str().unwrap_or("integer,string");
        errors.push(FieldError::invalid(
            path,
            &given.into(),
            &format!("{path} in body must be of type {wanted}: {given:?}"),
        ));
        return;
    }
    let allowed = list(schema, "/enum");
    if !allowed.is_empty() && !allowed.contains(value) {
        let allowed: Vec<String> =
            allowed.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
        errors.push(FieldError::unsupported(path, value, &allowed.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    let mut wrong = |detail: String| errors.push(FieldError::invalid(path, value, &format!("{path} in body {detail}")));
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(number) = value.as_f64() {
        if let Some(limit) = bound("minimum").filter(|limit| number < *limit) {
            wrong(format!("should be greater than or equal to {limit}"));
        }
        if let Some(limit) = bound("maximum").filter(|limit| number > *limit) {
            wrong(format!("should be less than or equal to {limit}"));
        }
    }
    let size = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            if let Some(limit) = size("minLength").filter(|limit| length < *limit) {
                wrong(format!("should be at least {limit} chars long"));
            }
            if let Some(limit) = size("maxLength").filter(|limit| length > *limit) {
                errors.push(FieldError::too_long(path, limit));
            }
        }
        Value::Array(items) => {
            if let Some(limit) = size("minItems").filter(|limit| items.len() < *limit) {
                wrong(format!("should have at least {limit} items"));
            }
            if let Some(inner) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    validate(inner, item, &format!("{path}[{index}]"), errors);
                }
            }
        }
        Value::Object(fields) => {
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            for key in list(schema, "/required").iter().filter_map(Value::as_str) {
                let is_the_servers = path.is_empty() && ["apiVersion", "kind"].contains(&key);
                if !is_the_servers && !fields.contains_key(key) {
                    errors.push(FieldError::required(below(key), ""));
                }
            }
            for (key, inner) in fields {
                let known = schema
                    .get("properties")
                    .and_then(|all| all.get(key))
                    .or_else(|| schema.get("additionalProperties"));
                if let Some(known) = known.filter(|known| known.is_object() && !(path.is_empty() && key == "metadata"))
                {
                    validate(known, inner, &below(key), errors);
                }
            }
        }
        _ => {}
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    if is_set(schema, "x-kubernetes-int-or-string") {
        return value.is_string() || value.is_i64();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        Some("number") => value.is_number(),
        _ => true,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::status::Status;

    fn schema() -> Value {
        json!({"type": "object", "required": ["spec"], "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "list": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        }}}})
    }

    #[test]
    fn unknown_members_go_and_defaults_come() {
        let mut value = json!({"metadata": {"name": "w"}, "nope": 1, "spec": {"size": 2, "free": {"x": {"y": 1}}, "list": [{"name": "n", "more": 1}]}});
        assert_eq!(decode(&schema(), &mut value), Ok(vec!["nope".to_owned(), "spec.list[0].more".to_owned()]));
        assert_eq!(
            value,
            json!({"metadata": {"name": "w"}, "spec": {"size": 2, "free": {"x": {"y": 1}}, "list": [{"name": "n"}], "mode": "a"}})
        );
    }

    #[test]
    fn values_are_held_against_the_schema() {
        let check = |spec: Value, expected: &str| {
            let mut errors = Vec::new();
            validate(&schema(), &json!({"metadata": {}, "spec": spec}), "", &mut errors);
            let message =
                if errors.is_empty() { String::new() } else { Status::invalid("", "W", "w", &errors).message };
            assert_eq!(message, expected);
        };
        check(json!({"size": 1}), "");
        check(json!({}), r#"W "w" is invalid: spec.size: Required value"#);
        check(
            json!({"size": "1"}),
            r#"W "w" is invalid: spec.size: Invalid value: "string": spec.size in body must be of type integer: "string""#,
        );
        check(
            json!({"size": 10}),
            r#"W "w" is invalid: spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9"#,
        );
        check(
            json!({"size": 1, "mode": "c"}),
            r#"W "w" is invalid: spec.mode: Unsupported value: "c": supported values: "a", "b""#,
        );
    }
}
