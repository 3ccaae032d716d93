//! A run that is killed, or told to stop, at every record of its journal: what stood before stands after, and nothing else, once `cleanup` has
//! run after a kill, and without it after a signal.

use rustix::process::Signal;

use crate::run::{Death, Invocation};
use crate::standing::Standing;
use crate::stopped::{SIGNALS, signalled};

/// The flavor of the sandbox, a scenario that fits it, and the faults that are tried beside the access: one in an account of its own among them.
const SCENARIOS: [(&str, &str, &str); 7] = [
    ("aks", "aks-to-aws", "wrong-namespace,provider-for-another-audience"),
    ("aks", "aks-to-azure", "credential-for-another-namespace"),
    ("aks", "both-clouds", "none"),
    ("eks", "eks-to-azure", "credential-for-another-namespace"),
    ("eks", "eks-to-aws", "none"),
    ("self-managed", "self-managed-to-aws", "none"),
    ("self-managed", "self-managed-to-azure", "none"),
];

/// Where a run is killed, seen from a record: what was asked for before it has happened, and is not written, or half; or it is the last that
/// is.
const MOMENTS: [&str; 3] = ["before", "torn", "after"];

/// Each record is tried at two of the moments and with one of the signals or, where this is set, at and with each of them; its value is the
/// faults (`default`, `all`, …).
const THOROUGH: &str = "CROSSFED_KILL_THOROUGHLY";

/// Kills runs in a sandbox of this flavor.
async fn in_a_sandbox((flavor, scenario, few): (&str, &str, &str)) -> usize {
    let standing = Standing::up(&["--flavor", flavor]).await;
    let sandbox = standing.file.display().to_string();
    killed_everywhere(&standing, &[scenario, "--sandbox", &sandbox], few).await
}

/// Runs the scenario at every record of its journal: is killed there, and cleans up; is told to stop there, and has nothing to clean up.
#[allow(clippy::print_stderr, reason = "figures for who asks for them")]
async fn killed_everywhere(standing: &Standing, words: &[&str], few: &str) -> usize {
    let thorough = std::env::var_os(THOROUGH).and_then(|faults| faults.into_string().ok());
    let faults = thorough.as_deref().unwrap_or(few);
    let scenario = words[0];
    let before = standing.inventory().await;
    let run = |id: &str| -> Invocation {
        let own = ["--faults", faults, "--cleanup", "always", "--run-id", id];
        standing.sandbox.crossfed(&[&["e2e"], words, &own].concat())
    };
    let whole = run("whole").run().await;
    whole.expect_exit(0);
    let records = whole.artifact("journal.jsonl").lines().count();
    assert_eq!(standing.inventory().await, before, "a whole run leaves nothing");
    let started = std::time::Instant::now();
    let (mut tried, mut stopped) = (0, 0);
    for record in 2..=records {
        for (turn, moment) in MOMENTS.into_iter().enumerate() {
            // Before it shows best what was done too early; of the others, one in turn.
            if thorough.is_none() && turn > 0 && turn - 1 != record % 2 {
                continue;
            }
            let id = format!("k{record}{}", &moment[..1]);
            let trap = format!("KILL@{moment}:{record}");
            let ended = run(&id).env("CROSSFED_TRAP", &trap).death().await;
            match &ended {
                Death::Signal(signal) => assert_eq!(*signal, Signal::KILL.as_raw(), "{trap}"),
                // Which records there are differs a little from run to run: the last of them may not have come.
                Death::Exit(ended) => assert!(record > records - 3, "{trap}: it ended with {}", ended.exit),
            }
            let cleanup = standing.cleanup(&id).await;
            assert_eq!(cleanup.exit, 0, "{trap}\n{}{}", cleanup.stdout, cleanup.stderr);
            assert_eq!(standing.inventory().await, before, "{trap}\n{}", cleanup.stdout);
            assert!(standing.private_folders(&id).is_empty(), "{trap}");
            let finished = standing.sandbox.read(&format!("_artifacts/{id}/finished.json"));
            let is_killed = matches!(ended, Death::Signal(_));
            assert!(finished.contains(if is_killed { "FAILURE" } else { "SUCCESS" }), "{trap}: {finished}");
            tried += 1;
        }
        for (turn, signal) in SIGNALS.into_iter().enumerate() {
            if thorough.is_some() || record % SIGNALS.len() == turn {
                signalled(standing, run, signal, (record, records), &before).await;
                stopped += 1;
            }
        }
    }
    let again = standing.cleanup("latest").await;
    assert_eq!(again.exit, 0, "{}", again.stdout);
    assert!(again.stdout.contains(": 0 taken back, 0 not there any more"), "twice is harmless: {}", again.stdout);
    let took = started.elapsed().as_secs();
    eprintln!("{scenario}: {tried} kills and {stopped} signals at {records} records, no leak, {took} s");
    tried
}

#[tokio::test]
async fn aks_to_aws_leaves_nothing_wherever_it_is_killed() {
    assert!(in_a_sandbox(SCENARIOS[0]).await > 20);
}

#[tokio::test]
async fn aks_to_azure_leaves_nothing_wherever_it_is_killed() {
    assert!(in_a_sandbox(SCENARIOS[1]).await > 20);
}

#[tokio::test]
async fn both_clouds_leaves_nothing_wherever_it_is_killed() {
    assert!(in_a_sandbox(SCENARIOS[2]).await > 20);
}

#[tokio::test]
async fn eks_to_azure_leaves_nothing_wherever_it_is_killed() {
    assert!(in_a_sandbox(SCENARIOS[3]).await > 20);
}

#[tokio::test]
async fn eks_to_aws_leaves_nothing_wherever_it_is_killed() {
    assert!(in_a_sandbox(SCENARIOS[4]).await > 20);
}

#[tokio::test]
async fn self_managed_to_aws_leaves_nothing_wherever_it_is_killed() {
    assert!(in_a_sandbox(SCENARIOS[5]).await > 20);
}

#[tokio::test]
async fn self_managed_to_azure_leaves_nothing_wherever_it_is_killed() {
    assert!(in_a_sandbox(SCENARIOS[6]).await > 20);
}

/// The cluster outlives the run, the clouds do not: webhooks, namespaces and the node that the run was are left.
#[tokio::test]
async fn a_cluster_of_others_is_left_as_it_was_wherever_a_run_is_killed() {
    let standing = Standing::up(&[]).await;
    let file = standing.kubeconfig();
    let words = ["aks-to-aws", "--cluster", "kubeconfig", "--kubeconfig", &file, "--node", "process"];
    assert!(killed_everywhere(&standing, &words, "none").await > 20);
}
