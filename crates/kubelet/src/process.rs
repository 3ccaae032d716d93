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

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;
use trust::SharedClock;

use crate::logs::{Log, Stream};

/// Longer lines are kept in pieces, as container runtimes do.
const LONGEST_LINE: usize = 16 * 1024;
/// How long output may still come after the group is dead: only a process that left the group can hold it open.
const DRAIN: Duration = Duration::from_secs(1);

/// What is kept of the output of a probe's or hook's command.
const LONGEST_OUTPUT: usize = 10 * 1024;

/// What to run. No `Debug`: the environment may hold secrets.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
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

/// The process, not started yet: with nothing of our own environment, no input, and in a group of its own.
fn command(launch: Launch) -> Command {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .env_clear()
        .envs(launch.env)
        .current_dir(&launch.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

fn group(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Runs a process to its end and gives its exit code and the beginning of its output. Dropping this kills its group.
pub(crate) async fn capture(launch: Launch) -> io::Result<(i32, String)> {
    let mut child = command(launch).spawn()?;
    let mut killed = KillOnDrop(group(&child));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let output = async { tokio::join!(beginning(stdout), beginning(stderr)) };
    let mut output = std::pin::pin!(output);
    let (mut status, mut told) = (None, None);
    while status.is_none() || told.is_none() {
        tokio::select! {
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                // What it left behind would hold its output open.
                killed.now();
            }
            texts = &mut output, if told.is_none() => told = Some(texts),
        }
    }
    let (stdout, stderr) = told.unwrap_or_default();
    let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    Ok((status.map_or(-1, exit_code), text))
}

struct KillOnDrop(Option<Pid>);

impl KillOnDrop {
    fn now(&mut self) {
        if let Some(group) = self.0.take() {
            // Fails only when the group is gone.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.now();
    }
}

/// What a pipe gives, of which the beginning is kept.
async fn beginning(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let (mut kept, mut piece) = (Vec::new(), vec![0; 4096]);
    let Some(mut pipe) = pipe else { return kept };
    while let Ok(read @ 1..) = pipe.read(&mut piece).await {
        let room = LONGEST_OUTPUT - kept.len();
        kept.extend_from_slice(&piece[..read.min(room)]);
    }
    kept
}

impl Process {
    /// Starts it.
    pub(crate) fn spawn(launch: Launch, log: Arc<Log>, clock: SharedClock) -> io::Result<Self> {
        let mut child = command(launch).spawn()?;
        let group = group(&child);
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
            self.kill();
            self.reaped = true;
        }
        if tokio::time::timeout(DRAIN, &mut self.pump).await.is_err() {
            tracing::warn!("a process outside its container's group holds its output open");
        }
        self.log.close();
        Ok(exit_code(status))
    }

    /// Asks it to end: the first process alone hears of it, as a container's does.
    pub(crate) fn terminate(&self) {
        if let Some(leader) = self.group.filter(|_| !self.reaped) {
            // Fails only when it is gone.
            let _ = kill_process(leader, Signal::TERM);
        }
    }

    /// Ends the whole group, if it is there.
    pub(crate) fn kill(&self) {
        if let Some(group) = self.group.filter(|_| !self.reaped) {
            // Fails only when the group is gone.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
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
            args: vec!["-c".into(), script.into()],
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
