//! `sweep` in a sandbox that runs and strangers use: what is listed, what is deleted, and what is never touched.

use serde_json::{Value, json};

use crate::places::{Aws, Cluster};
use crate::run::{Death, Ended};
use crate::sandbox::Sandbox;
use crate::standing::Standing;
use crate::stranger::Stranger;

/// A run that leaves everything, as one that was killed does.
async fn leaves_all(standing: &Standing, id: &str) {
    let words = ["e2e", "both-clouds", "--faults", "wrong-namespace", "--cleanup", "never", "--run-id", id];
    standing.crossfed(&words).run().await.expect_exit(0);
}

async fn sweep(standing: &Standing, words: &[&str]) -> Ended {
    standing.crossfed(&[&["sweep"], words].concat()).run().await
}

async fn json(standing: &Standing, words: &[&str]) -> Value {
    let ended = sweep(standing, &[words, &["--output", "json"]].concat()).await;
    ended.expect_exit(0);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
}

async fn namespace(standing: &Standing, name: &str, metadata: Value) {
    let mut object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
    object["metadata"]["name"] = Value::from(name);
    standing.kube(http::Method::POST, "/api/v1/namespaces", &object).await;
}

/// Tags of a run that began long ago.
const OLD: [(&str, &str); 4] = [
    ("tool", "crossfed"),
    ("crossfed:run", "ghost"),
    ("crossfed:created", "2026-01-01T00:00:00Z"),
    ("crossfed:expires", "2026-01-01T06:00:00Z"),
];

#[tokio::test]
async fn what_a_dead_run_has_left_is_listed_in_the_order_in_which_it_must_go() {
    let standing = Standing::up(&[]).await;
    leaves_all(&standing, "r1").await;
    let before = standing.inventory().await;
    let mut found = json(&standing, &[]).await;
    for thing in found["things"].as_array_mut().expect("a list") {
        let age = thing["age_seconds"].as_i64().expect("an age");
        assert!((0..60).contains(&age), "{thing}");
        thing["age_seconds"] = json!("[age]");
    }
    let line = |thing: &Value| {
        let text = |name: &str| thing[name].as_str().unwrap_or("-").to_owned();
        let words = ["cloud", "account", "kind", "id", "run", "state"].map(text);
        format!("{} {}", words.join(" "), thing["cost_per_day_usd"])
    };
    let lines: Vec<String> = found["things"].as_array().expect("a list").iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        cluster - webhook configuration amazon-eks-pod-identity-webhook-cf-r1 r1 dead 0.0
        cluster - webhook configuration azure-wi-webhook-mutating-webhook-configuration-cf-r1 r1 dead 0.0
        cluster - namespace cf-r1-control r1 dead null
        cluster - namespace cf-r1-wrong-namespace r1 dead null
        aws 111122223333 bucket cf-r1-shared r1 dead 0.0
        aws 111122223333 role arn:aws:iam::111122223333:role/cf-r1-control r1 dead 0.0
        aws 111122223333 role arn:aws:iam::111122223333:role/cf-r1-wrong-namespace r1 dead 0.0
        aws 111122223333 policy arn:aws:iam::111122223333:policy/cf-r1-shared r1 dead 0.0
        aws 111122223333 OIDC provider arn:aws:iam::111122223333:oidc-provider/westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/ r1 dead 0.0
        azure [uuid] vault cf-r1-shared r1 dead 0.0
        azure [uuid] identity cf-r1-control r1 dead 0.0
        azure [uuid] identity cf-r1-wrong-namespace r1 dead 0.0
        azure [uuid] resource group cf-r1-group r1 dead 0.0
    "#);
    let rest = json!({"swept": found["swept"], "first": found["things"][0], "left_alone": found["left_alone"], "open_journals": found["open_journals"]});
    insta::assert_snapshot!(format!("{rest:#}"), @r#"
    {
      "swept": false,
      "first": {
        "cloud": "cluster",
        "account": null,
        "kind": "webhook configuration",
        "id": "amazon-eks-pod-identity-webhook-cf-r1",
        "run": "r1",
        "state": "dead",
        "created": "[moment]",
        "expires": "[moment]",
        "age_seconds": "[age]",
        "cost_per_day_usd": 0.0
      },
      "left_alone": {
        "live": {
          "things": 0,
          "runs": 0
        },
        "may_live": {
          "things": 0,
          "runs": 0
        },
        "younger": {
          "things": 0,
          "runs": 0
        }
      },
      "open_journals": [
        {
          "run": "r1",
          "open": 21
        }
      ]
    }
    "#);
    let table = sweep(&standing, &[]).await;
    table.expect_exit(0);
    assert!(table.stdout.starts_with("CLOUD "), "{}", table.stdout);
    assert!(table.stdout.contains("would be deleted; to delete: cargo xtask sweep --sandbox"), "{}", table.stdout);
    assert_eq!(standing.inventory().await, before, "a dry run deletes nothing");
}

#[tokio::test]
async fn a_run_that_may_live_elsewhere_is_left_alone_until_it_has_expired() {
    let standing = Standing::up(&[]).await;
    leaves_all(&standing, "r1").await;
    let stranger = Stranger::of(&standing);
    let labels = json!({"crossfed.dev/run": "ghost", "app.kubernetes.io/managed-by": "crossfed"});
    let expired = json!({"labels": labels, "annotations": {"crossfed.dev/expires": "2026-01-01T06:00:00Z"}});
    let before = standing.inventory().await;
    stranger.role("cf-ghost-control", &OLD).await;
    namespace(&standing, "cf-ghost-control", expired).await;
    // As another machine sees it: the run's journal is not there.
    let elsewhere = ["--artifacts-dir", "elsewhere"];
    let found = json(&standing, &elsewhere).await;
    let ids: Vec<(&str, &str)> = found["things"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|thing| (thing["kind"].as_str().expect("a kind"), thing["state"].as_str().expect("a state")))
        .collect();
    assert_eq!(ids, [("namespace", "expired"), ("role", "expired")], "{found:#}");
    assert_eq!(found["left_alone"]["may_live"]["runs"], 1, "{found:#}");
    // A namespace of now, a role of January.
    let old = json(&standing, &[&elsewhere[..], &["--older-than", "1d"]].concat()).await;
    assert_eq!(old["things"].as_array().map(Vec::len), Some(1), "{old:#}");
    assert_eq!(old["left_alone"]["younger"]["things"], 1, "{old:#}");
    let swept = sweep(&standing, &[&elsewhere[..], &["--no-dry-run"]].concat()).await;
    swept.expect_exit(0);
    assert!(swept.stdout.contains("SWEPT  2 things deleted"), "{}", swept.stdout);
    assert_eq!(standing.inventory().await, before);
}

#[tokio::test]
async fn what_is_swept_is_gone_and_what_is_anothers_is_untouched() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    leaves_all(&standing, "r1").await;
    let stranger = Stranger::of(&standing);
    // Under our names, with marks that are ours in part.
    stranger.role("cf-r1-payroll", &[("tool", "terraform"), ("crossfed:run", "r1")]).await;
    stranger.role("payroll", &[]).await;
    namespace(&standing, "cf-r1-payroll", json!({"labels": {"crossfed.dev/run": "r1"}})).await;
    namespace(&standing, "payroll", json!({"labels": {"app.kubernetes.io/managed-by": "crossfed"}})).await;
    let is_theirs = |line: &&String| line.contains("payroll");
    let all = standing.inventory().await;
    let theirs: Vec<&String> = all.iter().filter(is_theirs).collect();
    assert!(theirs.len() >= 4, "{all:#?}");
    let swept = sweep(&standing, &["--no-dry-run"]).await;
    swept.expect_exit(0);
    assert!(swept.stdout.contains("a second look finds none of them"), "{}", swept.stdout);
    let all = standing.inventory().await;
    assert_eq!(all.iter().filter(is_theirs).collect::<Vec<_>>(), theirs, "{}", swept.stdout);
    assert_eq!(all.iter().filter(|line| !is_theirs(line)).cloned().collect::<Vec<_>>(), before, "{}", swept.stdout);
    let again = sweep(&standing, &["--no-dry-run"]).await;
    again.expect_exit(0);
    assert!(again.stdout.ends_with("NOTHING TO SWEEP\n"), "{}", again.stdout);
}

/// A killed run on a cluster and at an endpoint of somebody else's: its node is there, too.
#[tokio::test]
async fn a_cluster_and_an_endpoint_are_swept_of_a_killed_run() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox).await;
    let aws = Aws::start(&cluster, |router| router).await;
    let before = cluster.objects().await;
    let url = aws.url();
    let with_keys = |words: &[&str]| {
        let invocation = sandbox.crossfed(&[words, &["--kubeconfig", "kubeconfig", "--aws-endpoint", &url]].concat());
        let secret = aws.keys.secret_access_key.expose();
        invocation.env("AWS_ACCESS_KEY_ID", &aws.keys.access_key_id).env("AWS_SECRET_ACCESS_KEY", secret)
    };
    let words = ["e2e", "aks-to-aws", "--faults", "none", "--run-id", "r1", "--cluster", "kubeconfig"];
    let Death::Signal(_) = with_keys(&words).env("CROSSFED_TRAP", "KILL@check").death().await else {
        panic!("it must be killed");
    };
    let swept = with_keys(&["sweep", "--no-dry-run", "--output", "json"]).run().await;
    swept.expect_exit(0);
    let swept: Value = serde_json::from_str(&swept.stdout).expect("JSON");
    let kinds: Vec<&str> =
        swept["things"].as_array().expect("a list").iter().filter_map(|thing| thing["kind"].as_str()).collect();
    let expected = ["webhook configuration", "namespace", "node", "bucket", "role", "policy", "OIDC provider"];
    assert_eq!(kinds, expected, "{swept:#}");
    assert!(swept["things"].as_array().is_some_and(|all| all.iter().all(|thing| thing["gone"] == true)), "{swept:#}");
    assert_eq!(cluster.objects().await, before);
    let cleanup = sandbox.crossfed(&["cleanup", "r1"]).env("AWS_ACCESS_KEY_ID", &aws.keys.access_key_id);
    let cleanup = cleanup.env("AWS_SECRET_ACCESS_KEY", aws.keys.secret_access_key.expose()).run().await;
    cleanup.expect_exit(0);
    assert!(cleanup.stdout.contains(": 1 taken back"), "the folder alone: {}", cleanup.stdout);
}

/// What is in a bucket of ours and is not ours keeps the bucket: that is told, with exit code 102.
#[tokio::test]
async fn what_cannot_be_deleted_is_told_with_why() {
    let standing = Standing::up(&[]).await;
    leaves_all(&standing, "r1").await;
    let stranger = Stranger::of(&standing);
    stranger.object("eu-central-1", "cf-r1-shared", "payroll.csv").await;
    let before = standing.inventory().await;
    let swept = sweep(&standing, &["--no-dry-run"]).await;
    swept.expect_exit(102);
    assert!(swept.stdout.contains("left behind: bucket cf-r1-shared: "), "{}", swept.stdout);
    assert!(swept.stdout.contains("BucketNotEmpty"), "{}", swept.stdout);
    let after = standing.inventory().await;
    let theirs: Vec<&String> = after.iter().filter(|line| line.contains("payroll.csv")).collect();
    assert_eq!(theirs, before.iter().filter(|line| line.contains("payroll.csv")).collect::<Vec<_>>());
    assert_eq!(theirs.len(), 1, "{after:#?}");
}

/// On one OIDC provider with the dead run, too: that goes from it, and the live one goes on.
#[tokio::test]
async fn the_things_of_a_live_run_are_never_listed_and_it_goes_on() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    leaves_all(&standing, "r1").await;
    let words = ["e2e", "both-clouds", "--faults", "none", "--cleanup", "always", "--run-id", "r2"];
    let running = standing.crossfed(&words).env("CROSSFED_TRAP", "STOP@after:30").start();
    let process = crate::stopped::stopped_process(&standing.sandbox.path("_artifacts/r2/journal.jsonl")).await;
    let swept = json(&standing, &["--no-dry-run"]).await;
    let things = swept["things"].as_array().expect("a list");
    assert!(!things.is_empty() && things.iter().all(|thing| thing["run"] == "r1"), "{swept:#}");
    assert!(things.iter().all(|thing| thing["gone"] == true), "{swept:#}");
    assert_eq!(swept["left_alone"]["live"]["runs"], 1, "{swept:#}");
    crate::run::send(process, rustix::process::Signal::CONT);
    running.end().await.expect_exit(0);
    assert_eq!(standing.inventory().await, before);
}

#[tokio::test]
async fn bad_flags_are_refused_with_what_is_expected() {
    let sandbox = Sandbox::new();
    let check = async |words: &[&str], exit: i32, expected: &str| {
        let ended = sandbox.crossfed(&[&["sweep"], words].concat()).run().await;
        ended.expect_exit(exit);
        assert!(ended.stderr.contains(expected), "{words:?}: {}", ended.stderr);
    };
    check(&["--older-than", "soon"], 2, "a number and s, m, h or d are expected, such as 6h").await;
    check(&["--output", "yaml"], 2, "possible values: table, json").await;
    check(&["--context", "x"], 2, "--kubeconfig <FILE>").await;
    check(&["--sandbox", "x", "--aws-endpoint", "http://h"], 2, "cannot be used with").await;
    check(&["--sandbox", "nowhere.json"], 2, "is no file of a sandbox").await;
    check(&["--kubeconfig", "nowhere"], 2, "nowhere").await;
    check(&["--aws-endpoint", "http://127.0.0.1:1"], 96, "AWS_ACCESS_KEY_ID").await;
    check(&["--aws-endpoint", "nonsense"], 2, "--aws-endpoint").await;
}

#[tokio::test]
async fn without_a_place_it_looks_at_this_machine_alone_and_says_so() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["sweep"]).run().await;
    ended.expect_exit(0);
    assert!(ended.stderr.contains("looks at this machine alone"), "{}", ended.stderr);
}
