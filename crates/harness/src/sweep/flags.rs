//! The flags of `sweep`.

use std::path::PathBuf;

use clap::Args;
use jiff::SignedDuration;

use crate::cli::Output;
use crate::exit::{Exit, Stop};

/// Shown below `--help`.
pub const AFTER_HELP: &str = "Examples:\n  cargo xtask sweep\n  cargo xtask sweep --sandbox \"$HTTPS_PROXY\" --older-than 6h\n  \
    cargo xtask sweep --aws-endpoint http://127.0.0.1:4566 --output json\n  cargo xtask sweep --sandbox \"$HTTPS_PROXY\" --no-dry-run\n\n\
    Lists, and with --no-dry-run deletes, what carries this program's marks and has expired, or belongs to a run that is dead: its journal lies \
    in the artifacts folder and no process holds it. What belongs to a run that lives here is never listed, and nothing without the marks is. \
    Without a place it looks at this machine alone: folders in memory of processes that are gone. Exit code 102 says that something is left, and what.";

/// `sweep`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Look into a sandbox that is up: a URL (its HTTPS_PROXY) or the file sandbox.json of its folder. Of its accounts and subscriptions, the
    /// first of each and those that journals of the artifacts folder name
    #[arg(long, value_name = "URL|FILE", conflicts_with_all = ["kubeconfig", "aws_endpoint"])]
    pub sandbox: Option<String>,
    /// Look into the cluster of this kubeconfig
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub context: Option<String>,
    /// Look into the AWS account of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY at an endpoint, such as http://127.0.0.1:4566
    #[arg(long, value_name = "URL")]
    pub aws_endpoint: Option<String>,
    /// Folder that holds the runs' folders: their journals tell which runs live, and which are dead
    #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "_artifacts")]
    pub artifacts_dir: PathBuf,
    /// Only what was made longer ago than this, such as 30m, 6h or 2d
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<SignedDuration>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
    /// Delete what is listed
    #[arg(long)]
    pub no_dry_run: bool,
}

impl Flags {
    /// Refuses what no place can be.
    pub(super) fn check(&self) -> Result<(), Stop> {
        match self.aws_endpoint.as_deref().map(egress::Upstream::url) {
            Some(Err(error)) => Err(Stop::new(Exit::Usage, format!("--aws-endpoint: {error}"))),
            _ => Ok(()),
        }
    }
}

/// Reads an age: a number with its unit.
fn age(text: &str) -> Result<SignedDuration, String> {
    const SECONDS: [(char, i64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let read = SECONDS.iter().find_map(|(unit, seconds)| {
        let number: i64 = text.strip_suffix(*unit)?.parse().ok()?;
        (number >= 0).then_some(number)?.checked_mul(*seconds)
    });
    read.map(SignedDuration::from_secs).ok_or_else(|| "a number and s, m, h or d are expected, such as 6h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        let check = |text: &str, seconds: Option<i64>| {
            assert_eq!(age(text).ok(), seconds.map(SignedDuration::from_secs), "{text}");
        };
        check("45s", Some(45));
        check("30m", Some(1800));
        check("6h", Some(21_600));
        check("2d", Some(172_800));
        check("0s", Some(0));
        for bad in ["6", "h", "six hours", "-1h", "1.5h", "6 h", "99999999999999999999d", "9999999999999999d"] {
            check(bad, None);
        }
    }
}
