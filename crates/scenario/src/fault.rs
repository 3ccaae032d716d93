//! One fault: the one thing that it changes and what must come of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trust::Link;

use crate::access::Cloud;
use crate::source::{self, SourceError};

/// An entry of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// File name without its ending.
    pub id: String,
    /// Where it was read from.
    pub file: PathBuf,
    /// The cloud that it concerns: in the other one everything goes on as before. `None` where it concerns each access.
    pub about: Option<Cloud>,
    /// What is wrong, in one line.
    pub title: String,
    /// JSON merge patch (RFC 7396) over the scenario's `access`.
    pub change: Value,
    /// What must be seen.
    pub expect: Expectation,
    /// Whether the cloud may answer so for a while although nothing is wrong.
    pub transient: bool,
    /// Public source of the expectation.
    pub source: String,
    /// How sure that source is.
    pub confidence: Confidence,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    title: String,
    change: Value,
    expect: Expectation,
    #[serde(default)]
    transient: bool,
    source: String,
    confidence: Confidence,
}

/// What a fault must lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expectation {
    /// A cloud refuses, at this link, in these words.
    Refused {
        /// The link that breaks.
        link: Link,
        /// The cloud's code.
        code: String,
        /// HTTP status.
        status: u16,
    },
    /// The webhook leaves the pod alone: the access ends before any cloud is asked.
    NotInjected,
    /// Nothing breaks: what differs must make no difference.
    Read,
}

/// How sure an expectation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The vendor documents it.
    Documented,
    /// Users reported it with the raw error.
    UserReported,
    /// Seen in recorded traffic.
    Recorded,
    /// Read in the source code or an SDK's model.
    Code,
    /// Follows from other facts.
    Inferred,
}

impl Fault {
    /// Reads one file of the catalogue; the folder that it lies in says what it is about.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn load(file: &Path, about: Option<Cloud>) -> Result<Self, SourceError> {
        let document: Document = source::parse(file, &source::read(file)?)?;
        if !document.change.is_object() {
            return Err(SourceError::member(
                file,
                "change",
                "a mapping is expected: the members of `access` that differ",
            ));
        }
        Ok(Self {
            id: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            file: file.to_owned(),
            about,
            title: document.title,
            change: document.change,
            expect: document.expect,
            transient: document.transient,
            source: document.source,
            confidence: document.confidence,
        })
    }
}
