//! The front door: `cargo xtask VERB`.
//!
//! `test`, `fuzz`, `tidy` and `ci` are its own verbs, and `bench clouds`. All others are those of the `crossfed` program, which is built when needed
//! and then takes this process's place. This crate links none of the others, so that it builds in seconds and `cargo xtask --help` waits for no cloud SDK.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to a person")]

mod cargo;
mod ci;
mod clients;
mod pass;
mod programs;
mod test;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const PROGRAM_VERBS: &str = "\
Verbs of crossfed (built first when needed):
  e2e      run scenarios end to end: `cargo xtask e2e aks-to-aws`, `cargo xtask e2e all`
  cleanup  take back what a run that is dead has left, from its journal alone
  resume   go on with a run that was stopped, by a signal or by a crash
  sweep    list what runs have left that nobody needs any more; delete it with --no-dry-run
  plan     show what a run would create and check, and create nothing
  list     list scenarios and faults
  explain  show the chain of your own tokens, policies and manifests, with no cluster and no cloud
  sandbox  serve a cluster and both clouds on this machine, for your own programs and tests
  bench    measure a run against its floor, as ratios; `bench clouds`: the simulated AWS under load, in a release build

The rest of the help comes from the program itself:
  cargo xtask help        all of its verbs
  cargo xtask e2e --help  one of them";

#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    about = "Tests cross-cloud identity federation in Kubernetes, and this repository",
    override_usage = "cargo xtask <VERB> [ARGS]...",
    subcommand_help_heading = "Verbs of the repository",
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = PROGRAM_VERBS
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run all tests of the workspace: with cargo-nextest where it is installed
    Test {
        /// Passed on to the test runner, e.g. a test's name. With any, doc tests are left out
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Feed changed inputs of fixtures/fuzz/ to all that reads what strangers write: --seconds N --target NAME --seed S
    #[command(disable_help_flag = true)]
    Fuzz {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Check the rules of the house that the compiler does not: import directions, file lengths, and so on
    Tidy,
    /// All that must hold before a merge: format, clippy, tidy, docs, tests, scenarios
    Ci,
    #[command(external_subcommand)]
    Program(Vec<OsString>),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Test { args } => test::run(&args),
        Verb::Fuzz { args } => pass::fuzz(&args),
        Verb::Tidy => tidy::run(),
        Verb::Ci => ci::run(),
        Verb::Program(args) => match args.as_slice() {
            [verb, what, rest @ ..] if verb == "bench" && what == "clouds" => pass::load(rest),
            args => pass::run(args),
        },
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
