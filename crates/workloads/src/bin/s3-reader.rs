//! `s3-reader`: reads one object with the credentials that the pod was given, and says what it saw.

use std::process::ExitCode;

use workloads::{program, s3_reader};

fn main() -> ExitCode {
    let command = s3_reader::parse(std::env::args().skip(1));
    let what = |bucket: &str, key: &str| format!("s3://{bucket}/{key}");
    program::run("s3-reader", s3_reader::HELP, command, s3_reader::run, what)
}
