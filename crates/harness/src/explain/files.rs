//! Reading what a person brought: files and standard input, each fault with file and place. It must not know what a document means.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::exit::{Exit, Stop};

/// Where files are looked for, and standard input.
pub struct Files<'a> {
    /// Relative paths start here.
    pub folder: &'a Path,
    /// What `-` reads, once.
    pub stdin: Option<&'a mut dyn Read>,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A text, and what to call it.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Files<'_> {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// Exit 2 with the file's name.
    pub(crate) fn read(&mut self, file: &Path) -> Result<Text, Stop> {
        let mut text = String::new();
        if file == Path::new("-") {
            let name = "standard input".to_owned();
            let Some(stdin) = self.stdin.take() else {
                return Err(Stop::new(Exit::Usage, "`-` is given twice: standard input is read once"));
            };
            stdin.read_to_string(&mut text).map_err(|error| wrong(&name, format!("it cannot be read: {error}")))?;
            return Ok(Text { name, text });
        }
        let name = file.display().to_string();
        let path: PathBuf = self.folder.join(file);
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => wrong(&name, "the file does not exist"),
            _ => wrong(&name, format!("the file cannot be read: {error}")),
        })?;
        Ok(Text { name, text })
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// Exit 2 with file, line and column.
    pub(crate) fn json(&mut self, file: &Path) -> Result<(Text, Value), Stop> {
        let text = self.read(file)?;
        let value = serde_json::from_str(&text.text).map_err(|error| {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            let place = format!("{}:{}:{}", text.name, error.line(), error.column());
            wrong(&place, format!("it is no JSON: {what}"))
        })?;
        Ok((text, value))
    }

    /// Reads YAML or JSON: the documents of a stream, lists taken apart into their items.
    ///
    /// # Errors
    /// Exit 2 with file, line and column.
    pub(crate) fn objects(&mut self, file: &Path) -> Result<(Text, Vec<Value>), Stop> {
        let text = self.read(file)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text.text).map_err(|error| {
            let place = error.location().filter(|location| location.line() > 0);
            let place = place.map_or_else(String::new, |at| format!(":{}:{}", at.line(), at.column()));
            let what = error.without_snippet().to_string();
            let what = what.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let what = what.split(" at line ").next().unwrap_or_default().trim_end_matches([',', ':', ' ']);
            wrong(&format!("{}{place}", text.name), format!("it is no YAML: {what}"))
        })?;
        let items = documents.into_iter().flat_map(|document| match document.get("items") {
            Some(Value::Array(items)) => items.clone(),
            _ => vec![document],
        });
        Ok((text, items.filter(|item| !item.is_null()).collect()))
    }
}

/// A fault of a file that the user brought.
pub(crate) fn wrong(place: &str, what: impl std::fmt::Display) -> Stop {
    Stop::new(Exit::Usage, format!("{place}: {what}"))
}

/// A word as a POSIX shell takes it.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
