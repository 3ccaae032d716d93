//! A scenario from preflight to teardown.

use std::sync::Arc;
use std::time::Instant;

use cluster::{PreparedWebhook, Watched};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use report::{Event, Observed, Phase};
use scenario::{CONTROL, Plan};
use tokio::sync::SetOnce;
use trust::{Chain, Verdict};

use super::check::Told;
use super::cleanup::{self, Leftover};
use super::federate::{self, Federation, LiveCell};
use super::judging::finish;
use super::patience::{self, Patience};
use super::places::{Places, Shared};
use super::workload::{self, Observation, Stage};
use super::{Events, Interrupts, Settings, check, kube_objects, millis, places, renewal, webhooks};
use crate::exit::{Exit, Stop};
use crate::journal::Journal;

/// What the scenarios of a run share.
pub(crate) struct Company<'a> {
    /// All of them.
    pub(crate) plans: &'a [Plan],
    /// Wire and clouds.
    pub(crate) shared: &'a Shared,
    pub(crate) events: &'a Events,
    pub(crate) journal: &'a Journal,
    pub(crate) interrupts: &'a Interrupts,
    /// How many pods run at the same time.
    pub(crate) pods: &'a tokio::sync::Semaphore,
}

/// Runs it and says how it ended. Whatever happens, what was created is taken down as the settings say.
pub(crate) async fn run(settings: &Settings, plan: &Plan, company: &Company<'_>) -> Exit {
    let started = Instant::now();
    let name = &plan.scenario.name;
    let renewals = if settings.options.renewal { plan.scenario.clouds().len() } else { 0 };
    company.events.emit(Event::ScenarioStarted {
        scenario: name.clone(),
        title: plan.scenario.title.clone(),
        checks: plan.checks() + renewals,
    });
    let ended = play(settings, plan, company).await;
    let (exit, verdict) = match ended {
        Ok((exit, verdict)) => (exit, verdict),
        Err(stop) => (stop.exit, verdict_of(&stop)),
    };
    let duration_ms = millis(started.elapsed());
    company.events.emit(Event::ScenarioFinished { scenario: name.clone(), verdict, duration_ms });
    exit
}

fn verdict_of(stop: &Stop) -> Verdict {
    match stop.exit {
        Exit::Internal | Exit::CheckFailed | Exit::Usage => Verdict::Failed { reason: stop.message.clone() },
        _ => Verdict::Infra { reason: stop.message.clone() },
    }
}

async fn play(settings: &Settings, plan: &Plan, company: &Company<'_>) -> Result<(Exit, Verdict), Stop> {
    let (name, events, interrupts) = (&plan.scenario.name, company.events, company.interrupts);
    let preflight = events.begin(name, Phase::Preflight);
    let programs = match places::programs(settings, &plan.scenario) {
        Ok(programs) => {
            preflight.done(Some(format!("{} checks planned", plan.checks())));
            programs
        }
        Err(stop) => {
            preflight.failed(&stop.message);
            return Err(stop);
        }
    };
    let journal = company.journal.of(name);

    let phase = events.begin(name, Phase::Cluster);
    let up = Places::up(settings, &plan.scenario, company.plans, company.shared, programs);
    let places = match interrupts.or(up).await {
        Ok(places) => {
            phase.done(Some(format!("{}, issuer {}", places.cluster.title(), places.cluster.issuer())));
            places
        }
        Err(stop) => {
            phase.failed(&stop.message);
            return Err(stop);
        }
    };
    interrupts.guard(places.folder());

    let mut made = Made::default();
    let checked = interrupts.or(provision_and_check(settings, plan, company, &journal, &places, &mut made)).await;
    let left = teardown(settings, plan, events, &journal, &places, &mut made, &checked).await;
    for webhook in made.webhooks {
        webhook.stop().await;
    }
    places.down().await;

    let checked = checked?;
    if let Some(first) = left.first() {
        let reason = format!("{} left behind, first: {} {} ({})", left.len(), first.kind, first.id, first.why);
        return Ok((Exit::LeftBehind, Verdict::Leaked { reason }));
    }
    Ok(judge(&checked))
}

/// What must be taken down or stopped again.
#[derive(Default)]
struct Made {
    federation: Option<Arc<Federation>>,
    webhooks: Vec<PreparedWebhook>,
}

fn judge(checked: &[Verdict]) -> (Exit, Verdict) {
    let first = |wanted: &str| checked.iter().find(|verdict| verdict.word() == wanted);
    if let Some(failed) = first("failed") {
        return (Exit::CheckFailed, failed.clone());
    }
    match first("infra") {
        Some(infra) => (Exit::Infrastructure, infra.clone()),
        None => (Exit::Passed, Verdict::Passed),
    }
}

async fn provision_and_check(
    settings: &Settings,
    plan: &Plan,
    company: &Company<'_>,
    journal: &Journal,
    places: &Places,
    made: &mut Made,
) -> Result<Vec<Verdict>, Stop> {
    let (name, events) = (&plan.scenario.name, company.events);
    let client = places.cluster.client();
    let federation = Arc::new(Federation::plan(settings, plan, places)?);
    made.federation = Some(federation.clone());

    let phase = events.begin(name, Phase::Webhooks);
    let tenant = places.azure().map(|azure| azure.subscription().tenant);
    let wanted =
        webhooks::installations(&settings.run, &federation.cells, tenant.as_deref(), places::is_shared(settings));
    let prepared = futures::future::try_join_all(wanted.into_iter().map(|one| places.cluster.prepare_webhook(one)));
    // The watch on pods and the looks at the issuer and at names in the clouds need nothing of the webhooks: all at once.
    let labels = format!("{}={}", kube_objects::RUN_LABEL, settings.run);
    let pods = Watched::<Pod>::start(client.clone(), &labels);
    let thumbprints = async {
        match &federation.aws {
            Some(_) if federation.issuer_is_up() => federate::thumbprints(places).await.map(Some),
            _ => Ok(None),
        }
    };
    let (prepared, pods, thumbprints, free) = tokio::join!(prepared, pods, thumbprints, federation.preflight());
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            let stop = Stop::caused(Exit::Infrastructure, error);
            phase.failed(&stop.message);
            return Err(stop);
        }
    };
    let configurations: Vec<_> = prepared.iter().map(|webhook| webhook.configuration.clone()).collect();
    let names: Vec<_> = prepared.iter().map(|webhook| webhook.name.clone()).collect();
    made.webhooks = prepared;
    let known = thumbprints.and_then(|thumbprints| free.map(|()| thumbprints));

    // One sync for all that this run will create: after it, everything may be created at the same time.
    let announced = known.and_then(|thumbprints| {
        let mut intentions = federation.intentions();
        intentions.extend(names.iter().map(|name| kube_objects::webhook_intention(name)));
        intentions.extend(federation.cells.iter().map(|cell| kube_objects::namespace_intention(&cell.names.namespace)));
        journal.announce(intentions).map(|()| thumbprints).map_err(|error| {
            Stop::new(Exit::Provisioning, format!("the journal cannot be written, so nothing is created: {error}"))
        })
    });
    let thumbprints = match announced {
        Ok(thumbprints) => thumbprints,
        Err(stop) => {
            phase.failed(&stop.message);
            return Err(stop);
        }
    };

    let stage = Stage { settings, scenario: &plan.scenario, places, journal, pods: &pods };
    let registered = async {
        let each = configurations.iter().map(|one| kube_objects::register(client, journal, &settings.run, one));
        let registered = futures::future::try_join_all(each).await.map(drop);
        match &registered {
            Ok(()) => phase.done(Some(names.join(", "))),
            Err(stop) => phase.failed(&stop.message),
        }
        registered
    };
    let applied = async {
        let phase = events.begin(name, Phase::Federation);
        let applied = federation.apply(places, journal, thumbprints).await;
        match &applied {
            Ok(()) => phase.done(Some(federation.size())),
            Err(stop) => phase.failed(&stop.message),
        }
        applied
    };
    let begun = Instant::now();
    let furnished = async {
        let cells = federation.cells.iter().map(|cell| workload::furnish(&stage, cell));
        futures::future::try_join_all(cells).await.map(|done| (done.len(), begun.elapsed()))
    };
    // A service account waits for its identity: what fails on one side must not leave the other waiting.
    let (registered, rest) = tokio::join!(registered, futures::future::try_join(applied, furnished));
    registered?;
    let ((), (count, furnishing)) = rest?;
    events.emit(Event::PhaseStarted { scenario: name.clone(), phase: Phase::Workload });
    events.emit(Event::PhaseFinished {
        scenario: name.clone(),
        phase: Phase::Workload,
        outcome: report::Outcome::Done,
        detail: Some(format!("{count} namespaces with service account and target")),
        duration_ms: millis(furnishing),
    });
    checks(&stage, company, &federation).await
}

async fn checks(stage: &Stage<'_>, company: &Company<'_>, federation: &Federation) -> Result<Vec<Verdict>, Stop> {
    let (name, events) = (&stage.scenario.name, company.events);
    let phase = events.begin(name, Phase::Checks);
    let ring = stage.places.cluster.signing_key().await;
    let (settled, is_patient) = (SetOnce::new(), Patience::of(stage.settings).is_some());
    let mut running: futures::stream::FuturesUnordered<_> = federation
        .cells
        .iter()
        .cloned()
        .map(|cell| {
            let (ring, settled) = (ring.clone(), &settled);
            async move {
                let is_control = cell.cell.id == CONTROL;
                // A refusal that is due to a write which is not seen yet says nothing: the access must hold first.
                if !is_control && is_patient {
                    settled.wait().await;
                }
                let seen = match company.pods.acquire().await {
                    Ok(_permit) => patience::observe(stage, events, &cell, ring).await,
                    Err(error) => Err(Stop::caused(Exit::Internal, error)),
                };
                if is_control {
                    let _ = settled.set(());
                }
                (cell, seen)
            }
        })
        .collect();
    let mut verdicts = Vec::new();
    let mut control = None;
    let mut waiting: Vec<(Arc<LiveCell>, Result<Observation, Stop>)> = Vec::new();
    while let Some((cell, seen)) = running.next().await {
        if cell.cell.id == CONTROL {
            let judged = finish(stage, events, &cell, seen, None).await;
            verdicts.extend(judged.clone());
            for (cell, seen) in waiting.drain(..) {
                verdicts.extend(finish(stage, events, &cell, seen, Some(&judged)).await);
            }
            control = Some(judged);
        } else if control.is_some() {
            verdicts.extend(finish(stage, events, &cell, seen, control.as_deref()).await);
        } else {
            waiting.push((cell, seen));
        }
    }
    drop(running);
    for skipped in &federation.skipped {
        for cloud in skipped.cell.judged(stage.scenario) {
            let told = Told {
                expected: check::expected(stage.scenario, &skipped.cell, cloud),
                observed: Observed::Nothing { last_seen: None },
                chain: Chain::default(),
                duration: std::time::Duration::ZERO,
            };
            let verdict = Verdict::Skipped { reason: skipped.reason.clone() };
            let check = check::record(stage.scenario, &skipped.cell, cloud, told, verdict);
            events.emit(Event::CheckFinished { scenario: name.clone(), check });
        }
    }
    if stage.settings.options.renewal {
        for check in renewal::checks(stage, federation).await? {
            verdicts.push(check.verdict.clone());
            events.emit(Event::CheckFinished { scenario: name.clone(), check });
        }
    }
    phase.done(None);
    Ok(verdicts)
}

async fn teardown(
    settings: &Settings,
    plan: &Plan,
    events: &Events,
    journal: &Journal,
    places: &Places,
    made: &mut Made,
    checked: &Result<Vec<Verdict>, Stop>,
) -> Vec<Leftover> {
    let phase = events.begin(&plan.scenario.name, Phase::Teardown);
    let passed = checked.as_ref().is_ok_and(|verdicts| judge(verdicts).0 == Exit::Passed);
    if !places::is_ephemeral(settings) && !settings.cleanup.applies(passed) {
        let open = journal.open_entries().len();
        phase.skipped(format!("left in place as --cleanup asks: {open} resources, listed in journal.jsonl"));
        return Vec::new();
    }
    let (federation, client) = (made.federation.as_deref(), places.cluster.client());
    let count = journal.open_entries().len();
    let mut left = cleanup::teardown(journal, federation, client, &settings.run).await;
    match patience::until_gone(settings, || cleanup::inventory(federation, client, &settings.run)).await {
        Ok(found) => left = cleanup::merged(left, found),
        Err(stop) => left.push(Leftover { kind: "inventory".into(), id: "not taken".into(), why: stop.message }),
    }
    for one in &left {
        events.emit(Event::Leftover {
            scenario: plan.scenario.name.clone(),
            kind: one.kind.clone(),
            id: one.id.clone(),
            why: one.why.clone(),
        });
    }
    if left.is_empty() {
        phase.done(Some(format!("{count} taken back, inventory empty")));
    } else {
        phase.failed(format!("{} of {count} left", left.len()));
    }
    left
}
