//! Why a cell cannot be tried where the run is.

use clouds::{Capabilities, Capability};
use scenario::{Answerer, Cell, Cloud, Expectation, Fault, PodPlace};

use super::super::Settings;
use super::super::places::Places;
use crate::cli::PodsRun;

/// Why a cell cannot be tried in these places, if it cannot.
pub(super) fn reason(settings: &Settings, places: &Places, cell: &Cell) -> Option<String> {
    let fault = cell.fault.as_ref()?;
    if let Some(reason) = elsewhere(settings, fault) {
        return Some(reason);
    }
    let aws = places.aws().map(|clouds| (clouds.title(), clouds.capabilities()));
    let azure = places.azure().map(|clouds| (clouds.title(), clouds.capabilities()));
    if cell.own_account
        && let Some((title, capabilities)) = &aws
        && !capabilities.has(Capability::SeparateAccounts)
    {
        return Some(format!("it needs an AWS account of its own, and {title} has one only"));
    }
    for (cloud, backend) in [(Cloud::Aws, aws), (Cloud::Azure, azure)] {
        if let Some(reason) = backend.and_then(|(title, has)| unchecked(&title, has, cell.expectation(cloud))) {
            return Some(reason);
        }
    }
    if places.cluster.gives_signing_key() {
        return None;
    }
    if cell.access.issuer.is_some() {
        return Some("only whoever holds the cluster's private key can serve another issuer with it".to_owned());
    }
    // An expired token is the one that people meet.
    let needed = cell.access.token.needs_signing_key();
    needed.then(|| match cell.access.token.expired_for_seconds {
        Some(_) => "only whoever holds the issuer's private key can make a genuine token that has expired".to_owned(),
        None => "only whoever holds the issuer's private key can sign a token that says something else".to_owned(),
    })
}

/// A fault says itself where it can be tried.
fn elsewhere(settings: &Settings, fault: &Fault) -> Option<String> {
    if let Some(what) = &fault.by_hand {
        return Some(format!("only a person can do it: {what}"));
    }
    let place = &settings.options.place;
    let here = match place.pods() {
        PodsRun::Embedded => PodPlace::Embedded,
        PodsRun::Kubeconfig | PodsRun::Sandbox => PodPlace::Kubeconfig,
    };
    if !fault.places.contains(&here) {
        return Some(format!("it is tried only where pods run in {}", words(&fault.places)));
    }
    let endpoint = place.aws_endpoint.is_some() && fault.about != Some(Cloud::Azure);
    let answering = if endpoint { Answerer::Endpoint } else { Answerer::Simulated };
    (!fault.clouds.contains(&answering))
        .then(|| format!("it is tried only with clouds that are {}", words(&fault.clouds)))
}

fn words<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn unchecked(title: &str, capabilities: &Capabilities, expectation: &Expectation) -> Option<String> {
    let Expectation::Refused { link, .. } = expectation else { return None };
    let needed = Capability::for_link(*link).filter(|&needed| !capabilities.has(needed));
    needed.map(|needed| format!("{title} is not known to check this ({needed})"))
}
