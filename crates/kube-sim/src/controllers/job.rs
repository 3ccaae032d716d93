//! Job: pods until so many have succeeded, or too many failed. Pure but for the memory of pods that are gone.

mod status;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::plan::{Plan, Step, View};
use super::pods;
use crate::object::{self, list, text};
use crate::resources;

/// A failed pod is replaced after this, and after twice as long each time: `DefaultJobPodFailureBackOff` and `Max…` of Kubernetes.
const BACKOFF: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_secs(600);
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// How pods of a job ended, gone ones included, by their ids.
#[derive(Debug, Default)]
pub(super) struct Counted(BTreeMap<String, End>);

#[derive(Debug)]
struct End {
    succeeded: bool,
    /// Dropped by the controller itself: neither a success nor a failure.
    dropped: bool,
    index: Option<usize>,
    /// When; empty when the pod does not say.
    at: String,
}

impl Counted {
    /// Notes a pod that has finished or is gone. What was noted before stays.
    pub(super) fn see(&mut self, pod: &Value) {
        self.note(pod, false);
    }

    fn note(&mut self, pod: &Value, dropped: bool) {
        let ends = list(pod, "/status/containerStatuses").iter().map(|one| text(one, "/state/terminated/finishedAt"));
        let end = End {
            succeeded: text(pod, "/status/phase") == "Succeeded",
            dropped,
            index: index(pod),
            at: ends.max().unwrap_or_default().to_owned(),
        };
        self.0.entry(object::uid(pod).to_owned()).or_insert(end);
    }

    fn successes(&self) -> impl Iterator<Item = &End> {
        self.0.values().filter(|end| end.succeeded)
    }

    fn failures(&self) -> impl Iterator<Item = &End> {
        self.0.values().filter(|end| !end.succeeded && !end.dropped)
    }

    /// Completed indexes; of a job without indexes, nothing.
    fn indexes(&self) -> BTreeSet<usize> {
        self.successes().filter_map(|end| end.index).collect()
    }
}

/// What became of a job, with the words of its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Open,
    Complete,
    Failed(&'static str, &'static str),
}

fn index(pod: &Value) -> Option<usize> {
    text(pod, "/metadata/annotations/batch.kubernetes.io~1job-completion-index").parse().ok()
}

/// A condition that says that the job is over, and since when.
pub(super) fn finished(job: &Value) -> Option<&Value> {
    let is_end = |one: &&Value| ["Complete", "Failed"].contains(&text(one, "/type")) && text(one, "/status") == "True";
    list(job, "/status/conditions").iter().find(is_end)
}

pub(super) fn plan(view: &View, counted: &mut Counted) -> Plan {
    let mut plan = Plan::default();
    if let Some(end) = finished(&view.owner) {
        expire(view, &mut plan, text(end, "/lastTransitionTime"));
        return plan;
    }
    if view.is_deleting() {
        return plan;
    }
    let all = view.pods();
    all.iter().filter(|pod| pods::is_finished(pod)).for_each(|pod| counted.see(pod));
    let mut active: Vec<&Value> = all.iter().copied().filter(|pod| pods::is_active(pod)).collect();
    active.sort_by_key(|pod| pods::worth(pod));
    let outcome = outcome(view, &mut plan, counted, &active);
    let is_suspended = view.owner.pointer("/spec/suspend") == Some(&true.into());
    let wanted = if outcome != Outcome::Open || is_suspended { 0 } else { wanted(view, counted, active.len()) };
    for pod in active.iter().take(active.len().saturating_sub(wanted)) {
        counted.note(pod, true);
        plan.delete(resources::core("pods"), pod);
    }
    let missing = wanted.saturating_sub(active.len());
    if missing > 0 {
        match pause(view, counted) {
            Some(left) => plan.wake_after(left),
            None => create(view, &mut plan, counted, &active, missing),
        }
    }
    let leaving = all.iter().filter(|pod| object::is_deleting(pod) && !pods::is_finished(pod)).count();
    let is_quiet = active.is_empty() && leaving == 0;
    status::report(view, &mut plan, counted, &active, leaving, (outcome, is_quiet, is_suspended));
    plan
}

fn wanted(view: &View, counted: &Counted, active: usize) -> usize {
    let parallelism = usize::try_from(view.number("/spec/parallelism")).unwrap_or(0);
    let succeeded = succeeded(view, counted);
    match view.owner.pointer("/spec/completions").and_then(Value::as_u64) {
        Some(completions) => {
            usize::try_from(completions).unwrap_or(usize::MAX).saturating_sub(succeeded).min(parallelism)
        }
        // Of a work queue, one success means that there is no more work to begin.
        None if succeeded > 0 => active.min(parallelism),
        None => parallelism,
    }
}

fn is_indexed(view: &View) -> bool {
    text(&view.owner, "/spec/completionMode") == "Indexed"
}

fn succeeded(view: &View, counted: &Counted) -> usize {
    if is_indexed(view) { counted.indexes().len() } else { counted.successes().count() }
}

fn outcome(view: &View, plan: &mut Plan, counted: &Counted, active: &[&Value]) -> Outcome {
    let limit = view.number("/spec/backoffLimit");
    let failed = i64::try_from(counted.failures().count()).unwrap_or(i64::MAX);
    let restarts: i64 = active
        .iter()
        .flat_map(|pod| list(pod, "/status/containerStatuses").iter().chain(list(pod, "/status/initContainerStatuses")))
        .filter_map(|one| one["restartCount"].as_i64())
        .sum();
    let restarts_in_place = text(&view.owner, "/spec/template/spec/restartPolicy") == "OnFailure";
    if failed > limit || (restarts_in_place && restarts > 0 && restarts >= limit) {
        return Outcome::Failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    if let Some(seconds) = view.owner.pointer("/spec/activeDeadlineSeconds").and_then(Value::as_i64) {
        let began = text(&view.owner, "/status/startTime");
        match view.left(began, SignedDuration::from_secs(seconds)) {
            Some(left) => plan.wake_after(left),
            None if !began.is_empty() => {
                return Outcome::Failed("DeadlineExceeded", "Job was active longer than specified deadline");
            }
            None => plan.wake_after(SignedDuration::from_secs(seconds)),
        }
    }
    let succeeded = succeeded(view, counted);
    let is_complete = match view.owner.pointer("/spec/completions").and_then(Value::as_u64) {
        Some(completions) => succeeded as u64 >= completions,
        None => succeeded > 0 && active.is_empty(),
    };
    if is_complete { Outcome::Complete } else { Outcome::Open }
}

/// What is left of the pause after a failure.
fn pause(view: &View, counted: &Counted) -> Option<SignedDuration> {
    let success = counted.successes().map(|end| end.at.as_str()).max().unwrap_or_default();
    let since: Vec<&str> = counted.failures().map(|end| end.at.as_str()).filter(|at| *at > success).collect();
    let last = since.iter().max()?;
    let doublings = u32::try_from(since.len().saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    view.left(last, (BACKOFF * 2_i32.pow(doublings)).min(LONGEST_BACKOFF))
}

fn create(view: &View, plan: &mut Plan, counted: &Counted, active: &[&Value], missing: usize) {
    let template = &view.owner["spec"]["template"];
    if !is_indexed(view) {
        for _ in 0..missing {
            plan.steps.push(Step::Create(resources::core("pods"), pods::generated(view, template)));
        }
        return;
    }
    let mut taken = counted.indexes();
    taken.extend(active.iter().filter_map(|pod| index(pod)));
    for index in (0..).filter(|index| !taken.contains(index)).take(missing) {
        let mut pod = pods::generated_from(view, template, &format!("{}-{index}", view.name()));
        pods::set_annotation(&mut pod, INDEX, &index.to_string());
        pods::set_label(&mut pod, INDEX, &index.to_string());
        let spec = object::section(&mut pod, "spec");
        spec.insert("hostname".into(), format!("{}-{index}", view.name()).into());
        let field = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}}});
        for key in ["initContainers", "containers"] {
            for container in spec.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                let env = object::fields(container).entry("env").or_insert_with(|| json!([]));
                if let Value::Array(env) = env {
                    env.push(field.clone());
                }
            }
        }
        plan.steps.push(Step::Create(resources::core("pods"), pod));
    }
}

/// A job that is over goes after the time that it is kept for.
fn expire(view: &View, plan: &mut Plan, since: &str) {
    let Some(seconds) = view.owner.pointer("/spec/ttlSecondsAfterFinished").and_then(Value::as_i64) else { return };
    match view.left(since, SignedDuration::from_secs(seconds)) {
        Some(left) => plan.wake_after(left),
        None if view.is_deleting() => {}
        None => plan.delete(view.resource, &view.owner),
    }
}
