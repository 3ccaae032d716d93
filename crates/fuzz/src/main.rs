//! `crossfed-fuzz`: hunts one target after the other, each in a process of its own, so that a stack that overflows ends only that one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to a person")]

mod worker;

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use clap::Parser;
use fuzz::watch::Latest;
use fuzz::{Target, corpus};

/// The code of a worker that told of its catch itself.
const TOLD: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask fuzz",
    about = "Feeds changed inputs of fixtures/fuzz/ to all that reads what strangers write",
    after_help = "An input on which a target fails is kept as fixtures/fuzz/<target>/crash-<hash>. The tests run every file there."
)]
struct Cli {
    /// How long each target is hunted
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only this target: token, jwks, policy, scenario or admission
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Begins the same sequence of inputs again. Without it one is chosen, and printed
    #[arg(long)]
    seed: Option<u64>,
    /// The workspace
    #[arg(long, env = "CROSSFED_ROOT", default_value = ".", value_name = "DIR")]
    root: PathBuf,
    /// Be the process that hunts, and write each input into this file first
    #[arg(long, hide = true, requires = "target", value_name = "FILE")]
    latest: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(&cli).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let mut targets = Target::all(&cli.root)?;
    let known: Vec<&str> = targets.iter().map(|target| target.name).collect();
    if let Some(name) = &cli.target {
        if !known.contains(&name.as_str()) {
            bail!("no target `{name}` (known: {})", known.join(", "));
        }
        targets.retain(|target| target.name == name);
    }
    let seed = cli.seed.unwrap_or_else(|| RandomState::new().hash_one(()));
    if let (Some(latest), [target]) = (&cli.latest, targets.as_slice()) {
        let caught = worker::run(target, &cli.root, seed, cli.seconds, latest)?;
        return Ok(if caught { ExitCode::from(TOLD) } else { ExitCode::SUCCESS });
    }
    println!("seed {seed}");
    let mut code = ExitCode::SUCCESS;
    for target in &targets {
        if !hunted(target.name, cli, seed)? {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Has a target hunted in another process. False when something was caught.
fn hunted(name: &str, cli: &Cli, seed: u64) -> Result<bool> {
    let latest = tempfile::NamedTempFile::new().context("cannot make a file for the latest input")?;
    let mut worker = Command::new(std::env::current_exe().context("cannot find the own program")?);
    worker.args(["--target", name, "--seed", &seed.to_string(), "--seconds", &cli.seconds.to_string()]);
    worker.arg("--root").arg(&cli.root).arg("--latest").arg(latest.path());
    let status = worker.status().context("cannot start the process that hunts")?;
    if status.success() {
        return Ok(true);
    }
    if status.code() != Some(i32::from(TOLD)) {
        died(name, &cli.root, latest.path(), status)?;
    }
    Ok(false)
}

/// A process that ended without a word: the input that it had is kept.
///
/// # Errors
/// When it had none: then it is not an input that ended it.
fn died(name: &str, root: &Path, latest: &Path, status: ExitStatus) -> Result<()> {
    let bytes = std::fs::read(latest).context("cannot read the latest input")?;
    let Some(input) = Latest::read(&bytes).filter(|_| status.code().is_none_or(|code| code > 1)) else {
        bail!("the process that hunts {name} ended: {status}");
    };
    let path = corpus::keep(&corpus::folder(root, name), input)?;
    println!("{name}: DIED, {status}; kept as {}", path.display());
    Ok(())
}
