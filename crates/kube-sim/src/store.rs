//! The objects: one ordered map, one global resource version, one bounded history that watches read.
//!
//! Changes happen in transactions under one lock, so that a namespace and its contents change together.
//! It knows no HTTP, no validation and no admission.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::object::{self, Object};
use crate::resources::Resource;

/// Events that a watch may fall behind; an older starting point gets `410 Expired`.
const HISTORY: usize = 8192;
/// They are fewer when they hold more than this, in bytes of text.
const HISTORY_BYTES: usize = 256 * 1024 * 1024;

/// Events that a watch takes at once, so that one which is far behind, and whose client does not read, holds few of them.
const AT_ONCE: usize = 256;

/// Where an object lies: resource, namespace (empty at cluster scope), name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    resource: usize,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        Self { resource: resource.id, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(crate) fn is_of(&self, resource: &Resource) -> bool {
        self.resource == resource.id
    }

    /// Of a resource, and in a namespace unless that is empty.
    fn is_in(&self, resource: &Resource, namespace: &str) -> bool {
        self.is_of(resource) && (namespace.is_empty() || self.namespace == namespace)
    }
}

/// A change, as watches see it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) key: Key,
    /// The object after the change; of a deletion its last state.
    pub(crate) object: Arc<Object>,
    /// The object before, which tells whether it starts or ceases to match a selector.
    pub(crate) before: Option<Arc<Object>>,
    pub(crate) deleted: bool,
}

#[derive(Debug)]
struct Inner {
    version: u64,
    /// Version of the newest event that fell out of the history.
    forgotten: u64,
    objects: BTreeMap<Key, Arc<Object>>,
    /// Who names an object as an owner, by its id.
    dependents: BTreeMap<String, BTreeSet<Key>>,
    history: VecDeque<Event>,
    /// Bytes that the history holds, about.
    held: usize,
}

impl Inner {
    /// Objects of a resource in key order, after a key when one is given.
    fn range<'a>(
        &'a self,
        resource: &Resource,
        namespace: &str,
        start: Option<&Key>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Object>)> {
        let first = Key::new(resource, namespace, "");
        let from = start.map_or(Bound::Included(&first), Bound::Excluded);
        self.objects.range((from, Bound::Unbounded)).take_while(move |(key, _)| key.is_in(resource, namespace))
    }

    /// Events after a version.
    fn after(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &Event>, TooOld> {
        if version < self.forgotten {
            return Err(TooOld { oldest: self.forgotten });
        }
        let first = self.history.partition_point(|event| event.version <= version);
        Ok(self.history.range(first..))
    }

    /// Keeps the index of owners in step with a change.
    fn index(&mut self, key: &Key, before: Option<&Object>, after: Option<&Object>) {
        let owners = |object: &Object| -> Vec<String> {
            let list = object::list(object.value(), "/metadata/ownerReferences");
            list.iter().map(|owner| object::text(owner, "/uid").to_owned()).collect()
        };
        let (old, new) = (before.map(owners).unwrap_or_default(), after.map(owners).unwrap_or_default());
        for uid in old.iter().filter(|uid| !new.contains(uid)) {
            if let Some(keys) = self.dependents.get_mut(uid) {
                keys.remove(key);
                if keys.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        for uid in new {
            if !old.contains(&uid) {
                self.dependents.entry(uid).or_default().insert(key.clone());
            }
        }
    }
}

/// The store; one a server.
#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

/// A starting point of a watch that lies before the history.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    pub(crate) oldest: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            version: 1,
            forgotten: 0,
            objects: BTreeMap::new(),
            dependents: BTreeMap::new(),
            history: VecDeque::new(),
            held: 0,
        };
        Self { inner: Mutex::new(inner), changed: watch::Sender::new(1) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.lock().objects.get(key).cloned()
    }

    /// Objects of a resource in key order, after `start` when one is given, with the version they were read at.
    pub(crate) fn list(&self, resource: &Resource, namespace: &str, start: Option<&Key>) -> (Vec<Arc<Object>>, u64) {
        let inner = self.lock();
        let found = inner.range(resource, namespace, start).map(|(_, object)| object.clone()).collect();
        (found, inner.version)
    }

    /// The same as it was at a version: what happened since is undone.
    ///
    /// # Errors
    /// When the history does not reach back.
    pub(crate) fn list_at(
        &self,
        resource: &Resource,
        namespace: &str,
        start: Option<&Key>,
        version: u64,
    ) -> Result<Vec<Arc<Object>>, TooOld> {
        let inner = self.lock();
        let mut objects: BTreeMap<&Key, &Arc<Object>> = inner.range(resource, namespace, start).collect();
        let events: Vec<&Event> = inner.after(version)?.filter(|event| event.key.is_in(resource, namespace)).collect();
        for event in events.into_iter().rev().filter(|event| start.is_none_or(|start| event.key > *start)) {
            match &event.before {
                Some(before) => objects.insert(&event.key, before),
                None => objects.remove(&event.key),
            };
        }
        Ok(objects.into_values().cloned().collect())
    }

    /// Changes several objects at once. Watches are told once, at the end.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let mut inner = self.lock();
        let before = inner.version;
        let result = change(&mut Transaction { inner: &mut inner });
        let version = inner.version;
        drop(inner);
        if version != before {
            self.changed.send_replace(version);
        }
        result
    }

    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Tells of every change by its version.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Objects that name another one as an owner, by its id.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<(Key, Arc<Object>)> {
        let inner = self.lock();
        let keys = inner.dependents.get(uid).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), inner.objects.get(key)?.clone()))).collect()
    }

    /// Every event after a version, and the version up to which they were looked for.
    pub(crate) fn all_after(&self, version: u64) -> Result<(Vec<Event>, u64), TooOld> {
        let inner = self.lock();
        Ok((inner.after(version)?.cloned().collect(), inner.version))
    }

    /// Some events of a resource after a version, and the version up to which they were looked for.
    pub(crate) fn events_after(
        &self,
        version: u64,
        resource: &Resource,
        namespace: &str,
    ) -> Result<(Vec<Event>, u64), TooOld> {
        let inner = self.lock();
        let events = inner.after(version)?.filter(|event| event.key.is_in(resource, namespace));
        let events: Vec<Event> = events.take(AT_ONCE).cloned().collect();
        let upto = events.last().filter(|_| events.len() == AT_ONCE).map_or(inner.version, |last| last.version);
        Ok((events, upto))
    }
}

/// The store while it is being changed.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    inner: &'a mut Inner,
}

impl Transaction<'_> {
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.inner.objects.get(key).cloned()
    }

    /// Where the objects of a resource lie.
    pub(crate) fn of(&self, resource: &Resource) -> Vec<Key> {
        self.inner.objects.keys().filter(|key| key.is_of(resource)).cloned().collect()
    }

    /// Where the objects lie that name another one as an owner, by its id.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Key> {
        self.inner.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Every object in a namespace, of whatever kind.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<(Key, Arc<Object>)> {
        let inside = self.inner.objects.iter().filter(|(key, _)| key.namespace == namespace);
        inside.map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// Creates or replaces; the object gets the next resource version.
    pub(crate) fn put(&mut self, key: Key, mut value: Value) -> Arc<Object> {
        let version = self.stamp(&mut value);
        let object = Object::new(value);
        let before = self.inner.objects.insert(key.clone(), object.clone());
        self.inner.index(&key, before.as_deref(), Some(&object));
        self.record(Event { version, key, object: object.clone(), before, deleted: false });
        object
    }

    /// Removes; the object in the event is the last state with a version of its own, as watches of the real server see it.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Object>> {
        let before = self.inner.objects.remove(key)?;
        self.inner.index(key, Some(&before), None);
        let mut value = before.value().clone();
        let version = self.stamp(&mut value);
        let object = Object::new(value);
        self.record(Event {
            version,
            key: key.clone(),
            object: object.clone(),
            before: Some(before.clone()),
            deleted: true,
        });
        Some(before)
    }

    fn stamp(&mut self, value: &mut Value) -> u64 {
        self.inner.version += 1;
        object::metadata(value).insert("resourceVersion".into(), self.inner.version.to_string().into());
        self.inner.version
    }

    fn record(&mut self, event: Event) {
        self.inner.held += event.object.weight();
        self.inner.history.push_back(event);
        while self.inner.history.len() > HISTORY || self.inner.held > HISTORY_BYTES {
            let Some(dropped) = self.inner.history.pop_front() else { break };
            self.inner.held -= dropped.object.weight();
            self.inner.forgotten = dropped.version;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources;

    fn put(store: &Store, name: &str) -> Arc<Object> {
        let key = Key::new(resources::core("configmaps"), "ns", name);
        store.change(|tx| tx.put(key, json!({"metadata": {"name": name}})))
    }

    #[test]
    fn events_are_seen_in_order_and_by_scope() {
        let store = Store::new();
        let (first, _) = (put(&store, "b"), put(&store, "a"));
        let maps = resources::core("configmaps");
        let (events, upto) = store.events_after(first.resource_version(), maps, "").expect("history must reach back");
        assert_eq!(events.iter().map(|event| event.key.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(upto, store.version());
        assert!(store.events_after(0, maps, "other").expect("history must reach back").0.is_empty());
        assert!(store.events_after(0, resources::core("secrets"), "").expect("history must reach back").0.is_empty());
    }

    #[test]
    fn lists_are_in_key_order_and_continue_after_a_key() {
        let store = Store::new();
        for name in ["c", "a", "b"] {
            put(&store, name);
        }
        let maps = resources::core("configmaps");
        let names = |start: Option<&Key>| -> Vec<String> {
            store.list(maps, "ns", start).0.iter().map(|object| object::name(object.value()).to_owned()).collect()
        };
        assert_eq!(names(None), ["a", "b", "c"]);
        assert_eq!(names(Some(&Key::new(maps, "ns", "a"))), ["b", "c"]);
    }

    #[test]
    fn a_list_of_the_past_is_what_it_was() {
        let store = Store::new();
        let maps = resources::core("configmaps");
        ["a", "b", "c"].iter().for_each(|name| drop(put(&store, name)));
        let then = store.version();
        let shown = |start: Option<&Key>| -> Vec<String> {
            let found = store.list_at(maps, "ns", start, then).expect("history must reach back");
            found.iter().map(|one| format!("{}{}", object::name(one.value()), one.resource_version())).collect()
        };
        let before = shown(None);
        store.change(|tx| tx.remove(&Key::new(maps, "ns", "b")));
        ["c", "d", "a"].iter().for_each(|name| drop(put(&store, name)));
        assert_eq!(shown(None), before);
        assert_eq!(shown(Some(&Key::new(maps, "ns", "a"))), before[1..]);
    }

    #[test]
    fn large_objects_are_remembered_for_a_shorter_time() {
        let store = Store::new();
        let text = "x".repeat(HISTORY_BYTES / 4);
        for name in ["a", "b", "c", "d", "e"] {
            let value = json!({"metadata": {"name": name}, "data": {"x": text}});
            store.change(|tx| tx.put(Key::new(resources::core("configmaps"), "ns", name), value));
        }
        let inner = store.lock();
        assert!(inner.held <= HISTORY_BYTES && inner.history.len() == 3, "{} {}", inner.held, inner.history.len());
    }

    #[test]
    fn a_watch_that_starts_before_the_history_is_told() {
        let store = Store::new();
        for _ in 0..=HISTORY {
            put(&store, "a");
        }
        let maps = resources::core("configmaps");
        assert!(matches!(store.events_after(1, maps, ""), Err(TooOld { oldest: 2 })));
        let (events, upto) = store.events_after(2, maps, "").expect("history must reach back");
        assert_eq!((events.len(), upto), (AT_ONCE, events[AT_ONCE - 1].version));
        assert_eq!(store.all_after(2).expect("history must reach back").0.len(), HISTORY);
    }
}
