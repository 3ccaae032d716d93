//! What a Job reports. Pure.

use serde_json::{Value, json};

use super::{Counted, Outcome, is_indexed, succeeded};
use crate::controllers::plan::{Plan, Step, View, set_condition, set_count};
use crate::controllers::pods;
use crate::object::{list, text};

pub(super) fn report(
    view: &View,
    plan: &mut Plan,
    counted: &Counted,
    active: &[&Value],
    leaving: usize,
    (outcome, is_quiet, is_suspended): (Outcome, bool, bool),
) {
    let now = view.time();
    let mut status = json!({});
    let mut conditions = list(&view.owner, "/status/conditions").to_vec();
    suspension(&mut conditions, is_suspended && outcome == Outcome::Open, &now);
    let began = text(&view.owner, "/status/startTime");
    if !is_suspended || outcome != Outcome::Open {
        status["startTime"] = if began.is_empty() { now.clone().into() } else { began.into() };
    }
    match outcome {
        Outcome::Open => {}
        Outcome::Complete => {
            let (reason, message) = ("CompletionsReached", "Reached expected number of succeeded pods");
            set_condition(&mut conditions, "SuccessCriteriaMet", true, reason, message, &now);
            if is_quiet {
                set_condition(&mut conditions, "Complete", true, reason, message, &now);
                status["completionTime"] = now.into();
                plan.event("Completed", "Job completed".to_owned());
            }
        }
        Outcome::Failed(reason, message) => {
            set_condition(&mut conditions, "FailureTarget", true, reason, message, &now);
            if is_quiet {
                set_condition(&mut conditions, "Failed", true, reason, message, &now);
                plan.steps.push(Step::Event("Warning", reason, message.to_owned()));
            }
        }
    }
    // Conditions carry the time of the last look too.
    for one in &mut conditions {
        one["lastProbeTime"] = one["lastTransitionTime"].clone();
    }
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    let is_over = outcome != Outcome::Open && is_quiet;
    set_count(&mut status, "active", active.len());
    set_count(&mut status, "succeeded", succeeded(view, counted));
    set_count(&mut status, "failed", counted.failures().count());
    status["ready"] = if is_over { 0 } else { active.iter().filter(|pod| pods::is_ready(pod)).count() }.into();
    status["terminating"] = leaving.into();
    status["uncountedTerminatedPods"] = json!({});
    if is_indexed(view) {
        let done = ranges(counted.indexes().into_iter());
        if !done.is_empty() {
            status["completedIndexes"] = done.into();
        }
    }
    plan.status = Some(status);
}

fn suspension(conditions: &mut Vec<Value>, is_suspended: bool, now: &str) {
    let was = conditions.iter().any(|one| text(one, "/type") == "Suspended");
    if is_suspended {
        set_condition(conditions, "Suspended", true, "JobSuspended", "Job suspended", now);
    } else if was {
        set_condition(conditions, "Suspended", false, "JobResumed", "Job resumed", now);
    }
}

/// `1,3-5,7`.
fn ranges(numbers: impl Iterator<Item = usize>) -> String {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => found.push((number, number)),
        }
    }
    let shown = found.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_in_a_row_are_shortened() {
        let check = |numbers: &[usize], expected: &str| assert_eq!(ranges(numbers.iter().copied()), expected);
        check(&[], "");
        check(&[0, 1, 2, 4, 6, 7], "0-2,4,6,7");
    }
}
