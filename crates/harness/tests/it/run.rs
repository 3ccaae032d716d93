//! One invocation of `crossfed`: started with a known environment, ended by a deadline, read back from what it leaves.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use harness::journal::Line;
use report::{CheckRecord, Expected, Observed, Report};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// An invocation is ended, and its test fails, after this.
const DEADLINE: Duration = Duration::from_secs(30);

/// What is about to be started.
pub(crate) struct Invocation {
    command: Command,
    artifacts: Option<PathBuf>,
    deadline: Duration,
}

impl Invocation {
    pub(crate) fn new(words: &[&str], folder: &Path, root: &Path) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_crossfed"));
        let programs = program.parent().expect("the program must lie in a folder");
        let mut command = Command::new(program);
        command.args(words).current_dir(folder).env_clear();
        command.env("CROSSFED_BIN_DIR", programs).env("CROSSFED_ROOT", root).env("COLUMNS", "120");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let id = words.iter().position(|word| *word == "--run-id").map(|at| words[at + 1]);
        Self { command, artifacts: id.map(|id| folder.join("_artifacts").join(id)), deadline: DEADLINE }
    }

    /// For one that does more than a run.
    pub(crate) fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and waits for its end.
    pub(crate) async fn run(self) -> Ended {
        self.start().end().await
    }

    /// Starts it and waits for its end, whichever it is.
    pub(crate) async fn death(self) -> Death {
        self.start().death().await
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let reader = Path::new(env!("CARGO_BIN_EXE_crossfed")).with_file_name("s3-reader");
        assert!(reader.is_file(), "{} must be built: test the whole workspace (cargo xtask test)", reader.display());
        Running {
            child: self.command.spawn().expect("crossfed must start"),
            artifacts: self.artifacts,
            deadline: self.deadline,
            said: String::new(),
        }
    }
}

/// An invocation under way.
pub(crate) struct Running {
    child: Child,
    artifacts: Option<PathBuf>,
    deadline: Duration,
    /// What has been read of its output so far.
    said: String,
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("it must still run");
        let id = Pid::from_raw(id.cast_signed()).expect("a process id is positive");
        kill_process(id, signal).expect("the signal must be sent");
    }

    /// Sends the signal once these words have come out, and waits for the end.
    pub(crate) async fn when_it_says(mut self, words: &str, signal: Signal) -> Ended {
        self.says(words).await;
        self.signal(signal);
        self.end().await
    }

    /// Waits until these words have come out.
    pub(crate) async fn says(&mut self, words: &str) {
        let out = self.child.stdout.as_mut().expect("its output must be a pipe");
        let said = &mut self.said;
        let reading = async {
            let mut chunk = [0; 4096];
            while !said.contains(words) {
                let count = out.read(&mut chunk).await.expect("its output must be read");
                assert!(count > 0, "it ended before it said `{words}`: {said}");
                said.push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        };
        tokio::time::timeout(self.deadline, reading).await.expect("it must say so before the deadline");
    }

    pub(crate) async fn end(self) -> Ended {
        match self.death().await {
            Death::Exit(ended) => ended,
            Death::Signal(signal) => panic!("crossfed must not end by signal {signal}"),
        }
    }

    pub(crate) async fn death(self) -> Death {
        let output = tokio::time::timeout(self.deadline, self.child.wait_with_output()).await;
        let output = output.expect("crossfed must end before the deadline").expect("its output must be read");
        let text = |bytes| String::from_utf8(bytes).expect("output must be UTF-8");
        match (output.status.code(), output.status.signal()) {
            (Some(exit), _) => Death::Exit(Ended {
                exit,
                stdout: self.said + &text(output.stdout),
                stderr: text(output.stderr),
                artifacts: self.artifacts.unwrap_or_default(),
            }),
            (None, signal) => Death::Signal(signal.expect("it ended one way or the other")),
        }
    }
}

/// How an invocation ended.
pub(crate) enum Death {
    Exit(Ended),
    /// By a signal.
    Signal(i32),
}

/// An invocation that has ended.
pub(crate) struct Ended {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Folder of the run, where the words named its id.
    pub(crate) artifacts: PathBuf,
}

impl Ended {
    /// Fails with all that was said unless it ended so.
    #[track_caller]
    pub(crate) fn expect_exit(&self, exit: i32) {
        assert_eq!(self.exit, exit, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
    }

    /// The chain of every check in one line, sorted: a mark a link (`+` holds, `x` broken, `.` not reached, `?` not checked).
    pub(crate) fn chains(&self) -> String {
        let report = self.report();
        let line = |check: &CheckRecord| {
            let mark = |state| match state {
                trust::LinkState::Holds => '+',
                trust::LinkState::Broken => 'x',
                trust::LinkState::NotReached => '.',
                trust::LinkState::NotChecked => '?',
            };
            let marks: String = check.chain.links.iter().map(|evidence| mark(evidence.state)).collect();
            let broken = check.chain.broken().map(|evidence| {
                format!(
                    "{} asked of {}: {}",
                    evidence.presented.as_deref().unwrap_or("-"),
                    evidence.source.as_deref().unwrap_or("-"),
                    evidence.note.as_deref().unwrap_or("-").replace("\r\n", " | "),
                )
            });
            format!("{} {marks} {}", check.id, broken.unwrap_or_default()).trim_end().to_owned()
        };
        let mut lines: Vec<String> = report.scenarios[0].checks.iter().map(line).collect();
        lines.sort();
        lines.join("\n")
    }

    /// Standard output with what happens at the same time in one order: phases and checks.
    pub(crate) fn settled_stdout(&self) -> String {
        const PHASES: [&str; 5] = ["preflight", "cluster", "webhooks", "federation", "workload"];
        let phase = |line: &str| PHASES.iter().position(|phase| line.trim_start_matches("  ✓ ").starts_with(phase));
        let mut blocks: Vec<(usize, String)> = Vec::new();
        for line in self.stdout.lines() {
            let is_check = line.starts_with("    ✓ ") || line.starts_with("    ✗ ") || line.starts_with("    – ");
            let follows = line.starts_with("     ") && !is_check;
            match blocks.last_mut() {
                Some((_, block)) if follows => *block += &format!("\n{line}"),
                _ if is_check => blocks.push((100, line.to_owned())),
                _ => blocks.push((phase(line).map_or(200, |at| at + 1), line.to_owned())),
            }
        }
        // Runs of phases, and of checks, are sorted; everything else stays where it is.
        let kind = |block: &(usize, String)| match block.0 {
            1..=99 => 1,
            100 => 2,
            _ => 0,
        };
        for run in blocks.chunk_by_mut(|left, right| kind(left) == kind(right)) {
            if kind(&run[0]) != 0 {
                run.sort();
            }
        }
        blocks.into_iter().map(|(_, block)| block + "\n").collect()
    }

    /// What is told once more of checks that failed, in the order of ids and without chains, and the end.
    pub(crate) fn failures(&self) -> String {
        let (checks, end) = self.stdout.split_once("\n\nFAILED").expect("the run must have failed");
        let mut blocks: Vec<String> = checks.split("\n\naks-to-aws / ").skip(1).map(without_chain).collect();
        blocks.sort();
        format!("{}\n\nFAILED{end}", blocks.join("\n\n"))
    }

    pub(crate) fn artifact(&self, below: &str) -> String {
        let file = self.artifacts.join(below);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{} must be there: {error}", file.display()))
    }

    pub(crate) fn report(&self) -> Report {
        serde_json::from_str(&self.artifact("report.json")).expect("report.json must read back")
    }

    pub(crate) fn check(&self, id: &str) -> CheckRecord {
        let checks = self.report().scenarios.into_iter().flat_map(|scenario| scenario.checks);
        checks.into_iter().find(|check| check.id == id).unwrap_or_else(|| panic!("{id} must be in the report"))
    }

    /// A line a check, in the order of ids: id, verdict, what had to be seen, what was.
    pub(crate) fn checks(&self) -> String {
        let mut lines: Vec<String> =
            self.report().scenarios.iter().flat_map(|scenario| &scenario.checks).map(line).collect();
        lines.sort();
        lines.join("\n")
    }

    /// What the journal holds, entry by entry.
    pub(crate) fn journal(&self) -> Journal {
        let mut journal = Journal::default();
        for line in self.artifact("journal.jsonl").lines() {
            match serde_json::from_str(line).expect("every line of the journal must read back") {
                Line::Run(_)
                | Line::Scenario { .. }
                | Line::Account { .. }
                | Line::Continued { .. }
                | Line::Teardown { .. } => {}
                Line::Intended { entry, label, .. } => journal.intended.push((entry, label)),
                Line::Done { .. } => {}
                Line::Failed { entry, .. } | Line::Undone { entry } => journal.gone.push(entry),
            }
        }
        journal
    }
}

/// The entries of a journal.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) intended: Vec<(u64, String)>,
    gone: Vec<u64>,
}

impl Journal {
    /// Labels of what may still be there.
    pub(crate) fn open(&self) -> Vec<&str> {
        let open = self.intended.iter().filter(|(entry, _)| !self.gone.contains(entry));
        open.map(|(_, label)| label.as_str()).collect()
    }
}

fn without_chain(block: &str) -> String {
    let labelled = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let mut in_chain = false;
    let lines = block.lines().filter(|line| {
        in_chain = line.starts_with("  chain") || in_chain && !labelled(line);
        !in_chain
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Waits until something is so that nobody tells.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it must become so before the deadline");
}

/// Sends a signal to a process.
pub(crate) fn send(id: i32, signal: Signal) {
    kill_process(Pid::from_raw(id).expect("a process id is positive"), signal).expect("the signal must be sent");
}

/// Whether a process still runs: one that has ended and was not waited for does not.
pub(crate) fn is_running(id: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(id).join("stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z')))
}

fn line(check: &CheckRecord) -> String {
    let expected = match &check.expected {
        Expected::Read { bytes, .. } => format!("read {bytes}"),
        Expected::Refused { link, code, also, status } => {
            let codes = std::iter::once(code).chain(also).map(String::as_str).collect::<Vec<_>>();
            format!("{link} {} {}", codes.join("|"), status.unwrap_or_default())
        }
        Expected::Rejected { status, message } => format!("rejected {status} {message}"),
        Expected::NotCreated { codes, status } => format!("not created {} {status}", codes.join("|")),
        Expected::Failed { link, contains } => format!("{link} gave up: {contains}"),
        Expected::KeptReading => "kept reading".to_owned(),
        Expected::NotInjected => "not injected".to_owned(),
    };
    let observed = match &check.observed {
        Observed::Read { bytes, .. } => format!("read {bytes}"),
        Observed::Refused(denial) => format!("{} {} {}", denial.link, denial.code, denial.status.unwrap_or_default()),
        Observed::KeptReading { .. } => "kept reading".to_owned(),
        Observed::Rejected { status, message } => format!("rejected {status} {message}"),
        Observed::NotCreated { resource, code, status, .. } => {
            format!("not created {code} {}: {resource}", status.unwrap_or_default())
        }
        Observed::Failed { link, message } => format!("{link} gave up: {}", message.replace('\n', " ")),
        Observed::NotInjected => "not injected".to_owned(),
        Observed::Crashed { exit_code, .. } => format!("crashed {exit_code:?}"),
        Observed::Nothing { last_seen } => format!("nothing {}", last_seen.as_deref().unwrap_or_default()),
    };
    format!("{}: {}: expected {expected}, saw {}", check.id, check.verdict.word(), observed.trim_end())
}
