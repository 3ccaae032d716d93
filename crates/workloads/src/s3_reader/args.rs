//! The command line. No parser library: a pod's program should start at once.

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

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Read this object.
    Read(Object),
}

/// An object in S3.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
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
    let (mut bucket, mut key) = (None, None);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, given) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let (flag, slot) = match name {
            "--bucket" => ("--bucket", &mut bucket),
            "--key" => ("--key", &mut key),
            "-h" | "--help" if given.is_none() => return Ok(Command::Help),
            _ => return Err(UsageError::Unknown(argument)),
        };
        let value = given.or_else(|| arguments.next()).filter(|value| !value.is_empty());
        if slot.replace(value.ok_or(UsageError::NoValue(flag))?).is_some() {
            return Err(UsageError::Twice(flag));
        }
    }
    Ok(Command::Read(Object {
        bucket: bucket.ok_or(UsageError::Missing("--bucket"))?,
        key: key.ok_or(UsageError::Missing("--key"))?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_both_spellings_and_nothing_else() {
        let read = |bucket: &str, key: &str| Ok(Command::Read(Object { bucket: bucket.into(), key: key.into() }));
        let check = |line: &str, expected: Result<Command, UsageError>| {
            assert_eq!(parse(line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned)), expected, "{line}");
        };
        check("--bucket b --key k", read("b", "k"));
        check("--key=a=b --bucket=b", read("b", "a=b"));
        check("--bucket --key --key k", read("--key", "k"));
        check("--bucket b --help", Ok(Command::Help));
        check("-h", Ok(Command::Help));
        check("", Err(UsageError::Missing("--bucket")));
        check("--bucket b", Err(UsageError::Missing("--key")));
        check("--bucket b --key", Err(UsageError::NoValue("--key")));
        check("--bucket= --key k", Err(UsageError::NoValue("--bucket")));
        check("--bucket b --bucket c --key k", Err(UsageError::Twice("--bucket")));
        check("--bukcet b", Err(UsageError::Unknown("--bukcet".into())));
        check("--help=x", Err(UsageError::Unknown("--help=x".into())));
        check("b k", Err(UsageError::Unknown("b".into())));
    }
}
