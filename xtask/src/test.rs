//! `cargo xtask test`: all tests of the workspace, with the runner that is there.

use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;

use crate::cargo;
use crate::clients;
use crate::programs::Programs;

pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let nextest = cargo::cargo()
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    // The tests of `crossfed` start the workloads, which are programs of another package.
    Programs::build()?;
    let clients = clients::variables();
    for mut command in commands(nextest, args) {
        command.envs(clients.iter().map(|(name, path)| (name, path)));
        eprintln!("test: {}", cargo::words(&command));
        let status = cargo::status(&mut command)?;
        if !status.success() {
            return Ok(cargo::exit_code(status));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is run, in this order. Nextest knows no doc tests. Arguments choose tests in the runner's own words, which do not fit doc tests: with
/// any, those are left out.
fn commands(nextest: bool, args: &[OsString]) -> Vec<Command> {
    let cargo = |words: &[&str]| {
        let mut command = cargo::cargo();
        command.args(words);
        command
    };
    let mut first = if nextest { cargo(&["nextest", "run", "--workspace"]) } else { cargo(&["test", "--workspace"]) };
    first.args(args);
    let mut commands = vec![first];
    if nextest && args.is_empty() {
        commands.push(cargo(&["test", "--workspace", "--doc"]));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_every_kind_of_test_unless_some_are_chosen() {
        let check = |nextest, args: &[&str], expected: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            let lines: Vec<_> = commands(nextest, &args).iter().map(cargo::words).collect();
            assert_eq!(lines, expected);
        };
        check(true, &[], &["cargo nextest run --workspace", "cargo test --workspace --doc"]);
        check(true, &["-E", "test(jwks)"], &["cargo nextest run --workspace -E 'test(jwks)'"]);
        check(false, &[], &["cargo test --workspace"]);
        check(false, &["jwks", "--", "--exact"], &["cargo test --workspace jwks -- --exact"]);
    }
}
