//! Garbage collection: what the end of an owner means for the objects that name it as their owner.
//!
//! Follows `pkg/controller/garbagecollector` of Kubernetes, but at once and in the same transaction. It knows the store, no HTTP.

use serde_json::{Value, json};

use crate::api::Api;
use crate::lifecycle::{self, DeleteOptions};
use crate::object::{self, list, text};
use crate::resources::Resource;
use crate::store::{Key, Transaction};

/// What happens to dependents when their owner is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They go after it.
    Background,
    /// They go first.
    Foreground,
    /// They stay, and no longer name it.
    Orphan,
}

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

impl Propagation {
    pub(crate) const NAMES: [&str; 4] = ["Background", "Foreground", "Orphan", "nil"];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "Background" => Some(Self::Background),
            "Foreground" => Some(Self::Foreground),
            "Orphan" => Some(Self::Orphan),
            _ => None,
        }
    }

    /// What is done when the client does not say: the two oldest kinds leave their pods alone.
    pub(crate) fn default_of(resource: &Resource) -> Self {
        match (resource.group, resource.plural) {
            ("batch", "jobs") | ("", "replicationcontrollers") => Self::Orphan,
            _ => Self::Background,
        }
    }

    /// Writes it into an object's finalizers, where the collector reads it.
    pub(crate) fn mark(self, value: &mut Value) {
        let wanted = match self {
            Self::Background => None,
            Self::Foreground => Some(FOREGROUND),
            Self::Orphan => Some(ORPHAN),
        };
        let mut finalizers = list(value, "/metadata/finalizers").to_vec();
        finalizers.retain(|one| one != ORPHAN && one != FOREGROUND);
        finalizers.extend(wanted.map(Value::from));
        set_finalizers(value, finalizers);
    }

    /// What an object's finalizers ask for.
    pub(crate) fn marked(value: &Value) -> Option<Self> {
        let has = |name: &str| list(value, "/metadata/finalizers").iter().any(|one| one == name);
        match (has(ORPHAN), has(FOREGROUND)) {
            (true, _) => Some(Self::Orphan),
            (false, true) => Some(Self::Foreground),
            (false, false) => None,
        }
    }
}

fn set_finalizers(value: &mut Value, finalizers: Vec<Value>) {
    let metadata = object::metadata(value);
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), finalizers.into());
    }
}

/// Does what the finalizers of a marked object ask for, as far as it can be done now.
pub(crate) fn settle(api: &Api, tx: &mut Transaction<'_>, key: &Key) {
    let Some(current) = tx.get(key).filter(|current| object::is_deleting(current.value())) else { return };
    let uid = object::uid(current.value());
    match Propagation::marked(current.value()) {
        None | Some(Propagation::Background) => return,
        Some(Propagation::Orphan) => tx.dependents(uid).iter().for_each(|one| release(tx, one, uid)),
        Some(Propagation::Foreground) => {
            for one in tx.dependents(uid) {
                let Some(dependent) = tx.get(&one) else { continue };
                if !object::is_deleting(dependent.value()) {
                    let first = !tx.dependents(object::uid(dependent.value())).is_empty();
                    let how = if first { Propagation::Foreground } else { Propagation::Background };
                    collect(api, tx, &one, how);
                }
            }
            let blocks =
                |value: &Value| references(value).any(|one| one["uid"] == uid && one["blockOwnerDeletion"] == true);
            if tx.dependents(uid).iter().filter_map(|one| tx.get(one)).any(|one| blocks(one.value())) {
                return;
            }
        }
    }
    // The last dependent may have taken it along.
    let Some(current) = tx.get(key) else { return };
    let mut value = current.value().clone();
    Propagation::Background.mark(&mut value);
    let ends =
        !object::has_finalizers(&value) && value.pointer("/metadata/deletionGracePeriodSeconds") == Some(&json!(0));
    tx.put(key.clone(), value);
    if ends {
        lifecycle::remove(api, tx, key);
    }
}

/// What follows when an object is gone: its dependents go or lose an owner, and an owner that waits for it may go.
pub(crate) fn follow(api: &Api, tx: &mut Transaction<'_>, gone: &Value, namespace: &str) {
    let uid = object::uid(gone);
    for one in tx.dependents(uid) {
        let Some(dependent) = tx.get(&one) else { continue };
        let has_another =
            references(dependent.value()).any(|owner| owner["uid"] != uid && is_there(api, tx, owner, &one.namespace));
        if has_another {
            release(tx, &one, uid);
        } else {
            collect(api, tx, &one, Propagation::Background);
        }
    }
    for owner in references(gone) {
        if let Some(key) = key_of(api, owner, namespace) {
            settle(api, tx, &key);
        }
    }
}

/// A new object whose owners are all absent goes at once.
pub(crate) fn sweep(api: &Api, tx: &mut Transaction<'_>, key: &Key, value: &Value) {
    if references(value).next().is_some() && !references(value).any(|owner| is_there(api, tx, owner, &key.namespace)) {
        collect(api, tx, key, Propagation::Background);
    }
}

fn collect(api: &Api, tx: &mut Transaction<'_>, key: &Key, how: Propagation) {
    if let Some(resource) = api.kinds.all().into_iter().find(|resource| key.is_of(resource)) {
        let options = DeleteOptions { propagation: Some(how), ..DeleteOptions::default() };
        // Whatever is gone already needs no deletion.
        let _ = lifecycle::delete(api, tx, resource, key, &options);
    }
}

/// Takes one owner off an object.
fn release(tx: &mut Transaction<'_>, key: &Key, uid: &str) {
    let Some(current) = tx.get(key) else { return };
    let mut value = current.value().clone();
    let mut left = list(&value, "/metadata/ownerReferences").to_vec();
    left.retain(|owner| owner["uid"] != uid);
    let metadata = object::metadata(&mut value);
    if left.is_empty() {
        metadata.shift_remove("ownerReferences");
    } else {
        metadata.insert("ownerReferences".into(), left.into());
    }
    tx.put(key.clone(), value);
}

fn references(value: &Value) -> impl Iterator<Item = &Value> {
    list(value, "/metadata/ownerReferences").iter()
}

fn key_of(api: &Api, owner: &Value, namespace: &str) -> Option<Key> {
    let (version, kind) = (text(owner, "/apiVersion"), text(owner, "/kind"));
    let resource = api.kinds.all().into_iter().find(|one| one.kind == kind && one.api_version() == version)?;
    Some(Key::new(resource, if resource.namespaced { namespace } else { "" }, text(owner, "/name")))
}

fn is_there(api: &Api, tx: &Transaction<'_>, owner: &Value, namespace: &str) -> bool {
    let found = key_of(api, owner, namespace).and_then(|key| tx.get(&key));
    found.is_some_and(|found| object::uid(found.value()) == text(owner, "/uid"))
}
