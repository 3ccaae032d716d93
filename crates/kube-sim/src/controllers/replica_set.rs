//! ReplicaSet: so many pods of one template. Pure.

use serde_json::{Value, json};

use super::plan::{Plan, Step, View, set_count};
use super::pods;
use crate::object;
use crate::resources;

pub(super) fn plan(view: &View) -> Plan {
    let mut plan = Plan::default();
    let mut active: Vec<&Value> = view.pods().into_iter().filter(|pod| pods::is_active(pod)).collect();
    let wanted = usize::try_from(view.number("/spec/replicas")).unwrap_or(0);
    let template = &view.owner["spec"]["template"];
    if !view.is_deleting() {
        for _ in active.len()..wanted {
            plan.steps.push(Step::Create(resources::core("pods"), pods::generated(view, template)));
        }
        active.sort_by_key(|pod| pods::worth(pod));
        for pod in active.iter().take(active.len().saturating_sub(wanted)) {
            plan.delete(resources::core("pods"), pod);
        }
    }
    let (ready, available, soonest) = pods::count(&active, view.number("/spec/minReadySeconds"), view.now);
    if let Some(after) = soonest {
        plan.wake_after(after);
    }
    let labels = template.pointer("/metadata/labels").and_then(Value::as_object);
    let is_labelled = |pod: &&&Value| {
        labels.is_none_or(|labels| {
            labels.iter().all(|(key, text)| object::labels(pod).and_then(|of| of.get(key)) == Some(text))
        })
    };
    let mut status = json!({"replicas": active.len()});
    set_count(&mut status, "fullyLabeledReplicas", active.iter().filter(is_labelled).count());
    set_count(&mut status, "readyReplicas", ready);
    set_count(&mut status, "availableReplicas", available);
    let terminating = view.pods().iter().filter(|pod| object::is_deleting(pod) && !pods::is_finished(pod)).count();
    status["terminatingReplicas"] = terminating.into();
    status["observedGeneration"] = view.number("/metadata/generation").into();
    plan.status = Some(status);
    plan
}
