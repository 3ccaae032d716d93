//! Kinds that CustomResourceDefinitions bring: which are served at the moment, beside those of the table.
//!
//! It reads definitions and makes resources of them; what is done with objects of such a kind is decided where it is for all kinds.

mod structural;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde_json::{Value, json};

pub(crate) use structural::{decode, validate};

use crate::object::{self, list, text};
use crate::resources::{self, Resource};

/// What a definition says of one version.
#[derive(Debug)]
pub(crate) struct Custom {
    /// The structural schema; keys of lists are joined by commas.
    pub(crate) schema: Value,
    /// `additionalPrinterColumns`.
    pub(crate) columns: Value,
}

#[derive(Debug, Default)]
struct Known {
    /// Group and plural of everything that was ever defined: the place of its objects in the store.
    places: Vec<(String, String)>,
    /// Versions that are served, by the name of their definition.
    served: BTreeMap<String, Vec<&'static Resource>>,
}

/// Every kind that is served.
#[derive(Debug, Default)]
pub(crate) struct Kinds(RwLock<Known>);

impl Kinds {
    /// Built-in ones in the order of the table, then custom ones.
    pub(crate) fn all(&self) -> Vec<&'static Resource> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        resources::all().iter().chain(known.served.values().flatten().copied()).collect()
    }

    /// The resource of a path.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
        resources::find(group, version, plural).or_else(|| {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let mut served = known.served.values().flatten();
            served.find(|one| one.plural == plural && one.group == group && one.version == version).copied()
        })
    }

    /// Serves what a definition says from now on.
    pub(crate) fn learn(&self, definition: &Value) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let place = (text(definition, "/spec/group").to_owned(), text(definition, "/spec/names/plural").to_owned());
        let at = known.places.iter().position(|one| *one == place).unwrap_or_else(|| {
            known.places.push(place);
            known.places.len() - 1
        });
        let versions = list(definition, "/spec/versions").iter().filter(|version| version["served"] == true);
        let served = versions.map(|version| resource(definition, version, resources::all().len() + at)).collect();
        known.served.insert(object::name(definition).to_owned(), served);
    }

    /// Serves a definition's kind no longer; gives what was served.
    pub(crate) fn forget(&self, definition: &str) -> Vec<&'static Resource> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.served.remove(definition).unwrap_or_default()
    }
}

/// Definitions are few and live as long as the process: what is made of one is never freed.
fn keep(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn resource(definition: &Value, version: &Value, id: usize) -> &'static Resource {
    let word = |pointer: &str| keep(text(definition, pointer));
    let words = |pointer: &str| list(definition, pointer).iter().filter_map(Value::as_str).map(keep).collect();
    let kind = word("/spec/names/kind");
    let mut schema = version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or_else(|| json!({}));
    join_keys(&mut schema);
    let custom = Custom { schema, columns: version["additionalPrinterColumns"].clone() };
    let parts =
        if version.pointer("/subresources/status").is_some() { vec![resources::status_of(kind)] } else { Vec::new() };
    Box::leak(Box::new(Resource {
        id,
        group: word("/spec/group"),
        version: keep(text(version, "/name")),
        kind,
        plural: word("/spec/names/plural"),
        singular: word("/spec/names/singular"),
        short_names: words("/spec/names/shortNames"),
        categories: words("/spec/names/categories"),
        namespaced: text(definition, "/spec/scope") == "Namespaced",
        verbs: resources::all_verbs(),
        subresources: parts,
        custom: Some(Box::leak(Box::new(custom))),
    }))
}

fn join_keys(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(keys)) = fields.get("x-kubernetes-list-map-keys") {
                let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
                let keys = keys.join(",");
                fields.insert("x-kubernetes-list-map-keys".into(), keys.into());
            }
            fields.values_mut().for_each(join_keys);
        }
        Value::Array(items) => items.iter_mut().for_each(join_keys),
        _ => {}
    }
}

/// The status that a new definition has until its names are accepted, and the one after.
pub(crate) fn status(definition: &Value, now: &str, is_accepted: bool) -> Value {
    let storage = list(definition, "/spec/versions").iter().find(|version| version["storage"] == true);
    let stored = json!([storage.map(|version| version["name"].clone()).unwrap_or_default()]);
    if !is_accepted {
        return json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored});
    }
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    let conditions = [
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ];
    json!({"conditions": conditions, "acceptedNames": definition["spec"]["names"], "storedVersions": stored})
}
