//! `cleanup` as its user meets it: what it finds, what it says, and what it leaves alone.

use federation::aws::{self, Desired};
use federation::{Consistency, Tags, Wire};
use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::{Value, json};
use trust::Secret;

use crate::sandbox::Sandbox;
use crate::standing::Standing;

/// Leaves everything of a run in place.
async fn left(standing: &Standing, id: &str) {
    let words = ["e2e", "aks-to-aws", "--faults", "none", "--cleanup", "never", "--run-id", id];
    let ended = standing.crossfed(&words).run().await;
    ended.expect_exit(0);
    assert!(ended.stdout.contains(&format!("cargo xtask cleanup {id}")), "{}", ended.stdout);
}

/// The administrator of the sandbox's AWS account.
fn administrator(standing: &Standing) -> aws::Clients {
    let text = |path: &str| standing.pass.pointer(path).and_then(|value| value.as_str()).expect(path).to_owned();
    let wire = Wire { proxy_url: Some(Secret::new(text("/proxy"))), root_pem: text("/root_pem") };
    let access = aws::Access {
        account: text("/aws/id").parse().expect("an account"),
        region: "eu-central-1".into(),
        access_key_id: text("/aws/access_key_id"),
        secret_access_key: Secret::new(text("/aws/secret_access_key")),
        session_token: None,
        endpoint: None,
        consistency: Consistency::Immediate,
    };
    aws::Clients::new(&access, &aws::HttpStack::new(Some(&wire)).expect("a wire"))
}

/// An object of another's in a bucket of run `r1`, which cannot go while it is there.
struct Theirs {
    clients: aws::Clients,
    object: Desired,
}

impl Theirs {
    async fn put(standing: &Standing) -> Self {
        let (clients, tags) =
            (administrator(standing), Tags::new("another", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"));
        let object =
            Desired::Object { bucket: "cf-r1-shared".into(), key: "theirs".into(), body: vec![1], content_type: None };
        aws::create(&clients, &object, &tags).await.expect("another's object");
        Self { clients, object }
    }

    async fn delete(self) {
        let undo = self.object.undo(self.clients.account(), self.clients.region(), "another");
        aws::undo(&self.clients, &undo).await.expect("its owner deletes it");
    }
}

#[tokio::test]
async fn what_was_left_on_purpose_is_taken_back_with_the_journal_alone() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    left(&standing, "r1").await;
    let kept = standing.inventory().await;
    assert_ne!(kept, before);
    let own = standing.sandbox.read("_artifacts/r1/report.json");
    let dry = standing.sandbox.crossfed(&["cleanup", "r1", "--dry-run"]).run().await;
    dry.expect_exit(0);
    assert!(dry.stdout.ends_with("DRY RUN  8 may be there\n"), "{}", dry.stdout);
    assert_eq!(standing.inventory().await, kept, "{}", dry.stdout);
    // As on another machine: a folder with nothing but the journal, and the credential.
    let elsewhere = Sandbox::new();
    std::fs::copy(standing.sandbox.path("_artifacts/r1/journal.jsonl"), elsewhere.path("j")).expect("must be copied");
    // Beside it, what a run has told that is still going, for all that is known.
    let events = standing.sandbox.read("_artifacts/r1/events.jsonl").replace("\"run_id\":\"r1\"", "\"run_id\":\"r2\"");
    let events = events.lines().next().expect("its begin").to_owned() + "\n";
    elsewhere.write("events.jsonl", &events);
    let file = standing.file.display().to_string();
    let cleaned = elsewhere.crossfed(&["cleanup", "j", "--sandbox", &file]).run().await;
    cleaned.expect_exit(0);
    assert!(events.contains("\"r2\"") && elsewhere.read("events.jsonl") == events, "{events}");
    assert_eq!(standing.inventory().await, before, "{}", cleaned.stdout);
    assert!(
        cleaned.stdout.contains("CLEAN  r1: 8 taken back, 0 not there any more, inventory empty"),
        "{}",
        cleaned.stdout
    );
    // Its own journal does not know of that: nothing is there, and that is fine.
    let again = standing.cleanup("r1").await;
    again.expect_exit(0);
    assert!(again.stdout.contains("CLEAN  r1: 0 taken back, 8 not there any more"), "{}", again.stdout);
    assert_eq!(standing.sandbox.read("_artifacts/r1/report.json"), own, "it has told its own end");
}

fn report(standing: &Standing, run: &str) -> Value {
    serde_json::from_str(&standing.sandbox.read(&format!("_artifacts/{run}/report.json"))).expect("JSON")
}

/// A run that is killed can write no reports: who cleans up after it does, and may still go on with it.
#[tokio::test]
async fn a_run_that_was_killed_gets_its_reports_from_its_cleanup() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let words = ["e2e", "aks-to-aws", "--faults", "none", "--cleanup", "always", "--run-id", "r1"];
    standing.crossfed(&words).env("CROSSFED_TRAP", "KILL@after:18").death().await;
    assert!(!standing.sandbox.path("_artifacts/r1/report.json").exists());
    let theirs = Theirs::put(&standing).await;
    let cleaned = standing.cleanup("r1").await;
    cleaned.expect_exit(102);
    let last = cleaned.stdout.lines().last().unwrap_or_default();
    assert_eq!(last, "  report  _artifacts/r1/report.html, how far it came and what was taken back");
    let told = report(&standing, "r1");
    assert_eq!((&told["exit_code"], &told["scenarios"][0]["verdict"]), (&json!(102), &json!("leaked")), "{told}");
    assert_eq!(told["counts"]["leaked"], json!(told["scenarios"][0]["leftovers"].as_array().map_or(0, Vec::len)));

    theirs.delete().await;
    standing.cleanup("r1").await.expect_exit(0);
    assert_eq!(standing.inventory().await, before);
    let told = report(&standing, "r1");
    assert_eq!((&told["exit_code"], &told["counts"]["leaked"]), (&json!(101), &json!(0)), "{told}");
    assert_eq!(told["scenarios"][0]["verdict"], "infra");
    assert_eq!(told["scenarios"][0]["reason"], "its process was gone before it had ended");
    assert_eq!(told["run"]["cleaned"].as_array().map(Vec::len), Some(2));
    let lasted = told["run"]["duration_ms"].as_u64().expect("a duration");
    assert!(told["scenarios"][0]["duration_ms"].as_u64().is_some_and(|own| own <= lasted), "{told}");
    let phases = standing.sandbox.read("_artifacts/r1/junit_runner.xml");
    assert!(phases.contains("did not finish") && phases.contains(r#"name="teardown""#), "{phases}");
    // Its end is told: another cleanup finds nothing to say.
    standing.cleanup("r1").await.expect_exit(0);
    assert_eq!(report(&standing, "r1"), told);

    let ended = standing.sandbox.crossfed(&["resume", "r1"]).run().await;
    ended.expect_exit(0);
    let told = report(&standing, "r1");
    assert_eq!((&told["exit_code"], &told["run"]["cleaned"]), (&json!(0), &json!([])), "{told}");
    assert_eq!(standing.inventory().await, before);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_told_with_its_reason_until_it_can() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    left(&standing, "r1").await;
    let theirs = Theirs::put(&standing).await;
    for _ in 0..2 {
        let ended = standing.cleanup("r1").await;
        ended.expect_exit(102);
        assert!(ended.stdout.contains("cf-r1-shared: "), "{}", ended.stdout);
        assert!(ended.stdout.contains("BucketNotEmpty"), "{}", ended.stdout);
        assert!(ended.stdout.lines().last().is_some_and(|line| line.starts_with("LEFT  r1: ")), "{}", ended.stdout);
    }
    theirs.delete().await;
    standing.cleanup("r1").await.expect_exit(0);
    assert_eq!(standing.inventory().await, before);
}

/// A namespace that never goes, since something in it waits for a finalizer of somebody else's: it is told, with evidence of what held it up.
#[tokio::test]
async fn a_deletion_that_takes_too_long_is_told_and_written_down() {
    let standing = Standing::up(&[]).await;
    let words =
        ["e2e", "aks-to-aws", "--faults", "none", "--cleanup", "always", "--delete-timeout", "1", "--run-id", "r1"];
    let running = standing.crossfed(&words).env("CROSSFED_TRAP", "STOP@before:18").start();
    let process = crate::stopped::stopped_process(&standing.sandbox.path("_artifacts/r1/journal.jsonl")).await;
    let held = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "finalizers": ["example.com/nobody"]}});
    let path = "/api/v1/namespaces/cf-r1-control/configmaps";
    standing.kube(http::Method::POST, path, &held).await;
    crate::run::send(process, Signal::CONT);
    let ended = running.end().await;
    ended.expect_exit(102);
    assert!(ended.stdout.contains("namespace cf-r1-control"), "{}", ended.stdout);
    let mut clusters = std::fs::read_dir(ended.artifacts.join("clusters")).expect("evidence").filter_map(Result::ok);
    let folder = clusters.next().expect("its cluster").file_name().to_string_lossy().into_owned();
    let why = ended.artifact(&format!("clusters/{folder}/collected.txt"));
    assert!(why.contains("deletion of namespace cf-r1-control timed out"), "{why}");
    let written = std::fs::read_dir(ended.artifacts.join(format!("clusters/{folder}/resources")));
    assert!(written.expect("what stood there").count() > 0);
    let free = serde_json::json!({"metadata": {"finalizers": null}});
    standing.kube(http::Method::PATCH, &format!("{path}/held"), &free).await;
    standing.cleanup("r1").await.expect_exit(0);
}

/// The same in the run itself: its own exit code, its own line in the reports, and the command that takes it down.
#[tokio::test]
async fn a_delete_that_fails_is_a_leak_in_every_report() {
    let standing = Standing::up(&[]).await;
    let words = ["e2e", "aks-to-aws", "--faults", "none", "--cleanup", "always", "--run-id", "r1"];
    let whole = standing.crossfed(&[&words[..7], &["whole"]].concat()).run().await;
    let journal = whole.artifact("journal.jsonl");
    let undone = journal.lines().position(|line| line.contains("\"undone\"")).expect("it was taken down");
    let running = standing.crossfed(&words).env("CROSSFED_TRAP", format!("STOP@before:{}", undone + 1)).start();
    let process = crate::stopped::stopped_process(&standing.sandbox.path("_artifacts/r1/journal.jsonl")).await;
    Theirs::put(&standing).await;
    crate::run::send(process, Signal::CONT);
    let ended = running.end().await;
    ended.expect_exit(102);
    for file in ["report.json", "report.html", "junit_runner.xml", "junit_aks-to-aws.xml", "finished.json"] {
        assert!(ended.artifact(file).to_lowercase().contains("leak"), "{file}: {}", ended.artifact(file));
    }
    assert!(ended.artifact("clouds/aws/leaks.json").contains("cf-r1-shared"));
    assert!(ended.stdout.contains("cargo xtask cleanup r1"), "{}", ended.stdout);
    assert!(ended.stdout.contains("BucketNotEmpty"), "{}", ended.stdout);
}

#[tokio::test]
async fn every_run_that_has_ended_is_finished_and_one_that_has_not_is_left_alone() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    left(&standing, "r1").await;
    left(&standing, "r2").await;
    let words = ["e2e", "aks-to-aws", "--faults", "none", "--cleanup", "always", "--run-id", "r3"];
    let running = standing.crossfed(&words).env("CROSSFED_TRAP", "STOP@after:12").start();
    let process = crate::stopped::stopped_process(&standing.sandbox.path("_artifacts/r3/journal.jsonl")).await;
    let one = standing.cleanup("r3").await;
    one.expect_exit(96);
    assert!(one.stderr.contains("the run is still going"), "{}", one.stderr);
    let all = standing.sandbox.crossfed(&["cleanup", "--all-finished"]).run().await;
    all.expect_exit(0);
    assert!(all.stdout.contains("cleanup r3  left alone: another process holds it"), "{}", all.stdout);
    // Both used one OIDC provider: it goes with the last of them.
    assert!(
        all.stdout.contains("CLEAN  r1: 7 taken back, 0 not there any more, 1 of others left alone"),
        "{}",
        all.stdout
    );
    assert!(all.stdout.contains("CLEAN  r2: 8 taken back"), "{}", all.stdout);
    crate::run::send(process, Signal::CONT);
    running.end().await.expect_exit(0);
    assert_eq!(standing.inventory().await, before);
    let none = standing.sandbox.crossfed(&["cleanup", "--all-finished"]).run().await;
    none.expect_exit(0);
    assert!(none.stdout.starts_with("nothing to clean up in "), "{}", none.stdout);
}

/// An embedded run that is killed takes cluster and clouds along. Its folder and its pods' processes it leaves.
#[tokio::test]
async fn of_an_embedded_run_that_was_killed_no_process_and_no_folder_stays() {
    let sandbox = Sandbox::with_refusals(&["annotation-missing"]);
    let image = sandbox.script("echo $$ > $CROSSFED_TEST_NOTE; exec /bin/sleep 600");
    let note = sandbox.path("note");
    sandbox.edit("workload", "$CROSSFED_TEST_NOTE", &note.display().to_string());
    let running = sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "r1", "--image", &image]).start();
    crate::run::until(|| std::fs::read_to_string(&note).is_ok_and(|text| text.ends_with('\n'))).await;
    let pod = std::fs::read_to_string(&note).expect("a pod runs").trim().to_owned();
    running.signal(Signal::KILL);
    running.death().await;
    assert!(crate::run::is_running(&pod), "nothing has ended it yet");
    let dry = sandbox.crossfed(&["cleanup", "r1", "--dry-run"]).run().await;
    assert!(dry.stdout.ends_with("DRY RUN  1 may be there\n"), "the rest ended with it: {}", dry.stdout);
    let cleaned = sandbox.crossfed(&["cleanup", "r1"]).run().await;
    cleaned.expect_exit(0);
    crate::run::until(|| !crate::run::is_running(&pod)).await;
    let text = sandbox.read("_artifacts/r1/journal.jsonl");
    let folder = text.lines().find_map(|line| line.split_once("private folder ")).expect("it is in the journal").1;
    let folder = folder.split('"').next().expect("a path");
    assert!(!std::path::Path::new(folder).exists(), "{folder}");
    let told = sandbox.read("_artifacts/r1/finished.json");
    assert!(told.contains("FAILURE"), "{told}");
}

#[tokio::test]
async fn what_ended_with_its_sandbox_is_done() {
    let standing = Standing::up(&[]).await;
    left(&standing, "r1").await;
    let sandbox = standing.end().await;
    let cleaned = sandbox.crossfed(&["cleanup", "r1"]).run().await;
    cleaned.expect_exit(0);
    assert!(cleaned.stdout.contains("CLEAN  r1: 0 taken back, 8 not there any more"), "{}", cleaned.stdout);
}

#[tokio::test]
async fn bad_words_are_told_with_what_there_is() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["cleanup", "r1"]).run().await;
    ended.expect_exit(2);
    assert_snapshot!(sandbox.without_paths(&ended.stderr), @"error: no run `r1` has a journal in [folder]/_artifacts");
    sandbox.write("j", "nothing\n");
    let ended = sandbox.crossfed(&["cleanup", "j"]).run().await;
    ended.expect_exit(2);
    assert_snapshot!(sandbox.without_paths(&ended.stderr), @"error: [folder]/j: it is no journal of this version of crossfed");
    sandbox.crossfed(&["cleanup"]).run().await.expect_exit(2);
    sandbox.crossfed(&["cleanup", "r1", "--all-finished"]).run().await.expect_exit(2);
}
