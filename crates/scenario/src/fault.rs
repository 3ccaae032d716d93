//! One fault: the one thing that it changes and what must come of it.

mod expectation;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use trust::Cause;

use crate::access::{self, Access, Cloud};
use crate::file::Scenario;
use crate::source::{self, SourceError};

pub use expectation::{Answerer, Confidence, Expectation, PodPlace};

/// An entry of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// File name without its ending.
    pub id: String,
    /// Where it was read from.
    pub file: PathBuf,
    /// The cloud that it concerns: in the other one everything goes on as before. `None` where it concerns each access.
    pub about: Option<Cloud>,
    /// The clouds in which a scenario must read so that it can be tried there.
    pub needs: Vec<Cloud>,
    /// What the scenario's own `access` must hold, as far as it is said, so that the change means what it should.
    pub within: Value,
    /// What is wrong, in one line.
    pub title: String,
    /// Words by which it is selected.
    pub tags: Vec<String>,
    /// JSON merge patch (RFC 7396) over the scenario's `access`; empty where a person must do it.
    pub change: Value,
    /// What a person does in a real cloud or cluster, where no member of `access` can say it. It is never tried here.
    pub by_hand: Option<String>,
    /// What must be seen.
    pub expect: Expectation,
    /// What a diagnosis must find; `None` where nothing breaks or a person tries it.
    pub cause: Option<Cause>,
    /// Words that must stand in what the diagnosis offers as a fix.
    pub fix: Option<String>,
    /// Whether the cloud may answer so for a while although nothing is wrong.
    pub transient: bool,
    /// Where pods must run so that it can be tried.
    pub places: Vec<PodPlace>,
    /// Who must answer for the clouds.
    pub clouds: Vec<Answerer>,
    /// Public source of the expectation.
    pub source: String,
    /// How sure that source is.
    pub confidence: Confidence,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    title: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    needs: Vec<Cloud>,
    #[serde(default, rename = "where")]
    within: Map<String, Value>,
    change: Option<Value>,
    by_hand: Option<String>,
    expect: Expectation,
    cause: Option<Cause>,
    fix: Option<String>,
    #[serde(default)]
    transient: bool,
    places: Option<Vec<PodPlace>>,
    clouds: Option<Vec<Answerer>>,
    source: String,
    confidence: Confidence,
}

impl Fault {
    /// Reads one file of the catalogue; the folder that it lies in says what it is about.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn load(file: &Path, about: Option<Cloud>) -> Result<Self, SourceError> {
        Self::parse(file, about, &source::read(file)?)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn parse(file: &Path, about: Option<Cloud>, text: &str) -> Result<Self, SourceError> {
        let document: Document = source::parse(file, text)?;
        let wrong = |path: &str, message: &str| Err(SourceError::member(file, path, message));
        let change = match (document.change, &document.by_hand) {
            (Some(change @ Value::Object(_)), None) => change,
            (None, Some(_)) => Value::Object(Map::new()),
            (Some(_), None) => return wrong("change", "a mapping is expected: the members of `access` that differ"),
            (Some(_), Some(_)) => return wrong("byHand", "either `change` or `byHand` says what is wrong, not both"),
            (None, None) => return wrong("change", "it is missing: the members of `access` that differ (or `byHand`)"),
        };
        if !document.tags.iter().all(|tag| is_word(tag)) {
            return wrong("tags", "a tag is a word of lower-case letters, digits and dashes");
        }
        let (places, clouds) =
            (document.places.unwrap_or(PodPlace::ALL.into()), document.clouds.unwrap_or(Answerer::ALL.into()));
        if places.is_empty() || clouds.is_empty() {
            return wrong(if places.is_empty() { "places" } else { "clouds" }, "an empty list would never be tried");
        }
        let is_diagnosed = document.by_hand.is_none() && document.expect != Expectation::Read;
        for (path, is_there) in [("cause", document.cause.is_some()), ("fix", document.fix.is_some())] {
            match (is_diagnosed, is_there) {
                (true, false) => return wrong(path, "it is missing: a diagnosis of what breaks is held against it"),
                (false, true) => {
                    return wrong(path, "where nothing breaks, or a person tries it, nothing is diagnosed");
                }
                _ => {}
            }
        }
        if document.fix.as_ref().is_some_and(|fix| fix.trim().is_empty()) {
            return wrong("fix", "an empty text would stand in any fix");
        }
        let mut needs = document.needs;
        needs.extend(about.filter(|about| !needs.contains(about)));
        Ok(Self {
            id: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            file: file.to_owned(),
            about,
            needs,
            within: Value::Object(document.within),
            title: document.title,
            tags: document.tags,
            change,
            by_hand: document.by_hand,
            expect: document.expect,
            cause: document.cause,
            fix: document.fix,
            transient: document.transient,
            places,
            clouds,
            source: document.source,
            confidence: document.confidence,
        })
    }

    /// Whether it means something to a scenario: the clouds that it needs are there, and the access is built as it supposes.
    pub fn fits(&self, scenario: &Scenario) -> bool {
        let clouds = scenario.clouds();
        self.needs.iter().all(|needed| clouds.contains(needed)) && holds(&scenario.access_document, &self.within)
    }

    /// Whether its change makes a difference to a scenario: one that takes away what is not there does not.
    pub fn changes(&self, scenario: &Scenario) -> bool {
        let changed = access::changed(&scenario.access_document, &self.change);
        let read = serde_json::from_value::<Access>(changed);
        // What cannot be read is told when the plan is made.
        self.by_hand.is_some() || read.map_or(true, |access| access != scenario.access)
    }
}

/// Whether a document has all members of another, and those alike.
fn holds(document: &Value, part: &Value) -> bool {
    match (document, part) {
        (Value::Object(members), Value::Object(part)) => {
            part.iter().all(|(name, value)| holds(members.get(name).unwrap_or(&Value::Null), value))
        }
        (value, part) => value == part,
    }
}

/// Whether a text is a word of the catalogue: an id or a tag.
pub(crate) fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !text.is_empty() && text.bytes().all(|b| plain(b) || b == b'-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_holds_where_all_its_members_do() {
        let document = json!({"azure": {"vault": {"model": "rbac", "network": "open"}, "policy": null}});
        let check = |part: Value, expected: bool| assert_eq!(holds(&document, &part), expected, "{part}");
        check(json!({}), true);
        check(json!({"azure": {"vault": {"model": "rbac"}}}), true);
        check(json!({"azure": {"vault": {"model": "policy"}}}), false);
        check(json!({"azure": {"policy": null}, "aws": null}), true);
        check(json!({"aws": {"provider": null}}), false);
    }
}
