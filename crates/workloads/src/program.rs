//! What both programs do around their read: help, usage errors, the one line, the exit code.

use std::io::Write;
use std::process::ExitCode;

use trust::workload::{Line, Outcome};

use crate::flags::{Command, UsageError};

/// It was read.
const READ: u8 = 0;
/// Refused, or not reached.
const NOT_READ: u8 = 1;
/// The command line was not understood.
const USAGE: u8 = 2;

/// Does what the command line asks for and says what came of it: one line of JSON on standard output, words on standard error.
///
/// `what` names what was read, from its bucket or vault and its key.
pub fn run<T>(
    name: &str,
    help: &str,
    command: Result<Command<T>, UsageError>,
    read: impl FnOnce(&T) -> Outcome,
    what: impl FnOnce(&str, &str) -> String,
) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut err = std::io::stderr().lock();
    let written = match command {
        Ok(Command::Help) => write!(out, "{help}").map(|()| READ),
        Ok(Command::Read(target)) => report(&mut out, &mut err, name, read(&target), what),
        Err(error) => write!(err, "{name}: {error}\n\n{help}").map(|()| USAGE),
    };
    // A line that nobody got is as good as none.
    ExitCode::from(written.unwrap_or(NOT_READ))
}

fn report(
    out: &mut impl Write,
    err: &mut impl Write,
    name: &str,
    outcome: Outcome,
    what: impl FnOnce(&str, &str) -> String,
) -> std::io::Result<u8> {
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
