//! What was required of an access and what it showed: the facts that the chain is made of.
//!
//! They come from the admitted pod, the token and what stands in the clouds, never from the fault.

mod aws;
mod azure;
mod pod;
mod wire;

use std::collections::BTreeMap;

use egress::Exchange;
use scenario::{Cloud, Scenario};
use serde_json::Value;
use trust::{Evidence, Link, UnverifiedToken};

use super::federate::LiveCell;
use pod::Container;

/// What is known of one access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The pod, or its service account, asks for an identity.
    pub(crate) opted_in: bool,
    /// The webhook has put one into the pod.
    pub(crate) injected: bool,
    /// The container has all that an SDK needs to use it.
    pub(crate) complete: bool,
    /// Where the container looks for its token.
    pub(crate) token_file: Option<String>,
    /// A token lies there.
    pub(crate) has_token: bool,
    pub(super) links: BTreeMap<Link, Fact>,
}

/// One link: what was shown and what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fact {
    presented: Option<String>,
    required: Option<String>,
    source: Option<String>,
}

impl Facts {
    /// The facts of a cell's access to a cloud. `requests` are the pod's, `fetches` what
    /// the cloud's token service asked of issuers.
    pub(crate) fn of(
        cloud: Cloud,
        scenario: &Scenario,
        cell: &LiveCell,
        admitted: &Value,
        token: Option<&UnverifiedToken>,
        requests: &[Exchange],
        fetches: &[Exchange],
    ) -> Self {
        let name = scenario.target(cloud).map(|(name, _)| name).unwrap_or_default();
        let container = Container::of(admitted, name);
        let mut facts = match cloud {
            Cloud::Aws => aws::facts(cell, &container),
            Cloud::Azure => azure::facts(cell, &container),
        };
        let file = container.env(match cloud {
            Cloud::Aws => aws::TOKEN_FILE,
            Cloud::Azure => azure::TOKEN_FILE,
        });
        let shown = container.token(file.as_deref(), token);
        facts.has_token = shown.source.is_some();
        facts.token_file = file;
        facts.presents(Link::TokenProjected, shown.source);
        facts.presents(Link::AudienceAccepted, shown.audience);
        facts.requires(Link::TokenProjected, "a token within its lifetime".to_owned(), "admitted pod");
        let subject = trust::Subject::service_account(&cell.names.namespace, &cell.names.service_account);
        facts.presents(Link::SubjectAccepted, Some(subject.to_string()));
        wire::add(&mut facts, cloud, requests, fetches);
        facts
    }

    fn presents(&mut self, link: Link, text: Option<String>) {
        self.links.entry(link).or_default().presented = Some(or_nothing(text));
    }

    fn requires(&mut self, link: Link, text: String, source: &str) {
        let fact = self.links.entry(link).or_default();
        fact.required = Some(text);
        fact.source = Some(source.to_owned());
    }

    /// Adds what is known to a link of the chain.
    pub(super) fn describe(&self, mut evidence: Evidence) -> Evidence {
        if let Some(fact) = self.links.get(&evidence.link) {
            evidence.presented.clone_from(&fact.presented);
            evidence.required.clone_from(&fact.required);
            evidence.source.clone_from(&fact.source);
        }
        evidence
    }
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| "nothing".to_owned())
}
