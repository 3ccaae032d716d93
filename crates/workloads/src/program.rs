//! What both programs do around their read: help, usage errors, again and again, the one line, the exit code. It knows
//! nothing of what is read, or from whom.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use trust::workload::{Line, Outcome, Stage};

use crate::flags::{Command, UsageError};

/// It was read.
const READ: u8 = 0;
/// Refused, or not reached.
const NOT_READ: u8 = 1;
/// The command line was not understood.
const USAGE: u8 = 2;
/// Ended by a signal, whose number is added: as shells and container runtimes tell it.
const SIGNALLED: u8 = 128;

/// Does what the command line asks for and says what came of it: a line of JSON on standard output for each read, words on
/// standard error.
///
/// `read` must keep nothing from one call to the next. `what` names what was read, from its bucket or vault and its key.
pub fn run<T>(
    name: &str,
    help: &str,
    command: Result<Command<T>, UsageError>,
    read: impl AsyncFn(&T) -> Outcome,
    what: impl Fn(&str, &str) -> String,
) -> ExitCode {
    let mut out = io::stdout().lock();
    let mut err = io::stderr().lock();
    let written = match command {
        Ok(Command::Help) => write!(out, "{help}").map(|()| READ),
        Ok(Command::Read { target, every }) => {
            let mut tell = |outcome| report(&mut out, &mut err, name, outcome, &what);
            match (tokio::runtime::Builder::new_current_thread().enable_all().build(), every) {
                (Ok(runtime), None) => tell(runtime.block_on(read(&target))),
                (Ok(runtime), Some(pause)) => runtime.block_on(again(pause, async || read(&target).await, tell)),
                (Err(error), _) => tell(failed(format!("no runtime: {error}"))),
            }
        }
        Err(error) => write!(err, "{name}: {error}\n\n{help}").map(|()| USAGE),
    };
    // A line that nobody got is as good as none.
    ExitCode::from(written.unwrap_or(NOT_READ))
}

/// Reads until a signal comes, or nobody takes the lines any more.
///
/// The signals are asked for, since the first process of a container is not ended by one that it has not asked for.
async fn again(
    pause: Duration,
    read: impl AsyncFn() -> Outcome,
    mut tell: impl FnMut(Outcome) -> io::Result<u8>,
) -> io::Result<u8> {
    let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
    let (mut terminated, mut interrupted) = match (signal(terminate), signal(interrupt)) {
        (Ok(terminated), Ok(interrupted)) => (terminated, interrupted),
        (Err(error), _) | (_, Err(error)) => return tell(failed(format!("no signals: {error}"))),
    };
    let rounds = async {
        loop {
            tell(read().await)?;
            tokio::time::sleep(pause).await;
        }
    };
    let ended_by = tokio::select! {
        broken = rounds => return broken,
        _ = terminated.recv() => terminate,
        _ = interrupted.recv() => interrupt,
    };
    Ok(u8::try_from(ended_by.as_raw_value()).map_or(NOT_READ, |number| SIGNALLED.saturating_add(number)))
}

fn failed(message: String) -> Outcome {
    Outcome::Failed { stage: Stage::Configuration, message }
}

fn report(
    out: &mut impl Write,
    err: &mut impl Write,
    name: &str,
    outcome: Outcome,
    what: impl Fn(&str, &str) -> String,
) -> io::Result<u8> {
    let code = match &outcome {
        Outcome::Read { bucket, key, bytes, .. } => {
            writeln!(err, "{name}: read {bytes} bytes of {}", what(bucket, key))?;
            READ
        }
        Outcome::Denied { service, code, message, .. } => {
            // Some services break their messages over several lines.
            let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(err, "{name}: {service} refused: {code}: {message}")?;
            NOT_READ
        }
        Outcome::Failed { message, .. } => {
            writeln!(err, "{name}: {message}")?;
            NOT_READ
        }
    };
    serde_json::to_writer(&mut *out, &Line { workload: name.to_owned(), outcome })?;
    writeln!(out)?;
    out.flush()?;
    Ok(code)
}
