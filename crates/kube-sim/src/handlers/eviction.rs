//! `pods/eviction`: a deletion that a PodDisruptionBudget may forbid, as `kubectl drain` asks for it.
//!
//! Follows `pkg/registry/core/pod/storage/eviction.go`. The pods are counted when it asks: a status may be older.

use http::StatusCode;
use serde_json::{Value, json};

use super::delete;
use crate::api::{Answer, Call};
use crate::controllers::budget;
use crate::decode::{self, Expected};
use crate::lifecycle;
use crate::object::{self, list, text};
use crate::request::WriteOptions;
use crate::resources;
use crate::respond;
use crate::selector::LabelSelector;
use crate::status::Status;

const VIOLATED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

pub(super) async fn create(call: &mut Call<'_>) -> Answer {
    call.require_json()?;
    respond::negotiate(&call.headers)?;
    let mut write = WriteOptions::of(&call.params, "CreateOptions")?;
    let expected = Expected { group: "policy", version: "v1", kind: "Eviction", custom: None };
    let eviction = decode::object(&call.body, expected, write.field_validation, &mut call.warnings)?;
    if object::name(&eviction) != call.info.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    write.dry_run |= list(&eviction, "/deleteOptions/dryRun").iter().any(|one| one == "All");
    let options = delete::of_body(&eviction["deleteOptions"])?;
    let (api, resource, key) = (call.api, call.resource, call.key());
    let pod = api.store.get(&key).ok_or_else(|| call.not_found())?;
    let is_over = ["Succeeded", "Failed", "Pending"].contains(&text(pod.value(), "/status/phase"));
    if !is_over && !object::is_deleting(pod.value()) {
        budget(call, pod.value())?;
    }
    delete::admit(call, &key, pod.value(), &write).await?;
    if !write.dry_run {
        api.store.change(|tx| lifecycle::delete(api, tx, resource, &key, &options))?;
    }
    let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(respond::value(StatusCode::CREATED, &done))
}

/// # Errors
/// 429 when the pod's budget has no room, 500 when it has two budgets.
fn budget(call: &Call<'_>, pod: &Value) -> Result<(), Status> {
    let namespace = object::namespace(pod);
    let budgets = call.api.store.list(resources::known("policy", "poddisruptionbudgets"), namespace, None).0;
    let selects = |budget: &Value, pod: &Value| {
        let selector = LabelSelector::of(budget.pointer("/spec/selector"));
        !selector.is_empty() && selector.matches(object::labels(pod))
    };
    let mut matching = budgets.iter().map(|budget| budget.value()).filter(|budget| selects(budget, pod));
    let (Some(budget), second) = (matching.next(), matching.next()) else {
        return Ok(());
    };
    if second.is_some() {
        let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(Status::plain(500, why));
    }
    let name = object::name(budget);
    let refuse = |why: String, seconds: u64| {
        Err(Status::too_many_requests(VIOLATED, seconds).caused_by("DisruptionBudget", &why))
    };
    if !call.api.has_controllers {
        return refuse(format!("The disruption budget {name} is still being processed by the server."), 10);
    }
    let pods = call.api.store.list(resources::core("pods"), namespace, None).0;
    let counted: Vec<&Value> = pods.iter().map(|one| one.value()).filter(|one| selects(budget, one)).collect();
    let healthy = counted.iter().filter(|one| budget::is_healthy(one)).count();
    let desired = budget::desired(&budget["spec"], counted.len());
    if !budget::is_healthy(pod) && healthy >= desired && desired > 0 {
        return Ok(());
    }
    if healthy <= desired {
        return refuse(
            format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"),
            0,
        );
    }
    Ok(())
}
