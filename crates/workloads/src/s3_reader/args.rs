//! The command line.

use crate::flags::{self, Command, UsageError};

/// Shown by `--help` and beside a usage error.
pub const HELP: &str = "\
Reads one S3 object with the credentials that its surroundings give (the AWS SDK's default chain).

Usage: s3-reader --bucket BUCKET --key KEY

Prints one line of JSON on standard output: `read` with length, digest and content (up to 1 MiB, base64),
`denied` with the service's code, or `failed` with the causes.

Honours AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_REGION and the SDK's other variables,
HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE.

Exit status: 0 read, 1 denied or failed, 2 usage.
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
    Ok(match flags::parse(["--bucket", "--key"], arguments)? {
        Command::Help => Command::Help,
        Command::Read([bucket, key]) => Command::Read(Object { bucket, key }),
    })
}
