//! One page of a listing: prefix, delimiter, limit, and where to go on. Pure.
//!
//! Source: S3 API reference, "ListObjectsV2" and "ListObjects"; user guide, "Organizing objects using prefixes".

use std::collections::BTreeMap;
use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where a page starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    Start,
    /// After this key.
    Key(String),
    /// After all keys with this prefix.
    Prefix(String),
}

#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) prefix: &'a str,
    /// Empty for none.
    pub(super) delimiter: &'a str,
    pub(super) after: After,
    pub(super) limit: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<(String, T)>,
    pub(super) prefixes: Vec<String>,
    /// Where the next page starts, if there is one.
    pub(super) next: Option<After>,
}

pub(super) fn page<T: Clone>(objects: &BTreeMap<String, T>, request: &Request<'_>) -> Page<T> {
    let mut page = Page { entries: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last = request.after.clone();
    let first = match &request.after {
        After::Key(key) if key.as_str() >= request.prefix => Bound::Excluded(key.as_str()),
        After::Prefix(prefix) if prefix.as_str() >= request.prefix => Bound::Included(prefix.as_str()),
        _ => Bound::Included(request.prefix),
    };
    for (key, object) in objects.range::<str, _>((first, Bound::Unbounded)) {
        let Some(rest) = key.strip_prefix(request.prefix) else {
            break;
        };
        if matches!(&last, After::Prefix(done) if key.starts_with(done.as_str())) {
            continue;
        }
        if page.entries.len() + page.prefixes.len() == request.limit {
            page.next = (request.limit > 0).then_some(last);
            break;
        }
        let end = if request.delimiter.is_empty() { None } else { rest.find(request.delimiter) };
        last = match end {
            Some(at) => {
                let common = key[..request.prefix.len() + at + request.delimiter.len()].to_owned();
                page.prefixes.push(common.clone());
                After::Prefix(common)
            }
            None => {
                page.entries.push((key.clone(), object.clone()));
                After::Key(key.clone())
            }
        };
    }
    page
}

impl After {
    /// An opaque continuation token.
    pub(super) fn token(&self) -> String {
        let text = match self {
            After::Start => String::new(),
            After::Key(key) => format!("k{key}"),
            After::Prefix(prefix) => format!("p{prefix}"),
        };
        URL_SAFE_NO_PAD.encode(text)
    }

    pub(super) fn of_token(token: &str) -> Option<After> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        match text.strip_prefix('k') {
            Some(key) => Some(After::Key(key.to_owned())),
            None => text.strip_prefix('p').map(|prefix| After::Prefix(prefix.to_owned())),
        }
    }

    /// The marker of version 1 of the listing: the last key, or the last common prefix, which ends in the delimiter.
    pub(super) fn of_marker(marker: &str, delimiter: &str) -> After {
        match marker {
            "" => After::Start,
            prefix if !delimiter.is_empty() && prefix.ends_with(delimiter) => After::Prefix(prefix.to_owned()),
            key => After::Key(key.to_owned()),
        }
    }

    pub(super) fn into_marker(self) -> Option<String> {
        match self {
            After::Start => None,
            After::Key(text) | After::Prefix(text) => Some(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["a", "logs/1", "logs/2", "logs/old/3", "logs0", "z"];

    fn read(prefix: &str, delimiter: &str, after: After, limit: usize) -> (String, Option<After>) {
        let objects: BTreeMap<String, ()> = KEYS.iter().map(|key| ((*key).to_owned(), ())).collect();
        let page = page(&objects, &Request { prefix, delimiter, after, limit });
        let keys: Vec<String> = page.entries.into_iter().map(|(key, ())| key).collect();
        (format!("{} | {}", keys.join(" "), page.prefixes.join(" ")), page.next)
    }

    #[track_caller]
    fn check(prefix: &str, delimiter: &str, after: After, expected: &str) {
        let (found, next) = read(prefix, delimiter, after, 1000);
        assert_eq!((found.as_str(), next), (expected, None));
    }

    #[test]
    fn lists_by_prefix_and_delimiter() {
        check("", "", After::Start, "a logs/1 logs/2 logs/old/3 logs0 z | ");
        check("", "/", After::Start, "a logs0 z | logs/");
        check("logs/", "/", After::Start, "logs/1 logs/2 | logs/old/");
        check("logs/", "", After::Start, "logs/1 logs/2 logs/old/3 | ");
        check("logs", "", After::Key("logs/2".into()), "logs/old/3 logs0 | ");
        check("logs/", "", After::Key("a".into()), "logs/1 logs/2 logs/old/3 | ");
        check("logs/", "", After::Key("z".into()), " | ");
        check("nothing", "/", After::Start, " | ");
        check("", "/", After::of_marker("logs/", "/"), "logs0 z | ");
        check("", "", After::of_marker("logs/", ""), "logs/1 logs/2 logs/old/3 logs0 z | ");
    }

    #[test]
    fn pages_meet_without_gap_or_overlap() {
        for limit in 1..=4 {
            for delimiter in ["", "/"] {
                let (whole, _) = read("", delimiter, After::Start, 1000);
                let (mut found, mut after) = (Vec::new(), Some(After::Start));
                while let Some(from) = after {
                    let token = from.token();
                    let from = After::of_token(&token).unwrap_or(After::Start);
                    let (text, next) = read("", delimiter, from, limit);
                    found.extend(text.split([' ', '|']).filter(|key| !key.is_empty()).map(str::to_owned));
                    after = next;
                }
                let mut expected: Vec<&str> = whole.split([' ', '|']).filter(|key| !key.is_empty()).collect();
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected, "limit {limit}, delimiter {delimiter:?}");
            }
        }
    }

    #[test]
    fn a_page_of_no_keys_is_the_last() {
        assert_eq!(read("", "", After::Start, 0), (" | ".to_owned(), None));
        assert_eq!(read("", "", After::Start, 6).1, None);
        assert_eq!(read("", "", After::Start, 5).1, Some(After::Key("logs0".to_owned())));
    }
}
