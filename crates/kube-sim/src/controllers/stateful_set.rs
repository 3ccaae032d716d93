//! StatefulSet: pods with numbers, one after the other. Volume claims of its templates are named, and not made. Pure.

use serde_json::{Value, json};

use super::plan::{Plan, Step, View, set_count};
use super::{pods, revisions};
use crate::object::{self, list, text};
use crate::resources;

pub(super) fn plan(view: &View) -> Plan {
    let mut plan = Plan::default();
    let hash = if view.is_deleting() { String::new() } else { revisions::keep(view, &mut plan) };
    let update = format!("{}-{hash}", view.name());
    let wanted = usize::try_from(view.number("/spec/replicas")).unwrap_or(0);
    let start = view.number("/spec/ordinals/start");
    let numbered: Vec<String> = (0_i64..).take(wanted).map(|at| format!("{}-{}", view.name(), start + at)).collect();
    let all = view.pods();
    let find = |name: &str| all.iter().copied().find(|pod| object::name(pod) == name);
    let mut surplus: Vec<&Value> =
        all.iter().copied().filter(|pod| !numbered.iter().any(|name| *name == object::name(pod))).collect();
    surplus.sort_by_key(|pod| std::cmp::Reverse(ordinal(view, pod)));
    if !view.is_deleting() {
        let is_parallel = text(&view.owner, "/spec/podManagementPolicy") == "Parallel";
        let is_complete = bring(view, &mut plan, &numbered, &hash, &surplus, is_parallel, &find);
        if is_complete {
            replace(view, &mut plan, &numbered, &hash, &find);
        }
    }
    report(view, &mut plan, &update, &hash, &numbered);
    plan
}

fn ordinal(view: &View, pod: &Value) -> i64 {
    let rest = object::name(pod).strip_prefix(view.name()).and_then(|rest| rest.strip_prefix('-'));
    rest.and_then(|rest| rest.parse().ok()).unwrap_or(-1)
}

/// Makes missing pods and drops surplus ones; true when there are those that there should be, all ready.
fn bring<'a>(
    view: &View,
    plan: &mut Plan,
    numbered: &[String],
    hash: &str,
    surplus: &[&Value],
    is_parallel: bool,
    find: &impl Fn(&str) -> Option<&'a Value>,
) -> bool {
    let seconds = view.number("/spec/minReadySeconds");
    let mut is_complete = true;
    for name in numbered {
        match find(name) {
            None => plan.steps.push(Step::Create(resources::core("pods"), pod(view, name, hash))),
            // Its place is made free for another.
            Some(pod) if pods::is_finished(pod) && !object::is_deleting(pod) => {
                plan.delete(resources::core("pods"), pod)
            }
            Some(pod) if pods::is_active(pod) => match pods::available(pod, seconds, view.now) {
                Ok(()) => continue,
                Err(Some(left)) => plan.wake_after(left),
                Err(None) => {}
            },
            Some(_) => {}
        }
        is_complete = false;
        if !is_parallel {
            return false;
        }
    }
    for pod in surplus {
        if !object::is_deleting(pod) {
            plan.delete(resources::core("pods"), pod);
        }
        is_complete = false;
        if !is_parallel {
            return false;
        }
    }
    is_complete
}

/// Replaces one pod of an older revision, the one with the highest number first.
fn replace<'a>(
    view: &View,
    plan: &mut Plan,
    numbered: &[String],
    hash: &str,
    find: &impl Fn(&str) -> Option<&'a Value>,
) {
    if text(&view.owner, "/spec/updateStrategy/type") == "OnDelete" {
        return;
    }
    let partition = view.number("/spec/updateStrategy/rollingUpdate/partition");
    let movable = numbered.iter().rev().filter_map(|name| find(name)).filter(|pod| ordinal(view, pod) >= partition);
    if let Some(pod) = movable.into_iter().find(|pod| revisions::of(pod) != hash) {
        plan.delete(resources::core("pods"), pod);
    }
}

fn pod(view: &View, name: &str, hash: &str) -> Value {
    let mut pod = pods::from_template(view, &view.owner["spec"]["template"], name);
    pods::set_label(&mut pod, revisions::LABEL, hash);
    pods::set_label(&mut pod, "statefulset.kubernetes.io/pod-name", name);
    pods::set_label(&mut pod, "apps.kubernetes.io/pod-index", name.rsplit('-').next().unwrap_or_default());
    let spec = object::section(&mut pod, "spec");
    spec.insert("hostname".into(), name.into());
    let service = text(&view.owner, "/spec/serviceName");
    if !service.is_empty() {
        spec.insert("subdomain".into(), service.into());
    }
    let claims = list(&view.owner, "/spec/volumeClaimTemplates").iter().map(|claim| {
        let claim = object::name(claim);
        json!({"name": claim, "persistentVolumeClaim": {"claimName": format!("{claim}-{name}")}})
    });
    if let Value::Array(volumes) = spec.entry("volumes").or_insert_with(|| json!([])) {
        volumes.extend(claims);
    }
    pod
}

fn report(view: &View, plan: &mut Plan, update: &str, hash: &str, numbered: &[String]) {
    let active: Vec<&Value> = view.pods().into_iter().filter(|pod| pods::is_active(pod)).collect();
    let updated = active.iter().filter(|pod| revisions::of(pod) == hash).count();
    let (ready, available, soonest) = pods::count(&active, view.number("/spec/minReadySeconds"), view.now);
    if let Some(after) = soonest {
        plan.wake_after(after);
    }
    if view.is_deleting() {
        return;
    }
    let before = text(&view.owner, "/status/currentRevision");
    let is_done = updated == numbered.len() && ready == numbered.len() && active.len() == numbered.len();
    let current = if before.is_empty() || is_done { update } else { before };
    let of_current = active.iter().filter(|pod| format!("{}-{}", view.name(), revisions::of(pod)) == current).count();
    let mut status = json!({"observedGeneration": view.number("/metadata/generation"), "replicas": active.len()});
    set_count(&mut status, "readyReplicas", ready);
    set_count(&mut status, "currentReplicas", of_current);
    set_count(&mut status, "updatedReplicas", updated);
    status["currentRevision"] = current.into();
    status["updateRevision"] = update.into();
    status["collisionCount"] = 0.into();
    status["availableReplicas"] = available.into();
    plan.status = Some(status);
}
