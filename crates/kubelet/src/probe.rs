//! A container's probes: when they are made, and after how many of the same outcome something follows.
//! It must not know what follows.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::handler::Action;
use crate::inside::Inside;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Startup,
    Liveness,
    Readiness,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        })
    }
}

/// What comes of probing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The container has started: told once, at once if there is no start-up probe.
    Started,
    Ready(bool),
    /// One try failed.
    Failed {
        kind: Kind,
        message: String,
    },
    /// The container shall be killed; `grace` in place of the pod's.
    Kill {
        kind: Kind,
        grace: Option<Duration>,
    },
}

#[derive(Debug, Clone)]
struct Plan {
    action: Action,
    delay: Duration,
    period: Duration,
    timeout: Duration,
    success: u32,
    failure: u32,
    grace: Option<Duration>,
}

impl Plan {
    /// With the API's defaults for what is not set.
    fn of(probe: &Probe, container: &Container) -> Option<Self> {
        let seconds = |seconds: Option<i32>, default: u64| {
            Duration::from_secs(seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(default))
        };
        let count = |count: Option<i32>, default: u32| {
            count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0).unwrap_or(default)
        };
        let second = Duration::from_secs(1);
        let grace = probe.termination_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Some(Self {
            action: Action::of_probe(probe, container)?,
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).max(second),
            timeout: seconds(probe.timeout_seconds, 1).max(second),
            success: count(probe.success_threshold, 1),
            failure: count(probe.failure_threshold, 3),
            grace: grace.map(Duration::from_secs),
        })
    }
}

/// A container's probes, as far as a process node knows their kinds.
#[derive(Debug, Clone)]
pub(crate) struct Probes {
    startup: Option<Plan>,
    liveness: Option<Plan>,
    readiness: Option<Plan>,
}

impl Probes {
    pub(crate) fn of(container: &Container) -> Self {
        let plan = |probe: &Option<Probe>| probe.as_ref().and_then(|probe| Plan::of(probe, container));
        Self {
            startup: plan(&container.startup_probe),
            liveness: plan(&container.liveness_probe),
            readiness: plan(&container.readiness_probe),
        }
    }

    /// Whether a container is started, and ready, as soon as it runs.
    pub(crate) fn at_first(&self) -> (bool, bool) {
        (self.startup.is_none(), self.readiness.is_none())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.startup.is_none() && self.liveness.is_none() && self.readiness.is_none()
    }

    /// Probes a container that began now, until it is dropped or there is nothing left to probe.
    pub(crate) async fn run(self, inside: Inside, news: mpsc::UnboundedSender<News>) {
        let began = Instant::now();
        if let Some(plan) = &self.startup
            && !self.repeat(Kind::Startup, plan, &inside, &news, began).await
        {
            return;
        }
        // Refused only when the container is over; so below.
        let _ = news.send(News::Started);
        let probe = async |kind, plan: &Option<Plan>| {
            if let Some(plan) = plan {
                self.repeat(kind, plan, &inside, &news, began).await;
            }
        };
        tokio::join!(probe(Kind::Liveness, &self.liveness), probe(Kind::Readiness, &self.readiness));
    }

    /// Returns whether it succeeded, once nothing more is to be learnt.
    async fn repeat(
        &self,
        kind: Kind,
        plan: &Plan,
        inside: &Inside,
        news: &mpsc::UnboundedSender<News>,
        began: Instant,
    ) -> bool {
        tokio::time::sleep_until(began + plan.delay).await;
        let mut ticks = tokio::time::interval(plan.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut streak = Streak::default();
        loop {
            ticks.tick().await;
            let outcome = plan.action.perform(inside, plan.timeout).await;
            let holds = outcome.is_ok();
            if let Err(message) = outcome {
                let _ = news.send(News::Failed { kind, message });
            }
            if streak.add(holds) < if holds { plan.success } else { plan.failure } {
                continue;
            }
            match (kind, holds) {
                (Kind::Readiness, _) => drop(news.send(News::Ready(holds))),
                (Kind::Startup, true) => return true,
                (Kind::Liveness, true) => {}
                (Kind::Startup | Kind::Liveness, false) => {
                    let _ = news.send(News::Kill { kind, grace: plan.grace });
                    return false;
                }
            }
        }
    }
}

/// How often the same has come of it in a row.
#[derive(Debug, Default)]
struct Streak {
    holds: bool,
    length: u32,
}

impl Streak {
    fn add(&mut self, holds: bool) -> u32 {
        self.length = if self.holds == holds { self.length.saturating_add(1) } else { 1 };
        self.holds = holds;
        self.length
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::paths::PathMap;
    use crate::programs::Image;

    /// All that comes of probing until it ends or `enough` was told.
    async fn told(container: Value, folder: &Path, enough: impl Fn(&News) -> bool) -> Vec<News> {
        let mut container = container;
        container["name"] = json!("a");
        let container: Container = serde_json::from_value(container).expect("container must parse");
        let inside = Inside {
            image: Image { any_command: true, ..Image::default() },
            env: Vec::new(),
            search: "/bin:/usr/bin".to_owned(),
            folder: folder.into(),
            paths: PathMap::new("/r".into(), Path::new("/"), &[]).expect("mounts must be accepted"),
            own: None,
        };
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let _probing =
            tokio_util::task::AbortOnDropHandle::new(tokio::spawn(Probes::of(&container).run(inside, sender)));
        let mut all = Vec::new();
        while let Some(news) = receiver.recv().await {
            let last = enough(&news);
            all.push(news);
            if last {
                break;
            }
        }
        all
    }

    fn probe(script: &str, failures: u32) -> Value {
        json!({"exec": {"command": ["sh", "-c", script]}, "periodSeconds": 1, "failureThreshold": failures, "timeoutSeconds": 20})
    }

    fn failed(kind: Kind, message: &str) -> News {
        News::Failed { kind, message: message.to_owned() }
    }

    #[tokio::test]
    async fn start_up_comes_before_everything_else() {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let container = json!({"startupProbe": probe("test -e f || { touch f; echo not yet; exit 1; }", 3), "readinessProbe": probe("test -e f", 1)});
        let news = told(container, folder.path(), |news| *news == News::Ready(true)).await;
        assert_eq!(news, [failed(Kind::Startup, "not yet\n"), News::Started, News::Ready(true)]);
    }

    #[tokio::test]
    async fn a_container_is_killed_when_the_threshold_is_reached() {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let check = async |field: &str, threshold: u32, expected: &[News]| {
            let mut probe = probe("exit 1", threshold);
            probe["terminationGracePeriodSeconds"] = json!(7);
            assert_eq!(told(json!({field: probe}), folder.path(), |_| false).await, expected, "{field}");
        };
        let failure = |kind| failed(kind, "command terminated with exit code 1");
        let kill = |kind| News::Kill { kind, grace: Some(Duration::from_secs(7)) };
        check("startupProbe", 1, &[failure(Kind::Startup), kill(Kind::Startup)]).await;
        check(
            "livenessProbe",
            2,
            &[News::Started, failure(Kind::Liveness), failure(Kind::Liveness), kill(Kind::Liveness)],
        )
        .await;
        check("other", 1, &[News::Started]).await;
    }
}
