//! Who owns which members of an object (`metadata.managedFields`), and what it means to apply a configuration.
//!
//! Follows `k8s.io/apimachinery/pkg/util/managedfields` and `structured-merge-diff/merge`. Pure: objects and a time in, objects out.

mod paths;

use serde_json::{Value, json};

use crate::object::{self, Fields, text};
use crate::resources::Resource;
use crate::schema::Shape;
use crate::status::Status;
use paths::{Changes, Paths};

/// Members that belong to nobody.
const NOBODYS: [&[&str]; 11] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
    &["metadata", "deletionTimestamp"],
];

/// A request that changes an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) resource: &'a Resource,
    pub(crate) subresource: &'a str,
    pub(crate) now: &'a str,
}

/// What one manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    manager: String,
    operation: String,
    api_version: String,
    subresource: String,
    time: String,
    paths: Paths,
}

impl Entry {
    fn of_json(value: &Value) -> Option<Self> {
        let word = |pointer: &str| text(value, pointer).to_owned();
        value.get("fieldsV1")?;
        Some(Self {
            manager: word("/manager"),
            operation: word("/operation"),
            api_version: word("/apiVersion"),
            subresource: word("/subresource"),
            time: word("/time"),
            paths: Paths::of_json(&value["fieldsV1"]),
        })
    }

    fn to_json(&self) -> Value {
        let mut value = json!({"manager": self.manager, "operation": self.operation, "apiVersion": self.api_version, "time": self.time,
            "fieldsType": "FieldsV1", "fieldsV1": self.paths.to_json()});
        if !self.subresource.is_empty() {
            value["subresource"] = self.subresource.as_str().into();
        }
        value
    }

    /// As a conflict names it.
    fn shown(&self) -> String {
        let mut shown = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            shown = format!("{shown} with subresource {:?}", self.subresource);
        }
        if self.operation == "Update" { format!("{shown} using {}", self.api_version) } else { shown }
    }
}

impl Writer<'_> {
    fn entry(&self, operation: &str) -> Entry {
        let manager = if self.manager.is_empty() { "unknown" } else { self.manager };
        Entry {
            manager: manager.to_owned(),
            operation: operation.to_owned(),
            api_version: self.resource.api_version(),
            subresource: self.subresource.to_owned(),
            time: self.now.to_owned(),
            paths: Paths::default(),
        }
    }

    fn is(&self, entry: &Entry, operation: &str) -> bool {
        let own = self.entry(operation);
        entry.manager == own.manager
            && entry.operation == operation
            && entry.subresource == own.subresource
            && (operation == "Apply" || entry.api_version == own.api_version)
    }
}

fn entries(managed: Option<&Value>) -> Vec<Entry> {
    managed.and_then(Value::as_array).into_iter().flatten().filter_map(Entry::of_json).collect()
}

fn to_json(mut entries: Vec<Entry>) -> Value {
    entries.retain(|entry| !entry.paths.is_empty());
    entries.sort_by(|a, b| (&a.operation, &a.time, &a.manager).cmp(&(&b.operation, &b.time, &b.manager)));
    entries.iter().map(Entry::to_json).collect()
}

/// Takes the owners out of an object.
pub(crate) fn take(value: &mut Value) -> Option<Value> {
    value.get_mut("metadata")?.as_object_mut()?.shift_remove("managedFields")
}

/// Writes the owners into an object.
pub(crate) fn put(value: &mut Value, owners: Option<Value>) {
    let metadata = object::metadata(value);
    match owners {
        Some(Value::Array(owners)) if !owners.is_empty() => {
            drop(metadata.insert("managedFields".into(), owners.into()))
        }
        _ => drop(metadata.shift_remove("managedFields")),
    }
}

/// The owners after a create or an update. `given` is what the client wrote, `known` what was there; both objects are without owners.
pub(crate) fn updated(
    writer: Writer<'_>,
    given: Option<&Value>,
    known: Option<&Value>,
    old: &Value,
    new: &Value,
) -> Option<Value> {
    // One empty entry is how clients ask for nobody to own anything.
    let is_reset = given
        .and_then(Value::as_array)
        .is_some_and(|list| matches!(&list[..], [one] if one.as_object().is_some_and(Fields::is_empty)));
    let mut all = if is_reset { Vec::new() } else { entries(given) };
    if all.is_empty() && !is_reset {
        all = entries(known);
    }
    let mut changes = Changes::between(old, new, writer.resource.shape());
    changes.set.without(&NOBODYS);
    changes.removed.without(&NOBODYS);
    if changes.set.is_empty() && changes.removed.is_empty() {
        return Some(to_json(all));
    }
    for entry in &mut all {
        entry.paths.remove(&changes.removed);
        if !writer.is(entry, "Update") {
            entry.paths.remove(&changes.set);
        }
    }
    if !changes.set.is_empty() {
        match all.iter_mut().find(|entry| writer.is(entry, "Update")) {
            Some(own) => {
                own.paths.add(&changes.set);
                own.time = writer.now.to_owned();
            }
            None => all.push(Entry { paths: changes.set, ..writer.entry("Update") }),
        }
    }
    Some(to_json(all))
}

/// Applies a configuration to what there is (null when there is nothing): the new object, with its owners.
///
/// # Errors
/// 409 with a cause for each member that another manager owns and that would be changed.
pub(crate) fn apply(writer: Writer<'_>, live: &Value, config: &Value, force: bool) -> Result<Value, Status> {
    let shape = writer.resource.shape();
    let mut live = live.clone();
    let known = take(&mut live);
    let mut all = entries(known.as_ref());
    if all.is_empty() && live.is_object() {
        // Written when nobody kept account.
        let mut paths = Paths::applied(&live, shape);
        paths.without(&NOBODYS);
        all.push(Entry { manager: "before-first-apply".to_owned(), paths, ..writer.entry("Update") });
    }
    let mut paths = Paths::applied(config, shape);
    paths.without(&NOBODYS);
    if writer.resource.subresource("status").is_some() && writer.subresource.is_empty() {
        paths.without(&[&["status"]]);
    }
    let last = all.iter().find(|entry| writer.is(entry, "Apply")).map(|entry| entry.paths.clone()).unwrap_or_default();
    let mut merged = paths::merge(live.is_object().then_some(&live), config, shape);
    prune(&mut merged, &last, &paths, &all, writer, shape);
    let changes = Changes::between(&live, &merged, shape);
    let mut conflicts = Vec::new();
    for entry in all.iter_mut().filter(|entry| !writer.is(entry, "Apply")) {
        let disputed = entry.paths.shared(&changes.set).shared(&paths);
        if force {
            entry.paths.remove(&disputed);
        } else {
            conflicts.extend(disputed.names().into_iter().map(|name| (entry.shown(), name)));
        }
        entry.paths.remove(&changes.removed);
    }
    if !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }
    let is_same = last == paths && changes.set.is_empty() && changes.removed.is_empty();
    match all.iter_mut().find(|entry| writer.is(entry, "Apply")) {
        Some(own) => {
            own.paths = paths;
            if !is_same {
                own.time = writer.now.to_owned();
                own.api_version = writer.resource.api_version();
            }
        }
        None => all.push(Entry { paths, ..writer.entry("Apply") }),
    }
    put(&mut merged, Some(to_json(all)));
    Ok(merged)
}

/// What the manager applied before and applies no longer goes, unless someone else owns it too.
fn prune(merged: &mut Value, last: &Paths, now: &Paths, all: &[Entry], writer: Writer<'_>, shape: Shape<'_>) {
    let mut dropped = last.clone();
    dropped.remove(now);
    for other in all.iter().filter(|entry| !writer.is(entry, "Apply")) {
        dropped.remove(&other.paths);
    }
    dropped.prune(merged, shape);
}

fn conflict(conflicts: &[(String, String)]) -> Status {
    let causes = conflicts
        .iter()
        .map(|(manager, path)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path}))
        .collect();
    let message = if let [(manager, path)] = conflicts {
        format!("Apply failed with 1 conflict: conflict with {manager}: {path}")
    } else {
        let mut managers: Vec<&String> = conflicts.iter().map(|(manager, _)| manager).collect();
        managers.sort();
        managers.dedup();
        let mut lines = Vec::new();
        for manager in managers {
            lines.push(format!("conflicts with {manager}:"));
            lines.extend(conflicts.iter().filter(|(other, _)| other == manager).map(|(_, path)| format!("- {path}")));
        }
        format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
    };
    Status::apply_conflict(message, causes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources;

    fn writer(manager: &str) -> Writer<'_> {
        Writer { manager, resource: resources::core("configmaps"), subresource: "", now: "2026-01-01T00:00:00Z" }
    }

    fn map(data: Value) -> Value {
        json!({"metadata": {"name": "m"}, "data": data})
    }

    fn owners(value: &Value) -> Vec<String> {
        let entries = entries(value.pointer("/metadata/managedFields"));
        entries
            .iter()
            .map(|entry| format!("{} {} {}", entry.manager, entry.operation, entry.paths.names().join(" ")))
            .collect()
    }

    #[test]
    fn two_managers_share_what_they_agree_on_and_dispute_the_rest() {
        let one =
            apply(writer("one"), &Value::Null, &map(json!({"a": "1", "b": "1"})), false).expect("nobody else is there");
        let two = apply(writer("two"), &one, &map(json!({"b": "1", "c": "1"})), false).expect("they agree");
        assert_eq!(two["data"], json!({"a": "1", "b": "1", "c": "1"}));
        assert_eq!(owners(&two), ["one Apply .data.a .data.b", "two Apply .data.b .data.c"]);
        let refused = apply(writer("two"), &two, &map(json!({"a": "2", "b": "2"})), false).expect_err("a conflict");
        assert_eq!(refused.message, "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.a\n- .data.b");
        let forced = apply(writer("two"), &two, &map(json!({"a": "2", "b": "1"})), true).expect("forced");
        assert_eq!(owners(&forced), ["one Apply .data.b", "two Apply .data.a .data.b"]);
        assert_eq!(forced["data"], json!({"a": "2", "b": "1"}), "what is applied no longer goes");
    }

    #[test]
    fn updates_take_what_they_change() {
        let applied =
            apply(writer("one"), &Value::Null, &map(json!({"a": "1", "b": "1"})), false).expect("nobody else is there");
        let (mut old, mut new) = (applied.clone(), map(json!({"a": "2", "b": "1"})));
        let known = take(&mut old);
        let owned = updated(writer("edit"), None, known.as_ref(), &old, &new);
        put(&mut new, owned);
        assert_eq!(owners(&new), ["one Apply .data.b", "edit Update .data.a"]);
        let refused = apply(writer("one"), &new, &map(json!({"a": "1", "b": "1"})), false).expect_err("a conflict");
        assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"edit\" using v1: .data.a");
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let once = apply(writer("one"), &Value::Null, &map(json!({"a": "1"})), false).expect("nobody else is there");
        let later = Writer { now: "2026-01-02T00:00:00Z", ..writer("one") };
        assert_eq!(apply(later, &once, &map(json!({"a": "1"})), false), Ok(once));
    }
}
