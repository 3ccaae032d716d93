//! A scenario from preflight to teardown.

use std::sync::Arc;
use std::time::Instant;

use cluster::{AwsWebhook, PreparedWebhook, Watched};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use report::{Event, Observed, Phase};
use scenario::{CONTROL, Plan, Webhook};
use trust::{KeyRing, Verdict};

use super::cleanup::{self, Leftover};
use super::evidence::{Held, Shown};
use super::federate::{Federation, LiveCell};
use super::places::Places;
use super::workload::{self, Observation, Stage};
use super::{Events, Settings, artifacts, check, diagnose, interrupt, kube_objects, millis, places};
use crate::exit::{Exit, Stop};
use crate::journal::Journal;

/// Runs it and says how it ended. Whatever happens, what was created is taken down as the settings say.
pub(crate) async fn run(settings: &Settings, plan: &Plan, events: &Events) -> Exit {
    let started = Instant::now();
    let name = &plan.scenario.name;
    events.emit(Event::ScenarioStarted {
        scenario: name.clone(),
        title: plan.scenario.title.clone(),
        checks: plan.cells.len(),
    });
    let ended = play(settings, plan, events).await;
    let (exit, verdict) = match ended {
        Ok((exit, verdict)) => (exit, verdict),
        Err(stop) => (stop.exit, verdict_of(&stop)),
    };
    events.emit(Event::ScenarioFinished { scenario: name.clone(), verdict, duration_ms: millis(started.elapsed()) });
    exit
}

fn verdict_of(stop: &Stop) -> Verdict {
    match stop.exit {
        Exit::Internal | Exit::CheckFailed | Exit::Usage => Verdict::Failed { reason: stop.message.clone() },
        _ => Verdict::Infra { reason: stop.message.clone() },
    }
}

async fn play(settings: &Settings, plan: &Plan, events: &Events) -> Result<(Exit, Verdict), Stop> {
    let name = &plan.scenario.name;
    let preflight = events.begin(name, Phase::Preflight);
    let ready = places::programs(settings, &plan.scenario).and_then(|programs| {
        Journal::create(&settings.artifacts.join("journal.jsonl"), settings.run.as_str(), &settings.clock)
            .map(|journal| (programs, journal))
            .map_err(|error| Stop::new(Exit::Preflight, format!("the journal cannot be written: {error}")))
    });
    let (programs, journal) = match ready {
        Ok(ready) => {
            preflight.done(Some(format!("{} checks planned", plan.cells.len())));
            ready
        }
        Err(stop) => {
            preflight.failed(&stop.message);
            return Err(stop);
        }
    };

    let phase = events.begin(name, Phase::Cluster);
    let places = match interrupt::or(events, name, None, Places::up(settings, &plan.scenario, programs)).await {
        Ok(places) => {
            phase.done(Some(format!("{}, issuer {}", places.cluster.title(), places.cluster.issuer())));
            places
        }
        Err(stop) => {
            phase.failed(&stop.message);
            return Err(stop);
        }
    };

    let mut made = Made::default();
    let checked = interrupt::or(
        events,
        name,
        Some(places.folder()),
        provision_and_check(settings, plan, events, &journal, &places, &mut made),
    )
    .await;
    let left = teardown(settings, plan, events, &journal, &places, &mut made, &checked).await;
    artifacts::requests(settings, places.wire.log());
    if let Some(webhook) = made.webhook.take() {
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
    webhook: Option<PreparedWebhook>,
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
    events: &Events,
    journal: &Journal,
    places: &Places,
    made: &mut Made,
) -> Result<Vec<Verdict>, Stop> {
    let name = &plan.scenario.name;
    let client = places.cluster.client();
    let phase = events.begin(name, Phase::Webhooks);
    let installed = async {
        // The watch on pods and the look at the issuer need nothing of the webhook: all at once.
        let Webhook::AwsPodIdentity { default_aws_region } = &plan.scenario.webhooks[0];
        let values = AwsWebhook { default_aws_region: default_aws_region.clone(), release: settings.run.name("irsa") };
        let prepared = places.cluster.prepare_aws_webhook(values);
        let labels = format!("{}={}", kube_objects::RUN_LABEL, settings.run);
        let pods = Watched::<Pod>::start(client.clone(), &labels);
        let federation = Federation::plan(settings, plan, places, places.cluster.gives_signing_key());
        let (prepared, pods, federation) = tokio::join!(prepared, pods, federation);
        Ok::<_, Stop>((prepared.map_err(|error| Stop::caused(Exit::Infrastructure, error))?, pods, federation?))
    };
    let (webhook, pods, federation) = match installed.await {
        Ok(ready) => ready,
        Err(stop) => {
            phase.failed(&stop.message);
            return Err(stop);
        }
    };
    let configuration = webhook.configuration.clone();
    let webhook_name = webhook.name.clone();
    let federation = Arc::new(federation);
    made.webhook = Some(webhook);
    made.federation = Some(federation.clone());

    // One sync for all that this run will create: after it, everything may be created at the same time.
    let mut intentions = federation.intentions()?;
    intentions.push(kube_objects::webhook_intention(&webhook_name));
    intentions.extend(federation.cells.iter().map(|cell| kube_objects::namespace_intention(&cell.names.namespace)));
    if let Err(error) = journal.announce(intentions) {
        let stop =
            Stop::new(Exit::Provisioning, format!("the journal cannot be written, so nothing is created: {error}"));
        phase.failed(&stop.message);
        return Err(stop);
    }

    let stage = Stage { settings, scenario: &plan.scenario, places, journal, pods: &pods };
    let (things, accounts) = federation.size();
    let furnished = async {
        let cells = federation.cells.iter().map(|cell| workload::furnish(&stage, cell));
        futures::future::try_join_all(cells).await
    };
    let registered = async {
        let registered = kube_objects::register(client, journal, &settings.run, &configuration).await;
        match &registered {
            Ok(()) => phase.done(Some(webhook_name)),
            Err(stop) => phase.failed(&stop.message),
        }
        registered
    };
    let applied = async {
        let phase = events.begin(name, Phase::Federation);
        let applied = federation.apply(journal).await;
        match &applied {
            Ok(()) => phase.done(Some(format!(
                "{things} resources in {accounts} account{}",
                if accounts == 1 { "" } else { "s" }
            ))),
            Err(stop) => phase.failed(&stop.message),
        }
        applied
    };
    let workload = async {
        let furnished = furnished.await;
        (Instant::now(), furnished)
    };
    let begun = Instant::now();
    let (registered, applied, (furnished_at, furnished)) = tokio::join!(registered, applied, workload);
    registered?;
    applied?;
    let count = furnished?.len();
    events.emit(Event::PhaseStarted { scenario: name.clone(), phase: Phase::Workload });
    events.emit(Event::PhaseFinished {
        scenario: name.clone(),
        phase: Phase::Workload,
        outcome: report::Outcome::Done,
        detail: Some(format!("{count} namespaces with service account and target")),
        duration_ms: millis(furnished_at.duration_since(begun)),
    });
    checks(&stage, events, &federation).await
}

async fn checks(stage: &Stage<'_>, events: &Events, federation: &Federation) -> Result<Vec<Verdict>, Stop> {
    let name = &stage.scenario.name;
    let phase = events.begin(name, Phase::Checks);
    let ring = stage.places.cluster.signing_key().await;
    let at_once = stage.settings.options.parallel.map_or(federation.cells.len(), usize::from).max(1);
    let mut running = futures::stream::iter(federation.cells.iter().cloned())
        .map(|cell| {
            let ring = ring.clone();
            async move {
                let seen = try_cell(stage, &cell, ring).await;
                (cell, seen)
            }
        })
        .buffer_unordered(at_once);
    let mut verdicts = Vec::new();
    let mut control = None;
    let mut waiting: Vec<(Arc<LiveCell>, Result<Observation, Stop>)> = Vec::new();
    while let Some((cell, seen)) = running.next().await {
        if cell.cell.id == CONTROL {
            let verdict = finish(stage, events, &cell, seen, None);
            control = Some(verdict.clone());
            verdicts.push(verdict);
            for (cell, seen) in waiting.drain(..) {
                verdicts.push(finish(stage, events, &cell, seen, control.as_ref()));
            }
        } else if control.is_some() {
            verdicts.push(finish(stage, events, &cell, seen, control.as_ref()));
        } else {
            waiting.push((cell, seen));
        }
    }
    for skipped in &federation.skipped {
        let verdict = Verdict::Skipped { reason: skipped.reason.clone() };
        let expected = check::expected(stage.scenario, &skipped.cell);
        let observed = Observed::Nothing { last_seen: None };
        let record = check::record(
            &skipped.cell,
            expected,
            observed,
            verdict,
            trust::Chain::default(),
            std::time::Duration::ZERO,
        );
        events.emit(Event::CheckFinished { scenario: name.clone(), check: record });
    }
    phase.done(None);
    Ok(verdicts)
}

async fn try_cell(stage: &Stage<'_>, cell: &LiveCell, ring: Option<Arc<KeyRing>>) -> Result<Observation, Stop> {
    let token = workload::plant_token(stage.places.cluster.client(), cell, ring).await?;
    workload::observe(stage, cell, token).await
}

/// Judges a cell, keeps its evidence, tells it.
fn finish(
    stage: &Stage<'_>,
    events: &Events,
    cell: &LiveCell,
    seen: Result<Observation, Stop>,
    twin: Option<&Verdict>,
) -> Verdict {
    let expected = check::expected(stage.scenario, &cell.cell);
    let (observed, chain, duration) = match &seen {
        Ok(seen) => {
            artifacts::pod(stage.settings, &stage.places.cluster.title(), cell, stage.scenario, seen);
            let shown = Shown::of(cell, &seen.admitted, seen.token.as_ref());
            let observed = diagnose::observed(seen, &shown);
            let chain = diagnose::chain(&observed, &shown, &Held::of(cell), &seen.requests);
            (observed, chain, seen.duration)
        }
        Err(stop) => (
            Observed::Nothing { last_seen: Some(stop.message.clone()) },
            trust::Chain::default(),
            std::time::Duration::ZERO,
        ),
    };
    let verdict = match &seen {
        Ok(_) => check::verdict(&expected, &observed, twin),
        Err(stop) => Verdict::Infra { reason: stop.message.clone() },
    };
    let mut record = check::record(&cell.cell, expected, observed, verdict.clone(), chain, duration);
    if verdict != Verdict::Passed && seen.is_ok() {
        let log = artifacts::log_file(stage.settings, &stage.places.cluster.title(), cell, stage.scenario);
        record.next = Some(format!("less {}", log.display()));
    }
    events.emit(Event::CheckFinished { scenario: stage.scenario.name.clone(), check: record });
    verdict
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
    match cleanup::inventory(federation, client, &settings.run).await {
        Ok(found) => left = cleanup::merged(left, found),
        Err(stop) => left.push(Leftover { kind: "inventory".into(), id: "not taken".into(), why: stop.message }),
    }
    for one in &left {
        events.emit(Event::Leftover {
            scenario: plan.scenario.name.clone(),
            kind: one.kind.clone(),
            id: format!("{} ({})", one.id, one.why),
        });
    }
    if left.is_empty() {
        phase.done(Some(format!("{count} taken back, inventory empty")));
    } else {
        phase.failed(format!("{} of {count} left", left.len()));
    }
    left
}
