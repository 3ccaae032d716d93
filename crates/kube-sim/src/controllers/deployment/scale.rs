//! How many pods each ReplicaSet of a Deployment may have now. Pure.

use serde_json::{Value, json};

use super::{number, sets};
use crate::controllers::plan::{Plan, Step, View};
use crate::controllers::rollout;
use crate::object;

/// Pods beyond the wanted ones, and wanted ones that may be missing.
pub(super) fn limits(view: &View) -> (i64, i64) {
    match view.owner.pointer("/spec/strategy/rollingUpdate") {
        Some(rolling) => rollout::limits(rolling, view.number("/spec/replicas")),
        None => (0, 0),
    }
}

fn size(set: &Value) -> i64 {
    number(set, "/spec/replicas")
}

/// The size of a new set beside the old ones: `NewRSNewReplicas`.
pub(super) fn initial(view: &View, old: &[&Value]) -> i64 {
    grown(view, 0, old)
}

fn grown(view: &View, now: i64, old: &[&Value]) -> i64 {
    let wanted = view.number("/spec/replicas");
    if object::text(&view.owner, "/spec/strategy/type") == "Recreate" {
        return wanted;
    }
    let room = wanted + limits(view).0 - old.iter().map(|set| size(set)).sum::<i64>() - now;
    if room <= 0 { now } else { now + room.min(wanted - now) }
}

fn to(plan: &mut Plan, set: &Value, wanted: i64) {
    let (name, now) = (object::name(set), size(set));
    if now == wanted {
        return;
    }
    plan.steps.push(Step::Change(sets(), name.to_owned(), json!({"spec": {"replicas": wanted}})));
    let word = if wanted > now { "up" } else { "down" };
    plan.event("ScalingReplicaSet", format!("Scaled {word} replica set {name} from {now} to {wanted}"));
}

pub(super) fn rolling(view: &View, plan: &mut Plan, new: Option<&Value>, old: &[&Value]) {
    let Some(new) = new else { return };
    let wanted = view.number("/spec/replicas");
    let size_now = size(new);
    let target = if size_now > wanted { wanted } else { grown(view, size_now, old) };
    to(plan, new, target);
    if target != size_now {
        return;
    }
    let all: i64 = size_now + old.iter().map(|set| size(set)).sum::<i64>();
    let least = wanted - limits(view).1;
    let missing = size_now - number(new, "/status/availableReplicas");
    let mut removable = all - least - missing;
    // Those that serve nobody go first.
    let mut left: Vec<i64> = old.iter().map(|set| size(set)).collect();
    for (set, left) in old.iter().zip(&mut left) {
        let idle = (*left - number(set, "/status/availableReplicas")).clamp(0, removable.max(0));
        *left -= idle;
        removable -= idle;
    }
    let available: i64 = number(new, "/status/availableReplicas")
        + old.iter().map(|set| number(set, "/status/availableReplicas")).sum::<i64>();
    let mut spare = available - least;
    for left in &mut left {
        let taken = (*left).clamp(0, spare.max(0));
        *left -= taken;
        spare -= taken;
    }
    for (set, left) in old.iter().zip(left) {
        to(plan, set, left);
    }
}

/// All old pods go before a new one comes.
pub(super) fn recreate(view: &View, plan: &mut Plan, new: Option<&Value>, old: &[&Value]) {
    old.iter().for_each(|set| to(plan, set, 0));
    if let Some(new) = new.filter(|_| are_idle(old)) {
        to(plan, new, view.number("/spec/replicas"));
    }
}

/// None of them has a pod, not even one on its way out.
pub(super) fn are_idle(sets: &[&Value]) -> bool {
    let parts = ["/spec/replicas", "/status/replicas", "/status/terminatingReplicas"];
    sets.iter().all(|set| parts.iter().all(|part| number(set, part) == 0))
}

/// Without a rollout, the newest set that has pods takes a change of size.
pub(super) fn paused(view: &View, plan: &mut Plan, new: Option<&Value>, old: &[&Value]) {
    let active =
        new.filter(|new| size(new) > 0).or_else(|| old.iter().rev().find(|set| size(set) > 0).copied()).or(new);
    let others: i64 = new.into_iter().chain(old.iter().copied()).map(size).sum::<i64>() - active.map_or(0, size);
    if let Some(active) = active {
        to(plan, active, (view.number("/spec/replicas") - others).max(0));
    }
}
