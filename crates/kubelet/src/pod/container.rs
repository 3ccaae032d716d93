//! One container: from its specification to a process, and again after its end as the policy says.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container;
use rustix::process::Signal;
use tokio::time::Instant;

use super::lifecycle::base;
use super::{PodContext, Report, Reports};
use crate::atomic::create_folder;
use crate::environment::{self, Environment, EnvironmentError};
use crate::events;
use crate::logs::Log;
use crate::paths::PathMap;
use crate::process::{Launch, Process};
use crate::programs;
use crate::sources::{self, SourceError, SourceKey, Sources};
use crate::status::{ContainerRecord, RestartPolicy, State, Termination};

/// How often a missing object is looked for when no watch tells of it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A run of this length wipes out the failures before it.
const LONG_RUN: Duration = Duration::from_secs(600);
/// The exit code that container runtimes give when a program cannot be started.
const START_ERROR: i32 = 128;

/// How a container's last run ended, for the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Succeeded,
    Failed,
    /// The pod shall end; the container did not reach an end of its own.
    Stopped,
}

pub(super) struct Supervisor {
    pub(super) context: Arc<PodContext>,
    pub(super) reports: Reports,
    pub(super) init: bool,
    pub(super) index: usize,
    pub(super) record: ContainerRecord,
    pub(super) container: Container,
    pub(super) paths: PathMap,
    pub(super) policy: RestartPolicy,
}

/// Why a container cannot be started now.
enum Refusal {
    /// Nothing but a new pod helps.
    Final { reason: &'static str, message: String },
    /// An object is missing, or lacks a key.
    Source { error: SourceError, seen: Option<String> },
}

impl Supervisor {
    /// Runs the container until the policy ends it. `fetched` serves the first start.
    pub(super) async fn run(mut self, mut fetched: Option<Arc<Sources>>) -> Ending {
        let mut failures = 0_u32;
        loop {
            let launch = match self.await_launch(fetched.take()).await {
                Some(launch) if !self.context.is_stopping() => launch,
                _ => return Ending::Stopped,
            };
            let began = Instant::now();
            let end = self.run_once(launch).await;
            let exit_code = end.exit_code;
            self.record.state = State::Terminated(end);
            self.report();
            if self.context.is_stopping() || !self.policy.restarts(exit_code) {
                return if exit_code == 0 { Ending::Succeeded } else { Ending::Failed };
            }
            failures = if began.elapsed() >= LONG_RUN { 0 } else { failures + 1 };
            if self.pause(failures).await.is_none() {
                return Ending::Stopped;
            }
            self.record.restarts += 1;
        }
    }

    /// Waits before the next start as the kubelet does; `None` when the pod shall end.
    async fn pause(&mut self, failures: u32) -> Option<()> {
        let pause = restart_pause(failures);
        if pause.is_zero() {
            return Some(());
        }
        let last = match &self.record.state {
            State::Terminated(end) => Some(end.clone()),
            _ => None,
        };
        self.record.last = last;
        self.record.state = State::Waiting {
            reason: "CrashLoopBackOff",
            message: Some(format!(
                "back-off {}s restarting failed container={} pod={}",
                pause.as_secs(),
                self.container.name,
                self.context.name
            )),
        };
        self.report();
        tokio::select! {
            () = tokio::time::sleep(pause) => Some(()),
            () = self.context.stop_asked() => None,
        }
    }

    /// Prepares the start, waiting for what is missing; `None` when the pod shall end.
    async fn await_launch(&mut self, mut fetched: Option<Arc<Sources>>) -> Option<Launch> {
        loop {
            let sources = match fetched.take() {
                Some(sources) => sources,
                None => self.fetch().await?,
            };
            let (reason, message, source) = match self.launch(&sources) {
                Ok(launch) => return Some(launch),
                Err(Refusal::Final { reason, message }) => (reason, message, None),
                Err(Refusal::Source { error, seen }) => {
                    ("CreateContainerConfigError", error.to_string(), Some((error.source_key().clone(), seen)))
                }
            };
            self.wait_with(reason, message).await;
            let context = self.context.clone();
            let changes = async {
                match &source {
                    Some((source_key, seen)) => until_changed(&context, source_key, seen.as_deref()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changes => {}
                () = context.stop_asked() => return None,
            }
        }
    }

    /// Gets what the environment refers to, until it is there.
    async fn fetch(&mut self) -> Option<Arc<Sources>> {
        let mut wanted = BTreeSet::new();
        sources::wanted_by_container(&self.container, &mut wanted);
        if wanted.is_empty() {
            return Some(Arc::default());
        }
        let context = self.context.clone();
        let mut pauses = super::Pauses::new(Duration::from_millis(250), LOOK_AGAIN);
        loop {
            let message = tokio::select! {
                found = sources::fetch(&context.node.client, &context.namespace, wanted.clone()) => match found {
                    Ok(sources) => return Some(Arc::new(sources)),
                    Err(error) => error.to_string(),
                },
                () = context.stop_asked() => return None,
            };
            self.wait_with("CreateContainerConfigError", message).await;
            tokio::select! {
                () = tokio::time::sleep(pauses.next()) => {}
                () = context.stop_asked() => return None,
            }
        }
    }

    /// Tells the status and, when it is news, an event why the container waits.
    async fn wait_with(&mut self, reason: &'static str, message: String) {
        let state = State::Waiting { reason, message: Some(message.clone()) };
        if self.record.state == state {
            return;
        }
        if let State::Terminated(end) = std::mem::replace(&mut self.record.state, state) {
            self.record.last = Some(end);
        }
        self.report();
        events::warn(&self.context.node, &self.context.bound, "Failed", &format!("Error: {message}")).await;
    }

    fn report(&self) {
        // Refused only when the pod's task is over.
        let _ = self.reports.send(Report { init: self.init, index: self.index, record: self.record.clone() });
    }

    /// The process that the specification asks for.
    fn launch(&mut self, sources: &Sources) -> Result<Launch, Refusal> {
        let context = &self.context;
        let image = self.container.image.as_deref().unwrap_or_default();
        let Some(program) = context.node.programs.lookup(image) else {
            return Err(Refusal::Final {
                reason: "ErrImagePull",
                message: format!(
                    "no program stands for image {image:?} on this process node: map it with --image {image}=PROGRAM"
                ),
            });
        };
        let base = base(context, &self.container.name);
        let environment =
            environment::build(&context.pod(), &self.container, sources, &self.paths, &base).map_err(|error| {
                match error {
                    EnvironmentError::Source(error) => {
                        let seen = sources.version(error.source_key()).map(str::to_owned);
                        Refusal::Source { error, seen }
                    }
                    error => Refusal::Final { reason: "CreateContainerConfigError", message: error.to_string() },
                }
            })?;
        let refused = |message: String| Refusal::Final { reason: "CreateContainerError", message };
        let words = |words: &Option<Vec<String>>| -> Vec<String> {
            words.iter().flatten().map(|word| environment.expand(word)).collect()
        };
        let args = programs::arguments(program, &words(&self.container.command), &words(&self.container.args))
            .map_err(|error| refused(error.to_string()))?;
        let folder = self
            .paths
            .working_dir(self.container.working_dir.as_deref().unwrap_or("/"))
            .map_err(|error| refused(format!("workingDir: {error}")))?;
        create_folder(&folder, 0o755).map_err(|error| refused(format!("workingDir: {error}")))?;
        self.record.image_id = format!("process://{}", program.display());
        self.tell_skipped(&environment);
        Ok(Launch {
            program: program.to_owned(),
            args: args.iter().map(|word| self.paths.rewrite(word)).collect(),
            env: environment.variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            folder,
        })
    }

    fn tell_skipped(&self, environment: &Environment) {
        if environment.skipped.is_empty() {
            return;
        }
        let message = format!(
            "keys that no environment variable can be named after were skipped in container {}: {}",
            self.container.name,
            environment.skipped.join(", ")
        );
        let context = self.context.clone();
        tokio::spawn(async move {
            events::warn(&context.node, &context.bound, "InvalidEnvironmentVariableNames", &message).await;
        });
    }

    /// Starts the process, reports it running and gives its end.
    async fn run_once(&mut self, launch: Launch) -> Termination {
        let context = self.context.clone();
        let PodContext { node, namespace, name, uid, .. } = &*context;
        let container = &self.container.name;
        let run = format!("{container}.{}", self.record.restarts);
        self.record.container_id = Some(format!("process://{uid}/{run}"));
        let started_at = node.clock.now();
        let started = start(launch, &context.folder.join("logs").join(run), &context).map(|(process, log)| {
            node.logs.start_run(namespace, name, container, log);
            process
        });
        let failed = |error: std::io::Error, at: Timestamp| Termination {
            exit_code: START_ERROR,
            reason: "StartError",
            message: Some(format!("failed to run container {container:?}: {error}")),
            started_at,
            finished_at: at,
            container_id: self.record.container_id.clone(),
        };
        let mut process = match started {
            Ok(process) => process,
            Err(error) => return failed(error, started_at),
        };
        if let State::Terminated(end) = &self.record.state {
            self.record.last = Some(end.clone());
        }
        self.record.state = State::Running { since: started_at };
        self.report();
        match supervise(&context, &mut process).await {
            Ok(exit_code) => Termination {
                exit_code,
                reason: if exit_code == 0 { "Completed" } else { "Error" },
                message: None,
                started_at,
                finished_at: node.clock.now(),
                container_id: self.record.container_id.clone(),
            },
            Err(error) => failed(error, node.clock.now()),
        }
    }
}

fn start(launch: Launch, log: &Path, context: &PodContext) -> std::io::Result<(Process, Arc<Log>)> {
    let log = Log::create(log.to_owned())?;
    let process = Process::spawn(launch, log.clone(), context.node.clock.clone())?;
    Ok((process, log))
}

/// Waits for the process; when the pod shall end, asks it to and then makes it.
async fn supervise(context: &PodContext, process: &mut Process) -> std::io::Result<i32> {
    let mut stop = context.stop.clone();
    let mut asked = false;
    loop {
        let kill_at = *stop.borrow_and_update();
        if let Some(at) = kill_at {
            if at <= Instant::now() {
                process.signal(Signal::KILL);
                return process.wait().await;
            }
            if !std::mem::replace(&mut asked, true) {
                process.signal(Signal::TERM);
            }
        }
        let timer = async {
            match kill_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = process.wait() => return ended,
            // The sender lives as long as the task that this runs in.
            _ = stop.changed() => {}
            () = timer => {}
        }
    }
}

/// Returns when the object may have changed.
async fn until_changed(context: &PodContext, source_key: &SourceKey, seen: Option<&str>) {
    let began = Instant::now();
    let watching = sources::until_changed(&context.node.client, &context.namespace, source_key, seen);
    if tokio::time::timeout(LOOK_AGAIN, watching).await.is_ok() && began.elapsed() < Duration::from_millis(20) {
        // A watch that cannot be had ends at once: it must not make the caller spin.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first restart is immediate, the next ones wait 10 s, 20 s, … up to 5 minutes.
fn restart_pause(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        _ => (FIRST_PAUSE * (1 << (failures - 2).min(10))).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_back_off_as_the_kubelet_does() {
        let check = |failures: u32, seconds: u64| {
            assert_eq!(restart_pause(failures), Duration::from_secs(seconds), "{failures}");
        };
        check(1, 0);
        check(2, 10);
        check(3, 20);
        check(6, 160);
        check(7, 300);
        check(100, 300);
    }
}
