//! Controllers of workloads: what a Deployment, a Job and their like are turned into, and what is reported of it.
//!
//! One task for all of them, started by the first object of such a kind, woken by the store and by what is due. Each kind is a pure
//! function from what there is to a [`Plan`]; what it asks for goes the way of any client's request, admission included.

mod act;
pub(crate) mod budget;
mod cron;
mod cron_job;
mod daemon_set;
mod deployment;
mod job;
mod plan;
mod pods;
mod replica_set;
mod revisions;
mod rollout;
mod stateful_set;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::cron::Schedule;
use self::job::Counted;
use self::plan::{Plan, View};
use crate::api::Api;
use crate::object::{self, list, text};
use crate::resources::{self, Resource};
use crate::store::{Event, Key};

/// After a failure an object is looked at again so much later, and twice as much each time, up to [`LONGEST`]:
/// `ItemExponentialFailureRateLimiter` of client-go.
const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1000);

/// The kinds that there are controllers for.
pub(crate) fn is_workload(resource: &Resource) -> bool {
    match resource.group {
        "apps" => resource.plural != "controllerrevisions",
        "batch" => true,
        "policy" => resource.plural == "poddisruptionbudgets",
        _ => false,
    }
}

/// Starts the controllers, unless they run already.
pub(crate) fn start(api: &Arc<Api>) {
    if api.has_controllers && !api.controllers.swap(true, std::sync::atomic::Ordering::Relaxed) {
        tokio::spawn(run(api.clone()));
    }
}

async fn run(api: Arc<Api>) {
    // Subscribed before the first look, so that nothing falls between.
    let mut changed = api.store.subscribe();
    let stopping = api.stopping.clone();
    let mut queue = Queue { version: api.store.version(), ..Queue::default() };
    queue.all(&api);
    loop {
        changed.borrow_and_update();
        queue.collect(&api);
        while let Some(key) = queue.next() {
            tokio::select! {
                () = queue.reconcile(&api, &key) => {}
                () = stopping.cancelled() => return,
            }
            queue.collect(&api);
        }
        let due = queue.due.values().min().copied();
        tokio::select! {
            seen = changed.changed() => if seen.is_err() { return },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            () = stopping.cancelled() => return,
        }
    }
}

/// Which objects have to be looked at, now or later.
#[derive(Debug, Default)]
struct Queue {
    version: u64,
    dirty: BTreeSet<Key>,
    due: BTreeMap<Key, Instant>,
    failures: BTreeMap<Key, u32>,
    /// What is known of jobs' pods that may be gone by now, by the id of the job.
    counted: BTreeMap<String, Counted>,
}

fn workloads() -> impl Iterator<Item = &'static Resource> {
    resources::all().iter().filter(|resource| is_workload(resource))
}

impl Queue {
    fn all(&mut self, api: &Api) {
        for resource in workloads() {
            self.all_of(api, resource);
        }
    }

    fn all_of(&mut self, api: &Api, resource: &Resource) {
        self.all_in(api, resource, "");
    }

    /// All of a kind in a namespace; of none, all that there are.
    fn all_in(&mut self, api: &Api, resource: &Resource, namespace: &str) {
        for found in api.store.list(resource, namespace, None).0 {
            self.dirty.insert(Key::new(resource, object::namespace(found.value()), object::name(found.value())));
        }
    }

    fn collect(&mut self, api: &Api) {
        match api.store.all_after(self.version) {
            Ok((events, version)) => {
                self.version = version;
                events.iter().for_each(|event| self.see(api, event));
            }
            Err(_) => {
                self.version = api.store.version();
                self.all(api);
            }
        }
    }

    fn see(&mut self, api: &Api, event: &Event) {
        if let Some(resource) = workloads().find(|resource| event.key.is_of(resource)) {
            if event.deleted {
                self.forget(&event.key, object::uid(event.object.value()));
            } else {
                self.dirty.insert(event.key.clone());
            }
            self.owners(event);
            tracing::trace!(kind = resource.kind, name = event.key.name, "seen");
        } else if event.key.is_of(resources::core("pods")) {
            self.owners(event);
            self.all_in(api, resources::known("policy", "poddisruptionbudgets"), &event.key.namespace);
            let has_owner = owner(event.object.value()).is_some();
            // Someone may adopt it.
            for resource in workloads().filter(|_| !has_owner && !event.deleted && event.before.is_none()) {
                self.all_in(api, resource, &event.key.namespace);
            }
            if event.deleted || pods::is_finished(event.object.value()) {
                self.finished(event);
            }
        } else if event.key.is_of(resources::core("nodes")) && (event.deleted || event.before.is_none()) {
            self.all_of(api, resources::known("apps", "daemonsets"));
        }
    }

    /// A job is told of a pod's end even when the pod is gone before the job is looked at.
    fn finished(&mut self, event: &Event) {
        let pod = event.object.value();
        if let Some(owner) = owner(pod).filter(|owner| text(owner, "/kind") == "Job") {
            self.counted.entry(text(owner, "/uid").to_owned()).or_default().see(pod);
        }
    }

    /// Whoever owned it before or owns it now has to be looked at.
    fn owners(&mut self, event: &Event) {
        for value in event.before.iter().chain([&event.object]) {
            let Some(owner) = owner(value.value()) else { continue };
            let of_kind = |one: &&Resource| one.kind == text(owner, "/kind") && is_workload(one);
            if let Some(resource) = resources::all().iter().find(of_kind) {
                self.dirty.insert(Key::new(resource, &event.key.namespace, text(owner, "/name")));
            }
        }
    }

    fn forget(&mut self, key: &Key, uid: &str) {
        self.due.remove(key);
        self.failures.remove(key);
        self.counted.remove(uid);
    }

    fn next(&mut self) -> Option<Key> {
        let now = Instant::now();
        while let Some(key) = self.due.iter().find(|(_, at)| **at <= now).map(|(key, _)| key.clone()) {
            self.due.remove(&key);
            self.dirty.insert(key);
        }
        // One that failed waits for its turn, whatever happens to it meanwhile.
        let waits = |key: &Key| self.failures.contains_key(key) && self.due.contains_key(key);
        let key = self.dirty.iter().find(|key| !waits(key)).cloned()?;
        self.dirty.remove(&key);
        Some(key)
    }

    async fn reconcile(&mut self, api: &Arc<Api>, key: &Key) {
        let Some(resource) = workloads().find(|resource| key.is_of(resource)) else { return };
        act::adopt(api, resource, key);
        let Some(current) = api.store.get(key) else { return };
        let view = View::of(api, resource, &current);
        let plan = match (resource.group, resource.kind) {
            (_, "Deployment") => deployment::plan(&view),
            (_, "ReplicaSet") => replica_set::plan(&view),
            (_, "StatefulSet") => stateful_set::plan(&view),
            (_, "DaemonSet") => daemon_set::plan(&view),
            (_, "Job") => job::plan(&view, self.counted.entry(object::uid(current.value()).to_owned()).or_default()),
            (_, "CronJob") => cron_job::plan(&view),
            (_, "PodDisruptionBudget") => budget::plan(&view),
            _ => Plan::default(),
        };
        self.due.remove(key);
        let wake = plan.wake.map(|after| Duration::try_from(after).unwrap_or_default());
        match act::carry_out(api, resource, key, current.value(), plan).await {
            Ok(()) => {
                self.failures.remove(key);
                if let Some(after) = wake {
                    self.due.insert(key.clone(), Instant::now() + after);
                }
            }
            Err(error) => {
                tracing::debug!(kind = resource.kind, name = key.name, %error, "controller");
                let count = self.failures.entry(key.clone()).or_default();
                let wait = FIRST.saturating_mul(2_u32.saturating_pow(*count)).min(LONGEST);
                *count += 1;
                self.due.insert(key.clone(), Instant::now() + wait);
            }
        }
    }
}

/// The controller of an object, as its owner references say.
fn owner(value: &serde_json::Value) -> Option<&serde_json::Value> {
    list(value, "/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true)
}
