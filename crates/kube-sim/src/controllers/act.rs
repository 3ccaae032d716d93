//! Carrying out what a controller plans: as requests of a client, through admission and validation, and with events for people.

use std::sync::Arc;

use futures::future::join_all;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::plan::{self, Plan, Step};
use super::{owner, pods};
use crate::api::{Api, Call};
use crate::handlers;
use crate::object::{self, list, text};
use crate::request::{Params, RequestInfo};
use crate::resources::{self, Resource};
use crate::status::Status;
use crate::store::Key;
use crate::user::User;

/// Acts for one object.
struct Actor<'a> {
    api: &'a Arc<Api>,
    resource: &'static Resource,
    owner: &'a Value,
}

/// Does the steps, then writes the status.
///
/// # Errors
/// The first failure; what came before it is done.
pub(super) async fn carry_out(
    api: &Arc<Api>,
    resource: &'static Resource,
    key: &Key,
    owner: &Value,
    plan: Plan,
) -> Result<(), String> {
    let actor = Actor { api, resource, owner };
    let mut failure = None;
    let mut creations = Vec::new();
    for step in plan.steps {
        let done = match step {
            Step::Create(kind, value) => {
                creations.push((kind, value));
                Ok(())
            }
            Step::Delete(kind, name, uid) => actor.delete(kind, &name, &uid).await,
            Step::Change(kind, name, patch) => actor.change(kind, &name, "", &patch).await,
            Step::Event(kind, reason, message) => actor.event(kind, reason, &message).await,
        };
        failure = failure.or(done.err());
    }
    failure = failure.or(actor.create_all(creations).await.err());
    if let Some(mut status) = plan.status {
        if resource.kind == "ReplicaSet" {
            failed(&mut status, owner, failure.as_ref(), &api.now());
        }
        if owner.get("status") != Some(&status) && api.store.get(key).is_some() {
            let written = actor.change(resource, &key.name, "status", &status).await;
            failure = failure.or(written.err());
        }
    }
    failure.map_or(Ok(()), |status| Err(status.message))
}

/// A ReplicaSet says that it cannot make its pods.
fn failed(status: &mut Value, owner: &Value, failure: Option<&Status>, now: &str) {
    let mut conditions = list(owner, "/status/conditions").to_vec();
    conditions.retain(|one| failure.is_some() || text(one, "/type") != "ReplicaFailure");
    if let Some(failure) = failure {
        plan::set_condition(&mut conditions, "ReplicaFailure", true, "FailedCreate", &failure.message, now);
    }
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
}

/// Makes objects that the owner means its own, and lets go of those that it means no longer.
pub(super) fn adopt(api: &Api, resource: &'static Resource, key: &Key) {
    let kind = match resource.kind {
        "Deployment" => resources::known("apps", "replicasets"),
        "CronJob" | "PodDisruptionBudget" => return,
        _ => resources::core("pods"),
    };
    let Some(current) = api.store.get(key).filter(|current| !object::is_deleting(current.value())) else { return };
    let uid = object::uid(current.value());
    for found in api.store.list(kind, &key.namespace, None).0 {
        let value = found.value();
        let is_meant = pods::selects(current.value(), value);
        let is_own = owner(value).is_some_and(|one| one["uid"] == uid);
        let adopts = is_meant && owner(value).is_none() && !object::is_deleting(value) && !pods::is_finished(value);
        if !adopts && (is_meant || !is_own) {
            continue;
        }
        let mut changed = value.clone();
        let mut owners = list(value, "/metadata/ownerReferences").to_vec();
        owners.retain(|one| one["uid"] != uid);
        if adopts {
            owners.push(plan::reference(resource, current.value()));
        }
        object::metadata(&mut changed).insert("ownerReferences".into(), owners.into());
        api.store.change(|tx| {
            let place = Key::new(kind, &key.namespace, object::name(value));
            if tx.get(&place).is_some_and(|now| now.resource_version() == found.resource_version()) {
                tx.put(place, changed);
            }
        });
    }
}

impl Actor<'_> {
    fn names(&self) -> (&'static str, &'static str) {
        match self.resource.kind {
            "Deployment" => ("deployment-controller", "deployment-controller"),
            "ReplicaSet" => ("replicaset-controller", "replicaset-controller"),
            "StatefulSet" => ("statefulset-controller", "statefulset-controller"),
            "DaemonSet" => ("daemon-set-controller", "daemonset-controller"),
            "Job" => ("job-controller", "job-controller"),
            "PodDisruptionBudget" => ("disruption-controller", "controllermanager"),
            _ => ("cronjob-controller", "cronjob-controller"),
        }
    }

    fn call(&self, resource: &'static Resource, verb: &'static str, name: &str, subresource: &str) -> Call<'_> {
        let namespace = object::namespace(self.owner);
        let groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"];
        let user = User {
            name: trust::Subject::service_account("kube-system", self.names().0).as_str().to_owned(),
            groups: groups.map(str::to_owned).to_vec(),
            ..User::default()
        };
        let info = RequestInfo {
            is_resource: true,
            verb: verb.into(),
            group: resource.group.to_owned(),
            version: resource.version.to_owned(),
            namespace: namespace.to_owned(),
            resource: resource.plural.to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            ..RequestInfo::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("kube-controller-manager/v1.36.2"));
        let (params, body) = (Params::default(), bytes::Bytes::new());
        Call { api: self.api, user, info, params, headers, resource, body, warnings: Vec::new() }
    }

    /// One, then two, then four at once, as long as none fails: `slowStartBatch`.
    async fn create_all(&self, creations: Vec<(&'static Resource, Value)>) -> Result<(), Status> {
        let mut rest = creations.into_iter();
        let mut size = 1;
        loop {
            let batch: Vec<_> = rest.by_ref().take(size).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let done = join_all(batch.into_iter().map(|(kind, value)| self.create(kind, value))).await;
            done.into_iter().collect::<Result<Vec<()>, Status>>()?;
            size *= 2;
        }
    }

    async fn create(&self, kind: &'static Resource, value: Value) -> Result<(), Status> {
        let name = object::name(&value).to_owned();
        let mut call = self.call(kind, "create", "", "");
        match handlers::create_object(&mut call, value).await {
            Ok(()) => {
                if kind.is_core("pods") || kind.plural == "jobs" {
                    let what = if kind.is_core("pods") { "pod: " } else { "job " };
                    self.event("Normal", "SuccessfulCreate", &format!("Created {what}{name}")).await?;
                }
                Ok(())
            }
            // Made before, under a name that tells for whom.
            Err(status) if status.code == 409 && !kind.is_core("pods") => Ok(()),
            Err(status) => {
                self.event("Warning", "FailedCreate", &format!("Error creating: {}", status.message)).await?;
                Err(status)
            }
        }
    }

    async fn delete(&self, kind: &'static Resource, name: &str, uid: &str) -> Result<(), Status> {
        let mut call = self.call(kind, "delete", name, "");
        call.body = json!({"propagationPolicy": "Background", "preconditions": {"uid": uid}}).to_string().into();
        match handlers::delete_object(&mut call).await {
            Ok(()) if kind.is_core("pods") => {
                self.event("Normal", "SuccessfulDelete", &format!("Deleted pod: {name}")).await
            }
            Err(status) if ![404, 409].contains(&status.code) => Err(status),
            _ => Ok(()),
        }
    }

    /// Merges a patch, or replaces the status.
    async fn change(&self, kind: &'static Resource, name: &str, part: &str, change: &Value) -> Result<(), Status> {
        let mut call = self.call(kind, "update", name, part);
        let changed = handlers::change_object(&mut call, |old| {
            let mut value = old.clone();
            if part == "status" {
                object::fields(&mut value).insert("status".into(), change.clone());
            } else {
                json_patch::merge(&mut value, change);
            }
            value
        });
        match changed.await {
            Err(status) if status.code != 404 => Err(status),
            _ => Ok(()),
        }
    }

    /// Tells people; the same words again are counted.
    async fn event(&self, kind: &'static str, reason: &str, message: &str) -> Result<(), Status> {
        let events = resources::core("events");
        let now = self.api.now();
        let uid = object::uid(self.owner);
        let is_same = |one: &Value| {
            text(one, "/involvedObject/uid") == uid
                && text(one, "/reason") == reason
                && text(one, "/message") == message
        };
        if kind == "Warning" {
            let (known, _) = self.api.store.list(events, object::namespace(self.owner), None);
            if let Some(one) = known.iter().map(|one| one.value()).find(|one| is_same(one)) {
                let count = one["count"].as_i64().unwrap_or(1) + 1;
                return self
                    .change(events, object::name(one), "", &json!({"count": count, "lastTimestamp": now}))
                    .await;
            }
        }
        let name = object::name(self.owner);
        let component = self.names().1;
        let event = json!({
            "metadata": {"name": format!("{name}.{}{}", object::suffix(), object::suffix()), "namespace": object::namespace(self.owner)},
            "involvedObject": {
                "kind": self.resource.kind, "namespace": object::namespace(self.owner), "name": name, "uid": uid,
                "apiVersion": self.resource.api_version(), "resourceVersion": text(self.owner, "/metadata/resourceVersion"),
            },
            "reason": reason, "message": message, "source": {"component": component},
            "firstTimestamp": now, "lastTimestamp": now, "count": 1, "type": kind,
            "eventTime": null, "reportingComponent": component, "reportingInstance": "",
        });
        let mut call = self.call(events, "create", "", "");
        match handlers::create_object(&mut call, event).await {
            // A namespace that goes takes no more of them.
            Err(status) if [403, 404].contains(&status.code) => Ok(()),
            other => other,
        }
    }
}
