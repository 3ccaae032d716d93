//! A process that answers for AWS: ours, or moto. What it takes of the machine is read from `/proc`, where there is one.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use trust::{AccountId, Secret};

use crate::serving::{Order, Ready};
use crate::sign::Credentials;

/// Linux tells times in hundredths of a second, whatever the machine.
const TICKS: u64 = 100;

/// Prints where it listens, and ends with its input.
const MOTO: &str = "\
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print('%s:%d' % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
";

/// A process that listens; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) addr: SocketAddr,
    /// Of whoever may create things.
    pub(crate) admin: Credentials,
    child: Child,
    /// Closing it ends the process.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// This program once more, as the simulator.
    pub(crate) fn simulator(order: &Order) -> Result<Process> {
        let program = std::env::current_exe().context("cannot find the own program")?;
        let (mut child, mut input, mut output) = start(Command::new(program).arg("--serve").stderr(Stdio::inherit()))?;
        writeln!(input, "{}", serde_json::to_string(order)?)?;
        let line = answer(&mut child, &mut output)?;
        let ready: Ready = serde_json::from_str(&line).with_context(|| format!("the simulator said `{line}`"))?;
        let admin =
            Credentials { access_key_id: ready.access_key_id, secret: ready.secret_access_key, session_token: None };
        Ok(Process { addr: ready.addr, admin, child, input: Some(input), output })
    }

    /// moto, in whatever Python.
    pub(crate) fn moto(python: &Path, account: &AccountId) -> Result<Process> {
        let mut command = Command::new(python);
        command.args(["-c", MOTO]).env("MOTO_ACCOUNT_ID", account.as_str()).stderr(Stdio::null());
        let (mut child, input, mut output) = start(&mut command)?;
        let line = answer(&mut child, &mut output)?;
        let addr = line.parse().with_context(|| format!("moto said `{line}`"))?;
        let admin = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Secret::new("moto-asks-for-no-secret"),
            session_token: None,
        };
        Ok(Process { addr, admin, child, input: Some(input), output })
    }

    /// Moves the simulator's clock on.
    pub(crate) fn advance(&mut self, seconds: i64) -> Result<()> {
        let input = self.input.as_mut().context("the process takes no more orders")?;
        writeln!(input, "{seconds}")?;
        answer(&mut self.child, &mut self.output).map(drop)
    }

    /// Resident memory in bytes; `None` where the system does not say it so.
    pub(crate) fn resident(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// Time on all cores so far, likewise.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        cpu_of(&self.child.id().to_string())
    }
}

/// Time on all cores that this process, whose threads are the clients, took so far.
pub(crate) fn own_cpu() -> Option<Duration> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in brackets, may hold spaces.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / TICKS))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        // What does not heed the end of its input is ended; one that has ended already cannot be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python with moto, or why there is none.
pub(crate) fn python_with_moto(named: Option<&Path>, root: &Path) -> Result<PathBuf, String> {
    let own = root.join("target/clients/bin/python");
    let python = match named {
        Some(named) => named.to_owned(),
        None if own.is_file() => own,
        None => {
            return Err("CROSSFED_PYTHON names no Python, and there is none in target/clients".to_owned());
        }
    };
    let tried = Command::new(&python).args(["-c", "import moto.server"]).stdin(Stdio::null()).output();
    match tried {
        Err(error) => Err(format!("{} does not start: {error}", python.display())),
        Ok(output) if !output.status.success() => {
            let told = String::from_utf8_lossy(&output.stderr);
            let last = told.trim_end().lines().next_back().unwrap_or_default();
            Err(format!("{} cannot import moto.server: {last}", python.display()))
        }
        Ok(_) => Ok(python),
    }
}

fn start(command: &mut Command) -> Result<(Child, ChildStdin, BufReader<ChildStdout>)> {
    let program = PathBuf::from(command.get_program());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let input = child.stdin.take().context("the process has no input")?;
    let output = child.stdout.take().context("the process has no output")?;
    Ok((child, input, BufReader::new(output)))
}

/// The next line that the process writes.
fn answer(child: &mut Child, output: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    if output.read_line(&mut line)? == 0 {
        bail!("the process ended without a word: {}", child.wait()?);
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_is_not_there_is_told() {
        let told = python_with_moto(Some(Path::new("no/such/python")), Path::new(".")).expect_err("must not be found");
        assert!(told.starts_with("no/such/python does not start"), "{told}");
        let told = python_with_moto(None, Path::new("no/such/root")).expect_err("must not be found");
        assert_eq!(told, "CROSSFED_PYTHON names no Python, and there is none in target/clients");
    }
}
