//! No secret leaves, wherever it came in.

use report::{CheckRecord, Event, Expected, JsonLines, Observed, Outcome, Phase, Record, Sink, Style};
use trust::{Chain, Denial, Evidence, Link, LinkState, Verdict};

use crate::sample::{records, report, shown};

/// Worth something only with its last part.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Q2FuYXJ5U2lnbmF0dXJlVGhhdE11c3ROb3RMZWF2ZQ";
const CANARY: &str = "Q2FuYXJ5U2lnbmF0dXJlVGhhdE11c3ROb3RMZWF2ZQ";

/// Every text of every event is the canary.
fn poisoned(scenarios: usize) -> Vec<Event> {
    let t = || TOKEN.to_owned();
    let observed = [
        Observed::Read { bytes: 1, sha256: t() },
        Observed::Refused(Denial { link: Link::Read, code: t(), status: None, message: Some(t()) }),
        Observed::Crashed { exit_code: None, stderr_tail: t() },
        Observed::Nothing { last_seen: Some(t()) },
        Observed::NotInjected,
        Observed::KeptReading { reads: 1, tokens: 1, keys: 1 },
        Observed::Rejected { status: 400, message: t() },
        Observed::NotCreated { resource: t(), code: t(), status: None, message: t() },
        Observed::Failed { link: Link::Read, message: t() },
    ];
    let expected = [
        Expected::Read { bytes: 1, sha256: t() },
        Expected::Refused { link: Link::Read, code: t(), also: vec![t()], status: None },
        Expected::NotInjected,
        Expected::Rejected { status: 400, message: t() },
        Expected::NotCreated { codes: vec![t()], status: 400 },
        Expected::Failed { link: Link::Read, contains: t() },
        Expected::KeptReading,
    ];
    let verdicts = [
        Verdict::Failed { reason: t() },
        Verdict::Skipped { reason: t() },
        Verdict::Flaky { reason: t() },
        Verdict::Infra { reason: t() },
        Verdict::Leaked { reason: t() },
        Verdict::Failed { reason: t() },
        Verdict::Failed { reason: t() },
        Verdict::Failed { reason: t() },
        Verdict::Failed { reason: t() },
    ];
    let evidence =
        |state| Evidence::new(Link::Permitted, state).presented(t()).required(t() + "x").source(t()).note(t());
    let states = [LinkState::Holds, LinkState::Broken, LinkState::NotReached, LinkState::NotChecked];
    let mut events = vec![
        Event::RunStarted { run_id: t(), command: vec![t()], version: t(), cluster: t(), clouds: t(), scenarios },
        Event::RunResumed { command: vec![t()], version: t() },
        Event::RunCleaned { command: vec![t()], version: t() },
        Event::ScenarioStarted { scenario: t(), title: t() + " ", checks: 9 },
        Event::PhaseStarted { scenario: t(), phase: Phase::Cluster },
    ];
    let outcomes = [
        (Phase::Cluster, Outcome::Failed { reason: t() }),
        (Phase::Webhooks, Outcome::Skipped { reason: t() }),
        (Phase::Federation, Outcome::Done),
    ];
    for (phase, outcome) in outcomes {
        events.push(Event::PhaseFinished { scenario: t(), phase, outcome, detail: Some(t()), duration_ms: 1 });
    }
    let all = observed.into_iter().zip(verdicts).zip(expected.into_iter().cycle());
    for (at, ((observed, verdict), expected)) in all.enumerate() {
        let check = CheckRecord {
            // Each of its own: a check that is told again replaces the one before.
            id: format!("{at}.{}", t()),
            title: t(),
            kind: report::CheckKind::Deny,
            twin: Some(t()),
            expected,
            observed,
            verdict,
            chain: Chain { links: states.map(evidence).into() },
            duration_ms: 1,
            source: Some(t()),
            diagnosis: None,
            next: Some(t()),
        };
        events.push(Event::CheckFinished { scenario: t(), check });
    }
    events.extend([
        Event::Note { scenario: Some(t()), text: t() },
        Event::Note { scenario: None, text: t() },
        Event::Vanished { scenario: t(), kind: t(), id: t() },
        Event::Kept { scenario: t(), resources: 1 },
        Event::Leftover { scenario: t(), kind: t(), id: t(), why: t() },
        Event::ScenarioFinished { scenario: t(), verdict: Verdict::Failed { reason: t() }, duration_ms: 1 },
        Event::RunFinished { exit_code: 100, duration_ms: 1 },
    ]);
    events
}

/// The text with all that wrapping may have put between its letters taken out.
fn squeezed(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn check(place: &str, text: &str) {
    assert!(text.contains("eyJ"), "the canary's harmless part must be in {place}, or this proves nothing");
    assert!(!squeezed(text).contains(&squeezed(CANARY)), "the canary got into {place}: {text}");
}

#[test]
fn no_output_holds_a_signature() {
    let folded = report(poisoned(1));
    let scenario = folded.scenarios[0].scenario.clone();
    check("the debug form", &format!("{:?}", records(poisoned(1))));
    check("the terminal", &shown(Style::default(), poisoned(1)));
    check("the terminal of several scenarios", &shown(Style::default(), poisoned(2)));
    check("the scenario's JUnit", &report::junit(&folded, &scenario));
    check("the runner's JUnit", &report::junit_runner(&folded));
    let mut lines = JsonLines::new(Vec::new());
    records(poisoned(1)).iter().for_each(|record| lines.accept(record).expect("must write to memory"));
    check("the event file", &String::from_utf8(lines.into_inner()).expect("must be UTF-8"));
    let dir = tempfile::tempdir().expect("must make a folder");
    for path in report::write_artifacts(dir.path(), &folded).expect("must write") {
        let text = std::fs::read_to_string(&path).expect("must read");
        assert!(!squeezed(&text).contains(&squeezed(CANARY)), "the canary got into {}", path.display());
    }
}

#[test]
fn a_file_that_holds_a_signature_is_read_without_it() {
    let line = format!(r#"{{"at":"2026-05-04T10:00:00Z","seq":0,"event":"note","text":"{TOKEN}"}}"#);
    let record: Record = serde_json::from_str(&line).expect("must be a record");
    check("the record", &format!("{record:?}"));
}
