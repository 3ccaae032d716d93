//! Several runs at the same time in one account, one subscription and one cluster, with the quotas of the real ones: none disturbs another, and
//! none touches what a stranger has there.

use std::time::Duration;

use harness::journal::Line;
use trust::Verdict;

use crate::run::{Ended, Invocation};
use crate::standing::Standing;
use crate::stranger::Stranger;

/// Eight whole runs on two busy cores.
const DEADLINE: Duration = Duration::from_secs(150);

fn all(standing: &Standing, id: &str) -> Invocation {
    let words = ["e2e", "all", "--cleanup", "always", "--run-id", id];
    standing.crossfed(&words).within(DEADLINE)
}

fn every_check_passed(ended: &Ended) -> usize {
    ended.expect_exit(0);
    let checks: Vec<_> = ended.report().scenarios.into_iter().flat_map(|scenario| scenario.checks).collect();
    for check in &checks {
        assert!(
            matches!(check.verdict, Verdict::Passed | Verdict::Skipped { .. }),
            "{}: {:?}",
            check.id,
            check.verdict
        );
    }
    checks.iter().filter(|check| check.verdict == Verdict::Passed).count()
}

#[tokio::test]
async fn eight_runs_of_all_scenarios_at_once_do_not_disturb_each_other() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let alone = every_check_passed(&all(&standing, "alone").run().await);
    assert!(alone > 0);
    assert_eq!(standing.inventory().await, before);
    let ids: Vec<String> = (1..=8).map(|number| format!("a{number}")).collect();
    let ended = futures::future::join_all(ids.iter().map(|id| all(&standing, id).run())).await;
    for run in &ended {
        assert_eq!(every_check_passed(run), alone);
        assert_eq!(run.journal().open(), [""; 0]);
    }
    assert_eq!(standing.inventory().await, before);
}

/// One run in an account in which a stranger has made a provider for the cluster's issuer.
fn beside(standing: &Standing, id: &str, more: &[&str]) -> Invocation {
    let words = ["e2e", "aks-to-aws", "--faults", "wrong-namespace", "--cleanup", "always", "--run-id", id];
    standing.crossfed(&[&words[..], more].concat())
}

fn issuer(standing: &Standing) -> &str {
    standing.pass["issuer"].as_str().expect("a sandbox names its issuer")
}

/// Without the places at which lines are broken.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What a run wrote down to create in a cloud.
fn created(ended: &Ended) -> usize {
    let lines = ended.artifact("journal.jsonl");
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let in_cloud = |line: &Line| {
        matches!(line, Line::Intended { undo: harness::journal::Undo::Aws(_) | harness::journal::Undo::Azure(_), .. })
    };
    lines.filter(in_cloud).count()
}

#[tokio::test]
async fn a_strangers_oidc_provider_is_used_only_when_asked_for_and_never_changed() {
    let standing = Standing::up(&[]).await;
    let stranger = Stranger::of(&standing);
    let arn = stranger.provider(issuer(&standing), "sts.amazonaws.com").await;
    let before = standing.inventory().await;
    let (one, other) = tokio::join!(beside(&standing, "r1", &[]).run(), beside(&standing, "r2", &[]).run());
    for refused in [one, other] {
        refused.expect_exit(96);
        assert!(refused.stdout.contains("--reuse-oidc-provider"), "{}", refused.stdout);
        assert_eq!(created(&refused), 0, "nothing is created");
    }
    assert_eq!(standing.inventory().await, before);
    let reuse = ["--reuse-oidc-provider"];
    let (one, other) = tokio::join!(beside(&standing, "r3", &reuse).run(), beside(&standing, "r4", &reuse).run());
    for run in [one, other] {
        assert_eq!(every_check_passed(&run), 2);
        assert!(unbroken(&run.stdout).contains(&format!("uses the OIDC provider {arn} as it is").replace(' ', "")));
    }
    assert_eq!(standing.inventory().await, before);
}

#[tokio::test]
async fn a_strangers_oidc_provider_that_lacks_the_audience_is_left_to_its_owner() {
    let standing = Standing::up(&[]).await;
    let stranger = Stranger::of(&standing);
    let arn = stranger.provider(issuer(&standing), "payroll").await;
    let before = standing.inventory().await;
    let refused = beside(&standing, "r1", &["--reuse-oidc-provider"]).run().await;
    refused.expect_exit(96);
    let command = format!(
        "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} --client-id sts.amazonaws.com"
    );
    assert!(unbroken(&refused.stdout).contains(&command.replace(' ', "")), "{}", refused.stdout);
    assert_eq!(created(&refused), 0);
    assert_eq!(standing.inventory().await, before);
    // Once its owner has done that, it holds.
    let owner = [("OpenIDConnectProviderArn", arn.as_str()), ("ClientID", "sts.amazonaws.com")];
    stranger.iam("AddClientIDToOpenIDConnectProvider", &owner).await;
    let before = standing.inventory().await;
    assert_eq!(every_check_passed(&beside(&standing, "r2", &["--reuse-oidc-provider"]).run().await), 2);
    assert_eq!(standing.inventory().await, before);
}
