//! `kv-read`: reads one Key Vault secret with the identity that the pod was given, and says what it saw.

use std::io::Write;
use std::process::ExitCode;

use trust::workload::{Line, Outcome};
use workloads::flags::Command;
use workloads::kv_read;

/// The secret was read.
const READ: u8 = 0;
/// Refused, or not reached.
const NOT_READ: u8 = 1;
/// The command line was not understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut err = std::io::stderr().lock();
    let written = match kv_read::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => write!(out, "{}", kv_read::HELP).map(|()| READ),
        Ok(Command::Read(secret)) => report(&mut out, &mut err, kv_read::run_blocking(&secret)),
        Err(error) => write!(err, "kv-read: {error}\n\n{}", kv_read::HELP).map(|()| USAGE),
    };
    // A line that nobody got is as good as none.
    ExitCode::from(written.unwrap_or(NOT_READ))
}

fn report(out: &mut impl Write, err: &mut impl Write, outcome: Outcome) -> std::io::Result<u8> {
    let code = match &outcome {
        Outcome::Read { bucket, key, bytes, .. } => {
            writeln!(err, "kv-read: read {bytes} bytes of secret {key} in vault {bucket}")?;
            READ
        }
        Outcome::Denied { service, code, message, .. } => {
            // Both services break their messages over several lines.
            let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(err, "kv-read: {service} refused: {code}: {message}")?;
            NOT_READ
        }
        Outcome::Failed { message, .. } => {
            writeln!(err, "kv-read: {message}")?;
            NOT_READ
        }
    };
    serde_json::to_writer(&mut *out, &Line { workload: "kv-read".to_owned(), outcome })?;
    writeln!(out)?;
    out.flush()?;
    Ok(code)
}
