//! Who is on a shared provider, as its tags tell: one tag for each run. Pure.
//!
//! The key is `crossfed:run:<run>`, the value `<created> <expires> <client id> <client id>…`. A run that goes puts the word
//! `leaving` or `closing` before the times: the former no longer counts, the latter keeps others from coming.

use std::collections::BTreeSet;

use aws_sdk_iam::types::Tag;

use crate::aws::error::ProvisionError;
use crate::tags::{self, Marks, Tags};

const KEY: &str = "crossfed:run:";
/// Longest value of a tag (IAM API reference, "Tag").
const LONGEST: usize = 256;
/// In place of client ids that are too long: all that the provider has.
const ALL: &str = "@all";
const LEAVING: &str = "leaving";
const CLOSING: &str = "closing";

/// The tag of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::aws) struct Entry {
    pub(in crate::aws) run: String,
    value: String,
}

impl Entry {
    /// A run that needs these client ids.
    pub(super) fn on(tags: &Tags, client_ids: &[String]) -> Self {
        let times = format!("{} {}", tags.created(), tags.expires());
        let ids: String = client_ids.iter().map(|id| format!(" {}", encode(id))).collect();
        let value = if times.len() + ids.len() <= LONGEST { times + &ids } else { format!("{times} {ALL}") };
        Self { run: tags.run().to_owned(), value }
    }

    /// The run on its way: it no longer counts.
    pub(super) fn leaving(run: &str, known: Option<&Self>) -> Self {
        Self::going(LEAVING, run, known)
    }

    /// The run at the door: nobody may come until it has looked.
    pub(super) fn closing(run: &str, known: Option<&Self>) -> Self {
        Self::going(CLOSING, run, known)
    }

    fn going(word: &str, run: &str, known: Option<&Self>) -> Self {
        let times = known.map(|known| known.words().take(2).collect::<Vec<_>>().join(" ")).unwrap_or_default();
        Self { run: run.to_owned(), value: format!("{word} {times}").trim_end().to_owned() }
    }

    /// Reads a tag; none of another kind.
    pub(super) fn read(key: &str, value: &str) -> Option<Self> {
        Some(Self { run: key.strip_prefix(KEY)?.to_owned(), value: value.to_owned() })
    }

    pub(super) fn key(run: &str) -> String {
        format!("{KEY}{run}")
    }

    /// Its tag.
    pub(super) fn tag(&self, resource: &str) -> Result<Tag, ProvisionError> {
        tag(&Self::key(&self.run), &self.value, resource)
    }

    /// The tags of a provider that the run makes.
    pub(super) fn founding_tags(&self, resource: &str) -> Result<Vec<Tag>, ProvisionError> {
        let (key, value) = tags::tool();
        Ok(vec![tag(key, value, resource)?, self.tag(resource)?])
    }

    /// The times, and what follows them.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.value.split(' ').filter(|word| !matches!(*word, LEAVING | CLOSING))
    }

    pub(super) fn is_on(&self) -> bool {
        !self.value.starts_with(LEAVING) && !self.is_closing()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.value.starts_with(CLOSING)
    }

    /// What it says of the run.
    pub(in crate::aws) fn marks(&self) -> Marks {
        let mut times = self.words().map(|word| word.parse().ok());
        let (created, expires) = (times.next().flatten(), times.next().flatten());
        Marks { run: self.run.clone(), created, expires }
    }

    /// Whether the run needs this client id.
    pub(super) fn needs(&self, client_id: &str) -> bool {
        let wanted = encode(client_id);
        self.is_on() && self.words().skip(2).any(|word| word == ALL || word == wanted)
    }
}

/// Client ids of `all` that no run needs.
pub(super) fn unneeded(entries: &[Entry], all: &BTreeSet<String>) -> Vec<String> {
    all.iter().filter(|id| !entries.iter().any(|entry| entry.needs(id))).cloned().collect()
}

/// A value takes letters, digits, spaces and a few marks (IAM API reference, "Tag"); of the rest each byte is `=` and its
/// number.
fn encode(client_id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/+-".contains(&byte);
    let shown = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("={byte:02X}") };
    client_id.bytes().map(shown).collect()
}

fn tag(key: &str, value: &str, resource: &str) -> Result<Tag, ProvisionError> {
    let built = Tag::builder().key(key).value(value).build();
    built.map_err(|error| ProvisionError::bug("TagOpenIDConnectProvider", resource, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(ids: &[&str]) -> Entry {
        let tags = Tags::new("r-1", "2026-11-23T12:00:00Z", "2026-11-23T18:00:00Z");
        Entry::on(&tags, &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_value_is_what_a_tag_may_hold() {
        let check = |ids: &[&str], expected: &str| {
            let entry = on(ids);
            assert_eq!(entry.value, format!("2026-11-23T12:00:00Z 2026-11-23T18:00:00Z{expected}"));
            assert!(ids.iter().all(|id| entry.needs(id)), "{expected}");
        };
        check(&[], "");
        check(&["sts.amazonaws.com", "api://AzureADTokenExchange"], " sts.amazonaws.com api://AzureADTokenExchange");
        check(&["a b", "@all", "x=1", "é"], " a=20b =40all x=3D1 =C3=A9");
        check(&[&"x".repeat(255)], " @all");
        assert!(on(&["x".repeat(214).as_str()]).value.len() <= LONGEST);
    }

    #[test]
    fn only_who_is_on_it_needs_anything() {
        let entry = on(&["a"]);
        let going = [Entry::leaving("r-1", Some(&entry)), Entry::closing("r-1", Some(&entry))];
        assert!(entry.is_on() && entry.needs("a") && !entry.needs("b") && !entry.needs("2026-11-23T12:00:00Z"));
        assert!(going.iter().all(|entry| !entry.is_on() && !entry.needs("a")));
        assert!(!going[0].is_closing() && going[1].is_closing());
        for entry in going.iter().chain([&entry]) {
            assert_eq!(entry.marks().expires.map(|at| at.to_string()).as_deref(), Some("2026-11-23T18:00:00Z"));
            assert_eq!(Entry::read("crossfed:run:r-1", &entry.value).as_ref(), Some(entry));
        }
        assert_eq!(Entry::closing("r-1", None).marks(), Marks { run: "r-1".into(), created: None, expires: None });
        assert_eq!(Entry::read("crossfed:run", "r-1"), None);
        let all: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        assert_eq!(unneeded(&[entry], &all), ["b"]);
        assert_eq!(unneeded(&going, &all), ["a", "b"]);
        assert!(unneeded(&[on(&[&"x".repeat(255)])], &all).is_empty());
    }
}
