//! What controllers ask of pods, and how they make them. Pure.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::plan::View;
use crate::object::{self, list, text};
use crate::selector::LabelSelector;

/// Letters of an owner's name that its pods' names begin with; six more come behind.
const LONGEST_BASE: usize = 57;

pub(super) fn is_finished(pod: &Value) -> bool {
    ["Succeeded", "Failed"].contains(&text(pod, "/status/phase"))
}

/// Neither over nor on its way out.
pub(super) fn is_active(pod: &Value) -> bool {
    !is_finished(pod) && !object::is_deleting(pod)
}

fn ready_since(pod: &Value) -> Option<&str> {
    let ready = list(pod, "/status/conditions").iter().find(|one| text(one, "/type") == "Ready")?;
    (text(ready, "/status") == "True").then(|| text(ready, "/lastTransitionTime"))
}

pub(super) fn is_ready(pod: &Value) -> bool {
    ready_since(pod).is_some()
}

/// Ready for so many seconds; else how long that still takes, if it is ready.
pub(super) fn available(pod: &Value, seconds: i64, now: Timestamp) -> Result<(), Option<SignedDuration>> {
    let since = ready_since(pod).ok_or(None)?;
    if seconds == 0 {
        return Ok(());
    }
    let since: Timestamp = since.parse().map_err(|_| None)?;
    let left = SignedDuration::from_secs(seconds) - now.duration_since(since);
    if left > SignedDuration::ZERO { Err(Some(left)) } else { Ok(()) }
}

/// Ready and available ones, and when the next one becomes available.
pub(super) fn count(pods: &[&Value], seconds: i64, now: Timestamp) -> (usize, usize, Option<SignedDuration>) {
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let states: Vec<_> = pods.iter().map(|pod| available(pod, seconds, now)).collect();
    let soonest = states.iter().filter_map(|state| state.err().flatten()).min();
    (ready, states.iter().filter(|state| state.is_ok()).count(), soonest)
}

/// A pod of an owner's template, under a name of its own.
pub(super) fn from_template(view: &View, template: &Value, name: &str) -> Value {
    let mut metadata = json!({"name": name, "namespace": object::namespace(&view.owner)});
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(given) = template.pointer(&format!("/metadata/{key}")) {
            metadata[key] = given.clone();
        }
    }
    metadata["ownerReferences"] = json!([view.reference()]);
    json!({"metadata": metadata, "spec": template["spec"]})
}

/// A pod under a generated name.
pub(super) fn generated(view: &View, template: &Value) -> Value {
    generated_from(view, template, view.name())
}

pub(super) fn generated_from(view: &View, template: &Value, base: &str) -> Value {
    let kept: String = base.chars().take(LONGEST_BASE).collect();
    let mut pod = from_template(view, template, &format!("{kept}-{}", object::suffix()));
    object::metadata(&mut pod).insert("generateName".into(), format!("{base}-").into());
    pod
}

pub(super) fn set_label(value: &mut Value, key: &str, text: &str) {
    set_in(value, "labels", key, text);
}

pub(super) fn set_annotation(value: &mut Value, key: &str, text: &str) {
    set_in(value, "annotations", key, text);
}

fn set_in(value: &mut Value, section: &str, key: &str, text: &str) {
    let map = object::metadata(value).entry(section).or_insert_with(|| json!({}));
    object::fields(map).insert(key.into(), text.into());
}

/// Whether the owner's selector means an object; a selector that there is none of means nothing.
pub(super) fn selects(owner: &Value, value: &Value) -> bool {
    let selector = owner.pointer("/spec/selector");
    selector.is_some() && LabelSelector::of(selector).matches(object::labels(value))
}

/// The more there is to lose, the later a pod goes: `controller.ActivePods` of Kubernetes, as far as it is told apart here.
pub(super) fn worth(pod: &Value) -> (bool, u8, bool, std::cmp::Reverse<String>) {
    let phase = match text(pod, "/status/phase") {
        "Pending" => 0,
        "Running" => 2,
        _ => 1,
    };
    let age = std::cmp::Reverse(text(pod, "/metadata/creationTimestamp").to_owned());
    (!text(pod, "/spec/nodeName").is_empty(), phase, is_ready(pod), age)
}
