//! A program that goes on until it is told to end, and the token file that is renewed under it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use trust::workload::{Line, Outcome};

/// Far more than any step takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running program whose lines are read one by one.
pub(crate) struct Lasting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// How many lines were read.
    pub(crate) told: usize,
}

impl Lasting {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("program must start");
        let lines = BufReader::new(child.stdout.take().expect("output must be piped")).lines();
        Self { child, lines, told: 0 }
    }

    async fn outcome(&mut self) -> Outcome {
        let line = tokio::time::timeout(DEADLINE, self.lines.next_line()).await.expect("a line must come");
        let line = line.expect("output must be text").expect("the program must go on");
        assert!(!line.contains("canary"), "a secret is shown: {line}");
        self.told += 1;
        serde_json::from_str::<Line>(&line).expect("the line must be JSON").outcome
    }

    /// Reads lines up to the first whose outcome is as wanted; those before are of the token before.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Outcome) -> bool) {
        let lines = async { while !wanted(&self.outcome().await) {} };
        tokio::time::timeout(DEADLINE, lines).await.expect("the outcome must come");
    }

    /// Sends the signal; gives the exit code.
    pub(crate) async fn end(mut self, signal: &str) -> Option<i32> {
        let process = self.child.id().expect("the program must be running").to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &process]).status().await;
        assert!(sent.expect("a shell must start").success(), "the signal must be sent");
        let ended = tokio::time::timeout(DEADLINE, self.child.wait()).await.expect("the program must end");
        ended.expect("the program must be waited for").code()
    }
}

/// A file that is replaced at once, as projected volumes are.
pub(crate) struct TokenFile(PathBuf);

impl TokenFile {
    pub(crate) async fn new(name: &str, token: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("renewed-{}-{name}", std::process::id()));
        let file = Self(path);
        file.renew(token).await;
        file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) async fn renew(&self, token: &str) {
        let next = self.0.with_extension("next");
        tokio::fs::write(&next, token).await.expect("token must be written");
        tokio::fs::rename(&next, &self.0).await.expect("token must be renewed");
    }

    pub(crate) async fn remove(self) {
        tokio::fs::remove_file(&self.0).await.expect("token must be removed");
    }
}
