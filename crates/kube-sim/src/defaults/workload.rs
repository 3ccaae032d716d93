//! Defaults of the kinds that carry a pod template.

use serde_json::{Value, json};

use super::pod_spec;
use crate::object::{self, Fields, default, section};

pub(super) fn apply(kind: &str, value: &mut Value) {
    match kind {
        "Deployment" => deployment(value),
        "ReplicaSet" => replica_set(value),
        "StatefulSet" => stateful_set(value),
        "DaemonSet" => daemon_set(value),
        "Job" => job(value),
        "CronJob" => cron_job(value),
        _ => {}
    }
}

fn deployment(value: &mut Value) {
    let spec = section(value, "spec");
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let strategy = object::fields(spec.entry("strategy").or_insert_with(|| json!({})));
    default(strategy, "type", "RollingUpdate");
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        let rolling = object::fields(strategy.entry("rollingUpdate").or_insert_with(|| json!({})));
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
    template(spec);
    default(object::fields(value), "status", json!({}));
}

fn replica_set(value: &mut Value) {
    let spec = section(value, "spec");
    default(spec, "replicas", 1);
    template(spec);
    default(object::fields(value), "status", json!({"replicas": 0}));
}

fn stateful_set(value: &mut Value) {
    let spec = section(value, "spec");
    default(spec, "replicas", 1);
    default(spec, "podManagementPolicy", "OrderedReady");
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
    let strategy = object::fields(spec.entry("updateStrategy").or_insert_with(|| json!({})));
    default(strategy, "type", "RollingUpdate");
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        let rolling = object::fields(strategy.entry("rollingUpdate").or_insert_with(|| json!({})));
        default(rolling, "partition", 0);
    }
    template(spec);
    default(object::fields(value), "status", json!({"replicas": 0, "availableReplicas": 0}));
}

fn daemon_set(value: &mut Value) {
    let spec = section(value, "spec");
    default(spec, "revisionHistoryLimit", 10);
    let strategy = object::fields(spec.entry("updateStrategy").or_insert_with(|| json!({})));
    default(strategy, "type", "RollingUpdate");
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        let rolling = object::fields(strategy.entry("rollingUpdate").or_insert_with(|| json!({})));
        default(rolling, "maxUnavailable", 1);
        default(rolling, "maxSurge", 0);
    }
    template(spec);
}

fn cron_job(value: &mut Value) {
    let spec = section(value, "spec");
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    let job = spec.entry("jobTemplate").or_insert_with(|| json!({}));
    default(object::fields(job), "metadata", json!({}));
    template(section(job, "spec"));
    default(object::fields(value), "status", json!({}));
}

fn job(value: &mut Value) {
    let spec = section(value, "spec");
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        default(spec, "completions", 1);
    }
    for (key, number) in [("parallelism", 1), ("backoffLimit", 6)] {
        default(spec, key, number);
    }
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    default(spec, "podReplacementPolicy", replacement);
    template(spec);
    default(object::fields(value), "status", json!({}));
}

fn template(spec: &mut Fields) {
    let template = spec.entry("template").or_insert_with(|| json!({}));
    default(object::fields(template), "metadata", json!({}));
    pod_spec(section(template, "spec"));
}
