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
    "started_at": "2026-05-04T10:00:00Z",
    "finished_at": "2026-05-04T10:00:01.8Z",
    "duration_ms": 1031
  },
  "counts": {
    "passed": 1,
    "failed": 0,
    "skipped": 0,
    "flaky": 0,
    "infra": 0,
    "leaked": 0,
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
    "command": "cargo xtask e2e aks-to-aws"
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
        ["junit_aks-to-aws.xml", "junit_runner.xml", "metadata.json", "report.json", "started.json"]
    );
}

#[test]
fn a_scenario_cannot_name_a_file_elsewhere() {
    let started = Event::ScenarioStarted { scenario: "../../x/y".into(), title: "t".into(), checks: 0 };
    let dir = written(&report([started]));
    assert_eq!(names(dir.path()), ["deep"]);
    assert_eq!(names(&dir.path().join("deep/run")), ["junit_------x-y.xml", "junit_runner.xml", "report.json"]);
}
