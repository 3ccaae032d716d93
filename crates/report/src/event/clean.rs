//! Passes every text of an event through `trust::redact`.
//!
//! Each type is taken apart field by field, without `..`: a field that is added later does not compile until it is dealt with here.
//! It must not know what any field means.

use std::borrow::Cow;

use trust::{Chain, Denial, Evidence, Verdict};

use super::{CheckRecord, Diagnosis, Event, Expected, Observed, Outcome};

pub(super) fn clean(event: &mut Event) {
    match event {
        Event::RunStarted { run_id, command, version, cluster, clouds, scenarios: _ } => {
            text(run_id);
            command.iter_mut().for_each(text);
            text(version);
            text(cluster);
            text(clouds);
        }
        Event::RunResumed { command, version } | Event::RunCleaned { command, version } => {
            command.iter_mut().for_each(text);
            text(version);
        }
        Event::ScenarioStarted { scenario, title, checks: _ } => {
            text(scenario);
            text(title);
        }
        Event::PhaseStarted { scenario, phase: _ } => text(scenario),
        Event::PhaseFinished { scenario, phase: _, outcome, detail, duration_ms: _ } => {
            text(scenario);
            match outcome {
                Outcome::Done => {}
                Outcome::Failed { reason } | Outcome::Skipped { reason } => text(reason),
            }
            maybe(detail);
        }
        Event::CheckFinished { scenario, check } => {
            text(scenario);
            clean_check(check);
        }
        Event::Note { scenario, text: note } => {
            maybe(scenario);
            text(note);
        }
        Event::Leftover { scenario, kind, id, why } => {
            text(scenario);
            text(kind);
            text(id);
            text(why);
        }
        Event::Vanished { scenario, kind, id } => {
            text(scenario);
            text(kind);
            text(id);
        }
        Event::Kept { scenario, resources: _ } => text(scenario),
        Event::ScenarioFinished { scenario, verdict, duration_ms: _ } => {
            text(scenario);
            clean_verdict(verdict);
        }
        Event::RunFinished { exit_code: _, duration_ms: _ } => {}
    }
}

fn clean_check(check: &mut CheckRecord) {
    let CheckRecord {
        id,
        title,
        kind: _,
        twin,
        expected,
        observed,
        verdict,
        chain,
        duration_ms: _,
        source,
        diagnosis,
        next,
    } = check;
    text(id);
    text(title);
    maybe(twin);
    match expected {
        Expected::Read { bytes: _, sha256 } => text(sha256),
        Expected::Refused { link: _, code, also, status: _ } => {
            text(code);
            also.iter_mut().for_each(text);
        }
        Expected::Rejected { status: _, message } => text(message),
        Expected::NotCreated { codes, status: _ } => codes.iter_mut().for_each(text),
        Expected::Failed { link: _, contains } => text(contains),
        Expected::NotInjected | Expected::KeptReading => {}
    }
    match observed {
        Observed::Read { bytes: _, sha256 } => text(sha256),
        Observed::Refused(Denial { link: _, code, status: _, message }) => {
            text(code);
            maybe(message);
        }
        Observed::NotInjected | Observed::KeptReading { reads: _, tokens: _, keys: _ } => {}
        Observed::Rejected { status: _, message } | Observed::Failed { link: _, message } => text(message),
        Observed::NotCreated { resource, code, status: _, message } => {
            text(resource);
            text(code);
            text(message);
        }
        Observed::Crashed { exit_code: _, stderr_tail } => text(stderr_tail),
        Observed::Nothing { last_seen } => maybe(last_seen),
    }
    clean_verdict(verdict);
    let Chain { links } = chain;
    links.iter_mut().for_each(clean_evidence);
    maybe(source);
    if let Some(Diagnosis { cause: _, fix }) = diagnosis {
        text(fix);
    }
    maybe(next);
}

/// Takes secrets out of one link.
pub(crate) fn clean_evidence(evidence: &mut Evidence) {
    let Evidence { link: _, state: _, presented, required, source, note } = evidence;
    maybe(presented);
    maybe(required);
    maybe(source);
    maybe(note);
}

fn clean_verdict(verdict: &mut Verdict) {
    match verdict {
        Verdict::Passed => {}
        Verdict::Failed { reason }
        | Verdict::Skipped { reason }
        | Verdict::Flaky { reason }
        | Verdict::Infra { reason }
        | Verdict::Leaked { reason } => text(reason),
    }
}

fn maybe(text_or_none: &mut Option<String>) {
    if let Some(value) = text_or_none {
        text(value);
    }
}

fn text(value: &mut String) {
    let cleaned = match trust::redact(value) {
        Cow::Borrowed(_) => return,
        Cow::Owned(cleaned) => cleaned,
    };
    *value = cleaned;
}
