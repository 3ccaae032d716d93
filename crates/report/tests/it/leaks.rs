//! What leaked, and what was kept on purpose, in every report: counted, each named, with the command that takes it down.

use insta::assert_snapshot;
use report::{Event, Report, html, junit, junit_runner, write_artifacts};
use serde_json::Value;
use trust::Verdict;

use crate::html::outline;
use crate::sample::*;

fn leaked() -> Verdict {
    Verdict::Leaked { reason: "3 things are not as they were".into() }
}

fn failed() -> Verdict {
    Verdict::Failed { reason: "1 of 2 checks failed".into() }
}

/// From the failed check's line at the end on.
fn ending(text: &str) -> &str {
    &text[text.rfind("\nFAILED").or_else(|| text.rfind("\nPASSED")).expect("must have a headline") + 1..]
}

fn teardown(text: &str) -> &str {
    let from = text.find("left over").expect("must name it at once");
    let end = text.find("teardown").expect("must be taken down");
    text[from..end].rsplit_once('\n').expect("must be lines").0
}

#[test]
fn the_terminal_names_each_at_once_and_again_at_the_end() {
    let text = shown(at_width(100), leaky(leaked(), 102));
    assert_snapshot!(teardown(&text), @r#"
        left over   role in account 123456789012 shop-orders (DeleteConflict: must detach all policies
                        first)
            left over   namespace cf-r-7f3a91-reads (still there after 60 s)
            gone        bucket in account 123456789012 theirs: gone, and not ours
        "#);
    assert_snapshot!(ending(&text), @r#"
        FAILED  1 of 2 checks passed, 1 failed, 3 leaked, exit code 102                               1.03 s
          scenario   aks-to-aws: failed, leaked: 3 things are not as they were
          leaked     3 resources: 2 left behind, 1 gone that was not ours
          left over  role in account 123456789012 shop-orders (DeleteConflict: must detach all policies
                     first)
          left over  namespace cf-r-7f3a91-reads (still there after 60 s)
          gone       bucket in account 123456789012 theirs: gone, and not ours
          artifacts  _artifacts/r-7f3a91
          next       cargo xtask cleanup r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn the_terminal_says_what_was_kept_and_how_it_goes() {
    let text = shown(at_width(100), keeping());
    let (_, rest) = text.split_once("bytes").expect("must read");
    assert_snapshot!(rest, @r#"
                            318 ms
            kept        6 resources, left in place on purpose
          – teardown    left in place as --cleanup asks                                                 0 ms

        PASSED  1 of 1 check passed, 6 resources kept                                                 1.03 s
          kept       6 resources, left in place on purpose
          artifacts  _artifacts/r-7f3a91
          next       cargo xtask cleanup r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn neither_hides_the_other_whichever_the_verdict_is() {
    let check = |verdict: Verdict, exit_code| {
        let many = || {
            let mut events = leaky(verdict.clone(), exit_code);
            if let Event::RunStarted { scenarios, .. } = &mut events[0] {
                *scenarios = 2;
            }
            events
        };
        for text in [shown(at_width(100), leaky(verdict.clone(), exit_code)), shown(at_width(100), many())] {
            let ending = ending(&text).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(ending.contains("1 failed, ") && ending.contains("leaked"), "{ending}");
            assert!(ending.contains("scenario aks-to-aws: failed, leaked: "), "{ending}");
            assert!(ending.contains(&format!("exit code {exit_code} ")), "{ending}");
        }
        let table = shown(at_width(100), many());
        assert!(table.contains("✗ aks-to-aws  embedded · simulated  failed, leaked     1    1    0      3"), "{table}");
        let page = outline(&html(&report(leaky(verdict.clone(), exit_code))));
        assert!(page.contains("tr: aks-to-aws embedded · simulated ✗ failed ~ leaked 1 1 0 3"), "{page}");
        let xml = junit(&report(leaky(verdict, exit_code)), SCENARIO);
        assert!(xml.contains(r#"failures="2""#), "a check and the leak: {xml}");
    };
    check(leaked(), 102);
    check(failed(), 102);
}

#[test]
fn a_leak_is_no_success_whatever_verdict_and_exit_code_say() {
    let mut events = run(vec![allowed()], 1, Verdict::Passed, 0);
    let at = teardown_of(&events);
    events.insert(at, left("namespace", "cf-r-7f3a91-reads", ""));
    let text = shown(at_width(100), events.clone());
    assert!(text.contains("FAILED  1 of 1 check passed, 1 leaked") && !text.contains("PASSED"), "{text}");
    let page = html(&report(events.clone()));
    assert!(page.contains("✗ FAILED") && !page.contains("✓ PASSED"), "{page}");
    assert_eq!(finished(&report(events))["result"], "FAILURE");
}

fn finished(report: &Report) -> Value {
    let dir = tempfile::tempdir().expect("must make a folder");
    write_artifacts(dir.path(), report).expect("must write");
    let text = std::fs::read_to_string(dir.path().join("finished.json")).expect("must be there");
    serde_json::from_str(&text).expect("must be JSON")
}

#[test]
fn prow_reads_the_code_the_leaks_and_the_command() {
    let finished = finished(&report(leaky(leaked(), 102)));
    assert_snapshot!(serde_json::to_string_pretty(&finished).expect("must print"), @r#"
        {
          "timestamp": 1777888802,
          "passed": false,
          "result": "FAILURE",
          "metadata": {
            "run-id": "r-7f3a91",
            "version": "0.1.0",
            "cluster": "embedded",
            "clouds": "simulated",
            "command": "cargo xtask e2e aks-to-aws",
            "exit-code": "102",
            "leaked": "3",
            "leaks": "left behind: role in account 123456789012 shop-orders (DeleteConflict: must detach all policies first); left behind: namespace cf-r-7f3a91-reads (still there after 60 s); bucket in account 123456789012 theirs: gone, and not ours",
            "next": "cargo xtask cleanup r-7f3a91"
          }
        }
        "#);
}

#[test]
fn report_json_has_each_with_its_reason() {
    let folded = report(leaky(leaked(), 102));
    let value = serde_json::to_value(&folded).expect("must print");
    let entry = &value["scenarios"][0];
    let picked = serde_json::json!({
        "counts": value["counts"], "exit_code": value["exit_code"],
        "leftovers": entry["leftovers"], "vanished": entry["vanished"], "kept": entry["kept"],
    });
    assert_snapshot!(serde_json::to_string_pretty(&picked).expect("must print"), @r#"
        {
          "counts": {
            "passed": 1,
            "failed": 1,
            "skipped": 0,
            "flaky": 0,
            "infra": 0,
            "leaked": 3,
            "kept": 0,
            "not_run": 0
          },
          "exit_code": 102,
          "leftovers": [
            {
              "kind": "role in account 123456789012",
              "id": "shop-orders",
              "why": "DeleteConflict: must detach all policies first"
            },
            {
              "kind": "namespace",
              "id": "cf-r-7f3a91-reads",
              "why": "still there after 60 s"
            }
          ],
          "vanished": [
            {
              "kind": "bucket in account 123456789012",
              "id": "theirs"
            }
          ],
          "kept": 0
        }
        "#);
    assert_eq!(serde_json::from_value::<Report>(value).expect("must read back"), folded);
}

#[test]
fn a_report_from_before_there_were_reasons_is_read() {
    let mut value = serde_json::to_value(report(leaky(leaked(), 102))).expect("must print");
    let entry = value["scenarios"][0].as_object_mut().expect("must be an object");
    entry.remove("vanished");
    entry.remove("kept");
    entry["leftovers"][0].as_object_mut().expect("must be an object").remove("why");
    let run = value["run"].as_object_mut().expect("must be an object");
    run.remove("resumed");
    run.remove("cleaned");
    value["counts"].as_object_mut().expect("must be an object").remove("kept");
    let read: Report = serde_json::from_value(value).expect("must read");
    assert_eq!(read.scenarios[0].leftovers[0].why, "");
    let line = r#"{"at":"2026-05-04T10:00:00Z","seq":0,"event":"leftover","scenario":"s","kind":"k","id":"i (why)"}"#;
    serde_json::from_str::<report::Record>(line).expect("must read an event from before");
}

#[test]
fn junit_has_a_case_of_its_own_and_a_teardown_that_fails() {
    let folded = report(leaky(leaked(), 102));
    let cases = |xml: &str, name: &str| {
        let at = xml.find(&format!("name=\"{name}\" time")).expect("must have the case");
        xml[at..].split_once("</testcase>").expect("must end").0.to_owned()
    };
    assert_snapshot!(cases(&junit(&folded, SCENARIO), "leaks"), @r#"
        name="leaks" time="0.000">
              <failure message="leaked 3 resources: 2 left behind, 1 gone that was not ours" type="leaked">left behind: role in account 123456789012 shop-orders (DeleteConflict: must detach all policies first)
        left behind: namespace cf-r-7f3a91-reads (still there after 60 s)
        bucket in account 123456789012 theirs: gone, and not ours
        next: cargo xtask cleanup r-7f3a91</failure>
        "#);
    assert_snapshot!(cases(&junit_runner(&folded), "teardown"), @r#"
        name="teardown" time="0.033">
              <failure message="leaked 3 resources: 2 left behind, 1 gone that was not ours" type="leaked">6 resources deleted
        left behind: role in account 123456789012 shop-orders (DeleteConflict: must detach all policies first)
        left behind: namespace cf-r-7f3a91-reads (still there after 60 s)
        bucket in account 123456789012 theirs: gone, and not ours
        next: cargo xtask cleanup r-7f3a91</failure>
        "#);
    assert_snapshot!(cases(&junit_runner(&report(keeping())), "teardown"), @r#"
        name="teardown" time="0.000">
              <skipped message="left in place as --cleanup asks; 6 resources, left in place on purpose; next: cargo xtask cleanup r-7f3a91"/>
        "#);
    assert!(!junit(&report(run(vec![allowed()], 1, Verdict::Passed, 0)), SCENARIO).contains("leaks"));
}

#[test]
fn the_page_has_a_section_for_them() {
    let section = |events| {
        let page = outline(&html(&report(events)));
        let (_, rest) = page.split_once("h2: Scenarios").expect("must have scenarios");
        rest.split_once("\n  h2: aks-to-aws").expect("must have the scenario").0.to_owned()
    };
    assert_snapshot!(section(leaky(leaked(), 102)), @r#"
            tr: scenario place verdict passed failed skipped leaked time
            tr: aks-to-aws embedded · simulated ✗ failed ~ leaked 1 1 0 3 1.02 s
        h2: Leaked: 3 resources (2 left behind, 1 gone that was not ours)
            tr: scenario kind name why
            tr: aks-to-aws role in account 123456789012 shop-orders DeleteConflict: must detach all policies first
            tr: aks-to-aws namespace cf-r-7f3a91-reads still there after 60 s
            tr: aks-to-aws bucket in account 123456789012 theirs gone, and not ours
        p: next: cargo xtask cleanup r-7f3a91
        "#);
    assert_snapshot!(section(keeping()), @r#"
            tr: scenario place verdict passed failed skipped kept time
            tr: aks-to-aws embedded · simulated ✓ passed 1 0 0 6 1.02 s
        h2: Left in place on purpose
        p: aks-to-aws: 6 resources, left in place on purpose
        p: next: cargo xtask cleanup r-7f3a91
        "#);
}

#[test]
fn the_command_comes_where_something_may_be_left_and_only_there() {
    let check = |events: Vec<Event>, expected: bool| {
        let command = report(events.clone()).cleanup_command();
        assert_eq!(command.as_deref(), expected.then_some("cargo xtask cleanup r-7f3a91"), "{events:?}");
        assert_eq!(shown(at_width(100), events.clone()).contains("cargo xtask cleanup r-7f3a91"), {
            let has_ended = events.iter().any(|event| matches!(event, Event::RunFinished { .. }));
            expected && has_ended
        });
    };
    let passed = run(vec![allowed()], 1, Verdict::Passed, 0);
    check(passed.clone(), false);
    check(leaky(leaked(), 102), true);
    check(keeping(), true);
    // Cut off: before anything was made, while it stood, in the middle of the teardown, after it.
    let at = teardown_of(&passed);
    check(passed[..4].to_vec(), false);
    check(passed[..at - 1].to_vec(), true);
    check(passed[..at].to_vec(), true);
    check(passed[..at + 1].to_vec(), false);
    // Interrupted, and taken down all the same.
    let infra = || Verdict::Infra { reason: "interrupted".into() };
    check(run(vec![], 1, infra(), 130), false);
    let mut interrupted = run(vec![], 1, infra(), 130);
    interrupted.insert(teardown_of(&run(vec![], 1, infra(), 130)), left("namespace", "cf-r", "still there"));
    check(interrupted, true);
    // What is gone that was not ours cannot be cleaned up.
    let mut gone = run(vec![allowed()], 1, leaked(), 102);
    gone.insert(at, Event::Vanished { scenario: SCENARIO.into(), kind: "k".into(), id: "i".into() });
    check(gone, false);
}

#[test]
fn no_line_is_wider_than_asked_save_commands() {
    for width in 60..=120 {
        assert_keeps_to(width, &shown(at_width(width), leaky(leaked(), 102)));
        assert_keeps_to(width, &shown(at_width(width), keeping()));
    }
}

#[test]
fn what_is_found_after_its_scenario_has_passed_is_told_all_the_same() {
    let mut events = run(vec![allowed()], 1, Verdict::Passed, 102);
    if let Event::RunStarted { scenarios, .. } = &mut events[0] {
        *scenarios = 2;
    }
    let gone = Event::Vanished { scenario: SCENARIO.into(), kind: "aws".into(), id: "role theirs".into() };
    events.insert(events.len() - 1, gone);
    let text = shown(at_width(100), events.clone());
    let (_, told) = text.split_once("1/2 aks-to-aws").expect("must end");
    assert_snapshot!(told, @r#"
                        1 of 1 check passed                                           1.02 s

        aks-to-aws  a pod in AKS reads an object in S3
            gone        aws role theirs: gone, and not ours

          scenario    place                 verdict  pass fail skip leaked    time
        ~ aks-to-aws  embedded · simulated  leaked      1    0    0      1  1.02 s

        FAILED  0 of 1 scenario passed, 1 scenario never started, 1 of 1 check passed, 1 leaked,      1.03 s
                exit code 102
          scenario   aks-to-aws: leaked
          leaked     1 resource: 1 gone that was not ours
          gone       aks-to-aws: aws role theirs: gone, and not ours
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
    for width in 60..=120 {
        assert_keeps_to(width, &shown(at_width(width), events.clone()));
    }
}
