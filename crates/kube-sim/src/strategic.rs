//! Strategic merge patch: objects member by member, lists by the key that the schema names, and the `$` directives.
//!
//! Follows `k8s.io/apimachinery/pkg/util/strategicpatch`. Pure: a value, a patch and its shape in, the value changed.

use serde_json::Value;

use crate::object::{Fields, fields};
use crate::schema::{List, Shape};

const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

/// Applies a patch.
///
/// # Errors
/// What is wrong with the patch, in the real server's words.
pub(crate) fn merge(value: &mut Value, patch: &Value, shape: Shape<'_>) -> Result<(), String> {
    let Value::Object(changes) = patch else {
        *value = patch.clone();
        return Ok(());
    };
    match changes.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            let kept = changes.iter().filter(|(key, _)| *key != "$patch");
            *value = Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect());
            return Ok(());
        }
        Some("delete") => {
            *value = Value::Object(Fields::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("Unknown patch type found: {other}")),
    }
    let into = fields(value);
    if let Some(Value::Array(kept)) = changes.get("$retainKeys") {
        into.retain(|key, _| kept.iter().any(|one| one == key));
    }
    for (key, change) in changes {
        if let Some(list) = key.strip_prefix(DELETE) {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (into.get_mut(list), change) {
                items.retain(|item| !gone.contains(item));
            }
        } else if change.is_null() {
            into.shift_remove(key);
        } else if !key.starts_with('$') {
            let inner = shape.field(key);
            match change {
                Value::Object(_) => merge(into.entry(key).or_insert(Value::Null), change, inner)?,
                Value::Array(changes) => {
                    list(into.entry(key).or_insert_with(|| Value::Array(Vec::new())), changes, inner)?;
                }
                other => drop(into.insert(key.clone(), other.clone())),
            }
        }
    }
    for (key, order) in changes {
        if let Some(name) = key.strip_prefix(ORDER)
            && let (Some(Value::Array(items)), Value::Array(order)) = (into.get_mut(name), order)
        {
            sort(items, order, shape.field(name));
        }
    }
    Ok(())
}

fn list(value: &mut Value, changes: &[Value], shape: Shape<'_>) -> Result<(), String> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    let Value::Array(items) = value else { return Ok(()) };
    match shape.list() {
        List::Atomic => *items = changes.to_vec(),
        List::Set => {
            for change in changes {
                if !items.contains(change) {
                    items.push(change.clone());
                }
            }
        }
        List::Map(keys) => {
            let key = keys.split(',').next().unwrap_or(keys);
            if changes.iter().any(|change| change["$patch"] == "replace") {
                items.clear();
            }
            for change in changes {
                let id = change.get(key).filter(|id| !id.is_null());
                match (change["$patch"].as_str(), id) {
                    (Some("replace"), None) => {}
                    (_, None) => return Err(format!("map: {change} does not contain declared merge key: {key}")),
                    (Some("delete"), Some(id)) => items.retain(|item| item.get(key) != Some(id)),
                    (_, Some(id)) => match items.iter_mut().find(|item| item.get(key) == Some(id)) {
                        Some(item) => merge(item, change, shape.item())?,
                        None => {
                            let mut item = Value::Null;
                            merge(&mut item, change, shape.item())?;
                            items.push(item);
                        }
                    },
                }
            }
        }
    }
    Ok(())
}

/// Puts the items that the patch orders into that order; the others stay where they stood between them.
fn sort(items: &mut Vec<Value>, order: &[Value], shape: Shape<'_>) {
    let key = match shape.list() {
        List::Map(keys) => keys.split(',').next().unwrap_or(keys),
        _ => "",
    };
    let id = |item: &Value| if key.is_empty() { item.clone() } else { item.get(key).cloned().unwrap_or_default() };
    let order: Vec<Value> = order.iter().map(id).collect();
    let place = |item: &Value| order.iter().position(|one| *one == id(item));
    let mut ordered: Vec<Value> = items.iter().filter(|item| place(item).is_some()).cloned().collect();
    ordered.sort_by_key(|item| place(item));
    let mut ordered = ordered.into_iter();
    for item in items {
        if place(item).is_some()
            && let Some(next) = ordered.next()
        {
            *item = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema;

    fn pod(value: Value, patch: Value) -> Result<Value, String> {
        let mut value = value;
        merge(&mut value, &patch, Shape::Struct(schema::find("Pod").expect("must be there"))).map(|()| value)
    }

    fn check(value: Value, patch: Value, expected: Value) {
        assert_eq!(pod(value, patch.clone()), Ok(expected), "{patch}");
    }

    fn containers(items: Value) -> Value {
        json!({"spec": {"containers": items}})
    }

    #[test]
    fn lists_are_merged_by_their_key_where_they_have_one() {
        let both = containers(json!([{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]));
        check(
            both.clone(),
            containers(json!([{"name": "b", "image": "y:2"}, {"name": "c", "image": "z:1"}])),
            containers(
                json!([{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2"}, {"name": "c", "image": "z:1"}]),
            ),
        );
        check(
            both.clone(),
            containers(json!([{"name": "a", "$patch": "delete"}])),
            containers(json!([{"name": "b", "image": "y:1"}])),
        );
        check(
            both.clone(),
            containers(json!([{"$patch": "replace"}, {"name": "c"}])),
            containers(json!([{"name": "c"}])),
        );
        assert_eq!(
            pod(both, containers(json!([{"image": "y:2"}]))).expect_err("an item without its key"),
            r#"map: {"image":"y:2"} does not contain declared merge key: name"#
        );
        let args = |list: Value| containers(json!([{"name": "a", "args": list}]));
        check(args(json!(["1", "2"])), args(json!(["3"])), args(json!(["3"])));
    }

    #[test]
    fn sets_are_joined_and_maps_are_merged() {
        check(
            json!({"metadata": {"finalizers": ["a/b"], "labels": {"a": "1", "b": "2"}}}),
            json!({"metadata": {"finalizers": ["a/c"], "labels": {"a": null, "c": "3"}}}),
            json!({"metadata": {"finalizers": ["a/b", "a/c"], "labels": {"b": "2", "c": "3"}}}),
        );
        check(
            json!({"metadata": {"finalizers": ["a/b", "a/c"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]}}),
            json!({"metadata": {"finalizers": ["a/c"]}}),
        );
    }

    #[test]
    fn directives_replace_retain_and_order() {
        check(
            json!({"spec": {"securityContext": {"runAsUser": 1, "fsGroup": 2}}}),
            json!({"spec": {"securityContext": {"$retainKeys": ["runAsUser"], "runAsUser": 3}}}),
            json!({"spec": {"securityContext": {"runAsUser": 3}}}),
        );
        check(
            json!({"metadata": {"labels": {"a": "1"}}}),
            json!({"metadata": {"labels": {"$patch": "replace", "b": "2"}}}),
            json!({"metadata": {"labels": {"b": "2"}}}),
        );
        check(
            containers(json!([{"name": "a"}, {"name": "own"}, {"name": "b"}])),
            json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": []}}),
            containers(json!([{"name": "b"}, {"name": "own"}, {"name": "a"}])),
        );
    }
}
