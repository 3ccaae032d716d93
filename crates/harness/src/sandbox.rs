//! `sandbox`: a cluster and both clouds on this machine, for programs and tests of its user, in any language.
//!
//! It brings up what a run brings up and checks nothing. It must not know scenarios, faults or journals: all that it makes lies in this
//! process and in one private folder, and ends with them.
#![allow(clippy::print_stdout, reason = "printing is what this verb is for")]

mod desk;
mod endpoints;
mod exports;
mod flags;
pub(crate) mod pass;
mod serving;
mod state;

use std::process::ExitStatus;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use serving::Serving;

pub(crate) use flags::factor;
pub use flags::{AFTER_HELP, Flags, FlavorKind};

/// Serves until it is interrupted, or until the command that it was given has ended. The answer is the exit code.
///
/// # Errors
/// When something does not come up, or the command cannot be started.
pub async fn run(flags: Flags, environment: Environment) -> Result<u8, Stop> {
    let serving = tokio::select! {
        serving = Serving::up(&flags, &environment) => serving?,
        exit = ended() => return exit.map(Exit::code),
    };
    let exit = match flags.exec.split_first() {
        Some((program, arguments)) => exec(program, arguments, &serving).await,
        None => {
            print!("{}", serving.announcement(environment.started.elapsed()));
            ended().await.map(Exit::code)
        }
    };
    // What the user asked for comes first, then whether all of it was kept.
    match (exit, serving.down().await) {
        (Ok(0), Err(stop)) => Err(stop),
        (exit, _) => exit,
    }
}

/// Ctrl-C is the usual end of something that serves.
async fn ended() -> Result<Exit, Stop> {
    let listen = |kind| signal(kind).map_err(|error| Stop::caused(Exit::Internal, error));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = listen(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(Exit::Passed),
        _ = terminate.recv() => Ok(Exit::Terminated),
        _ = hangup.recv() => Ok(Exit::HungUp),
    }
}

/// Runs a command inside. Ctrl-C reaches it from the terminal: its end is waited for, whatever it makes of it.
async fn exec(program: &str, arguments: &[String], serving: &Serving) -> Result<u8, Stop> {
    let mut command = Command::new(program);
    command.args(arguments).envs(serving.variables()).kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| Stop::new(Exit::Usage, format!("--exec: `{program}` cannot be started: {error}")))?;
    let internal = |error: std::io::Error| Stop::caused(Exit::Internal, error);
    loop {
        tokio::select! {
            status = child.wait() => return status.map(code_of).map_err(internal),
            signal = ended() => {
                let exit = signal?;
                if exit != Exit::Passed {
                    child.kill().await.map_err(internal)?;
                    return Ok(exit.code());
                }
            }
        }
    }
}

/// As shells count: 128 and the signal, for what a signal ended.
fn code_of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
