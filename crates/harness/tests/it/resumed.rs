//! Runs that were killed and go on: what stands is used again, what has an outcome is kept, and nothing is left in the end.

use report::Event;

use crate::run::{Ended, Invocation};
use crate::sandbox::Sandbox;
use crate::standing::Standing;

fn words<'a>(scenario: &'a str, faults: &'a str, id: &'a str) -> Vec<&'a str> {
    vec!["e2e", scenario, "--faults", faults, "--cleanup", "always", "--run-id", id]
}

fn run(standing: &Standing, scenario: &str, faults: &str, id: &str) -> Invocation {
    standing.crossfed(&words(scenario, faults, id))
}

/// How often each check was told, by its id.
fn told(sandbox: &Sandbox, id: &str) -> std::collections::BTreeMap<String, usize> {
    let records = report::read_events(&sandbox.path(&format!("_artifacts/{id}/events.jsonl"))).expect("must read");
    let mut told = std::collections::BTreeMap::new();
    for record in &records {
        if let Event::CheckFinished { check, .. } = record.event() {
            *told.entry(check.id.clone()).or_default() += 1;
        }
    }
    told
}

/// Kills the scenario at records of its journal, and goes on each time.
async fn goes_on(flavor: &str, scenario: &str, faults: &str) {
    let standing = Standing::up(&["--flavor", flavor]).await;
    let before = standing.inventory().await;
    let whole = run(&standing, scenario, faults, "whole").run().await;
    whole.expect_exit(0);
    let records = whole.artifact("journal.jsonl").lines().count();
    let checks = whole.checks();
    for record in (2..records).step_by(3) {
        let (id, trap) = (format!("k{record}"), format!("KILL@after:{record}"));
        run(&standing, scenario, faults, &id).env("CROSSFED_TRAP", &trap).death().await;
        let resumed = standing.sandbox.crossfed(&["resume", &id]).run().await;
        let resumed = Ended { artifacts: standing.sandbox.path(&format!("_artifacts/{id}")), ..resumed };
        assert_eq!(resumed.exit, 0, "{trap}\n{}{}", resumed.stdout, resumed.stderr);
        assert_eq!(resumed.checks(), checks, "{trap}\n{}", resumed.stdout);
        assert_eq!(resumed.journal().open(), [""; 0], "{trap}\n{}", resumed.stdout);
        assert_eq!(standing.inventory().await, before, "{trap}\n{}", resumed.stdout);
    }
}

#[tokio::test]
async fn aks_to_aws_goes_on_wherever_it_was_killed() {
    goes_on("aks", "aks-to-aws", "wrong-namespace,provider-for-another-audience").await;
}

#[tokio::test]
async fn eks_to_azure_goes_on_wherever_it_was_killed() {
    goes_on("eks", "eks-to-azure", "credential-for-another-namespace").await;
}

#[tokio::test]
async fn checks_that_have_an_outcome_are_kept() {
    let standing = Standing::up(&[]).await;
    let whole = run(&standing, "aks-to-aws", "wrong-namespace", "whole").run().await;
    let journal = whole.artifact("journal.jsonl");
    // The first thing that is taken back, once every check has its outcome.
    let undone = journal.lines().position(|line| line.contains("\"undone\"")).expect("it was taken down");
    let trap = format!("KILL@before:{}", undone + 1);
    run(&standing, "aks-to-aws", "wrong-namespace", "r1").env("CROSSFED_TRAP", trap).death().await;
    assert!(told(&standing.sandbox, "r1").values().all(|&times| times == 1));
    let resumed = standing.sandbox.crossfed(&["resume", "latest"]).run().await;
    resumed.expect_exit(0);
    let times = told(&standing.sandbox, "r1");
    assert_eq!(times.get("control"), Some(&2), "the control is seen again: {times:?}");
    assert_eq!(times.get("wrong-namespace"), Some(&1), "a refusal that was seen is kept: {times:?}");
    assert!(resumed.stdout.contains("2 of 2 checks passed"), "{}", resumed.stdout);
}

/// Cluster and clouds ended with the process: the scenarios that had not come to an end begin again, and the others are kept.
#[tokio::test]
async fn an_embedded_run_goes_on_with_clouds_of_its_own() {
    let sandbox = Sandbox::new();
    let words = ["e2e", "aks-to-aws", "eks-to-azure", "--faults", "none", "--run-id", "r1"];
    let whole = Sandbox::new();
    let ended = whole.crossfed(&words).run().await;
    let records = ended.artifact("journal.jsonl").lines().count();
    sandbox.crossfed(&words).env("CROSSFED_TRAP", format!("KILL@after:{}", records * 3 / 4)).death().await;
    let resumed = sandbox.crossfed(&["resume", "r1"]).run().await;
    resumed.expect_exit(0);
    assert!(resumed.stdout.contains("2 of 2 scenarios passed"), "{}", resumed.stdout);
    let resumed = Ended { artifacts: sandbox.path("_artifacts/r1"), ..resumed };
    assert_eq!(resumed.checks(), ended.checks());
}

#[tokio::test]
async fn a_run_that_has_ended_or_is_not_there_cannot_go_on() {
    let sandbox = Sandbox::new();
    sandbox.crossfed(&["e2e", "aks-to-aws", "--faults", "none", "--run-id", "r1"]).run().await.expect_exit(0);
    let ended = sandbox.crossfed(&["resume", "r1"]).run().await;
    ended.expect_exit(4);
    assert!(ended.stderr.contains("run r1 has ended: every check has an outcome"), "{}", ended.stderr);
    let ended = sandbox.crossfed(&["resume", "r2"]).run().await;
    ended.expect_exit(2);
    assert!(ended.stderr.contains("the latest are r1"), "{}", ended.stderr);
}
