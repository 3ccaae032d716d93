//! The flags of `explain`. It must not know what becomes of them.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Output;
use crate::naming::RunId;

/// What stands below the flags in `--help`.
pub const AFTER_HELP: &str = "\
Examples:
  cargo xtask explain --token fixtures/explain/token-aws.jwt --trust-policy fixtures/explain/trust-policy.json
  cargo xtask explain --pod fixtures/explain/pod.yaml --service-account fixtures/explain/service-account.yaml
  cargo xtask explain --issuer https://ISSUER --federated-credential fixtures/explain/federated-credential.json
  kubectl exec POD -- cat /var/run/secrets/eks.amazonaws.com/serviceaccount/token | cargo xtask explain --token - --trust-policy FILE
  cargo xtask explain --run latest

Nothing is sent anywhere unless --issuer is given: then two documents are fetched from the issuer, without the token.
A token's signature is never printed.

Exit codes: 0 no link is broken (links that were not checked are named), 100 one is, 2 a flag or file is wrong, 4 nothing was given.

--output json prints one object:
  {\"schema\": \"crossfed.dev/explain/v1\", \"broken\": BOOL, \"accesses\": [{
     \"title\": TEXT, \"cloud\": \"aws\" | \"azure\" | null,
     \"chain\": {\"links\": [{\"link\": SLUG, \"state\": \"holds\" | \"broken\" | \"not-reached\" | \"not-checked\",
                          \"presented\"?, \"required\"?, \"source\"?, \"note\"?}, ... eleven in order]},
     \"hints\": [{\"link\": SLUG, \"what\": TEXT, \"fix\"?: COMMAND}],
     \"unchecked\": [{\"link\": SLUG, \"why\": TEXT}]}]}
with --run: \"run\" beside \"broken\"; in an access \"scenario\", \"check\" and \"verdict\" in place of \"hints\" and
\"unchecked\", and \"cloud\" only where the scenario reads in two.";

/// `explain`: any subset of these. One of the files may be `-` for standard input.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// A service-account token, as a pod reads it
    #[arg(long, value_name = "FILE|-")]
    pub token: Option<PathBuf>,
    /// The role's trust policy, or what `aws iam get-role` prints
    #[arg(long, value_name = "FILE")]
    pub trust_policy: Option<PathBuf>,
    /// A permission policy of the role, or what `aws iam get-role-policy` or `get-policy-version` prints
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// What is tried, such as s3:GetObject; needs --policy
    #[arg(long, value_name = "ACTION", requires = "policy", requires = "resource")]
    pub action: Option<String>,
    /// On which resource; needs --policy
    #[arg(long, value_name = "ARN", requires = "policy", requires = "action")]
    pub resource: Option<trust::Arn>,
    /// What `az identity federated-credential show` or `list` prints, or the same of `az ad app`, Resource Manager or Graph
    #[arg(long, value_name = "FILE")]
    pub federated_credential: Option<PathBuf>,
    /// What `az identity show` prints: tells its client id from its principal id
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// What `az role assignment list` prints; needs --identity
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub role_assignment: Option<PathBuf>,
    /// The pod: a manifest, or what `kubectl get pod -o yaml` (or json) prints
    #[arg(long, value_name = "FILE")]
    pub pod: Option<PathBuf>,
    /// The service account, in the same forms
    #[arg(long, value_name = "FILE")]
    pub service_account: Option<PathBuf>,
    /// The issuer of the cluster: its discovery document and keys are fetched
    #[arg(long, value_name = "URL")]
    pub issuer: Option<trust::IssuerUrl>,
    /// The issuer's key set (JWKS), in place of fetching it
    #[arg(long, value_name = "FILE")]
    pub jwks: Option<PathBuf>,
    /// Certificates in PEM that --issuer trusts [default: those of the system]
    #[arg(long, value_name = "FILE", env = "SSL_CERT_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Explain the checks of a run that did not pass; `latest` is the one that began last
    #[arg(long, value_name = "ID", conflicts_with_all = [
        "token", "trust_policy", "policy", "action", "resource", "federated_credential", "identity", "role_assignment", "pod",
        "service_account", "issuer", "jwks",
    ])]
    pub run: Option<RunId>,
    /// With --run: those that passed, too
    #[arg(long, requires = "run")]
    pub all: bool,
    /// Folder that holds the folders of runs
    #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "_artifacts")]
    pub artifacts_dir: PathBuf,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
    /// No colour (also NO_COLOR; CLICOLOR_FORCE forces it)
    #[arg(long)]
    pub no_color: bool,
}
