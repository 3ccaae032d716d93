//! The chain of one access while it is put together: evidence, hints and what could not be checked. It must not know any cloud.

use std::collections::BTreeMap;

use scenario::Cloud;
use serde::Serialize;
use trust::{Chain, Evidence, Link, LinkState};

/// What is probably wrong at a link, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// Where.
    pub link: Link,
    /// In a sentence.
    pub what: String,
    /// A command, on one line. Words in capitals are to be filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Something about a link that nothing given says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// Where.
    pub link: Link,
    /// What is missing for it.
    pub why: String,
}

/// The chain of one access, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// What it is, for people.
    pub title: String,
    /// The cloud that is accessed; absent where nothing given says which.
    pub cloud: Option<Cloud>,
    /// All eleven links. Several may be broken: nothing was tried, so nothing ended at the first.
    pub chain: Chain,
    /// In the order of links.
    pub hints: Vec<Hint>,
    /// In the order of links.
    pub unchecked: Vec<Unchecked>,
}

/// An access under way.
#[derive(Debug, Default)]
pub(crate) struct Links {
    evidence: BTreeMap<Link, Evidence>,
    hints: Vec<Hint>,
    unchecked: Vec<Unchecked>,
}

impl Links {
    /// Adds what was found of a link. What is broken stays so; what is checked is not unchecked by less.
    pub(crate) fn found(&mut self, evidence: Evidence) {
        let rank = |state: LinkState| match state {
            LinkState::Broken => 2,
            LinkState::Holds => 1,
            LinkState::NotReached | LinkState::NotChecked => 0,
        };
        let known = self.evidence.get(&evidence.link).map_or(0, |known| rank(known.state));
        if rank(evidence.state) > known || !self.evidence.contains_key(&evidence.link) {
            self.evidence.insert(evidence.link, evidence);
        }
    }

    /// Adds a hint, once.
    pub(crate) fn hint(&mut self, link: Link, what: impl Into<String>, fix: Option<String>) {
        let hint = Hint { link, what: what.into(), fix };
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    /// Says that something of a link was not checked, and why.
    pub(crate) fn unchecked(&mut self, link: Link, why: impl Into<String>) {
        let unchecked = Unchecked { link, why: why.into() };
        if !self.unchecked.contains(&unchecked) {
            self.unchecked.push(unchecked);
        }
    }

    /// Whether the link is known to hold or to be broken.
    pub(crate) fn is_checked(&self, link: Link) -> bool {
        self.evidence.contains_key(&link)
    }

    /// The whole chain. A link of which nothing is known says why.
    pub(crate) fn finish(mut self, cloud: Option<Cloud>, missing: impl Fn(Link) -> String) -> Access {
        let mut broken = false;
        let mut links = Vec::new();
        for link in Link::ALL {
            let by_cloud = matches!(link, Link::CredentialIssued | Link::Read);
            let evidence = self.evidence.remove(&link).unwrap_or_else(|| {
                if broken && by_cloud {
                    return Evidence::new(link, LinkState::NotReached);
                }
                let known = self.unchecked.iter().find(|unchecked| unchecked.link == link);
                let why = known.map_or_else(|| missing(link), |unchecked| unchecked.why.clone());
                self.unchecked(link, why.clone());
                Evidence::new(link, LinkState::NotChecked).note(why)
            });
            broken |= evidence.state == LinkState::Broken;
            links.push(evidence);
        }
        self.hints.sort_by_key(|hint| hint.link);
        self.unchecked.sort_by_key(|unchecked| unchecked.link);
        let title = match cloud {
            Some(Cloud::Aws) => "AWS, through a web identity role",
            Some(Cloud::Azure) => "Azure, through a federated credential",
            None => "either cloud",
        };
        Access { title: title.to_owned(), cloud, chain: Chain { links }, hints: self.hints, unchecked: self.unchecked }
    }
}

/// A link that holds or is broken, with both sides.
pub(crate) fn compared(link: Link, holds: bool, presented: impl Into<String>, required: impl Into<String>) -> Evidence {
    let state = if holds { LinkState::Holds } else { LinkState::Broken };
    Evidence::new(link, state).presented(presented).required(required)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_stays_broken_and_what_clouds_do_is_not_reached() {
        let mut links = Links::default();
        links.found(compared(Link::SubjectAccepted, false, "a", "b"));
        links.found(compared(Link::SubjectAccepted, true, "a", "a"));
        links.unchecked(Link::Permitted, "no policy");
        let access = links.finish(Some(Cloud::Aws), |link| format!("{link} needs more"));
        let state = |link: Link| access.chain.links[link.number() - 1].state;
        assert_eq!(state(Link::SubjectAccepted), LinkState::Broken);
        assert_eq!(state(Link::CredentialIssued), LinkState::NotReached);
        assert_eq!(state(Link::Permitted), LinkState::NotChecked);
        assert_eq!(access.chain.links[0].note.as_deref(), Some("opted-in needs more"));
        assert_eq!(access.unchecked.iter().filter(|unchecked| unchecked.link == Link::Permitted).count(), 1);
    }
}
