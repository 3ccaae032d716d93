//! `kv-read`: reads one Key Vault secret with the identity that the pod was given, and says what it saw.

use std::process::ExitCode;

use workloads::{kv_read, program};

fn main() -> ExitCode {
    let command = kv_read::parse(std::env::args().skip(1));
    let what = |vault: &str, name: &str| format!("secret {name} in vault {vault}");
    program::run("kv-read", kv_read::HELP, command, kv_read::run, what)
}
