//! The command line.

use crate::flags::{self, Command, UsageError};

/// Shown by `--help` and beside a usage error.
pub const HELP: &str = "\
Reads one S3 object with the credentials that its surroundings give (the AWS SDK's default chain).

Usage: s3-reader --bucket BUCKET --key KEY [--every SECONDS]

Prints one line of JSON on standard output: `read` with length, digest and content (up to 1 MiB, base64),
`denied` with the service's code, or `failed` with the causes.

Honours AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_REGION and the SDK's other variables,
HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE.

With --every (such as 0.2) it reads again and again, waiting that long in between, until a signal ends it, and prints a
line for each read, whatever came of it. Each time the credentials are built anew from environment and token file, as by
a program that has just started: an SDK would keep them for an hour, and use a renewed token only then.

Exit status: 0 read, 1 denied or failed, 2 usage; with --every, 128 and the number of the signal.
";

/// An object in S3.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// The first argument that is not understood, or the first flag that is missing.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command<Object>, UsageError> {
    Ok(flags::parse(["--bucket", "--key"], arguments)?.map(|[bucket, key]| Object { bucket, key }))
}
