//! DaemonSet: a pod for each node that its template fits. Pure.
//!
//! Its pods name their node from the start, beside the affinity that the real controller leaves to the scheduler.

use serde_json::{Value, json};

use super::plan::{Plan, Step, View, set_count};
use super::{pods, revisions, rollout};
use crate::object::{self, text};
use crate::resources;

pub(super) fn plan(view: &View) -> Plan {
    let mut plan = Plan::default();
    if view.is_deleting() {
        return plan;
    }
    let hash = revisions::keep(view, &mut plan);
    let all = view.pods();
    let nodes: Vec<&str> =
        view.nodes.iter().map(|node| node.value()).filter(|node| fits(view, node)).map(object::name).collect();
    let on = |node: &str| all.iter().copied().filter(|pod| text(pod, "/spec/nodeName") == node).collect::<Vec<_>>();
    let mut counts = [0_usize; 3];
    let mut old = Vec::new();
    for node in &nodes {
        let here = on(node);
        let active: Vec<&&Value> = here.iter().filter(|pod| pods::is_active(pod)).collect();
        match active.first() {
            // One that is on its way out keeps its place.
            None if here.iter().all(|pod| pods::is_finished(pod)) => {
                here.iter()
                    .filter(|pod| !object::is_deleting(pod))
                    .for_each(|pod| plan.delete(resources::core("pods"), pod));
                plan.steps.push(Step::Create(resources::core("pods"), pod(view, node, &hash)));
            }
            None => {}
            Some(pod) => {
                active.iter().skip(1).for_each(|more| plan.delete(resources::core("pods"), more));
                counts[0] += 1;
                if revisions::of(pod) == hash {
                    counts[1] += 1;
                } else {
                    old.push(**pod);
                }
            }
        }
    }
    let misplaced: Vec<&Value> = all
        .iter()
        .copied()
        .filter(|pod| !nodes.contains(&text(pod, "/spec/nodeName")) && pods::is_active(pod))
        .collect();
    misplaced.iter().for_each(|pod| plan.delete(resources::core("pods"), pod));
    let active: Vec<&Value> = all
        .iter()
        .copied()
        .filter(|pod| pods::is_active(pod) && nodes.contains(&text(pod, "/spec/nodeName")))
        .collect();
    let (ready, available, soonest) = pods::count(&active, view.number("/spec/minReadySeconds"), view.now);
    if let Some(after) = soonest {
        plan.wake_after(after);
    }
    if text(&view.owner, "/spec/updateStrategy/type") != "OnDelete" {
        let rolling = &view.owner["spec"]["updateStrategy"]["rollingUpdate"];
        let whole = i64::try_from(nodes.len()).unwrap_or(i64::MAX);
        let allowed = usize::try_from(rollout::share(&rolling["maxUnavailable"], whole, true).max(1)).unwrap_or(1);
        let missing = nodes.len().saturating_sub(available);
        // Old pods that serve nobody make room first.
        let (idle, serving): (Vec<&Value>, Vec<&Value>) = old.into_iter().partition(|pod| !pods::is_ready(pod));
        let spare = serving.into_iter().take(allowed.saturating_sub(missing));
        idle.into_iter().chain(spare).for_each(|pod| plan.delete(resources::core("pods"), pod));
    }
    counts[2] = misplaced.len();
    let mut status = json!({
        "currentNumberScheduled": counts[0], "numberMisscheduled": counts[2], "desiredNumberScheduled": nodes.len(), "numberReady": ready,
        "observedGeneration": view.number("/metadata/generation"),
    });
    set_count(&mut status, "updatedNumberScheduled", counts[1]);
    set_count(&mut status, "numberAvailable", available);
    set_count(&mut status, "numberUnavailable", nodes.len().saturating_sub(available));
    plan.status = Some(status);
    plan
}

/// The template's node selector is all that is looked at: nodes here have no taints that a daemon does not tolerate.
fn fits(view: &View, node: &Value) -> bool {
    let wanted = view.owner.pointer("/spec/template/spec/nodeSelector").and_then(Value::as_object);
    wanted
        .into_iter()
        .flatten()
        .all(|(key, text)| object::labels(node).and_then(|labels| labels.get(key)) == Some(text))
}

fn pod(view: &View, node: &str, hash: &str) -> Value {
    let mut pod = pods::generated(view, &view.owner["spec"]["template"]);
    pods::set_label(&mut pod, revisions::LABEL, hash);
    let spec = object::section(&mut pod, "spec");
    spec.insert("nodeName".into(), node.into());
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let affinity = object::fields(spec.entry("affinity").or_insert_with(|| json!({})));
    affinity.insert(
        "nodeAffinity".into(),
        json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]}}),
    );
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    for (key, effect) in [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ] {
        if let Value::Array(list) = tolerations {
            list.push(json!({"key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": effect}));
        }
    }
    pod
}
