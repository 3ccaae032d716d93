//! A run that was stopped and went on: one stream, one report.

use std::io::Write;
use std::sync::Arc;

use insta::assert_snapshot;
use report::{CheckRecord, Event, JsonLines, Phase, Report, Stream, Style, Terminal, html, read_events, reopen_events};
use trust::{FixedClock, Verdict};

use crate::html::outline;
use crate::sample::*;

fn is_of_scenario(event: &Event) -> bool {
    !matches!(event, Event::RunStarted { .. } | Event::Note { .. })
}

/// Without what says when and how often the run went on, and without phases' and notes' doubles.
fn comparable(mut report: Report) -> Report {
    if let Some(run) = &mut report.run {
        run.resumed.clear();
        run.finished_at = None;
    }
    report.notes.clear();
    report.scenarios.iter_mut().for_each(|entry| entry.notes.clear());
    report.scenarios.sort_by(|left, right| left.scenario.cmp(&right.scenario));
    report
}

#[test]
fn a_run_that_is_cut_anywhere_and_told_again_is_the_run_told_once() {
    let leaks = || Verdict::Leaked { reason: "left".into() };
    for whole in [run(vec![allowed(), wrongly_refused()], 3, leaks(), 102), leaky(leaks(), 102), keeping(), seven()] {
        let expected = comparable(report(whole.clone()));
        for cut in 1..=whole.len() {
            let again = whole.iter().filter(|event| is_of_scenario(event)).cloned();
            let lives = whole[..cut].iter().cloned().chain([resumed()]).chain(again);
            assert_eq!(comparable(report(lives)), expected, "cut at {cut}");
        }
    }
}

#[test]
fn checks_that_were_told_need_not_be_told_again() {
    let whole = run(vec![allowed(), refusals().remove(0), refusals().remove(1)], 3, Verdict::Passed, 0);
    let id = |event: &Event| match event {
        Event::CheckFinished { check, .. } => Some(check.id.clone()),
        _ => None,
    };
    for cut in 1..whole.len() {
        let told: Vec<_> = whole[..cut].iter().filter_map(id).collect();
        let rest = whole.iter().filter(|event| is_of_scenario(event) && id(event).is_none_or(|id| !told.contains(&id)));
        let lives = whole[..cut].iter().cloned().chain([resumed()]).chain(rest.cloned());
        assert_eq!(comparable(report(lives)), comparable(report(whole.clone())), "cut at {cut}");
    }
}

fn checked(check: CheckRecord) -> Event {
    Event::CheckFinished { scenario: SCENARIO.into(), check }
}

fn started() -> Event {
    Event::ScenarioStarted { scenario: SCENARIO.into(), title: "t".into(), checks: 2 }
}

fn begun(phase: Phase) -> Event {
    Event::PhaseStarted { scenario: SCENARIO.into(), phase }
}

/// The fold of two lives.
fn lives(earlier: Vec<Event>, later: Vec<Event>) -> Report {
    report(earlier.into_iter().chain([resumed()]).chain(later))
}

#[test]
fn the_later_record_of_a_check_counts_and_stands_where_the_first_stood() {
    let infra = CheckRecord { verdict: Verdict::Infra { reason: "interrupted".into() }, ..allowed() };
    let folded =
        lives(vec![started(), checked(infra), checked(refusals().remove(0))], vec![started(), checked(allowed())]);
    let entry = &folded.scenarios[0];
    assert_eq!(entry.checks, [allowed(), refusals().remove(0)]);
    assert_eq!((folded.counts.passed, folded.counts.infra, folded.counts.not_run), (2, 0, 0));
}

#[test]
fn an_end_that_was_told_is_taken_back() {
    let folded = lives(run(vec![allowed()], 2, Verdict::Infra { reason: "interrupted".into() }, 130), vec![]);
    assert_eq!(folded.exit_code, None);
    let run = folded.run.as_ref().expect("must have begun");
    assert_eq!((run.finished_at, run.duration_ms, run.resumed.len()), (None, None, 1));
    assert!(folded.scenarios[0].verdict.is_some(), "a scenario that does not begin again has ended");
    let folded = lives(
        crate::sample::run(vec![allowed()], 2, Verdict::Infra { reason: "interrupted".into() }, 130),
        vec![started()],
    );
    assert_eq!(folded.scenarios[0].verdict, None);
    assert_eq!(folded.counts.passed, 1);
}

#[test]
fn what_an_earlier_teardown_left_goes_with_the_next_teardown() {
    let leaked = || leaky(Verdict::Leaked { reason: "3".into() }, 102);
    let folded = lives(leaked(), vec![]);
    assert_eq!((folded.counts.leaked, folded.scenarios[0].leftovers.len()), (3, 2), "no teardown was told");
    let folded = lives(leaked(), vec![begun(Phase::Teardown)]);
    assert_eq!((folded.counts.leaked, folded.scenarios[0].leftovers.len()), (0, 0));
    let folded = lives(leaked(), vec![begun(Phase::Teardown), left("namespace", "cf-r-7f3a91-reads", "still there")]);
    assert_eq!(folded.scenarios[0].leftovers.len(), 1);
    let folded = lives(keeping(), vec![begun(Phase::Teardown)]);
    assert_eq!(folded.counts.kept, 0);
}

#[test]
fn a_phase_that_was_cut_off_is_unfinished_until_its_scenario_begins_again() {
    let phases = |report: &Report| {
        report.scenarios[0].phases.iter().map(|one| (one.phase, one.outcome.is_some())).collect::<Vec<_>>()
    };
    let earlier = || vec![started(), begun(Phase::Federation)];
    assert_eq!(
        phases(&lives(earlier(), vec![begun(Phase::Teardown)])),
        [(Phase::Federation, false), (Phase::Teardown, false)]
    );
    assert_eq!(phases(&lives(earlier(), vec![started(), begun(Phase::Cluster)])), [(Phase::Cluster, false)]);
    let again = vec![started(), begun(Phase::Federation), begun(Phase::Cluster)];
    assert_eq!(phases(&lives(earlier(), again)), [(Phase::Cluster, false), (Phase::Federation, false)]);
}

#[test]
fn a_stream_goes_on_where_a_torn_file_ends() {
    let clock = || Arc::new(FixedClock::new(jiff::Timestamp::UNIX_EPOCH));
    let earlier = {
        let mut lines = JsonLines::new(Vec::new());
        let told = records(leaky(Verdict::Leaked { reason: "3".into() }, 102));
        told.iter().for_each(|record| report::Sink::accept(&mut lines, record).expect("must write to memory"));
        lines.into_inner()
    };
    // Cut within the last line, just before its end, and not at all.
    for cut in [earlier.len() - 20, earlier.len() - 1, earlier.len()] {
        let dir = tempfile::tempdir().expect("must make a folder");
        let path = dir.path().join("events.jsonl");
        std::fs::File::create(&path).and_then(|mut file| file.write_all(&earlier[..cut])).expect("must write");
        let before = read_events(&path).expect("must tolerate the cut");
        let (known, file) = reopen_events(&path).expect("must open again");
        assert_eq!(known, before, "cut at {cut}");
        let mut stream = Stream::resume(clock(), vec![Box::new(JsonLines::new(file))], &known);
        for event in [resumed(), started(), begun(Phase::Teardown)] {
            stream.emit(event).expect("must write");
        }
        let all = read_events(&path).expect("must be whole");
        assert_eq!(all.len(), known.len() + 3, "cut at {cut}");
        assert!(all.iter().enumerate().all(|(at, record)| record.seq() == at as u64), "cut at {cut}");
        let mut folded = Report::default();
        all.iter().for_each(|record| folded.apply(record));
        assert_eq!(&folded, stream.report(), "cut at {cut}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_changed() {
    let dir = tempfile::tempdir().expect("must make a folder");
    let path = dir.path().join("events.jsonl");
    std::fs::write(&path, "{\"at\":\"20\nmore").expect("must write");
    assert!(matches!(reopen_events(&path), Err(report::ReadError::Malformed { line: 1, .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("must read"), "{\"at\":\"20\nmore");
    assert!(matches!(reopen_events(&dir.path().join("none")), Err(report::ReadError::Open { .. })));
}

#[test]
fn an_empty_history_is_a_new_run() {
    let clock = Arc::new(FixedClock::new(jiff::Timestamp::UNIX_EPOCH));
    let stream = Stream::resume(clock, vec![], &[]);
    assert_eq!(stream.report(), &Report::default());
}

/// What the second process writes, and what its memory holds of the first.
#[derive(Clone, Default)]
struct Screen(Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("must lock").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_terminal_shows_the_later_life_and_sums_up_both() {
    let whole = run(vec![allowed(), refusals().remove(0)], 2, Verdict::Passed, 0);
    let cut = whole.iter().position(|event| matches!(event, Event::CheckFinished { .. })).expect("must check") + 1;
    let screen = Screen::default();
    let terminal = Terminal::new(screen.clone(), Style::default()).artifacts("_artifacts/r-7f3a91");
    let clock = Arc::new(FixedClock::new(jiff::Timestamp::UNIX_EPOCH));
    let mut stream = Stream::resume(clock, vec![Box::new(terminal)], &records(whole[..cut].to_vec()));
    let told = [resumed(), whole[1].clone()].into_iter().chain(whole[cut..].iter().cloned());
    told.for_each(|event| stream.emit(event).expect("must write to memory"));
    let text = String::from_utf8(screen.0.lock().expect("must lock").clone()).expect("must be UTF-8");
    assert_snapshot!(text, @r#"
        crossfed 0.2.0  run r-7f3a91, resumed · cluster embedded · clouds simulated

        aks-to-aws  a pod in AKS reads an object in S3
            ✓ token for another audience           7 audience accepted    InvalidIdentityToken  400    21 ms
          ✓ teardown    6 resources deleted                                                            33 ms

        PASSED  2 of 2 checks passed                                                                  1.03 s
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn a_run_whose_end_another_process_tells_is_a_run_that_was_cut_off() {
    let cleaned = || {
        let command = ["cargo", "xtask", "cleanup", "r-7f3a91"].map(str::to_owned).into();
        Event::RunCleaned { command, version: "0.2.0".into() }
    };
    let whole = run(vec![allowed()], 1, Verdict::Passed, 0);
    assert!(!report(whole.clone()).was_cut_off());
    let killed = whole[..4].to_vec();
    assert!(report(killed.clone()).was_cut_off());
    let infra = Verdict::Infra { reason: "its process was gone".into() };
    let mut told = [killed, vec![cleaned()], run(vec![], 1, infra, 101)[1..].to_vec()].concat();
    let once = report(told.clone());
    assert!(once.was_cut_off());
    assert_eq!(once.exit_code, Some(101));
    let page = outline(&html(&once));
    let mut facts = page.lines().map(str::trim).skip_while(|line| *line != "dt: cleaned up").skip(1);
    assert_eq!(facts.next(), Some("dd: 2026-05-04 10:00:00 UTC: cargo xtask cleanup r-7f3a91"), "{page}");
    told.extend([cleaned()]);
    assert_eq!(report(told.clone()).exit_code, None);
    told.extend([resumed()].into_iter().chain(whole[1..].to_vec()));
    assert!(!report(told).was_cut_off());
}

#[test]
fn the_page_says_when_and_how_it_went_on() {
    let whole = run(vec![allowed()], 1, Verdict::Passed, 0);
    let lives = [whole[..4].to_vec(), vec![resumed()], whole[1..].to_vec()].concat();
    let page = outline(&html(&report(lives)));
    let facts: Vec<&str> = page.lines().skip_while(|line| !line.contains("command")).take(8).collect();
    assert_snapshot!(facts.join("\n"), @r#"
        dt: command
        dd: cargo xtask e2e aks-to-aws
        dt: started
        dd: 2026-05-04 10:00:00 UTC, took 1.03 s
        dt: resumed
        dd: 2026-05-04 10:00:00 UTC: cargo xtask resume r-7f3a91
        dt: finished
        dd: 2026-05-04 10:00:02 UTC
        "#);
}
