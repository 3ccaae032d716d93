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

use super::begun::Begun;
use super::check::Told;
use super::dump::{self, Dump};
use super::federate::{self, Federation, LiveCell};
use super::judging::finish;
use super::kube_objects::Creator;
use super::patience::{self, Patience};
use super::places::{Places, Shared};
use super::scene::{BEFORE_TEARDOWN, Scene, caught, tell_leftovers};
use super::takedown::{self, Reach, leaked};
use super::workload::{self, Observation, Stage};
use super::{Events, Interrupts, Settings, check, inventory, kube_objects, millis, places, renewal, webhooks};
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
    let kept = settings.earlier.as_ref().map(|earlier| earlier.kept(plan)).unwrap_or_default();
    company.events.emit(Event::ScenarioStarted {
        scenario: name.clone(),
        title: plan.scenario.title.clone(),
        checks: plan.checks() + renewals + kept.len(),
    });
    let ended = play(settings, plan, company, kept).await;
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

async fn play(
    settings: &Settings,
    plan: &Plan,
    company: &Company<'_>,
    kept: Vec<Verdict>,
) -> Result<(Exit, Verdict), Stop> {
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
    journal.goes_as(settings.run.as_str()).map_err(|error| Stop::unwritten(&error))?;

    let phase = events.begin(name, Phase::Cluster);
    let up = Places::up(settings, &plan.scenario, company.plans, company.shared, programs, &journal);
    let places = match interrupts.or(up).await {
        Ok(places) => {
            phase.done(Some(format!("{}, issuer {}", places.cluster.title(), places.cluster.issuer())));
            places
        }
        Err(stop) => {
            phase.failed(&stop.message);
            // What the cluster needed is gone with it, save what is told.
            let reach = Reach { cluster: places::cluster_of_others(settings).await, ..Reach::default() };
            let mine = takedown::takedown(&journal, journal.open_entries(), &reach, &|_, _| ()).await;
            tell_leftovers(events, name, &mine.left);
            return Err(stop);
        }
    };
    interrupts.guard(places.folder());

    let mut made = Made::default();
    let client = places.cluster.client().clone();
    let creator = Creator { client, journal: journal.clone(), begun: Begun::default(), settings: settings.clone() };
    let work = in_time(settings, provision_and_check(settings, plan, company, &creator, &places, &mut made));
    let checked = interrupts.or(caught(work)).await;
    let _ = interrupts.or_given_up(creator.begun.settled()).await;
    let evidence = Dump {
        client: &creator.client,
        run: &settings.run,
        artifacts: &settings.artifacts,
        cluster: &places.cluster.title(),
        trusts_node: places.cluster.trusts_node(),
        requests: &places.wire().log().clone(),
        occasion: BEFORE_TEARDOWN,
        deadline: dump::DEADLINE,
    };
    let scene = Scene { settings, scenario: name, events, interrupts, journal: &journal, evidence };
    let mut reach = Reach::of(made.federation.as_deref(), &creator.client, settings.options.patience.timeout());
    if let Some(earlier) = &settings.earlier {
        reach.join(&earlier.reach);
    }
    let mut left = scene.teardown(&reach, &checked).await;
    let ended = async {
        for webhook in made.webhooks {
            webhook.stop().await;
        }
        places.down().await;
        scene.last_things(&reach).await
    };
    left.extend(interrupts.or_given_up(ended).await.unwrap_or_default());

    let checked: Vec<Verdict> = checked?.into_iter().chain(kept).collect();
    match leaked(&left) {
        Some(leaked) => Ok((Exit::LeftBehind, leaked)),
        None => Ok(judge(&checked)),
    }
}

/// What must be taken down or stopped again.
#[derive(Default)]
struct Made {
    federation: Option<Arc<Federation>>,
    webhooks: Vec<PreparedWebhook>,
}

pub(crate) fn judge(checked: &[Verdict]) -> (Exit, Verdict) {
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
    creator: &Creator,
    places: &Places,
    made: &mut Made,
) -> Result<Vec<Verdict>, Stop> {
    let (name, events, journal) = (&plan.scenario.name, company.events, &creator.journal);
    let client = places.cluster.client();
    let mut federation = Federation::plan(settings, plan, places, journal)?;
    if !places::is_ephemeral(settings) {
        for arn in federation.settle_providers(settings.options.reuse_oidc_provider).await? {
            let text = format!("uses the OIDC provider {arn} as it is: another made it");
            events.emit(Event::Note { scenario: Some(name.clone()), text });
        }
    }
    let federation = Arc::new(federation);
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
    let free = async {
        nothing_stands(settings, &federation, client).await?;
        federation.preflight(journal).await
    };
    let (prepared, pods, thumbprints, free) = tokio::join!(prepared, pods, thumbprints, free);
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
        journal.announce(intentions).map(|()| thumbprints).map_err(|error| Stop::unwritten(&error))
    });
    let thumbprints = match announced {
        Ok(thumbprints) => thumbprints,
        Err(stop) => {
            phase.failed(&stop.message);
            return Err(stop);
        }
    };

    let stage = Stage { settings, scenario: &plan.scenario, places, creator, pods: &pods };
    let registered = async {
        let each = configurations.iter().map(|one| creator.register(one));
        let registered = futures::future::try_join_all(each).await.map(drop);
        match &registered {
            Ok(()) => phase.done(Some(names.join(", "))),
            Err(stop) => phase.failed(&stop.message),
        }
        registered
    };
    let applied = async {
        let phase = events.begin(name, Phase::Federation);
        let applied = federation.apply(places, creator, thumbprints).await;
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

/// Looks at what stands under the names of the run before it creates anything: nothing may. What is this process's own is looked at as a whole,
/// and what an earlier process of the run has left is known.
async fn nothing_stands(settings: &Settings, federation: &Federation, client: &kube::Client) -> Result<(), Stop> {
    if places::is_ephemeral(settings) || settings.earlier.is_some() {
        return Ok(());
    }
    let reach = Reach::of(Some(federation), client, settings.options.patience.timeout());
    let found = inventory::of_run(&reach, &settings.run, &std::collections::BTreeSet::new()).await?;
    inventory::keep(settings, "inventory-before", &found);
    match found.first() {
        None => Ok(()),
        Some(first) => {
            let message = format!(
                "{} things stand under the names of run {} already, first {} {}: take them down with `cargo xtask cleanup`, or pass another --run-id",
                found.len(),
                settings.run,
                first.kind,
                first.id
            );
            Err(Stop::new(Exit::Preflight, message))
        }
    }
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

/// Work that ends when the run's time is up: teardown has time of its own.
async fn in_time<T>(settings: &Settings, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    match tokio::time::timeout_at(settings.deadline, work).await {
        Ok(done) => done,
        Err(_) => {
            let message = format!("the run's time is up after {} s (--timeout)", settings.options.timeout);
            Err(Stop::new(Exit::Infrastructure, message))
        }
    }
}
