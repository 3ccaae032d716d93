//! From what was seen of a cell to its verdicts: the observation, its chain, the cause of a failure, the record that is told.
//! It compares with what was expected; it starts nothing and takes nothing down.

use egress::Exchange;
use report::{CheckRecord, Diagnosis, Event, Observed};
use scenario::Cloud;
use trust::{Chain, Verdict};

use super::check::Told;
use super::diagnose::cause::{self, Sighting};
use super::evidence::Facts;
use super::federate::LiveCell;
use super::workload::{Observation, Stage};
use super::{Events, artifacts, check, diagnose};
use crate::exit::Stop;

/// Judges a cell's accesses, keeps their evidence, tells them. `twins` are the control's verdicts, in the same order of clouds.
pub(super) async fn finish(
    stage: &Stage<'_>,
    events: &Events,
    cell: &LiveCell,
    seen: Result<Observation, Stop>,
    twins: Option<&[Verdict]>,
) -> Vec<Verdict> {
    if let Some(trap) = stage.settings.environment.trap {
        trap.at_check();
    }
    let place = stage.places.cluster.title();
    let ran = seen.as_ref().is_ok_and(|pod| pod.early.is_none());
    if let (Ok(pod), true) = (&seen, ran) {
        artifacts::pod(stage.settings, &place, cell, stage.scenario, pod);
    }
    let judged = cell.cell.judged(stage.scenario);
    let mut verdicts = Vec::new();
    for (at, cloud) in stage.scenario.clouds().into_iter().enumerate().filter(|(_, cloud)| judged.contains(cloud)) {
        let expected = check::expected(stage.scenario, &cell.cell, cloud);
        let (told, diagnosis, verdict) = match &seen {
            Ok(pod) => {
                let (observed, chain, diagnosis) = told(stage, cell, pod, cloud).await;
                let verdict = check::verdict(&expected, &observed, twins.and_then(|twins| twins.get(at)));
                (Told { expected, observed, chain, duration: pod.duration }, diagnosis, verdict)
            }
            Err(stop) => {
                let observed = Observed::Nothing { last_seen: Some(stop.message.clone()) };
                let duration = std::time::Duration::ZERO;
                let told = Told { expected, observed, chain: Chain::default(), duration };
                (told, None, Verdict::Infra { reason: stop.message.clone() })
            }
        };
        let mut check: CheckRecord = check::record(stage.scenario, &cell.cell, cloud, told, verdict.clone());
        check.diagnosis = diagnosis;
        if verdict != Verdict::Passed && ran {
            let log = artifacts::log_file(stage.settings, &place, cell, stage.scenario, cloud);
            check.next = Some(format!("less {}", log.display()));
        }
        events.emit(Event::CheckFinished { scenario: stage.scenario.name.clone(), check });
        verdicts.push(verdict);
    }
    verdicts
}

/// What a pod's access to a cloud came to.
pub(super) fn observed(stage: &Stage<'_>, cell: &LiveCell, pod: &Observation, cloud: Cloud) -> Observed {
    come_to(stage, cell, pod, cloud, &stage.fetches(cloud)).0
}

fn come_to(
    stage: &Stage<'_>,
    cell: &LiveCell,
    pod: &Observation,
    cloud: Cloud,
    fetches: &[Exchange],
) -> (Observed, Facts) {
    let planted = pod.planted.iter().find(|planted| planted.cloud == cloud);
    let token = planted.and_then(|planted| planted.token.as_ref());
    let facts = Facts::of(cloud, stage.scenario, cell, &pod.admitted, token, &pod.requests, fetches);
    let observed = match (&pod.early, pod.seen.iter().find(|one| one.cloud == cloud)) {
        (Some(early), _) => early.clone(),
        (None, Some(one)) => diagnose::observed(cloud, one, &pod.requests, &facts),
        (None, None) => Observed::Nothing { last_seen: None },
    };
    (observed, facts)
}

/// What a pod's access to a cloud came to, its chain, and why it failed if it did.
async fn told(
    stage: &Stage<'_>,
    cell: &LiveCell,
    pod: &Observation,
    cloud: Cloud,
) -> (Observed, Chain, Option<Diagnosis>) {
    let fetches = stage.fetches(cloud);
    let (observed, facts) = come_to(stage, cell, pod, cloud, &fetches);
    let chain = diagnose::chain(cloud, &observed, &facts, &pod.requests);
    let published = match cause::suspected(cloud, &observed, &pod.requests) {
        Some(issuer) => stage.published(&issuer, &fetches).await,
        None => None,
    };
    let issuer = stage.places.cluster.issuer();
    let sighting = Sighting::of(cloud, stage.scenario, cell, pod, issuer, &fetches, published.as_ref());
    let diagnosis = cause::cause(&sighting, &observed);
    (observed, chain, diagnosis)
}
