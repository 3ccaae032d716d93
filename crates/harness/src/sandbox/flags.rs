//! The flags of `sandbox`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cluster::IssuerShape;
use serde::{Deserialize, Serialize};

/// Examples of `sandbox`.
pub const AFTER_HELP: &str = "Examples:
  cargo xtask sandbox --flavor eks
  cargo xtask sandbox --flavor aks --exec ./my-tests.sh
  cargo xtask sandbox --image my/service=target/debug/my-service

  cargo xtask e2e aks-to-aws --sandbox \"$HTTPS_PROXY\"

A file of images:
  images:
    - names: [amazon/aws-cli]     # with a tag: that one alone
      entrypoint: [aws]           # a name on the search path, or a path from this file's folder; then arguments in front
      cmd: [help]                 # what follows when the pod has neither command nor arguments
      commands: any               # the pod may start any program; default: only the entry point
      workingDir: /aws
      paths: real                 # mounts lie where the pod says, if the system permits; or `rewritten`

It answers for itself at https://sandbox.crossfed.internal/ on its wire: further accounts and subscriptions, requests, inventory.
All that it prints is lines for a shell; the same lies in the file `env` of its folder, for other terminals.
Exit codes: 0 after Ctrl-C, 143 after SIGTERM, the command's own with --exec.";

/// `sandbox`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Whose cluster it is like: its issuer, and how its webhooks are installed
    #[arg(long, value_name = "KIND", default_value = "aks")]
    pub flavor: FlavorKind,
    /// Region of AWS that programs use by default, and an EKS cluster's
    #[arg(long, value_name = "REGION", default_value = "eu-central-1")]
    pub region: String,
    /// Reach both clouds at ports of this machine (AWS_ENDPOINT_URL_*, AZURE_AUTHORITY_HOST) in place of the proxy, for programs that
    /// cannot use one. Azure's need to be told not to ask Microsoft about the authority (disable_instance_discovery), and vaults are
    /// at `NAME.vault.localhost`
    #[arg(long)]
    pub endpoints: bool,
    /// A container image that is a local program; may be given several times
    #[arg(long = "image", value_name = "IMAGE=PROGRAM", value_parser = crate::cli::image)]
    pub images: Vec<(String, PathBuf)>,
    /// A YAML file that says which local programs stand for which images, with their entry points and arguments (see below).
    /// --image wins over it, and it over the usual ones (amazon/aws-cli, busybox, …)
    #[arg(long, value_name = "FILE")]
    pub images_file: Option<PathBuf>,
    /// Give writes the delays of the real clouds, times FACTOR: IAM 5 to 15 s, federated credentials and role assignments up to
    /// minutes; meanwhile they are seen now and then. 0.01 makes them hundredths
    #[arg(long, value_name = "FACTOR", num_args = 0..=1, default_missing_value = "1", value_parser = factor)]
    pub propagation: Option<f64>,
    /// Keep everything in this folder, and begin with what is in it: objects of the cluster, issuer and signing key, both clouds with
    /// their keys. Processes, logs, sessions and tokens of the clouds are not kept
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Run a command with the variables set, end when it ends, and pass its exit code on; all words behind it are its own
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true)]
    pub exec: Vec<String>,
}

/// Reads a factor of `--propagation`.
pub(crate) fn factor(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "a number is expected, such as 0.01".to_owned())?;
    if number.is_finite() && (0.0..=100.0).contains(&number) {
        Ok(number)
    } else {
        Err("a number from 0 to 100 is expected".to_owned())
    }
}

/// `--flavor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlavorKind {
    /// An AKS cluster: the AWS webhook by its chart, the Azure webhook
    Aks,
    /// An EKS cluster: the AWS webhook as EKS installs it, the Azure webhook by its chart
    Eks,
    /// A cluster of one's own, whose issuer lies in a public bucket: both webhooks by their charts
    SelfManaged,
}

impl FlavorKind {
    pub(super) fn shape(self) -> IssuerShape {
        match self {
            Self::Aks => IssuerShape::Aks,
            Self::Eks => IssuerShape::Eks,
            Self::SelfManaged => IssuerShape::SelfManaged,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Aks => "aks",
            Self::Eks => "eks",
            Self::SelfManaged => "self-managed",
        }
    }
}
