//! `s3-reader`: reads one object with the credentials that the pod was given, and says what it saw.

use std::io::Write;
use std::process::ExitCode;

use trust::workload::{Line, Outcome};
use workloads::flags::Command;
use workloads::s3_reader;

/// The object was read.
const READ: u8 = 0;
/// Refused, or not reached.
const NOT_READ: u8 = 1;
/// The command line was not understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut err = std::io::stderr().lock();
    let written = match s3_reader::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => write!(out, "{}", s3_reader::HELP).map(|()| READ),
        Ok(Command::Read(object)) => report(&mut out, &mut err, s3_reader::run_blocking(&object)),
        Err(error) => write!(err, "s3-reader: {error}\n\n{}", s3_reader::HELP).map(|()| USAGE),
    };
    // A line that nobody got is as good as none.
    ExitCode::from(written.unwrap_or(NOT_READ))
}

fn report(out: &mut impl Write, err: &mut impl Write, outcome: Outcome) -> std::io::Result<u8> {
    let code = match &outcome {
        Outcome::Read { bucket, key, bytes, .. } => {
            writeln!(err, "s3-reader: read {bytes} bytes of s3://{bucket}/{key}")?;
            READ
        }
        Outcome::Denied { service, code, message, .. } => {
            writeln!(err, "s3-reader: {service} refused: {code}: {message}")?;
            NOT_READ
        }
        Outcome::Failed { message, .. } => {
            writeln!(err, "s3-reader: {message}")?;
            NOT_READ
        }
    };
    serde_json::to_writer(&mut *out, &Line { workload: "s3-reader".to_owned(), outcome })?;
    writeln!(out)?;
    out.flush()?;
    Ok(code)
}
