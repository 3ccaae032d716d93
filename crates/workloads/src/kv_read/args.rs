//! The command line.

use crate::flags::{self, Command, UsageError};

/// Shown by `--help` and beside a usage error.
pub const HELP: &str = "\
Reads one Key Vault secret with the workload identity that its surroundings give (the Azure SDK's credential).

Usage: kv-read --vault-url URL --secret NAME [--every SECONDS]

Prints one line of JSON on standard output: `read` with length, digest and content (base64; `bucket` is the vault,
`key` the secret), `denied` with the service's code, or `failed` with the causes.

Honours AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE, AZURE_AUTHORITY_HOST,
HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE.

With --every (such as 0.2) it reads again and again, waiting that long in between, until a signal ends it, and prints a
line for each read, whatever came of it. Each time the credentials are built anew from environment and token file, as by
a program that has just started: an SDK would keep them for an hour, and use a renewed token only then.

Exit status: 0 read, 1 denied or failed, 2 usage; with --every, 128 and the number of the signal.
";

/// A secret in a vault.
#[derive(Debug, PartialEq, Eq)]
pub struct VaultSecret {
    /// Its vault, such as `https://demo.vault.azure.net`.
    pub vault_url: String,
    /// Its name.
    pub name: String,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// The first argument that is not understood, or the first flag that is missing.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command<VaultSecret>, UsageError> {
    Ok(flags::parse(["--vault-url", "--secret"], arguments)?.map(|[vault_url, name]| VaultSecret { vault_url, name }))
}
