//! Verbs that another program answers: `fuzz`, `bench clouds`, and all that are not ours. Those go to the `crossfed` program, which knows them and
//! names the nearest when it does not.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo;
use crate::programs::Programs;

/// Tells `crossfed` where the other programs of the same build are: those that pods run.
const BIN_DIR: &str = "CROSSFED_BIN_DIR";
/// Tells it where the repository is, so that a verb works from any folder below it.
const ROOT: &str = "CROSSFED_ROOT";

pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let programs = Programs::build()?;
    let (crossfed, folder) = programs.find("crossfed")?;
    let mut command = Command::new(crossfed);
    command.args(args).env(BIN_DIR, folder).env(ROOT, cargo::root());
    cargo::forget_own_package(&mut command);
    replace(command)
}

/// The fuzzer is built only when it is asked for: a person who runs a scenario does not wait for it.
pub(crate) fn fuzz(args: &[OsString]) -> Result<ExitCode> {
    let programs = Programs::build_fuzzer()?;
    let (fuzzer, _) = programs.find("crossfed-fuzz")?;
    let mut command = Command::new(fuzzer);
    command.args(args).env(ROOT, cargo::root());
    cargo::forget_own_package(&mut command);
    replace(command)
}

/// The simulated clouds under load, in a release build.
pub(crate) fn load(args: &[OsString]) -> Result<ExitCode> {
    let programs = Programs::build_load()?;
    let (load, _) = programs.find("crossfed-load")?;
    let mut command = Command::new(load);
    command.args(args).env(ROOT, cargo::root());
    cargo::forget_own_package(&mut command);
    replace(command)
}

/// Input, output, signals and exit code are exactly the program's: there is nobody between it and the shell, and nobody who could die before
/// its cleanup is done.
#[cfg(unix)]
fn replace(mut command: Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(anyhow::Error::new(error).context(format!("cannot start {}", command.get_program().display())))
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> Result<ExitCode> {
    cargo::status(&mut command).map(cargo::exit_code)
}
