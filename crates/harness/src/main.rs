//! The `crossfed` program: reads its surroundings, runs a verb, tells how it ended.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a binary talks to its user and reads its environment"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use harness::cli::{Cli, Verb};
use harness::exit::Stop;
use harness::{Environment, Exit, bench, cleanup, explain, list_view, plan_view, run, sandbox, sweep};

fn main() -> ExitCode {
    let started = Instant::now();
    // clap prints help and errors itself, and exits with 0 or 2.
    let cli = Cli::parse();
    let environment = environment(started);
    log_to_stderr(environment.log.as_deref());
    let outcome = match cli.verb {
        Verb::E2e(options) if options.dry_run => {
            plan_view::print(&environment, &options.location, &options.scenarios, &options.faults)
        }
        Verb::E2e(options) => block_on(run::e2e(with_kubeconfig(*options), environment)),
        Verb::Cleanup(flags) => block_on(cleanup::run(flags, environment)),
        Verb::Resume(flags) => block_on(run::resume(flags, environment)),
        Verb::Sweep(flags) => block_on(sweep::run(flags, environment)),
        Verb::Plan(options) => plan_view::print(&environment, &options.location, &options.scenarios, &options.faults),
        Verb::List(options) => list_view::list(&environment, &options),
        Verb::Explain(flags) => {
            block_on(
                async move { explain::run(&flags, &environment, &trust::SystemClock, &mut std::io::stdin()).await },
            )
        }
        Verb::Sandbox(flags) => return ended(block_on(sandbox::run(*flags, environment))),
        Verb::Bench(options) => block_on(bench::run(options, environment)),
    };
    ended(outcome.map(Exit::code))
}

fn ended(outcome: Result<u8, Stop>) -> ExitCode {
    ExitCode::from(outcome.unwrap_or_else(|stop| {
        eprintln!("error: {}", trust::redact(&stop.message));
        stop.exit.code()
    }))
}

/// Shows what this house's own crates trace. Others stay silent: at these levels HTTP and SDK crates print headers, and so tokens.
fn log_to_stderr(level: Option<&str>) {
    use tracing_subscriber::filter::{LevelFilter, filter_fn};
    use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};
    const OURS: [&str; 12] = [
        "aws_sim",
        "azure_sim",
        "clouds",
        "cluster",
        "egress",
        "federation",
        "harness",
        "kube_sim",
        "kubelet",
        "transport",
        "trust",
        "webhooks",
    ];
    let Some(level) = level.and_then(|level| level.parse::<LevelFilter>().ok()) else {
        return;
    };
    let ours = filter_fn(|metadata| OURS.contains(&metadata.target().split("::").next().unwrap_or_default()));
    let lines = fmt::layer().with_writer(std::io::stderr).with_filter(ours).with_filter(level);
    tracing_subscriber::registry().with(lines).init();
}

fn block_on<T>(work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::caused(Exit::Internal, error))?;
    let outcome = runtime.block_on(work);
    // Connections that are idle in some pool must not hold up the end.
    runtime.shutdown_background();
    outcome
}

/// `--cluster kubeconfig` alone takes the file from where kubectl takes it.
fn with_kubeconfig(mut options: harness::cli::E2e) -> harness::cli::E2e {
    if options.place.cluster == harness::cli::ClusterKind::Kubeconfig && options.place.kubeconfig.is_none() {
        let of_home = || {
            std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config")).filter(|file| file.is_file())
        };
        options.place.kubeconfig =
            std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()).map(PathBuf::from).or_else(of_home);
    }
    options
}

fn environment(started: Instant) -> Environment {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let program = std::env::current_exe().unwrap_or_default();
    let working_dir = std::env::current_dir().unwrap_or_default();
    let command = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let command = ["cargo", "xtask"].map(str::to_owned).into_iter().chain(command).collect();
    let (terminal, columns) = run::terminal();
    let mut environment = Environment::new(command, &variables, program, working_dir, started);
    environment.terminal = terminal;
    environment.columns = columns.or(environment.columns);
    environment
}
