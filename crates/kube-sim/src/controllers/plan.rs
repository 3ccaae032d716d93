//! What a controller sees of an object, and what it wants done about it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{owner, pods};
use crate::api::Api;
use crate::object::{self, Object, text};
use crate::resources::{self, Resource};
use crate::store::Key;

/// An object and what belongs to it, at one moment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) owner: Value,
    pub(super) resource: &'static Resource,
    /// The objects that it controls, and those that these control; of a budget, the pods that it is for.
    pub(super) children: Vec<Child>,
    pub(super) nodes: Vec<Arc<Object>>,
    pub(super) now: Timestamp,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) kind: &'static str,
    pub(super) object: Arc<Object>,
}

/// What is to be done, in this order; then the status is written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) status: Option<Value>,
    /// To be looked at again after this, whatever happens.
    pub(super) wake: Option<SignedDuration>,
}

#[derive(Debug)]
pub(super) enum Step {
    Create(&'static Resource, Value),
    /// Name and id.
    Delete(&'static Resource, String, String),
    /// A merge patch.
    Change(&'static Resource, String, Value),
    /// Type, reason and message.
    Event(&'static str, &'static str, String),
}

impl Plan {
    pub(super) fn event(&mut self, reason: &'static str, message: String) {
        self.steps.push(Step::Event("Normal", reason, message));
    }

    pub(super) fn wake_after(&mut self, after: SignedDuration) {
        self.wake = Some(self.wake.map_or(after, |wake| wake.min(after)).max(SignedDuration::ZERO));
    }

    pub(super) fn delete(&mut self, resource: &'static Resource, value: &Value) {
        self.steps.push(Step::Delete(resource, object::name(value).to_owned(), object::uid(value).to_owned()));
    }
}

impl View {
    pub(super) fn of(api: &Api, resource: &'static Resource, current: &Object) -> Self {
        let controlled = |(key, object): (Key, Arc<Object>)| {
            let kind = KINDS.iter().find(|(group, plural, _)| key.is_of(resources::known(group, plural)))?.2;
            let controls = owner(object.value()).is_some_and(|one| one["uid"] == object::uid(current.value()));
            controls.then_some(Child { kind, object })
        };
        let children: Vec<Child> = match resource.kind {
            "PodDisruptionBudget" => {
                let pods = api.store.list(resources::core("pods"), object::namespace(current.value()), None).0;
                let meant = pods.into_iter().filter(|pod| pods::selects(current.value(), pod.value()));
                meant.map(|object| Child { kind: "Pod", object }).collect()
            }
            _ => api.store.dependents(object::uid(current.value())).into_iter().filter_map(controlled).collect(),
        };
        let nodes = match resource.kind {
            "DaemonSet" => api.store.list(resources::core("nodes"), "", None).0,
            _ => Vec::new(),
        };
        Self { owner: current.value().clone(), resource, children, nodes, now: api.issuer.clock.now() }
    }

    pub(super) fn name(&self) -> &str {
        object::name(&self.owner)
    }

    pub(super) fn number(&self, pointer: &str) -> i64 {
        self.owner.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
    }

    pub(super) fn is_deleting(&self) -> bool {
        object::is_deleting(&self.owner)
    }

    /// Children of a kind, in the order of their names.
    pub(super) fn children(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.children.iter().filter(move |child| child.kind == kind).map(|child| child.object.value())
    }

    pub(super) fn pods(&self) -> Vec<&Value> {
        self.children("Pod").collect()
    }

    /// How a child names the object.
    pub(super) fn reference(&self) -> Value {
        reference(self.resource, &self.owner)
    }

    pub(super) fn time(&self) -> String {
        object::time(self.now)
    }

    /// What is left of a period that began at a moment; nothing when it is over.
    pub(super) fn left(&self, since: &str, period: SignedDuration) -> Option<SignedDuration> {
        let began: Timestamp = since.parse().ok()?;
        let left = began.saturating_add(period).ok()?.duration_since(self.now);
        (left > SignedDuration::ZERO).then_some(left)
    }
}

/// What controllers' objects may be.
const KINDS: [(&str, &str, &str); 4] = [
    ("", "pods", "Pod"),
    ("apps", "replicasets", "ReplicaSet"),
    ("apps", "controllerrevisions", "ControllerRevision"),
    ("batch", "jobs", "Job"),
];

/// `metav1.NewControllerRef`.
pub(super) fn reference(resource: &Resource, owner: &Value) -> Value {
    json!({
        "apiVersion": resource.api_version(), "kind": resource.kind, "name": object::name(owner), "uid": object::uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// A number of the status is left out when it is zero, where Go's `omitempty` says so.
pub(super) fn set_count(status: &mut Value, name: &str, count: usize) {
    if count > 0 {
        status[name] = count.into();
    } else {
        object::fields(status).shift_remove(name);
    }
}

/// Sets a condition; when it became so stays as long as its state is the same.
pub(super) fn set_condition(
    conditions: &mut Vec<Value>,
    kind: &str,
    is_true: bool,
    reason: &str,
    message: &str,
    now: &str,
) {
    let state = if is_true { "True" } else { "False" };
    let old = conditions.iter().find(|one| text(one, "/type") == kind);
    let since = old.filter(|one| text(one, "/status") == state).map_or(now, |one| text(one, "/lastTransitionTime"));
    let mut new = json!({"type": kind, "status": state, "lastTransitionTime": since});
    for (name, words) in [("reason", reason), ("message", message)] {
        if !words.is_empty() {
            new[name] = words.into();
        }
    }
    match conditions.iter_mut().find(|one| text(one, "/type") == kind) {
        Some(place) => *place = new,
        None => conditions.push(new),
    }
}
