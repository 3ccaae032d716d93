//! `scale`: the size of a set, as an object of its own.

use http::StatusCode;
use serde_json::{Value, json};

use super::patch::Patch;
use super::update::{self, Owners};
use crate::api::{Answer, Call};
use crate::decode::{self, Expected};
use crate::object::{self, list, text};
use crate::request::WriteOptions;
use crate::respond;
use crate::schema::{self, Shape};
use crate::status::{FieldError, Status};

pub(super) async fn scale(call: &mut Call<'_>, verb: &str) -> Answer {
    let current = call.api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    let shown = of(current.value());
    let (wanted, options, kind) = match verb {
        "get" => return Ok(respond::value(StatusCode::OK, &shown)),
        "update" => {
            call.require_json()?;
            let options = WriteOptions::of(&call.params, "UpdateOptions")?;
            let expected = Expected { group: "autoscaling", version: "v1", kind: "Scale", custom: None };
            let given = decode::object(&call.body, expected, options.field_validation, &mut call.warnings)?;
            (given, options, "UpdateOptions")
        }
        _ => {
            let options = WriteOptions::of(&call.params, "PatchOptions")?;
            let mut value = shown;
            Patch::parse(call)?.apply(&mut value, schema::find("Scale").map_or(Shape::Untyped, Shape::Struct))?;
            (value, options, "PatchOptions")
        }
    };
    let replicas = wanted.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
    if replicas < 0 {
        let error = FieldError::invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0");
        return Err(Status::invalid("autoscaling", "Scale", &call.info.name, &[error]));
    }
    let based_on = text(&wanted, "/metadata/resourceVersion").to_owned();
    let is_patch = verb == "patch";
    let changed = update::change(call, &options, kind, Owners::Found, |old, _| {
        let mut value = old.clone();
        object::section(&mut value, "spec").insert("replicas".into(), replicas.into());
        if !is_patch && !based_on.is_empty() {
            object::metadata(&mut value).insert("resourceVersion".into(), based_on.as_str().into());
        }
        Ok(value)
    });
    changed.await?;
    let stored = call.api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    let mut answer = of(stored.value());
    answer["spec"]["replicas"] = replicas.into();
    Ok(respond::value(StatusCode::OK, &answer))
}

fn of(set: &Value) -> Value {
    let mut metadata = json!({});
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        object::carry(&mut metadata, &set["metadata"], key);
    }
    let count = |pointer: &str| set.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": count("/spec/replicas")},
        "status": {"replicas": count("/status/replicas"), "selector": selector(&set["spec"]["selector"])},
    })
}

/// A selector in the form of a request's parameter. The oldest kind has a plain map.
fn selector(given: &Value) -> String {
    let is_plain = !["matchLabels", "matchExpressions"].iter().any(|key| given.get(*key).is_some());
    let labels = if is_plain { given } else { &given["matchLabels"] };
    let mut parts: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for one in list(given, "/matchExpressions") {
        let key = text(one, "/key");
        let values: Vec<&str> = list(one, "/values").iter().filter_map(Value::as_str).collect();
        parts.push(match text(one, "/operator") {
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            _ => format!("{key} in ({})", values.join(",")),
        });
    }
    parts.sort();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_written_as_parameters() {
        let check = |given: Value, expected: &str| assert_eq!(selector(&given), expected);
        check(json!({"matchLabels": {"b": "2", "a": "1"}}), "a=1,b=2");
        check(json!({"app": "web"}), "app=web");
        check(
            json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}, {"key": "b", "operator": "Exists"}]}),
            "a in (x,y),b",
        );
    }
}
