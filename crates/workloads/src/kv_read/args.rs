//! The command line. No parser library: a pod's program should start at once.

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

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Read this secret.
    Read(VaultSecret),
}

/// A secret in a vault.
#[derive(Debug, PartialEq, Eq)]
pub struct VaultSecret {
    /// Its vault, such as `https://demo.vault.azure.net`.
    pub vault_url: String,
    /// Its name.
    pub name: String,
}

/// A command line that is not understood.
#[derive(Debug, PartialEq, Eq)]
pub enum UsageError {
    /// Neither flag nor value.
    Unknown(String),
    /// A flag at the end, or with an empty value.
    NoValue(&'static str),
    /// A flag given twice.
    Twice(&'static str),
    /// A flag that must be given.
    Missing(&'static str),
}

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(argument) => write!(f, "unknown argument `{argument}`"),
            Self::NoValue(flag) => write!(f, "`{flag}` needs a value"),
            Self::Twice(flag) => write!(f, "`{flag}` is given twice"),
            Self::Missing(flag) => write!(f, "`{flag}` is missing"),
        }
    }
}

impl std::error::Error for UsageError {}

/// Reads the arguments, without the program's name. Takes `--flag value` and `--flag=value`.
///
/// # Errors
/// The first argument that is not understood, or the first flag that is missing.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, UsageError> {
    let (mut vault_url, mut secret) = (None, None);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, given) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let (flag, slot) = match name {
            "--vault-url" => ("--vault-url", &mut vault_url),
            "--secret" => ("--secret", &mut secret),
            "-h" | "--help" if given.is_none() => return Ok(Command::Help),
            _ => return Err(UsageError::Unknown(argument)),
        };
        let value = given.or_else(|| arguments.next()).filter(|value| !value.is_empty());
        if slot.replace(value.ok_or(UsageError::NoValue(flag))?).is_some() {
            return Err(UsageError::Twice(flag));
        }
    }
    Ok(Command::Read(VaultSecret {
        vault_url: vault_url.ok_or(UsageError::Missing("--vault-url"))?,
        name: secret.ok_or(UsageError::Missing("--secret"))?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_both_spellings_and_nothing_else() {
        let read = |vault_url: &str, name: &str| {
            Ok(Command::Read(VaultSecret { vault_url: vault_url.into(), name: name.into() }))
        };
        let check = |line: &str, expected: Result<Command, UsageError>| {
            assert_eq!(parse(line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned)), expected, "{line}");
        };
        check("--vault-url u --secret s", read("u", "s"));
        check("--secret=a=b --vault-url=u", read("u", "a=b"));
        check("--vault-url u --help", Ok(Command::Help));
        check("-h", Ok(Command::Help));
        check("", Err(UsageError::Missing("--vault-url")));
        check("--vault-url u", Err(UsageError::Missing("--secret")));
        check("--vault-url u --secret", Err(UsageError::NoValue("--secret")));
        check("--vault-url= --secret s", Err(UsageError::NoValue("--vault-url")));
        check("--secret s --secret t", Err(UsageError::Twice("--secret")));
        check("--vault u", Err(UsageError::Unknown("--vault".into())));
        check("u s", Err(UsageError::Unknown("u".into())));
    }
}
