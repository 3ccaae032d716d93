//! The command line.

use crate::flags::{self, Command, UsageError};

/// Shown by `--help` and beside a usage error.
pub const HELP: &str = "\
Reads one Key Vault secret with the workload identity that its surroundings give (the Azure SDK's credential).

Usage: kv-read --vault-url URL --secret NAME

Prints one line of JSON on standard output: `read` with length, digest and content (base64; `bucket` is the vault,
`key` the secret), `denied` with the service's code, or `failed` with the causes.

Honours AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE, AZURE_AUTHORITY_HOST,
HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE.

Exit status: 0 read, 1 denied or failed, 2 usage.
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
    Ok(match flags::parse(["--vault-url", "--secret"], arguments)? {
        Command::Help => Command::Help,
        Command::Read([vault_url, name]) => Command::Read(VaultSecret { vault_url, name }),
    })
}
