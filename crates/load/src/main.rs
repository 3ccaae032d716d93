//! `crossfed-load`: exchanges and reads a second of the simulated AWS in a release build, and what many sessions cost.
//!
//! It depends on the simulator and on no SDK, so that its release build takes a minute and not a quarter of an hour.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to a person")]

mod cli;
mod connection;
mod drive;
mod figures;
mod issuer;
mod measure;
mod probe;
mod process;
mod serving;
mod sign;
mod world;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let outcome = if cli.serve { serving::run() } else { measure::run(&cli) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
