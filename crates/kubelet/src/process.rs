//! One local process in a group of its own, with its output on a log. It must not know what a pod is.
//!
//! The group is killed when its leader ends (as a container ends with its first process) and when the
//! [`Process`] is dropped. If this program itself is killed outright, its children live on: only the
//! parent-death signal could help, and setting it in a child takes `unsafe` code.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;
use trust::SharedClock;

use crate::logs::{Log, Stream};

/// Longer lines are kept in pieces, as container runtimes do.
const LONGEST_LINE: usize = 16 * 1024;
/// How long output may still come after the group is dead: only a process that left the group can hold it open.
const DRAIN: Duration = Duration::from_secs(1);

/// What to run. No `Debug`: the environment may hold secrets.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) folder: PathBuf,
}

pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    pump: AbortOnDropHandle<()>,
    log: Arc<Log>,
    reaped: bool,
}

impl Process {
    /// Starts it, with nothing of our own environment and no input.
    pub(crate) fn spawn(launch: Launch, log: Arc<Log>, clock: SharedClock) -> io::Result<Self> {
        let mut child = Command::new(&launch.program)
            .args(&launch.args)
            .env_clear()
            .envs(launch.env)
            .current_dir(&launch.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let pump_log = log.clone();
        let pump = AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::join!(
                pump(stdout, Stream::Stdout, &pump_log, &clock),
                pump(stderr, Stream::Stderr, &pump_log, &clock),
            );
        }));
        Ok(Self { child, group, pump, log, reaped: false })
    }

    /// Waits for the end and all output; gives the exit code, 128 + signal if a signal ended it.
    /// May be cancelled and called again until it has returned.
    pub(crate) async fn wait(&mut self) -> io::Result<i32> {
        let status = self.child.wait().await?;
        if !self.reaped {
            // What the leader left behind; the number cannot be another group's while a member lives.
            self.signal(Signal::KILL);
            self.reaped = true;
        }
        if tokio::time::timeout(DRAIN, &mut self.pump).await.is_err() {
            tracing::warn!("a process outside its container's group holds its output open");
        }
        self.log.close();
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }

    /// Sends a signal to the whole group, if it is there.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(group) = self.group.filter(|_| !self.reaped) {
            // Fails only when the group is gone.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.log.close();
    }
}

/// Copies a pipe to the log, line by line.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, stream: Stream, log: &Log, clock: &SharedClock) {
    let Some(mut pipe) = pipe else { return };
    let mut pending: Vec<u8> = Vec::with_capacity(4096);
    let keep = |text: &[u8], whole| {
        if let Err(error) = log.append(clock.now(), stream, text, whole) {
            tracing::warn!(%error, "container output was lost");
        }
    };
    loop {
        match pipe.read_buf(&mut pending).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let mut kept = 0;
        while let Some(length) = pending[kept..].iter().position(|byte| *byte == b'\n') {
            keep(&pending[kept..kept + length], true);
            kept += length + 1;
        }
        while pending.len() - kept >= LONGEST_LINE {
            keep(&pending[kept..kept + LONGEST_LINE], false);
            kept += LONGEST_LINE;
        }
        pending.drain(..kept);
    }
    if !pending.is_empty() {
        keep(&pending, false);
    }
}

#[cfg(test)]
mod tests {
    use trust::SystemClock;

    use super::*;

    fn mk_process(folder: &tempfile::TempDir, script: &str) -> Process {
        let log = Log::create(folder.path().join("log")).expect("log must be made");
        let launch = Launch {
            program: "/bin/sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: vec![("ONLY".into(), "this".into())],
            folder: folder.path().into(),
        };
        Process::spawn(launch, log, Arc::new(SystemClock)).expect("process must start")
    }

    async fn await_dead(folder: &tempfile::TempDir) {
        let pid = std::fs::read_to_string(folder.path().join("pid")).expect("pid must be written");
        let is_dead = || {
            // A killed orphan may stay a zombie until whoever adopted it reaps it.
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
        };
        let dead = async {
            while !is_dead() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), dead).await.expect("process must be dead in time");
    }

    #[tokio::test]
    async fn exit_code_tells_status_and_signal() {
        let check = async |script: &str, expected: i32| {
            let folder = tempfile::tempdir().expect("temp folder must be made");
            assert_eq!(mk_process(&folder, script).wait().await.ok(), Some(expected), "{script}");
        };
        check("exit 0", 0).await;
        check("exit 7", 7).await;
        check("kill -KILL $$", 137).await;
        check("test \"$ONLY\" = this && test -z \"$CARGO\" && test -z \"$HOME\"", 0).await;
        check("read line", 1).await;
    }

    #[tokio::test]
    async fn children_of_the_leader_end_with_it() {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let mut process = mk_process(&folder, "sleep 600 & echo $! > pid");
        let ended = tokio::time::timeout(Duration::from_secs(10), process.wait()).await;
        assert_eq!(ended.expect("must end in time").ok(), Some(0));
        await_dead(&folder).await;
    }

    #[tokio::test]
    async fn dropping_it_kills_the_group() {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let process = mk_process(&folder, "sleep 600 & echo $! > pid.new && mv pid.new pid; wait");
        let written = async {
            while !folder.path().join("pid").exists() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), written).await.expect("program must start in time");
        drop(process);
        await_dead(&folder).await;
    }
}
