//! The desk of a collection: asks the API server with a deadline for each call, writes files, and notes what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::containers::{Output, masked, outputs, without_pem};
use super::{Collected, Dump, Missing, plain};
use crate::run::kube_objects::{self, NAMESPACES};

/// Namespaces that are looked at side by side, and logs within each.
const AT_ONCE: usize = 4;
/// What is fetched of a log: its end, where a failure tells itself.
const LOG: &str = "tailLines=10000&limitBytes=1048576";

/// What stands in a namespace, and is written as it is. Secrets are not among it.
const KINDS: [(&str, &str); 3] = [("pods", "Pod"), ("serviceaccounts", "ServiceAccount"), ("configmaps", "ConfigMap")];

pub(super) struct Desk<'a> {
    dump: &'a Dump<'a>,
    folder: PathBuf,
    end: Instant,
    each: Duration,
    collected: Mutex<Collected>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(dump: &'a Dump<'a>, folder: PathBuf) -> Self {
        let (end, each) = (Instant::now() + dump.deadline, dump.deadline / 4);
        let place = folder.strip_prefix(dump.artifacts).unwrap_or(&folder).to_owned();
        let collected = Mutex::new(Collected { folder: place, ..Collected::default() });
        Self { dump, folder, end, each, collected }
    }

    /// What was had and what was not, the latter in a file of its own, too.
    pub(super) fn close(self) -> Collected {
        let mut missing = self.collected().missing.clone();
        missing.sort_by(|left, right| left.what.cmp(&right.what));
        if !missing.is_empty() {
            let lines = missing.iter().map(|one| format!("{}: {}\n", one.what, one.why));
            self.write(&self.folder.join("missing.txt"), &lines.collect::<String>());
        }
        let collected = self.collected.into_inner().unwrap_or_else(PoisonError::into_inner);
        Collected { missing, ..collected }
    }

    /// The request log so far. It only grows, so that a later one holds the earlier.
    pub(super) fn requests(&self) {
        let lines = self.dump.requests.all().into_iter().filter_map(|exchange| serde_json::to_string(&exchange).ok());
        let text: String = lines.map(|line| line + "\n").collect();
        let folder = self.dump.artifacts.join("clouds");
        // Put in place as a whole: others collect at the same time.
        let beside = folder.join(format!("requests.jsonl.{}", plain(self.dump.run.as_str())));
        if self.write(&beside, &text)
            && let Err(error) = fs::rename(&beside, folder.join("requests.jsonl"))
        {
            self.miss("the request log", &error.to_string());
        }
    }

    /// The run's webhook configurations.
    pub(super) async fn webhooks(&self) {
        let [_, (_, path)] = kube_objects::collections(self.dump.run);
        let of = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration");
        if let Some(items) = self.list("webhook configurations", &path, of).await {
            self.write_value("webhooks.json", &list_of(items));
        }
    }

    /// The run's namespaces and what stands in them.
    pub(super) async fn namespaces(&self) {
        let [(_, path), _] = kube_objects::collections(self.dump.run);
        let Some(namespaces) = self.list("namespaces", &path, ("v1", "Namespace")).await else { return };
        namespaces.iter().for_each(|namespace| self.resource("namespaces", namespace));
        let names: Vec<String> = namespaces.iter().map(|namespace| name_of(namespace).to_owned()).collect();
        let each = futures::stream::iter(&names).map(|name| self.namespace(name)).buffered(AT_ONCE);
        let events: Vec<Vec<Value>> = each.collect().await;
        self.write_value("events.json", &list_of(events.concat()));
    }

    /// Gives the events, which go into one file with those of the others.
    async fn namespace(&self, name: &str) -> Vec<Value> {
        let path = format!("{NAMESPACES}/{name}/events");
        let what = format!("events in {name}");
        let events = self.list(&what, &path, ("v1", "Event"));
        let kinds = futures::future::join_all(KINDS.map(|(plural, kind)| self.kind(name, plural, kind)));
        let (events, _) = tokio::join!(events, kinds);
        events.unwrap_or_default()
    }

    async fn kind(&self, namespace: &str, plural: &str, kind: &str) {
        let path = format!("{NAMESPACES}/{namespace}/{plural}");
        let Some(items) = self.list(&format!("{plural} in {namespace}"), &path, ("v1", kind)).await else { return };
        items.iter().for_each(|item| self.resource(plural, item));
        if kind == "Pod" {
            let outputs: Vec<(String, Output)> = items
                .iter()
                .flat_map(|pod| outputs(pod).into_iter().map(|output| (name_of(pod).to_owned(), output)))
                .collect();
            let logs = futures::stream::iter(&outputs).map(|(pod, output)| self.log(namespace, pod, output));
            logs.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        }
    }

    async fn log(&self, namespace: &str, pod: &str, output: &Output) {
        let Output { container, previous } = output;
        let skip = if self.dump.trusts_node { "" } else { "&insecureSkipTLSVerifyBackend=true" };
        let query = format!("container={container}&previous={previous}&{LOG}{skip}");
        let path = format!("{NAMESPACES}/{namespace}/pods/{pod}/log?{query}");
        let which = if *previous { "previous log" } else { "log" };
        let text = async { self.dump.client.request_text(get(&path)?).await };
        if let Some(text) = self.had(&format!("{which} of {namespace}/{pod}/{container}"), text).await {
            let previous = if *previous { ".previous" } else { "" };
            let name = plain(&format!("{namespace}_{pod}_{container}{previous}.log"));
            self.write(&self.folder.join("podlogs").join(name), &without_pem(&text));
        }
    }

    /// What a collection holds; the members say themselves what they are, which a list leaves out.
    async fn list(&self, what: &str, path: &str, (version, kind): (&str, &str)) -> Option<Vec<Value>> {
        let list = async { self.dump.client.request::<Value>(get(path)?).await };
        let mut list = self.had(what, list).await?;
        let Some(items) = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take) else {
            self.miss(what, "the answer is no list");
            return None;
        };
        Some(items.into_iter().map(|item| typed(item, version, kind)).collect())
    }

    /// Asks, with a deadline of its own.
    async fn had<T>(&self, what: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Option<T> {
        let now = Instant::now();
        let until = self.end.min(now + self.each);
        if now >= until {
            self.miss(what, "no time was left");
            return None;
        }
        match timeout_at(until, call).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(kube::Error::Api(status))) => self.miss(what, &format!("{} ({})", status.message, status.code)),
            Ok(Err(error)) => self.miss(what, &error.to_string()),
            Err(_) => self.miss(what, &format!("no answer within {} ms", (until - now).as_millis())),
        }
        None
    }

    fn resource(&self, plural: &str, object: &Value) {
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
        let parts: Vec<&str> = [plural].into_iter().chain(namespace).chain([name_of(object)]).collect();
        self.write_value(&format!("resources/{}.json", plain(&parts.join("_"))), object);
    }

    fn write_value(&self, name: &str, value: &Value) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => drop(self.write(&self.folder.join(name), &(text + "\n"))),
            Err(error) => self.miss(name, &error.to_string()),
        }
    }

    /// Whether it was written.
    fn write(&self, file: &Path, text: &str) -> bool {
        let folder = file.parent().unwrap_or(&self.folder);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, trust::redact(text).as_bytes()));
        match written {
            Ok(()) => self.collected().files += 1,
            Err(ref error) => self.miss(&file.display().to_string(), &format!("it cannot be written: {error}")),
        }
        written.is_ok()
    }

    fn miss(&self, what: &str, why: &str) {
        self.collected().missing.push(Missing { what: what.to_owned(), why: trust::redact(why).into_owned() });
    }

    fn collected(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn get(path: &str) -> Result<http::Request<Vec<u8>>, kube::Error> {
    http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)
}

fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// As `kubectl get -o json` shows it: with its type, and without the bookkeeping of who owns which field.
fn typed(mut object: Value, version: &str, kind: &str) -> Value {
    masked(&mut object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    let mut typed = Map::new();
    typed.insert("apiVersion".to_owned(), version.into());
    typed.insert("kind".to_owned(), kind.into());
    if let Value::Object(members) = object {
        typed.extend(members.into_iter().filter(|(name, _)| name != "apiVersion" && name != "kind"));
    }
    Value::Object(typed)
}

fn list_of(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
