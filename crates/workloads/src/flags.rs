//! Reading flags. No parser library: a pod's program should start at once. It knows no program's own flags.

use std::time::Duration;

/// How long to wait between reads, in seconds; both programs have it.
const EVERY: &str = "--every";

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<T> {
    /// Print the help.
    Help,
    /// Read.
    Read {
        /// What.
        target: T,
        /// Again and again, with this long in between; once where it is absent.
        every: Option<Duration>,
    },
}

impl<T> Command<T> {
    /// The same with the target as a program names it.
    pub(crate) fn map<U>(self, name: impl FnOnce(T) -> U) -> Command<U> {
        match self {
            Self::Help => Command::Help,
            Self::Read { target, every } => Command::Read { target: name(target), every },
        }
    }
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
    /// No positive decimal number of seconds.
    NoSeconds(&'static str, String),
}

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(argument) => write!(f, "unknown argument `{argument}`"),
            Self::NoValue(flag) => write!(f, "`{flag}` needs a value"),
            Self::Twice(flag) => write!(f, "`{flag}` is given twice"),
            Self::Missing(flag) => write!(f, "`{flag}` is missing"),
            Self::NoSeconds(flag, value) => {
                write!(f, "`{flag}` needs a positive number of seconds such as 0.2, not `{value}`")
            }
        }
    }
}

impl std::error::Error for UsageError {}

/// Reads two flags that must be given, and `--every`, in any order, as `--flag value` or `--flag=value`.
///
/// # Errors
/// The first argument that is not understood, or the first flag that is missing.
pub(crate) fn parse(
    [first, second]: [&'static str; 2],
    arguments: impl IntoIterator<Item = String>,
) -> Result<Command<[String; 2]>, UsageError> {
    let flags = [first, second, EVERY];
    let mut values = [None, None, None];
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
    let [one, two, every] = values;
    let target = [one.ok_or(UsageError::Missing(first))?, two.ok_or(UsageError::Missing(second))?];
    let seconds = |value: String| seconds(&value).ok_or(UsageError::NoSeconds(EVERY, value));
    Ok(Command::Read { target, every: every.map(seconds).transpose()? })
}

/// A positive number in plain decimal notation: no sign, no exponent.
fn seconds(text: &str) -> Option<Duration> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let length = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (!length.is_zero()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command<[String; 2]>, UsageError>) {
        let words = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
        assert_eq!(parse(["--bucket", "--key"], words), expected, "{line}");
    }

    fn read(bucket: &str, key: &str, every: Option<Duration>) -> Result<Command<[String; 2]>, UsageError> {
        Ok(Command::Read { target: [bucket.to_owned(), key.to_owned()], every })
    }

    #[test]
    fn takes_both_spellings_and_nothing_else() {
        check("--bucket b --key k", read("b", "k", None));
        check("--key=a=b --bucket=b", read("b", "a=b", None));
        check("--bucket --key --key k", read("--key", "k", None));
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

    #[test]
    fn every_takes_a_positive_decimal_number_of_seconds() {
        let every = |value: &str, millis: u64| {
            check(&format!("--every {value} --bucket b --key k"), read("b", "k", Some(Duration::from_millis(millis))));
        };
        every("0.2", 200);
        every("30", 30_000);
        every(".5", 500);
        let refused = |value: &str| {
            let error = UsageError::NoSeconds("--every", value.to_owned());
            check(&format!("--bucket b --key k --every={value}"), Err(error));
        };
        for value in ["0", "0.0", "0.0000000000001", "x", "-1", "+1", "1e3", "1s", "1.2.3", ".", "inf", "1e400", "NaN"]
        {
            refused(value);
        }
        refused(&"9".repeat(40));
        check("--bucket b --key k --every", Err(UsageError::NoValue("--every")));
        check("--every 1 --every 1", Err(UsageError::Twice("--every")));
        check("--every x", Err(UsageError::Missing("--bucket")));
    }
}
