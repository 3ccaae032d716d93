//! Reading a file that a person wrote: every complaint names file, line and path.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::nearest;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// The file.
    pub file: PathBuf,
    /// Line and column from 1, where they are known.
    pub at: Option<(u64, u64)>,
    /// Path of the member inside the document, such as `aws.object.key`.
    pub path: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl SourceError {
    /// A complaint about a file as a whole.
    pub fn whole(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), at: None, path: None, message: message.into() }
    }

    /// A complaint about one member.
    pub fn member(file: &Path, path: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), at: None, path: Some(path.to_owned()), message: message.into() }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(path) = &self.path {
            write!(f, ": at `{path}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for SourceError {}

/// Reads a text file.
///
/// # Errors
/// When it is missing or not UTF-8.
pub fn read(file: &Path) -> Result<String, SourceError> {
    std::fs::read_to_string(file).map_err(|error| {
        let message = match error.kind() {
            std::io::ErrorKind::NotFound => "the file does not exist".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        };
        SourceError::whole(file, message)
    })
}

/// Reads YAML into a type.
///
/// # Errors
/// When the text is no YAML or does not fit the type; the nearest valid name is offered for an unknown member.
pub fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, SourceError> {
    let mut path = None;
    let parsed = serde_saphyr::with_deserializer_from_str(text, |deserializer| {
        serde_path_to_error::deserialize::<_, T>(deserializer).map_err(|error| {
            path = Some(error.path().to_string()).filter(|path| path != "." && path != "?");
            error.into_inner()
        })
    });
    parsed.map_err(|error| {
        let error = error.without_snippet();
        let at = error.location().map(|location| (location.line(), location.column())).filter(|at| at.0 > 0);
        SourceError { file: file.to_owned(), at, path, message: message(error) }
    })
}

/// serde's "unknown field `x`, expected one of `a`, `b`", with the nearest name in it.
pub(crate) fn explained(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    match names.next() {
        Some(field) if message.starts_with("unknown field") || message.starts_with("unknown variant") => {
            format!("{message}{}", nearest::hint(field, names))
        }
        _ => message.to_owned(),
    }
}

fn message(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let hint = nearest::hint(field, expected.iter().copied());
            format!("unknown member `{field}`{hint} (known: {})", expected.join(", "))
        }
        serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => {
            let hint = nearest::hint(variant, expected.iter().copied());
            format!("unknown value `{variant}`{hint} (known: {})", expected.join(", "))
        }
        other => {
            let text = other.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            // The position is told once, in front.
            line.split(" at line ").next().unwrap_or(line).trim_end_matches([',', ':', ' ']).to_owned()
        }
    }
}
