//! Lists, a page at a time, with the link to the next.
//! Must not know what is listed.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;

use super::query::Query;
use super::refusal::Refusal;
use super::respond::Answer;
use super::secret::{Shown, address};
use crate::vaults::VaultView;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    value: Vec<Shown<'a>>,
    /// Null on the last page, as recordings of the service have it.
    next_link: Option<String>,
}

/// The page of `entries` that `query` asks for; `path` is where they are listed.
pub(super) fn page<'a, T>(
    vault: &VaultView,
    path: &str,
    query: &Query,
    entries: &'a BTreeMap<String, T>,
    show: impl Fn(&'a T) -> Shown<'a>,
) -> Result<Answer, Refusal> {
    let start = query.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = entries.range::<str, _>((start, Bound::Unbounded));
    let page: Vec<_> = rest.by_ref().take(query.page_size()).collect();
    let next_link = match (page.last(), rest.next()) {
        // With the port, as the service writes it.
        (Some((last, _)), Some(_)) => {
            let port = if vault.origin.is_plain { "" } else { ":443" };
            Some(format!("{}{port}/{path}?{}", address(vault), query.next(last.as_str())))
        }
        _ => None,
    };
    Answer::of(&Page { value: page.into_iter().map(|(_, entry)| show(entry)).collect(), next_link })
}
