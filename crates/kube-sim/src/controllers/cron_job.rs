//! CronJob: a Job at each moment of its schedule. Pure.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::cron::Schedule;
use super::plan::{Plan, Step, View, reference};
use super::{job, pods};
use crate::object::{self, text};
use crate::resources;

/// Moments that may have been missed; with more, the last ones found are good enough.
const MISSED: usize = 100;
/// Jobs carry these annotations: when they were due, and that a person made them.
const DUE: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
const BY_HAND: &str = "/metadata/annotations/cronjob.kubernetes.io~1instantiate";

pub(super) fn plan(view: &View) -> Plan {
    let mut plan = Plan::default();
    let jobs: Vec<&Value> = view.children("Job").collect();
    let (over, open): (Vec<&Value>, Vec<&Value>) = jobs.into_iter().partition(|job| job::finished(job).is_some());
    let mut active: Vec<&Value> = open.into_iter().filter(|job| text(job, BY_HAND).is_empty()).collect();
    let mut last = text(&view.owner, "/status/lastScheduleTime").to_owned();
    let is_suspended = view.owner.pointer("/spec/suspend") == Some(&true.into());
    if !view.is_deleting() {
        limit(view, &mut plan, &over);
        if !is_suspended && let Some(due) = due(view, &mut plan, &last) {
            match text(&view.owner, "/spec/concurrencyPolicy") {
                "Forbid" if !active.is_empty() => {
                    plan.event(
                        "JobAlreadyActive",
                        "Not starting job because prior execution is running and concurrency policy is Forbid"
                            .to_owned(),
                    );
                }
                policy => {
                    if policy == "Replace" {
                        active.drain(..).for_each(|job| plan.delete(resources::known("batch", "jobs"), job));
                    }
                    start(view, &mut plan, due);
                    last = object::time(due);
                }
            }
        }
    }
    let mut status = json!({});
    let jobs = resources::known("batch", "jobs");
    let refer = |job: &&Value| json!({"kind": "Job", "namespace": object::namespace(job), "name": object::name(job), "uid": object::uid(job), "apiVersion": jobs.api_version(), "resourceVersion": text(job, "/metadata/resourceVersion")});
    let active: Vec<Value> = active.iter().map(refer).collect();
    if !active.is_empty() {
        status["active"] = active.into();
    }
    if !last.is_empty() {
        status["lastScheduleTime"] = last.into();
    }
    let ended = over
        .iter()
        .map(|job| text(job, "/status/completionTime"))
        .chain([text(&view.owner, "/status/lastSuccessfulTime")]);
    if let Some(last) = ended.max().filter(|last| !last.is_empty()) {
        status["lastSuccessfulTime"] = last.into();
    }
    plan.status = Some(status);
    plan
}

/// The moment that a job is due for and has none yet; plans to look again at the next one.
fn due(view: &View, plan: &mut Plan, last: &str) -> Option<Timestamp> {
    let schedule = Schedule::parse(text(&view.owner, "/spec/schedule")).ok()?;
    let zone = match text(&view.owner, "/spec/timeZone") {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).ok()?,
    };
    let made = text(&view.owner, "/metadata/creationTimestamp");
    let mut from: Timestamp = if last.is_empty() { made } else { last }.parse().ok()?;
    let deadline =
        view.owner.pointer("/spec/startingDeadlineSeconds").and_then(Value::as_i64).map(SignedDuration::from_secs);
    if let Some(earliest) = deadline.and_then(|deadline| view.now.checked_sub(deadline).ok()) {
        from = from.max(earliest);
    }
    let mut due = None;
    for _ in 0..MISSED {
        let next = schedule.next(from, &zone)?;
        if next > view.now {
            plan.wake_after(next.duration_since(view.now));
            return due;
        }
        (due, from) = (Some(next), next);
    }
    plan.wake_after(SignedDuration::ZERO);
    due
}

fn start(view: &View, plan: &mut Plan, due: Timestamp) {
    let template = &view.owner["spec"]["jobTemplate"];
    let name = format!("{}-{}", view.name(), due.as_second() / 60);
    let part = |key: &str| template.pointer(&format!("/metadata/{key}")).cloned().unwrap_or_else(|| json!({}));
    let mut job = json!({
        "metadata": {
            "name": name, "namespace": object::namespace(&view.owner), "labels": part("labels"), "annotations": part("annotations"),
            "ownerReferences": [reference(view.resource, &view.owner)],
        },
        "spec": template["spec"],
    });
    if let Some(labels) = job.pointer("/metadata/labels").and_then(Value::as_object)
        && labels.is_empty()
    {
        object::metadata(&mut job).shift_remove("labels");
    }
    pods::set_annotation(&mut job, DUE, &object::time(due));
    plan.steps.push(Step::Create(resources::known("batch", "jobs"), job));
}

/// Jobs that are over go, beyond those that are kept.
fn limit(view: &View, plan: &mut Plan, over: &[&Value]) {
    for (kind, pointer) in
        [("Complete", "/spec/successfulJobsHistoryLimit"), ("Failed", "/spec/failedJobsHistoryLimit")]
    {
        let Some(kept) = view.owner.pointer(pointer).and_then(Value::as_u64) else { continue };
        let mut jobs: Vec<&&Value> =
            over.iter().filter(|job| job::finished(job).is_some_and(|end| text(end, "/type") == kind)).collect();
        jobs.sort_by_key(|job| (text(job, "/status/startTime"), object::name(job)));
        let extra = jobs.len().saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
        for job in jobs.into_iter().take(extra).filter(|job| !object::is_deleting(job)) {
            plan.delete(resources::known("batch", "jobs"), job);
        }
    }
}
