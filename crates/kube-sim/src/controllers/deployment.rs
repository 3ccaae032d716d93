//! Deployment: a ReplicaSet for each template it had, and pods moved from the old ones to the new one. Pure.

mod scale;
mod status;

use serde_json::{Value, json};

use super::plan::{Plan, Step, View};
use super::{pods, revisions};
use crate::object::{self, text};
use crate::resources::{self, Resource};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub(super) fn plan(view: &View) -> Plan {
    let mut plan = Plan::default();
    let mut sets: Vec<&Value> = view.children("ReplicaSet").collect();
    sets.sort_by_key(|set| (text(set, "/metadata/creationTimestamp"), object::name(set)));
    let is_new = |set: &&&Value| template_of(set) == view.owner["spec"]["template"];
    let new = sets.iter().find(is_new).copied();
    let old: Vec<&Value> = sets.iter().copied().filter(|set| new.is_none_or(|new| !std::ptr::eq(*set, new))).collect();
    if !view.is_deleting() {
        let is_paused = view.owner.pointer("/spec/paused") == Some(&true.into());
        if !is_paused {
            introduce(view, &mut plan, new, &old);
        }
        match (is_paused, text(&view.owner, "/spec/strategy/type") == "Recreate") {
            (true, _) => scale::paused(view, &mut plan, new, &old),
            (false, true) => scale::recreate(view, &mut plan, new, &old),
            (false, false) => scale::rolling(view, &mut plan, new, &old),
        }
        if !is_paused {
            clean_up(view, &mut plan, new, &old);
        }
    }
    status::report(view, &mut plan, new, &old);
    plan
}

fn sets() -> &'static Resource {
    resources::known("apps", "replicasets")
}

/// The template without the label that the ReplicaSet's own pods have.
fn template_of(set: &Value) -> Value {
    let mut template = set["spec"]["template"].clone();
    if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
        labels.shift_remove(HASH);
    }
    template
}

fn revision(value: &Value) -> i64 {
    text(value, "/metadata/annotations/deployment.kubernetes.io~1revision").parse().unwrap_or(0)
}

fn number(set: &Value, pointer: &str) -> i64 {
    set.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// A set for the present template, with the highest revision.
fn introduce(view: &View, plan: &mut Plan, new: Option<&Value>, old: &[&Value]) {
    let next = old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
    let current = match new {
        Some(new) if revision(new) >= next => revision(new),
        Some(new) => {
            let change = json!({"metadata": {"annotations": {REVISION: next.to_string()}}});
            plan.steps.push(Step::Change(sets(), object::name(new).to_owned(), change));
            next
        }
        None => {
            // With Recreate the old pods have to be gone first.
            if text(&view.owner, "/spec/strategy/type") != "Recreate" || scale::are_idle(old) {
                create(view, plan, old, next);
            }
            next
        }
    };
    if revision(&view.owner) != current {
        let change = json!({"metadata": {"annotations": {REVISION: current.to_string()}}});
        plan.steps.push(Step::Change(view.resource, view.name().to_owned(), change));
    }
}

fn create(view: &View, plan: &mut Plan, old: &[&Value], revision: i64) {
    let mut template = view.owner["spec"]["template"].clone();
    let hash = revisions::hash(&template);
    pods::set_label(&mut template, HASH, &hash);
    let mut selector = view.owner["spec"]["selector"].clone();
    object::section(&mut selector, "matchLabels").insert(HASH.into(), hash.as_str().into());
    let replicas = scale::initial(view, old);
    let name = format!("{}-{hash}", view.name());
    let mut set = json!({
        "metadata": {
            "name": name, "namespace": object::namespace(&view.owner), "labels": template["metadata"]["labels"],
            "annotations": view.owner.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({})),
            "ownerReferences": [view.reference()],
        },
        "spec": {"replicas": replicas, "minReadySeconds": view.number("/spec/minReadySeconds"), "selector": selector, "template": template},
    });
    object::section(&mut set["metadata"], "annotations").shift_remove(LAST_APPLIED);
    let (surge, _) = scale::limits(view);
    for (key, text) in [
        (REVISION, revision.to_string()),
        ("deployment.kubernetes.io/desired-replicas", view.number("/spec/replicas").to_string()),
        ("deployment.kubernetes.io/max-replicas", (view.number("/spec/replicas") + surge).to_string()),
    ] {
        pods::set_annotation(&mut set, key, &text);
    }
    plan.steps.push(Step::Create(sets(), set));
    plan.event("ScalingReplicaSet", format!("Scaled up replica set {name} from 0 to {replicas}"));
}

/// Old sets without pods go, beyond those that a rollback may want.
fn clean_up(view: &View, plan: &mut Plan, new: Option<&Value>, old: &[&Value]) {
    let is_complete = new.is_some_and(|new| number(new, "/status/availableReplicas") == view.number("/spec/replicas"));
    if !is_complete {
        return;
    }
    let limit = usize::try_from(view.number("/spec/revisionHistoryLimit")).unwrap_or(0);
    let mut idle: Vec<&&Value> =
        old.iter().filter(|set| number(set, "/spec/replicas") == 0 && number(set, "/status/replicas") == 0).collect();
    idle.sort_by_key(|set| revision(set));
    for set in idle.iter().take(old.len().saturating_sub(limit)).filter(|set| !object::is_deleting(set)) {
        plan.delete(sets(), set);
    }
}
