//! The command line: flags, their help, and what they must not be combined with.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clouds::{Capabilities, Capability};
use report::Progress;
use scenario::Selection;

use crate::exit::{Exit, Stop};
use crate::naming::RunId;

/// Checks cross-cloud identity federation in Kubernetes end to end: what must be allowed, and what must be refused.
#[derive(Debug, Parser)]
#[command(name = "crossfed", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 passed, 2 usage, 4 nothing selected, 96 preflight, 100 a check failed, 101 infrastructure,\n\
    102 something was left behind, 105 provisioning, 129/130/143 interrupted, 1 internal."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run scenarios: bring everything up, check access and refusals, take everything down
    #[command(
        after_help = "Examples:\n  cargo xtask e2e aks-to-aws\n  cargo xtask e2e all\n  cargo xtask e2e aks-to-aws --faults all\n  cargo xtask e2e both-clouds --renewal\n  cargo xtask e2e aks-to-aws --cluster kubeconfig --kubeconfig ~/.kube/config\n  \
        cargo xtask e2e aks-to-aws --aws-endpoint http://127.0.0.1:5000 --aws-endpoint-enforces enforces-permissions"
    )]
    E2e(Box<E2e>),
    /// Take back what a run that is dead has left, from its journal alone
    #[command(after_help = crate::cleanup::AFTER_HELP)]
    Cleanup(crate::cleanup::Flags),
    /// Go on with a run that was stopped, by a signal or by a crash
    #[command(after_help = crate::resume::AFTER_HELP)]
    Resume(crate::resume::Flags),
    /// List what runs have left that nobody needs any more, with age and cost; delete it with --no-dry-run
    #[command(after_help = crate::sweep::AFTER_HELP)]
    Sweep(crate::sweep::Flags),
    /// Show what a run would create and check, and create nothing
    Plan(Plan),
    /// List scenarios and faults
    List(List),
    /// Explain why an access fails, from a token, policies, manifests or a run's report: no cluster, no cloud
    #[command(after_help = crate::explain::AFTER_HELP)]
    Explain(Box<crate::explain::Flags>),
    /// Start a cluster and both clouds on this machine and serve them until Ctrl-C, for your own programs and tests
    #[command(after_help = crate::sandbox::AFTER_HELP)]
    Sandbox(Box<crate::sandbox::Flags>),
    /// Measure a run against its floor as ratios, or the diagnosis against the catalogue (needs a built workspace)
    #[command(
        after_help = "`cargo xtask bench clouds` measures the simulated AWS under load. It is a program of its own, built in release: see its --help."
    )]
    Bench(Bench),
}

/// Which scenarios folder.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// Folder that holds the scenarios [default: scenarios/ in the repository]
    #[arg(long = "scenarios", value_name = "DIR")]
    pub scenarios_folder: Option<PathBuf>,
}

/// Which faults are tried.
#[derive(Debug, Clone, Args)]
pub struct Faults {
    /// Faults to try beside the access: `default` (those that the scenario names), `all` that concern it, `none`,
    /// ids, link=LINK, tag=TAG, cloud=aws or cloud=azure; several are separated by commas
    #[arg(long, value_name = "LIST")]
    pub faults: Option<Selection>,
}

impl Faults {
    /// What was chosen, or the default.
    pub fn selection(&self) -> Selection {
        self.faults.clone().unwrap_or_default()
    }
}

/// `e2e`.
#[derive(Debug, Clone, Args)]
pub struct E2e {
    /// Names of scenarios, each a folder in scenarios/, or `all`
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    #[command(flatten)]
    pub faults: Faults,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub location: Where,
    /// Folder in which a folder for this run is made
    #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "_artifacts")]
    pub artifacts_dir: PathBuf,
    /// Id of this run: part of every name that it creates [default: made from the time]
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
    /// When to take down what was created [default: always if CI is set, else success]. What runs
    /// inside this process (embedded, simulated) ends with it whatever is said here
    #[arg(long, value_name = "WHEN")]
    pub cleanup: Option<Cleanup>,
    /// How many pods run at the same time, over all scenarios [default: one for each check]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: Option<u16>,
    /// Seconds that a pod has from its creation to its end
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub pod_timeout: u64,
    /// Use an OIDC provider for the cluster's issuer that another made and that stands in the account already: it is read, and never changed
    /// or deleted. Without this the run stops where there is one
    #[arg(long)]
    pub reuse_oidc_provider: bool,
    /// Seconds that the whole run has until its checks must have ended; evidence and teardown have time of their own
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    #[command(flatten)]
    pub patience: Deletion,
    /// Check renewal too: a pod that keeps reading while its token is renewed and the issuer's key is rotated. The
    /// embedded cluster's tokens then last 3 seconds; elsewhere it is skipped
    #[arg(long)]
    pub renewal: bool,
    /// Give the simulated clouds the delays of the real ones, times FACTOR, so that waiting for them is tried, too
    #[arg(long, value_name = "FACTOR", num_args = 0..=1, default_missing_value = "1", conflicts_with = "sandbox", value_parser = crate::sandbox::factor)]
    pub propagation: Option<f64>,
    /// Show what would be created and checked, and create nothing (the same as `plan`)
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub look: Look,
}

/// How long a deletion may take.
#[derive(Debug, Clone, Copy, Args)]
pub struct Deletion {
    /// Seconds that each thing has to go when it is taken back
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub delete_timeout: u64,
}

impl Deletion {
    /// The same.
    pub fn timeout(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.delete_timeout)
    }
}

/// `plan`.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Names of scenarios, each a folder in scenarios/, or `all`
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    #[command(flatten)]
    pub faults: Faults,
    #[command(flatten)]
    pub location: Where,
}

/// `list`.
#[derive(Debug, Clone, Args)]
pub struct List {
    #[command(flatten)]
    pub faults: Faults,
    #[command(flatten)]
    pub location: Where,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

/// `bench`.
#[derive(Debug, Clone, Args)]
pub struct Bench {
    /// What is measured
    #[arg(value_name = "WHAT", default_value = "run")]
    pub what: Measure,
    /// Counted runs; a diagnosis is measured once
    #[arg(long, short = 'n', value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub runs: u16,
    #[command(flatten)]
    pub location: Where,
}

/// What a bench measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// A run against its floor, and all scenarios against the slowest
    Run,
    /// How soon a sandbox is ready, and what it holds in memory when idle
    Sandbox,
    /// How often the diagnosis finds link, cause and fix of the catalogue's faults, whose names and words it does not see
    Diagnosis,
}

/// Where a scenario is tried and who answers.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Where pods run
    #[arg(long, value_name = "PLACE", default_value = "embedded")]
    pub cluster: ClusterKind,
    /// Run in a sandbox that is up: a URL (its HTTPS_PROXY) or the file sandbox.json of its folder. Cluster, pods and clouds
    /// are the sandbox's
    #[arg(long, value_name = "URL|FILE", conflicts_with_all = ["cluster", "kubeconfig", "aws_endpoint", "node", "images"])]
    pub sandbox: Option<String>,
    /// Kubeconfig of the cluster; needs --cluster kubeconfig, which also takes it from KUBECONFIG
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]; needs --cluster kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Who runs the pods of a kubeconfig's cluster: this process, or (auto) this process where the cluster has no ready node
    #[arg(long, value_name = "WHO")]
    pub node: Option<NodeKind>,
    /// Who answers for the clouds
    #[arg(long, value_name = "WHO", default_value = "simulated")]
    pub clouds: CloudsKind,
    /// An endpoint that answers for AWS in place of the simulator, such as http://127.0.0.1:4566. Keys are
    /// taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[arg(long, value_name = "URL")]
    pub aws_endpoint: Option<String>,
    /// What that endpoint really checks; checks that need more are skipped
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "aws_endpoint")]
    pub aws_endpoint_enforces: Vec<Capability>,
    /// Account of the endpoint's keys [default: what its STS says]
    #[arg(long, value_name = "ID", requires = "aws_endpoint")]
    pub aws_account: Option<trust::AccountId>,
    /// A container image that is a local program, for the process node; may be given several times
    #[arg(long = "image", value_name = "IMAGE=PROGRAM", value_parser = image)]
    pub images: Vec<(String, PathBuf)>,
}

/// Where pods run, as the flags together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodsRun {
    /// In this process's own cluster
    Embedded,
    /// In the cluster of a kubeconfig
    Kubeconfig,
    /// In a sandbox
    Sandbox,
}

/// `--cluster`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterKind {
    /// An API server in this process, pods as local processes
    Embedded,
    /// The cluster of a kubeconfig, also a bare kube-apiserver
    Kubeconfig,
}

/// `--clouds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CloudsKind {
    /// Simulators in this process
    Simulated,
}

/// `--node`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NodeKind {
    /// This process, where the cluster has no ready node
    Auto,
    /// This process, beside whatever nodes there are
    Process,
}

/// `--cleanup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cleanup {
    /// In any case
    Always,
    /// When every check passed
    Success,
    /// When a check failed
    Failure,
    /// Leave everything
    Never,
}

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

/// How output looks.
#[derive(Debug, Clone, Args)]
pub struct Look {
    /// No colour (also NO_COLOR; CLICOLOR_FORCE forces it)
    #[arg(long)]
    pub no_color: bool,
    /// How much is said of what is going on
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub show_progress: ShowProgress,
    /// Show the chain of every check, with what was presented and required at each link, not only of those that did not pass
    #[arg(long)]
    pub chains: bool,
}

/// `--show-progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowProgress {
    /// Count checks if there are many
    Auto,
    /// Count checks and say when a phase starts
    Counter,
    /// Results only
    None,
}

impl From<ShowProgress> for Progress {
    fn from(value: ShowProgress) -> Self {
        match value {
            ShowProgress::Auto => Progress::Auto,
            ShowProgress::Counter => Progress::Counter,
            ShowProgress::None => Progress::None,
        }
    }
}

impl Place {
    /// Refuses flags that contradict each other.
    ///
    /// # Errors
    /// Exit 2, with what to do.
    pub fn check(&self) -> Result<(), Stop> {
        let usage = |message: &str| Err(Stop::new(Exit::Usage, message));
        if self.cluster == ClusterKind::Embedded {
            let pairs = [
                ("--kubeconfig", self.kubeconfig.is_some()),
                ("--context", self.context.is_some()),
                ("--node", self.node.is_some()),
            ];
            if let Some((flag, _)) = pairs.into_iter().find(|(_, given)| *given) {
                return usage(&format!("{flag} needs --cluster kubeconfig: the embedded cluster has no use for it"));
            }
        }
        if self.aws_endpoint_enforces.contains(&Capability::SeparateAccounts) {
            return usage(
                "--aws-endpoint-enforces: separate-accounts cannot be claimed, since one set of keys is one account",
            );
        }
        if self.cluster == ClusterKind::Kubeconfig && self.kubeconfig.is_none() {
            return usage("--cluster kubeconfig needs --kubeconfig FILE, or KUBECONFIG in the environment");
        }
        if let Some(url) = &self.aws_endpoint
            && let Err(error) = egress::Upstream::url(url)
        {
            return usage(&format!("--aws-endpoint: {error}"));
        }
        Ok(())
    }

    /// Where pods run.
    pub fn pods(&self) -> PodsRun {
        match (self.sandbox.is_some(), self.cluster) {
            (true, _) => PodsRun::Sandbox,
            (false, ClusterKind::Embedded) => PodsRun::Embedded,
            (false, ClusterKind::Kubeconfig) => PodsRun::Kubeconfig,
        }
    }

    /// What the endpoint is said to check.
    pub fn enforces(&self) -> Capabilities {
        self.aws_endpoint_enforces.iter().copied().collect()
    }
}

impl Cleanup {
    /// The choice when none is made.
    pub fn default_for(ci: bool) -> Self {
        if ci { Cleanup::Always } else { Cleanup::Success }
    }

    /// Whether to take down after checks that did or did not pass.
    pub fn applies(self, passed: bool) -> bool {
        match self {
            Cleanup::Always => true,
            Cleanup::Success => passed,
            Cleanup::Failure => !passed,
            Cleanup::Never => false,
        }
    }
}

/// Reads `--image`.
pub(crate) fn image(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((image, program)) if !image.is_empty() && !program.is_empty() => {
            Ok((image.to_owned(), PathBuf::from(program)))
        }
        _ => Err("IMAGE=PROGRAM is expected, such as amazon/aws-cli=/usr/local/bin/aws".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn place(words: &[&str]) -> Result<Place, String> {
        let words = ["crossfed", "e2e", "aks-to-aws"].iter().chain(words);
        match Cli::try_parse_from(words).map_err(|error| error.to_string())?.verb {
            Verb::E2e(e2e) => e2e.place.check().map(|()| e2e.place).map_err(|stop| stop.message),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_definition_is_sound_and_every_flag_has_help() {
        let command = Cli::command();
        command.clone().debug_assert();
        for verb in command.get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
            for flag in verb.get_arguments() {
                assert!(flag.get_help().is_some(), "{} {}", verb.get_name(), flag.get_id());
            }
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused_with_what_to_do() {
        let check = |words: &[&str], expected: &str| {
            let error = place(words).expect_err("must be refused");
            assert!(error.contains(expected), "{words:?}: {error}");
        };
        check(&["--kubeconfig", "x"], "--kubeconfig needs --cluster kubeconfig");
        check(&["--context", "x"], "--context needs --cluster kubeconfig");
        check(&["--node", "process"], "--node needs --cluster kubeconfig");
        check(&["--aws-endpoint-enforces", "enforces-trust"], "--aws-endpoint <URL>");
        check(&["--aws-endpoint", "http://h", "--aws-endpoint-enforces", "all"], "is no capability");
        check(&["--aws-endpoint", "http://h", "--aws-endpoint-enforces", "separate-accounts"], "cannot be claimed");
        check(&["--image", "x"], "IMAGE=PROGRAM is expected");
        check(&["--run-id", "No"], "is no run id");
        check(&["--cluster", "kinf"], "kubeconfig");
        place(&["--cluster", "kubeconfig", "--kubeconfig", "x", "--context", "y", "--node", "auto"])
            .expect("must be taken");
    }

    #[test]
    fn cleanup_applies_as_its_name_says() {
        let check = |cleanup: Cleanup, passed: bool, failed: bool| {
            assert_eq!((cleanup.applies(true), cleanup.applies(false)), (passed, failed), "{cleanup:?}");
        };
        check(Cleanup::Always, true, true);
        check(Cleanup::Success, true, false);
        check(Cleanup::Failure, false, true);
        check(Cleanup::Never, false, false);
        assert_eq!((Cleanup::default_for(true), Cleanup::default_for(false)), (Cleanup::Always, Cleanup::Success));
    }
}
