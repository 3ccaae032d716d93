//! One run of a container: its process with its hooks and probes, until it has ended or has been made to.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::PodContext;
use super::container::Supervisor;
use super::launch::Start;
use super::messages;
use crate::events;
use crate::handler::Action;
use crate::inside::Inside;
use crate::logs::Log;
use crate::probe::{Kind, News, Probes};
use crate::process::{Launch, Process};
use crate::status::{State, Termination};

/// The exit code that container runtimes give when a program cannot be started.
const START_ERROR: i32 = 128;
/// No process that is asked to end has less time for it.
const SHORTEST_GRACE: Duration = Duration::from_secs(2);
/// A hook after the start may take as long as it likes.
const ANY_TIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a run is ended.
enum Cause {
    /// The pod shall end.
    Pod,
    /// The container alone: within this time, or within the pod's.
    Container { grace: Option<Duration> },
}

impl Supervisor {
    /// Starts the process, reports it running and gives its end.
    pub(super) async fn run_once(&mut self, start: Start) -> Termination {
        let context = self.context.clone();
        let PodContext { node, namespace, name, uid, .. } = &*context;
        let container = self.container.name.clone();
        let run = format!("{container}.{}", self.record.restarts);
        self.record.container_id = Some(format!("process://{uid}/{run}"));
        let started_at = node.clock.now();
        let Start { launch, inside } = start;
        let started = launch.and_then(|launch| spawn(launch, &context.folder.join("logs").join(run), &context));
        let container_id = self.record.container_id.clone();
        let failed = |error: io::Error, at: Timestamp| Termination {
            exit_code: START_ERROR,
            reason: "StartError",
            message: Some(format!("failed to run container {container:?}: {error}")),
            started_at,
            finished_at: at,
            container_id: container_id.clone(),
        };
        let (mut process, log) = match started {
            Ok((process, log)) => {
                node.logs.start_run(namespace, name, &container, log.clone());
                (process, log)
            }
            Err(error) => return failed(error, started_at),
        };
        if let State::Terminated(end) = &self.record.state {
            self.record.last = Some(end.clone());
        }
        self.record.state = State::Running { since: started_at };
        match self.supervise(&mut process, &inside).await {
            Ok(exit_code) => Termination {
                exit_code,
                reason: if exit_code == 0 { "Completed" } else { "Error" },
                message: messages::read(&self.container, &messages::file(&context.folder, &container), exit_code, &log),
                started_at,
                finished_at: node.clock.now(),
                container_id,
            },
            Err(error) => failed(error, node.clock.now()),
        }
    }

    /// Waits for the process's end; ends it when the pod shall end or a probe or hook says so.
    async fn supervise(&mut self, process: &mut Process, inside: &Inside) -> io::Result<i32> {
        let probes = Probes::of(&self.container);
        let hooks = self.container.lifecycle.clone().unwrap_or_default();
        let hook = hooks.post_start.as_ref().and_then(|hook| Action::of_hook(hook, &self.container));
        let mut hooking = hook.is_some();
        let (mut probed, ready) = probes.at_first();
        self.record.ready = ready;
        self.record.started = probed && !hooking;
        self.report();
        let hook = async {
            match &hook {
                Some(action) => action.perform(inside, ANY_TIME).await,
                None => Ok(()),
            }
        };
        let mut hook = std::pin::pin!(hook);
        let (sender, mut news) = mpsc::unbounded_channel();
        let _probing =
            (!probes.is_empty()).then(|| AbortOnDropHandle::new(tokio::spawn(probes.run(inside.clone(), sender))));
        let mut told = None;
        let context = self.context.clone();
        let turn = self.turn.clone();
        let mut asked = std::pin::pin!(context.asked_to_end(turn));
        let cause = loop {
            tokio::select! {
                ended = process.wait() => return ended,
                () = &mut asked => break Cause::Pod,
                done = &mut hook, if hooking => match done {
                    Ok(()) => {
                        hooking = false;
                        self.record.started = probed;
                        self.report();
                    }
                    Err(error) => {
                        self.tell("FailedPostStartHook", format!("PostStartHook failed: {error}"));
                        break Cause::Container { grace: None };
                    }
                },
                Some(news) = news.recv() => match news {
                    News::Started => {
                        probed = true;
                        if self.record.started == hooking {
                            self.record.started = !hooking;
                            self.report();
                        }
                    }
                    News::Ready(ready) => {
                        if self.record.ready != ready {
                            self.record.ready = ready;
                            self.report();
                        }
                    }
                    News::Failed { kind, message } => {
                        // Once for each run of the same.
                        if told.as_ref() != Some(&(kind, message.clone())) {
                            self.tell("Unhealthy", unhealthy(kind, &message));
                            told = Some((kind, message));
                        }
                    }
                    News::Kill { kind, grace } => {
                        let message = format!("Container {} failed {kind} probe, will be restarted", self.container.name);
                        let context = context.clone();
                        tokio::spawn(async move { events::note(&context.node, &context.bound, "Killing", &message).await });
                        break Cause::Container { grace };
                    }
                },
            }
        };
        self.end(process, inside, cause).await
    }

    /// Hook, request to end, and force, as the time allows.
    async fn end(&self, process: &mut Process, inside: &Inside, cause: Cause) -> io::Result<i32> {
        let context = &self.context;
        let own = match cause {
            Cause::Pod => None,
            Cause::Container { grace } => Some(grace.unwrap_or_else(|| context.grace())),
        };
        let deadline = async {
            match own {
                Some(grace) => tokio::select! {
                    () = tokio::time::sleep(grace) => {}
                    () = context.time_is_up() => {}
                },
                None => context.time_is_up().await,
            }
        };
        let mut deadline = std::pin::pin!(deadline);
        let mut at_once = std::pin::pin!(context.ends_at_once());
        let mut late = false;
        let hook = self.container.lifecycle.as_ref().and_then(|hooks| hooks.pre_stop.as_ref());
        if let Some(hook) = hook.and_then(|hook| Action::of_hook(hook, &self.container)) {
            tokio::select! {
                biased;
                () = &mut at_once => {
                    process.kill();
                    return process.wait().await;
                }
                ended = process.wait() => return ended,
                done = hook.perform(inside, ANY_TIME) => {
                    if let Err(error) = done {
                        self.tell("FailedPreStopHook", format!("PreStopHook failed: {error}"));
                    }
                }
                () = &mut deadline => late = true,
            }
        }
        let kill = async {
            let shortest = Instant::now() + SHORTEST_GRACE;
            if !late {
                deadline.await;
            }
            tokio::time::sleep_until(shortest).await;
        };
        if !context.is_ending_at_once() {
            process.terminate();
        }
        tokio::select! {
            biased;
            () = &mut at_once => {}
            ended = process.wait() => return ended,
            () = kill => {}
        }
        process.kill();
        process.wait().await
    }

    /// Writes an event; nobody waits for it.
    pub(super) fn tell(&self, reason: &'static str, message: String) {
        let context = self.context.clone();
        tokio::spawn(async move { events::warn(&context.node, &context.bound, reason, &message).await });
    }
}

fn unhealthy(kind: Kind, message: &str) -> String {
    let kind = match kind {
        Kind::Startup => "Startup",
        Kind::Liveness => "Liveness",
        Kind::Readiness => "Readiness",
    };
    format!("{kind} probe failed: {}", message.trim_end())
}

fn spawn(launch: Launch, log: &Path, context: &PodContext) -> io::Result<(Process, Arc<Log>)> {
    let log = Log::create(log.to_owned())?;
    let process = Process::spawn(launch, log.clone(), context.node.clock.clone())?;
    Ok((process, log))
}
