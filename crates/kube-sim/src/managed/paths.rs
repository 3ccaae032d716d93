//! Sets of members of an object, in the form of `FieldsV1`: made from a value, compared, joined and taken apart.
//!
//! Follows `structured-merge-diff/fieldpath` and `typed`. A step is `f:name`, `k:{"key":"value"}` of a list's item, or `v:"value"` of a set's.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::Fields;
use crate::schema::{List, Shape};

/// A tree of members; each may belong to the set, and what is below it too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    is_in: bool,
    below: BTreeMap<String, Paths>,
}

/// How two states of an object differ.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Added or modified.
    pub(crate) set: Paths,
    pub(crate) removed: Paths,
}

impl Paths {
    /// The members that someone who applies this value owns.
    pub(crate) fn applied(value: &Value, shape: Shape<'_>) -> Self {
        let mut paths = Self::default();
        match value {
            Value::Object(fields) if !shape.is_atomic() => {
                for (key, value) in fields {
                    let mut inner = Self::applied(value, shape.field(key));
                    inner.is_in |= inner.below.is_empty() && !value.is_array();
                    if !inner.is_empty() {
                        paths.below.insert(format!("f:{key}"), inner);
                    }
                }
            }
            Value::Array(items) if shape.list() != List::Atomic => {
                for item in items {
                    let mut inner = Self::applied(item, shape.item());
                    inner.is_in = true;
                    paths.below.insert(step(item, shape), inner);
                }
            }
            _ => paths.is_in = true,
        }
        paths
    }

    pub(crate) fn of_json(value: &Value) -> Self {
        let mut paths = Self::default();
        for (key, inner) in value.as_object().into_iter().flatten() {
            if key == "." {
                paths.is_in = true;
            } else {
                let mut inner = Self::of_json(inner);
                inner.is_in |= inner.below.is_empty();
                paths.below.insert(key.clone(), inner);
            }
        }
        paths
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut fields = Fields::new();
        if self.is_in && !self.below.is_empty() {
            fields.insert(".".into(), Value::Object(Fields::new()));
        }
        for (key, inner) in &self.below {
            fields.insert(key.clone(), inner.to_json());
        }
        Value::Object(fields)
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.is_in && self.below.is_empty()
    }

    pub(crate) fn add(&mut self, other: &Paths) {
        self.is_in |= other.is_in;
        for (key, inner) in &other.below {
            self.below.entry(key.clone()).or_default().add(inner);
        }
    }

    pub(crate) fn remove(&mut self, other: &Paths) {
        self.is_in &= !other.is_in;
        for (key, inner) in &other.below {
            if let Some(own) = self.below.get_mut(key) {
                own.remove(inner);
                if own.is_empty() {
                    self.below.remove(key);
                }
            }
        }
    }

    /// What both have.
    pub(crate) fn shared(&self, other: &Paths) -> Paths {
        let both =
            self.below.iter().filter_map(|(key, inner)| Some((key.clone(), inner.shared(other.below.get(key)?))));
        Paths { is_in: self.is_in && other.is_in, below: both.filter(|(_, inner)| !inner.is_empty()).collect() }
    }

    /// The set without some members of the object itself, and without all that is below them.
    pub(crate) fn without(&mut self, members: &[&[&str]]) {
        for path in members {
            drop_at(self, path);
        }
    }

    /// The paths as conflicts name them: `.spec.containers[name="a"].image`.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect("", &mut names);
        names
    }

    fn collect(&self, path: &str, names: &mut Vec<String>) {
        if self.is_in {
            names.push(path.to_owned());
        }
        for (key, inner) in &self.below {
            let step = match (key.split_at(2), serde_json::from_str::<Value>(&key[2..])) {
                (("k:", _), Ok(Value::Object(keys))) => {
                    let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    format!("[{}]", keys.join(","))
                }
                (("v:", value), _) => format!("[={value}]"),
                ((_, name), _) => format!(".{name}"),
            };
            inner.collect(&format!("{path}{step}"), names);
        }
    }

    /// Takes the members of the set out of a value.
    pub(crate) fn prune(&self, value: &mut Value, shape: Shape<'_>) {
        match value {
            Value::Object(fields) => {
                for (key, inner) in &self.below {
                    let Some(name) = key.strip_prefix("f:") else { continue };
                    if inner.is_in && inner.below.is_empty() {
                        fields.shift_remove(name);
                    } else if let Some(value) = fields.get_mut(name) {
                        inner.prune(value, shape.field(name));
                        let is_left_empty = value.as_object().is_some_and(Fields::is_empty)
                            || value.as_array().is_some_and(Vec::is_empty);
                        if inner.is_in && is_left_empty {
                            fields.shift_remove(name);
                        }
                    }
                }
            }
            Value::Array(items) => {
                items.retain(|item| !self.below.get(&step(item, shape)).is_some_and(|inner| inner.is_in));
                for item in items {
                    if let Some(inner) = self.below.get(&step(item, shape)) {
                        inner.prune(item, shape.item());
                    }
                }
            }
            _ => {}
        }
    }
}

fn drop_at(paths: &mut Paths, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else { return };
    let key = format!("f:{first}");
    if rest.is_empty() {
        paths.below.remove(&key);
    } else if let Some(inner) = paths.below.get_mut(&key) {
        drop_at(inner, rest);
        if inner.is_empty() {
            paths.below.remove(&key);
        }
    }
}

/// How an item of a list is known.
pub(crate) fn step(item: &Value, shape: Shape<'_>) -> String {
    match shape.list() {
        List::Map(keys) => {
            let mut keys: Vec<&str> = keys.split(',').collect();
            keys.sort_unstable();
            let mut id = Fields::new();
            for key in keys {
                let default = if key == "protocol" { "TCP".into() } else { Value::Null };
                let value = item.get(key).cloned().unwrap_or(default);
                if !value.is_null() {
                    id.insert(key.to_owned(), value);
                }
            }
            format!("k:{}", Value::Object(id))
        }
        _ => format!("v:{item}"),
    }
}

impl Changes {
    /// From one state to the next.
    pub(crate) fn between(old: &Value, new: &Value, shape: Shape<'_>) -> Self {
        let mut changes = Self::default();
        compare(Some(old), Some(new), shape, &mut changes.set, &mut changes.removed);
        changes
    }
}

fn compare(old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>, set: &mut Paths, removed: &mut Paths) {
    if old == new {
        return;
    }
    let is_object = |value: Option<&Value>| value.is_none_or(|value| value.is_object() || value.is_null());
    let is_list = |value: Option<&Value>| value.is_none_or(Value::is_array);
    if is_object(old) && is_object(new) && !shape.is_atomic() {
        let member = |value: Option<&'_ Value>, key: &str| value.and_then(|value| value.get(key)).cloned();
        let keys = [old, new].into_iter().flatten().filter_map(Value::as_object).flat_map(Fields::keys);
        let keys: std::collections::BTreeSet<&String> = keys.collect();
        if keys.is_empty() {
            set.is_in |= new.is_some();
            removed.is_in |= new.is_none();
        }
        for key in keys {
            let (old, new) = (member(old, key), member(new, key));
            inside(format!("f:{key}"), old.as_ref(), new.as_ref(), shape.field(key), set, removed);
        }
    } else if is_list(old) && is_list(new) && shape.list() != List::Atomic {
        let items = |value: Option<&Value>| -> BTreeMap<String, Value> {
            let items = value.and_then(Value::as_array).into_iter().flatten();
            items.map(|item| (step(item, shape), item.clone())).collect()
        };
        let (old, new) = (items(old), items(new));
        for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
            inside(key.clone(), old.get(key), new.get(key), shape.item(), set, removed);
        }
    } else {
        set.is_in |= new.is_some();
        removed.is_in |= new.is_none();
    }
}

fn inside(
    key: String,
    old: Option<&Value>,
    new: Option<&Value>,
    shape: Shape<'_>,
    set: &mut Paths,
    removed: &mut Paths,
) {
    let (mut inner_set, mut inner_removed) = (Paths::default(), Paths::default());
    compare(old, new, shape, &mut inner_set, &mut inner_removed);
    // A member that comes or goes with all that is below it is told itself, but for the structs that are always there.
    let is_own =
        !matches!(new.or(old), Some(Value::Object(_) | Value::Array(_))) || key.starts_with("k:") || shape.is_map();
    inner_set.is_in |= old.is_none() && is_own;
    inner_removed.is_in |= new.is_none() && is_own;
    for (all, inner) in [(set, inner_set), (removed, inner_removed)] {
        if !inner.is_empty() {
            all.below.insert(key.clone(), inner);
        }
    }
}

/// What someone applies, laid over what there is.
pub(crate) fn merge(live: Option<&Value>, config: &Value, shape: Shape<'_>) -> Value {
    match (live, config) {
        (Some(Value::Object(live)), Value::Object(fields)) if !shape.is_atomic() => {
            let mut merged = live.clone();
            for (key, value) in fields {
                let inner = merge(live.get(key), value, shape.field(key));
                merged.insert(key.clone(), inner);
            }
            Value::Object(merged)
        }
        (Some(Value::Array(live)), Value::Array(items)) if shape.list() != List::Atomic => {
            let mut merged = live.clone();
            for item in items {
                let id = step(item, shape);
                match merged.iter_mut().find(|known| step(known, shape) == id) {
                    Some(known) => *known = merge(Some(&known.clone()), item, shape.item()),
                    None => merged.push(item.clone()),
                }
            }
            Value::Array(merged)
        }
        _ => config.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema;

    fn pod() -> Shape<'static> {
        Shape::Struct(schema::find("Pod").expect("must be there"))
    }

    #[test]
    fn who_applies_owns_what_is_written_there() {
        let config = json!({"metadata": {"labels": {"a": "b"}, "finalizers": ["x/y"]}, "spec": {"nodeSelector": {"n": "m"}, "containers": [
            {"name": "c", "args": ["1"], "ports": [{"containerPort": 80}], "resources": {}}]}});
        let paths = Paths::applied(&config, pod());
        let expected = json!({"f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"x/y\"": {}}}, "f:spec": {"f:nodeSelector": {}, "f:containers": {
            "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:args": {}, "f:resources": {}, "f:ports": {
                "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}});
        assert_eq!(paths.to_json(), expected);
        assert_eq!(Paths::of_json(&expected), paths);
        assert!(paths.names().contains(
            &r#".spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort"#.to_owned()
        ));
    }

    #[test]
    fn changes_name_what_came_and_what_went() {
        let old = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"containers": [{"name": "c", "image": "x"}, {"name": "d"}]}});
        let new = json!({"metadata": {"labels": {"a": "1", "b": "3"}}, "spec": {"containers": [{"name": "c", "image": "y"}]}});
        let changes = Changes::between(&old, &new, pod());
        assert_eq!(changes.set.names(), [".metadata.labels.b", r#".spec.containers[name="c"].image"#]);
        assert_eq!(changes.removed.names(), [r#".spec.containers[name="d"]"#, r#".spec.containers[name="d"].name"#]);
    }

    #[test]
    fn what_is_applied_is_laid_over_what_there_is() {
        let live = json!({"spec": {"containers": [{"name": "c", "image": "x", "args": ["1", "2"]}], "nodeSelector": {"a": "1"}}});
        let config =
            json!({"spec": {"containers": [{"name": "c", "args": ["3"]}, {"name": "d"}], "nodeSelector": {"b": "2"}}});
        let merged = merge(Some(&live), &config, pod());
        assert_eq!(
            merged,
            json!({"spec": {"containers": [{"name": "c", "image": "x", "args": ["3"]}, {"name": "d"}], "nodeSelector": {"b": "2"}}})
        );
        let mut left = merged;
        Paths::applied(&json!({"spec": {"containers": [{"name": "d"}]}}), pod()).prune(&mut left, pod());
        assert_eq!(left["spec"]["containers"].as_array().map(Vec::len), Some(1));
    }
}
