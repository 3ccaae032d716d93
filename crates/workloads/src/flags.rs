//! Reading flags. No parser library: a pod's program should start at once.

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<T> {
    /// Print the help.
    Help,
    /// Read this.
    Read(T),
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

/// Reads two flags that must be given, in any order, as `--flag value` or `--flag=value`.
///
/// # Errors
/// The first argument that is not understood, or the first flag that is missing.
pub(crate) fn parse(
    flags: [&'static str; 2],
    arguments: impl IntoIterator<Item = String>,
) -> Result<Command<[String; 2]>, UsageError> {
    let mut values = [None, None];
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, given) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        if given.is_none() && matches!(name, "-h" | "--help") {
            return Ok(Command::Help);
        }
        let Some(at) = flags.iter().position(|&flag| flag == name) else {
            return Err(UsageError::Unknown(argument));
        };
        let value = given.or_else(|| arguments.next()).filter(|value| !value.is_empty());
        if values[at].replace(value.ok_or(UsageError::NoValue(flags[at]))?).is_some() {
            return Err(UsageError::Twice(flags[at]));
        }
    }
    let [first, second] = values;
    Ok(Command::Read([first.ok_or(UsageError::Missing(flags[0]))?, second.ok_or(UsageError::Missing(flags[1]))?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_both_spellings_and_nothing_else() {
        let read = |bucket: &str, key: &str| Ok(Command::Read([bucket.to_owned(), key.to_owned()]));
        let check = |line: &str, expected: Result<Command<[String; 2]>, UsageError>| {
            let words = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
            assert_eq!(parse(["--bucket", "--key"], words), expected, "{line}");
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
