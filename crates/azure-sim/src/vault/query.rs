//! The query string: the API version, which every request must name, and the paging of lists.
//! Must not know what is listed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;

use super::refusal::Refusal;

/// The versions of the secrets API that today's SDKs send (Azure REST API specifications).
const API_VERSIONS: [&str; 10] =
    ["7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-03-01-preview", "2026-04-01"];
const LATEST: &str = "2026-04-01";

/// Entries on a page, unless fewer are asked for; more cannot be.
const PAGE: usize = 25;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) api_version: &'static str,
    /// Only where the caller gave it: links to the next page repeat it.
    pub(super) max_results: Option<usize>,
    /// The last key of the page before.
    pub(super) after: Option<String>,
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Result<Query, Refusal> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Refusal::bad_parameter("The query string is malformed."))?
            .0;
        let get = |wanted: &str| {
            let mut found = pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.next().map(|(_, value)| value.as_str())
        };
        Ok(Query {
            api_version: api_version(get("api-version"))?,
            max_results: get("maxresults").map(max_results).transpose()?,
            after: get("$skiptoken").map(key_of).transpose()?,
        })
    }

    pub(super) fn page_size(&self) -> usize {
        self.max_results.unwrap_or(PAGE)
    }

    /// The query string of the page after the one that ends with `last`.
    pub(super) fn next(&self, last: &str) -> String {
        let token = URL_SAFE_NO_PAD.encode(last);
        let mut next = format!("api-version={}&$skiptoken={token}", self.api_version);
        if let Some(count) = self.max_results {
            next.push_str(&format!("&maxresults={count}"));
        }
        next
    }
}

/// The wording for an unknown version is reported by users of older vaults, that for a missing one is not.
fn api_version(given: Option<&str>) -> Result<&'static str, Refusal> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Err(Refusal::bad_parameter(format!(
            "The api-version query parameter must be specified. Consider using the latest supported version ({LATEST})."
        )));
    };
    let known = API_VERSIONS.into_iter().find(|known| *known == given);
    known.ok_or_else(|| {
        Refusal::bad_parameter(format!(
            "The specified version ({given}) is not recognized. Consider using the latest supported version ({LATEST})."
        ))
    })
}

fn max_results(given: &str) -> Result<usize, Refusal> {
    let count = given.parse().ok().filter(|count| (1..=PAGE).contains(count));
    count.ok_or_else(|| Refusal::bad_parameter(format!("maxresults must be a number from 1 to {PAGE}.")))
}

fn key_of(token: &str) -> Result<String, Refusal> {
    let key = URL_SAFE_NO_PAD.decode(token).ok();
    key.and_then(|key| String::from_utf8(key).ok())
        .ok_or_else(|| Refusal::bad_parameter("$skiptoken is not one that this vault gave out."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Query, String> {
        let uri = format!("https://v.vault.azure.net/secrets{query}");
        let uri = uri.parse().expect("uri must parse");
        Query::of(&uri).map_err(|refusal| refusal.reason().to_owned())
    }

    #[test]
    fn every_request_names_a_known_api_version() {
        let check = |query: &str, expected: Result<&str, &str>| {
            let outcome = of(query).map(|query| query.api_version);
            assert_eq!(outcome, expected.map_err(str::to_owned), "{query}");
        };
        check("?api-version=7.4", Ok("7.4"));
        check("?API-Version=2025-07-01", Ok("2025-07-01"));
        check("?x=1&api-version=2026-03-01-preview", Ok("2026-03-01-preview"));
        check("", Err("BadParameter"));
        check("?api-version=", Err("BadParameter"));
        check("?api-version=6.0", Err("BadParameter"));
        check("?api-version=2016-01-01", Err("BadParameter"));
    }

    #[test]
    fn a_page_has_at_most_25_entries() {
        let check = |count: &str, expected: Result<usize, &str>| {
            let outcome = of(&format!("?api-version=7.4{count}")).map(|query| query.page_size());
            assert_eq!(outcome, expected.map_err(str::to_owned), "{count}");
        };
        check("", Ok(25));
        check("&maxresults=1", Ok(1));
        check("&maxresults=25", Ok(25));
        check("&maxresults=26", Err("BadParameter"));
        check("&maxresults=0", Err("BadParameter"));
        check("&maxresults=many", Err("BadParameter"));
    }

    #[test]
    fn a_link_to_the_next_page_leads_on_from_the_last_entry() {
        let first = of("?api-version=7.4&maxresults=2").expect("query must parse");
        let next = of(&format!("?{}", first.next("db-2"))).expect("query must parse");
        assert_eq!(next, Query { after: Some("db-2".to_owned()), ..first });
        // As a client writes it that encodes what it was given.
        let encoded = of("?api-version=7.4&%24skiptoken=ZGItMg").expect("query must parse");
        assert_eq!(encoded.after.as_deref(), Some("db-2"));
        assert!(of("?api-version=7.4&$skiptoken=!").is_err());
    }
}
