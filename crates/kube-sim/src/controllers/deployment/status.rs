//! What a Deployment reports: counts of its ReplicaSets, whether it is available, and whether it gets on. Pure.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{number, scale};
use crate::controllers::plan::{Plan, View, set_condition, set_count};
use crate::object::{self, list, text};

const COUNTS: [&str; 4] = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];

pub(super) fn report(view: &View, plan: &mut Plan, new: Option<&Value>, old: &[&Value]) {
    let sum = |name: &str| {
        new.into_iter().chain(old.iter().copied()).map(|set| number(set, &format!("/status/{name}"))).sum::<i64>()
    };
    let of_new = |name: &str| new.map_or(0, |new| number(new, &format!("/status/{name}")));
    let (replicas, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let wanted = view.number("/spec/replicas");
    let mut status = json!({"observedGeneration": view.number("/metadata/generation")});
    let unavailable = sum("replicas").max(new.map_or(0, |new| number(new, "/spec/replicas"))) - available;
    for (name, count) in COUNTS.into_iter().zip([replicas, of_new("replicas"), ready, available]) {
        set_count(&mut status, name, usize::try_from(count).unwrap_or(0));
    }
    set_count(&mut status, "unavailableReplicas", usize::try_from(unavailable).unwrap_or(0));
    status["terminatingReplicas"] = sum("terminatingReplicas").into();
    let mut conditions = list(&view.owner, "/status/conditions").to_vec();
    let is_available = available >= wanted - scale::limits(view).1;
    let (reason, message) = if is_available {
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    dated(view, &mut conditions, "Available", is_available, reason, message, false);
    let is_complete = of_new("replicas") == wanted && replicas == wanted && available == wanted;
    progress(view, plan, new, is_complete, has_moved(&view.owner["status"], &status), &mut conditions);
    conditions.retain(|one| text(one, "/type") != "ReplicaFailure");
    let failing = new.into_iter().flat_map(|new| list(new, "/status/conditions"));
    conditions.extend(failing.filter(|one| text(one, "/type") == "ReplicaFailure").map(|one| {
        let mut one = one.clone();
        one["lastUpdateTime"] = one["lastTransitionTime"].clone();
        one
    }));
    status["conditions"] = conditions.into();
    plan.status = Some(status);
}

fn has_moved(old: &Value, new: &Value) -> bool {
    COUNTS[1..].iter().any(|name| new[*name].as_i64() > old[*name].as_i64())
        || new["replicas"].as_i64() < old["replicas"].as_i64()
}

fn progress(
    view: &View,
    plan: &mut Plan,
    new: Option<&Value>,
    is_complete: bool,
    has_moved: bool,
    conditions: &mut Vec<Value>,
) {
    let old = conditions.iter().find(|one| text(one, "/type") == "Progressing").cloned().unwrap_or(Value::Null);
    let said = text(&old, "/reason").to_owned();
    let Some(new) = new else {
        if said.is_empty() {
            return;
        }
        let message = format!("Deployment {:?} is progressing.", view.name());
        return dated(
            view,
            conditions,
            "Progressing",
            true,
            "ReplicaSetUpdated",
            &message,
            said != "ReplicaSetUpdated",
        );
    };
    let name = object::name(new);
    if is_complete {
        let message = format!("ReplicaSet {name:?} has successfully progressed.");
        return dated(
            view,
            conditions,
            "Progressing",
            true,
            "NewReplicaSetAvailable",
            &message,
            said != "NewReplicaSetAvailable",
        );
    }
    // One that was complete only changes its size.
    let is_same = said == "NewReplicaSetAvailable" && text(&old, "/message").contains(&format!("{name:?}"));
    if is_same {
        return;
    }
    if said.is_empty() {
        let message = format!("Created new replica set {name:?}");
        dated(view, conditions, "Progressing", true, "NewReplicaSetCreated", &message, true);
    } else if has_moved || said == "NewReplicaSetAvailable" {
        let message = format!("ReplicaSet {name:?} is progressing.");
        dated(view, conditions, "Progressing", true, "ReplicaSetUpdated", &message, true);
    } else if said != "ProgressDeadlineExceeded" && view.owner.pointer("/spec/paused") != Some(&true.into()) {
        let period = SignedDuration::from_secs(view.number("/spec/progressDeadlineSeconds"));
        match view.left(text(&old, "/lastUpdateTime"), period) {
            Some(left) => plan.wake_after(left),
            None => {
                let message = format!("ReplicaSet {name:?} has timed out progressing.");
                dated(view, conditions, "Progressing", false, "ProgressDeadlineExceeded", &message, true);
            }
        }
    }
    if let Some(one) =
        conditions.iter().find(|one| text(one, "/type") == "Progressing" && text(one, "/status") == "True")
    {
        let period = SignedDuration::from_secs(view.number("/spec/progressDeadlineSeconds"));
        plan.wake_after(view.left(text(one, "/lastUpdateTime"), period).unwrap_or(SignedDuration::from_secs(1)));
    }
}

/// A condition with the time of its last change, whatever changed.
fn dated(
    view: &View,
    conditions: &mut Vec<Value>,
    kind: &str,
    is_true: bool,
    reason: &str,
    message: &str,
    is_news: bool,
) {
    let old = conditions.iter().find(|one| text(one, "/type") == kind);
    let since =
        old.filter(|one| text(one, "/reason") == reason && !is_news).map(|one| text(one, "/lastUpdateTime").to_owned());
    let now = view.time();
    set_condition(conditions, kind, is_true, reason, message, &now);
    if let Some(one) = conditions.iter_mut().find(|one| text(one, "/type") == kind) {
        one["lastUpdateTime"] = since.unwrap_or(now).into();
    }
}
