//! The files that a run leaves.

use std::path::Path;

use insta::assert_snapshot;
use report::{Event, Report, write_artifacts};
use serde_json::Value;
use trust::{Chain, Verdict};

use crate::sample::*;

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("must list");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("must list").file_name().into_string().expect("must be UTF-8")).collect();
    names.sort();
    names
}

fn written(report: &Report) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("must make a folder");
    let paths = write_artifacts(&dir.path().join("deep/run"), report).expect("must write");
    assert!(paths.iter().all(|path| path.is_file()));
    assert_eq!(paths.len(), names(&dir.path().join("deep/run")).len(), "nothing else may be left");
    dir
}

fn read(dir: &tempfile::TempDir, name: &str) -> String {
    std::fs::read_to_string(dir.path().join("deep/run").join(name)).expect("must be there")
}

#[test]
fn report_json_is_one_readable_document() {
    let check = report::CheckRecord { chain: Chain::default(), ..refusals().remove(0) };
    let folded = report(run(vec![check], 2, Verdict::Passed, 0));
    let dir = written(&folded);
    let text = read(&dir, "report.json");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("must read back"), folded);
    let mut value: Value = serde_json::from_str(&text).expect("must be JSON");
    value["scenarios"][0]["phases"].as_array_mut().expect("must be an array").truncate(1);
    assert_snapshot!(serde_json::to_string_pretty(&value).expect("must print"), @r#"
        {
          "schema": "crossfed.dev/report/v1",
          "run": {
            "run_id": "r-7f3a91",
            "command": [
              "cargo",
              "xtask",
              "e2e",
              "aks-to-aws"
            ],
            "version": "0.1.0",
            "cluster": "embedded",
            "clouds": "simulated",
            "scenarios": 1,
            "started_at": "2026-05-04T10:00:00Z",
            "finished_at": "2026-05-04T10:00:01.8Z",
            "duration_ms": 1031,
            "resumed": [],
            "cleaned": []
          },
          "counts": {
            "passed": 1,
            "failed": 0,
            "skipped": 0,
            "flaky": 0,
            "infra": 0,
            "leaked": 0,
            "kept": 0,
            "not_run": 1
          },
          "scenarios": [
            {
              "scenario": "aks-to-aws",
              "title": "a pod in AKS reads an object in S3",
              "checks_planned": 2,
              "verdict": "passed",
              "duration_ms": 1025,
              "phases": [
                {
                  "phase": "preflight",
                  "outcome": "done",
                  "detail": null,
                  "duration_ms": 3
                }
              ],
              "checks": [
                {
                  "id": "wrong-audience",
                  "title": "token for another audience",
                  "kind": "deny",
                  "twin": "reads",
                  "expected": {
                    "outcome": "refused",
                    "link": "audience-accepted",
                    "code": "InvalidIdentityToken",
                    "status": 400
                  },
                  "observed": {
                    "outcome": "refused",
                    "link": "audience-accepted",
                    "code": "InvalidIdentityToken",
                    "status": 400,
                    "message": "Not authorized to perform sts:AssumeRoleWithWebIdentity"
                  },
                  "verdict": "passed",
                  "chain": {
                    "links": []
                  },
                  "duration_ms": 21,
                  "source": "AWS STS API reference, AssumeRoleWithWebIdentity, Errors"
                }
              ],
              "leftovers": [],
              "vanished": [],
              "kept": 0,
              "notes": []
            }
          ],
          "notes": [],
          "exit_code": 0
        }
        "#);
}

#[test]
fn another_schema_is_not_read_as_this_one() {
    let text = serde_json::to_string(&Report::default()).expect("must print").replace("report/v1", "report/v2");
    assert!(serde_json::from_str::<Report>(&text).is_err());
}

#[test]
fn prow_reads_start_end_and_metadata() {
    let dir = written(&report(run(vec![allowed()], 1, Verdict::Passed, 0)));
    assert_snapshot!(read(&dir, "started.json") + &read(&dir, "finished.json") + &read(&dir, "metadata.json"), @r#"
        {
          "timestamp": 1777888800
        }
        {
          "timestamp": 1777888801,
          "passed": true,
          "result": "SUCCESS",
          "metadata": {
            "run-id": "r-7f3a91",
            "version": "0.1.0",
            "cluster": "embedded",
            "clouds": "simulated",
            "command": "cargo xtask e2e aks-to-aws",
            "exit-code": "0"
          }
        }
        {
          "run-id": "r-7f3a91",
          "version": "0.1.0",
          "cluster": "embedded",
          "clouds": "simulated",
          "command": "cargo xtask e2e aks-to-aws"
        }
        "#);
    let check = |exit_code, result: &str, passed: bool| {
        let dir = written(&report(run(vec![allowed()], 1, Verdict::Passed, exit_code)));
        let finished: Value = serde_json::from_str(&read(&dir, "finished.json")).expect("must be JSON");
        assert_eq!(
            (&finished["result"], &finished["passed"]),
            (&Value::from(result), &Value::from(passed)),
            "{exit_code}"
        );
    };
    check(100, "FAILURE", false);
    check(102, "FAILURE", false);
    check(130, "ABORTED", false);
    check(143, "ABORTED", false);
}

#[test]
fn a_run_that_has_not_finished_has_no_end() {
    let dir = written(&report(opening(3)));
    assert_eq!(
        names(&dir.path().join("deep/run")),
        ["junit_aks-to-aws.xml", "junit_runner.xml", "metadata.json", "report.html", "report.json", "started.json"]
    );
}

#[test]
fn each_scenario_has_a_junit_file_of_its_own() {
    let folded = report(seven());
    let dir = written(&folded);
    let junit: Vec<String> =
        names(&dir.path().join("deep/run")).into_iter().filter(|name| name.starts_with("junit_")).collect();
    assert_snapshot!(junit.join("\n"), @r#"
        junit_aks-to-aws.xml
        junit_aks-to-azure.xml
        junit_both-clouds.xml
        junit_eks-to-aws.xml
        junit_eks-to-azure.xml
        junit_long-lived.xml
        junit_runner.xml
        junit_self-managed-to-azure.xml
        "#);
    for entry in &folded.scenarios {
        let xml = read(&dir, &format!("junit_{}.xml", entry.scenario));
        let classes: Vec<&str> = xml.lines().filter(|line| line.contains("<testcase ")).collect();
        let own = format!("classname=\"{}\"", entry.scenario);
        assert!(!classes.is_empty() && classes.iter().all(|case| case.contains(&own)), "{xml}");
    }
    assert!(read(&dir, "junit_both-clouds.xml").contains(r#"name="wrong-namespace/azure""#));
}

#[test]
fn a_run_that_does_not_say_how_many_scenarios_it_has_has_one() {
    let text = serde_json::to_string(&report(opening(1))).expect("must print");
    let before = text.replace(r#""scenarios":1,"#, "");
    assert_ne!(before, text);
    let read: Report = serde_json::from_str(&before).expect("must read a report from before");
    assert_eq!(read.run.expect("must have begun").scenarios, 1);
    let line = r#"{"at":"2026-05-04T10:00:00Z","seq":0,"event":"run-started","run_id":"r","command":[],"version":"1","cluster":"c","clouds":"s"}"#;
    let record: report::Record = serde_json::from_str(line).expect("must read an event from before");
    assert!(matches!(record.event(), Event::RunStarted { scenarios: 1, .. }));
}

#[test]
fn a_scenario_cannot_name_a_file_elsewhere() {
    let started = Event::ScenarioStarted { scenario: "../../x/y".into(), title: "t".into(), checks: 0 };
    let dir = written(&report([started]));
    assert_eq!(names(dir.path()), ["deep"]);
    assert_eq!(
        names(&dir.path().join("deep/run")),
        ["junit_------x-y.xml", "junit_runner.xml", "report.html", "report.json"]
    );
}
