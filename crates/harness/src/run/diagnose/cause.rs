//! From what was seen of an access that failed to its cause and what mends it.
//!
//! It sees pod, service account, presented token, the clouds' answers, what the issuer publishes and what the run wrote into the
//! clouds (which it does not read back). It never sees which fault was tried.

mod aws;
mod azure;
mod issuer;
mod pod;
mod provision;
mod token;

use std::collections::BTreeMap;

use egress::{Assertion, Exchange};
use federation::azure::IdentityIds;
use report::{Diagnosis, Observed};
use scenario::access::AzureAccess;
use scenario::{Cloud, Scenario};
use serde_json::Value;
use trust::{Cause, IssuerUrl, Link};

use super::super::federate::LiveCell;
use super::super::render::{Names, Rendered};
use super::super::workload::Observation;
use super::dialect;
use super::published::Published;

fn because(cause: Cause, fix: impl Into<String>) -> Option<Diagnosis> {
    Some(Diagnosis { cause, fix: fix.into() })
}

/// All that was seen of one access.
pub(crate) struct Sighting<'a> {
    cloud: Cloud,
    scenario: &'a Scenario,
    names: &'a Names,
    /// What the run wrote into the clouds.
    rendered: &'a Rendered,
    azure: Option<&'a AzureAccess>,
    identity: Option<&'a IdentityIds>,
    /// The pod as admitted, or as sent where it was not.
    pod: &'a Value,
    /// Name of the container that reads.
    container: &'a str,
    annotations: &'a BTreeMap<String, String>,
    labels: &'a BTreeMap<String, String>,
    /// What the workload presented to the token service last.
    presented: Option<&'a Assertion>,
    /// The cluster's issuer, and the one that the run serves in its place where it does.
    issuers: Vec<&'a IssuerUrl>,
    /// What the token service asked of issuers.
    fetches: &'a [Exchange],
    published: Option<&'a Published>,
}

impl<'a> Sighting<'a> {
    /// Of a cell's access to a cloud.
    pub(crate) fn of(
        cloud: Cloud,
        scenario: &'a Scenario,
        cell: &'a LiveCell,
        seen: &'a Observation,
        issuer: &'a IssuerUrl,
        fetches: &'a [Exchange],
        published: Option<&'a Published>,
    ) -> Self {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        let texts = cell.account.get();
        let pod = if seen.admitted.is_null() { &cell.cell.access.pod } else { &seen.admitted };
        Self {
            cloud,
            scenario,
            names: &cell.names,
            rendered: &cell.rendered,
            azure: cell.cell.access.azure.as_ref(),
            identity: cell.identity.get(),
            pod,
            container: scenario.target(cloud).map(|(name, _)| name).unwrap_or_default(),
            annotations: texts.map_or(&NONE, |texts| &texts.annotations),
            labels: texts.map_or(&NONE, |texts| &texts.labels),
            presented: presented(cloud, &seen.requests),
            issuers: cell.rendered.issuer.iter().map(|own| &own.url).chain([issuer]).collect(),
            fetches,
            published,
        }
    }

    /// A variable of the container that reads.
    fn env(&self, name: &str) -> Option<&'a str> {
        let containers = self.pod.pointer("/spec/containers")?.as_array()?;
        let container = containers.iter().find(|container| container["name"] == self.container)?;
        container.get("env")?.as_array()?.iter().find(|one| one["name"] == name)?.get("value")?.as_str()
    }

    /// A label (`labels`) or annotation (`annotations`) of the pod.
    fn of_pod(&self, kind: &str, key: &str) -> Option<&'a str> {
        self.pod.get("metadata")?.get(kind)?.get(key)?.as_str()
    }

    /// A command that annotates the service account.
    fn annotate(&self, key: &str, value: &str) -> String {
        let names = self.names;
        let value = crate::explain::shell_word(value);
        format!(
            "kubectl annotate serviceaccount {} -n {} --overwrite {key}={value}",
            names.service_account, names.namespace
        )
    }

    /// Says that the pod's template is to lose a variable.
    fn without_variable(&self, name: &str) -> String {
        format!("take {name} out of the variables of container {} in the pod's template", self.container)
    }
}

/// The token that a pod presented last to a cloud's token service.
fn presented(cloud: Cloud, requests: &[Exchange]) -> Option<&Assertion> {
    let service = dialect::asked(cloud, trust::workload::Stage::Credentials)?;
    let asked = requests.iter().filter(|exchange| dialect::is_host(service, &exchange.host));
    asked.filter_map(|exchange| exchange.assertion.as_ref()).next_back()
}

/// The issuer whose documents are worth a look, where what was seen says that something may be wrong with them.
pub(crate) fn suspected(cloud: Cloud, observed: &Observed, requests: &[Exchange]) -> Option<IssuerUrl> {
    match observed {
        Observed::Refused(denial) if matches!(denial.link, Link::IssuerDiscoverable | Link::KeyPublished) => {
            presented(cloud, requests)?.iss.as_ref()?.parse().ok()
        }
        _ => None,
    }
}

/// What is wrong with an access, if that can be told.
pub(crate) fn cause(sighting: &Sighting<'_>, observed: &Observed) -> Option<Diagnosis> {
    match observed {
        Observed::NotInjected => pod::not_injected(sighting),
        Observed::Rejected { message, .. } => pod::rejected(sighting, message),
        Observed::NotCreated { resource, message, .. } => provision::refused(sighting, resource, message),
        Observed::Failed { link, message } => pod::gave_up(sighting, *link, message),
        Observed::Refused(denial) => match (denial.link, sighting.cloud) {
            (Link::TokenProjected, _) => token::unusable(sighting, denial),
            (Link::IssuerDiscoverable | Link::KeyPublished, _) => issuer::cause(sighting, denial),
            (Link::AudienceAccepted, _) => token::audience(sighting),
            (_, Cloud::Aws) => aws::cause(sighting, denial),
            (_, Cloud::Azure) => azure::cause(sighting, denial),
        },
        Observed::Read { .. } | Observed::KeptReading { .. } | Observed::Crashed { .. } | Observed::Nothing { .. } => {
            None
        }
    }
}
