//! Runs that are told to stop, or that break, in a sandbox that outlives them: signals, a closed terminal, a panic, a full disk, clouds that do
//! not answer. Whatever it is, nothing is left, or it is told and `cleanup` finds it.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Death, Invocation};
use crate::standing::Standing;

const WORDS: [&str; 4] = ["e2e", "aks-to-aws", "--faults", "wrong-namespace"];

/// A record of the journal after which a run creates things.
const WHILE_CREATING: usize = 20;

/// What tells a run to stop, and the exit code that says so.
pub(crate) const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

fn run(standing: &Standing, id: &str) -> Invocation {
    standing.crossfed(&[&WORDS[..], &["--cleanup", "always", "--run-id", id]].concat())
}

/// A run that is never stopped, and how long its journal is.
async fn whole(standing: &Standing) -> usize {
    let ended = run(standing, "whole").run().await;
    ended.expect_exit(0);
    ended.artifact("journal.jsonl").lines().count()
}

/// At a record of the journal a signal takes the run down in order: nothing is left for a cleanup.
pub(crate) async fn signalled(
    standing: &Standing,
    run: impl Fn(&str) -> Invocation,
    (name, exit): (&str, i32),
    (record, records): (usize, usize),
    before: &[String],
) {
    let (id, trap) = (format!("{}{record}", name.to_lowercase()), format!("{name}@after:{record}"));
    let ended = run(&id).env("CROSSFED_TRAP", &trap).run().await;
    // In the last rounds of the teardown there is nothing left to stop.
    assert!(ended.exit == exit || ended.exit == 0 && record > records / 2, "{trap}: exit {}", ended.exit);
    assert_eq!(standing.inventory().await, before, "{trap}\n{}", ended.stdout);
    assert_eq!(ended.journal().open(), [""; 0], "{trap}\n{}", ended.stdout);
    assert!(standing.private_folders(&id).is_empty(), "{trap}");
    assert!(!ended.stdout.contains("cargo xtask cleanup"), "{trap}: {}", ended.stdout);
}

/// The commonest of them, at every record; `killed.rs` has the others, and every scenario.
#[tokio::test]
async fn ctrl_c_leaves_nothing_whenever_it_comes() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let records = whole(&standing).await;
    for record in 2..=records {
        signalled(&standing, |id| run(&standing, id), SIGNALS[0], (record, records), &before).await;
    }
}

/// The run's terminal is closed: the kernel says so to the run, and whatever it writes from then on is refused.
#[tokio::test]
async fn a_closed_terminal_leaves_nothing() {
    if !crate::serves::has("script") {
        return;
    }
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let file = standing.file.display().to_string();
    // It stops itself in the middle, so that the terminal is closed while it is at work.
    let command = format!(
        "CROSSFED_TRAP=STOP@after:20 {} {} --cleanup always --run-id r1 --sandbox {file}",
        env!("CARGO_BIN_EXE_crossfed"),
        WORDS.join(" ")
    );
    let mut terminal = tokio::process::Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]).current_dir(standing.sandbox.path(""));
    terminal.env("CROSSFED_ROOT", crate::sandbox::repository());
    terminal.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).kill_on_drop(true);
    let mut terminal = terminal.spawn().expect("script must start");
    let journal = standing.sandbox.path("_artifacts/r1/journal.jsonl");
    let process = stopped_process(&journal).await;
    terminal.kill().await.expect("the terminal must close");
    crate::run::send(process, Signal::CONT);
    crate::run::until(|| !crate::run::is_running(&process.to_string())).await;
    assert_eq!(standing.inventory().await, before);
    let finished: Value = serde_json::from_str(&standing.sandbox.read("_artifacts/r1/finished.json")).expect("JSON");
    assert_eq!(finished["result"], "ABORTED", "{finished}");
}

/// The process of a run, once it has stopped itself.
pub(crate) async fn stopped_process(journal: &std::path::Path) -> i32 {
    let mut process = 0;
    crate::run::until(|| {
        let first = std::fs::read_to_string(journal).ok().and_then(|text| text.lines().next().map(str::to_owned));
        let start: Option<Value> = first.and_then(|line| serde_json::from_str(&line).ok());
        let Some(id) = start.and_then(|start| start["process"].as_i64()) else { return false };
        process = i32::try_from(id).expect("a process id");
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    })
    .await;
    process
}

/// Clouds and cluster that do not answer, as if the network were gone, from a record of a run's journal on.
async fn without_an_answer(standing: &Standing, id: &str, record: usize) -> (crate::run::Running, i32) {
    let running = run(standing, id).env("CROSSFED_TRAP", format!("STOP@after:{record}")).start();
    let process = stopped_process(&standing.sandbox.path(&format!("_artifacts/{id}/journal.jsonl"))).await;
    standing.signal(Signal::STOP);
    crate::run::send(process, Signal::CONT);
    (running, process)
}

#[tokio::test]
async fn a_second_ctrl_c_gives_the_teardown_up_and_says_what_is_left() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let all = whole(&standing).await;
    let mut left = 0;
    // Before anything is created, and until most of it has gone again.
    for record in (4..all - 4).step_by(6) {
        let id = format!("r{record}");
        let (mut running, process) = without_an_answer(&standing, &id, record).await;
        crate::run::send(process, Signal::INT);
        running.says("interrupted: ").await;
        let began = Instant::now();
        crate::run::send(process, Signal::INT);
        let ended = running.end().await;
        assert!(began.elapsed() < Duration::from_millis(2500), "{record}: {:?}", began.elapsed());
        let is_left = !ended.journal().open().is_empty();
        for said in ["the teardown was given up)".to_owned(), format!("cargo xtask cleanup {id}")] {
            assert_eq!(ended.stdout.contains(&said), is_left, "{record}, {said}: {}", ended.stdout);
        }
        // What was left after all checks had passed is a leak.
        let exit = if ended.stdout.contains("checks passed") && is_left { 102 } else { 130 };
        ended.expect_exit(exit);
        left += usize::from(is_left);
        standing.signal(Signal::CONT);
        standing.cleanup(&id).await.expect_exit(0);
        assert_eq!(standing.inventory().await, before, "{record}");
        assert!(standing.private_folders(&id).is_empty(), "{record}");
    }
    assert!(left > 3, "{left}");
}

/// What GitHub does to a job that is cancelled: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL. The step after it cleans up.
#[tokio::test]
async fn a_cancelled_job_ends_before_it_is_killed_and_its_next_step_cleans_up() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let (running, process) = without_an_answer(&standing, "r1", WHILE_CREATING).await;
    crate::run::send(process, Signal::INT);
    tokio::time::sleep(Duration::from_millis(7500)).await;
    assert!(crate::run::is_running(&process.to_string()), "it waits for clouds that do not answer");
    crate::run::send(process, Signal::TERM);
    let ended =
        tokio::time::timeout(Duration::from_millis(2500), running.end()).await.expect("it must end before KILL");
    assert!([130, 143].contains(&ended.exit), "{}", ended.exit);
    assert!(ended.artifact("finished.json").contains("ABORTED"), "its reports must be written");
    standing.signal(Signal::CONT);
    standing.cleanup("latest").await.expect_exit(0);
    assert_eq!(standing.inventory().await, before);
}

/// The same where the clouds answer: nothing is left at all, and it ends at once.
#[tokio::test]
#[allow(clippy::print_stderr, reason = "figures for who asks for them")]
async fn a_cancelled_job_whose_clouds_answer_has_time_to_spare() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let running = run(&standing, "r1").env("CROSSFED_TRAP", "STOP@after:20").start();
    let process = stopped_process(&standing.sandbox.path("_artifacts/r1/journal.jsonl")).await;
    crate::run::send(process, Signal::INT);
    let began = Instant::now();
    crate::run::send(process, Signal::CONT);
    let ended = running.end().await;
    eprintln!("from Ctrl-C to the end: {} ms", began.elapsed().as_millis());
    ended.expect_exit(130);
    assert!(began.elapsed() < Duration::from_millis(7500));
    assert_eq!(standing.inventory().await, before);
}

#[tokio::test]
async fn a_panic_leaves_nothing_wherever_it_is() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let ended = run(&standing, "check").env("CROSSFED_TRAP", "PANIC@check").run().await;
    ended.expect_exit(1);
    assert_eq!(standing.inventory().await, before, "{}", ended.stdout);
    assert_eq!(ended.journal().open(), [""; 0]);
    assert!(ended.stdout.contains("panicked"), "{}", ended.stdout);
    let records = whole(&standing).await;
    for record in (4..=records).step_by(3) {
        let (id, trap) = (format!("p{record}"), format!("PANIC@after:{record}"));
        let Death::Exit(ended) = run(&standing, &id).env("CROSSFED_TRAP", &trap).death().await else {
            panic!("{trap}: a panic is no signal");
        };
        let cleanup = standing.cleanup(&id).await;
        cleanup.expect_exit(0);
        assert_eq!(standing.inventory().await, before, "{trap}\n{}{}", ended.stdout, cleanup.stdout);
    }
}

/// A disk that is full, by the limit that the system sets on files: the run stops before it creates anything.
#[tokio::test]
async fn a_full_disk_stops_a_run_before_it_creates_anything() {
    let standing = Standing::up(&[]).await;
    let before = standing.inventory().await;
    let file = standing.file.display().to_string();
    // Ignored, so that a write fails in place of a signal.
    let script = format!(
        "trap '' XFSZ; ulimit -f 40; exec {} e2e aks-to-aws --faults all --cleanup always --run-id r1 --sandbox {file}",
        env!("CARGO_BIN_EXE_crossfed"),
    );
    let mut shell = tokio::process::Command::new("sh");
    shell
        .args(["-c", &script])
        .current_dir(standing.sandbox.path(""))
        .env("CROSSFED_ROOT", crate::sandbox::repository());
    let output = shell.output().await.expect("a shell must run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("the journal cannot be written, so nothing is created"), "{text}");
    assert_eq!(output.status.code(), Some(105), "{text}");
    assert_eq!(standing.inventory().await, before, "{text}");
    standing.cleanup("r1").await.expect_exit(0);
    assert!(standing.private_folders("r1").is_empty(), "{text}");
}
