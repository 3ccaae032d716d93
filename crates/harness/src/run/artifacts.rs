//! Evidence of a run in its artifacts folder. What cannot be written is a warning: it must not change a verdict.

use std::path::{Path, PathBuf};

use egress::RequestLog;
use scenario::{Cloud, Scenario};
use serde_json::Value;

use super::Settings;
use super::federate::LiveCell;
use super::workload::{Observation, Seen};

/// The admitted pod, without the bookkeeping of who owns which field (as `kubectl get -o json` shows it), and its log.
pub(crate) fn pod(settings: &Settings, cluster: &str, cell: &LiveCell, scenario: &Scenario, seen: &Observation) {
    let mut pod = seen.admitted.clone();
    if let Some(metadata) = pod.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    let admitted = serde_json::to_string_pretty(&pod).unwrap_or_default();
    let name = format!("{}_{}.json", cell.names.namespace, scenario.pod.name);
    write(&settings.artifacts.join(folder(cluster)).join("resources").join(name), &admitted);
    logs(settings, cluster, &cell.names.namespace, &scenario.pod.name, scenario, &seen.seen);
}

/// The logs of a pod's containers.
pub(crate) fn logs(
    settings: &Settings,
    cluster: &str,
    namespace: &str,
    pod: &str,
    scenario: &Scenario,
    containers: &[Seen],
) {
    for one in containers {
        write(&settings.artifacts.join(log_path(cluster, namespace, pod, scenario, one.cloud)), &one.log);
    }
}

/// Where a cell's log lies, as the user would name it.
pub(crate) fn log_file(
    settings: &Settings,
    cluster: &str,
    cell: &LiveCell,
    scenario: &Scenario,
    cloud: Cloud,
) -> PathBuf {
    settings.options.artifacts_dir.join(settings.folder()).join(log_path(
        cluster,
        &cell.names.namespace,
        &scenario.pod.name,
        scenario,
        cloud,
    ))
}

fn log_path(cluster: &str, namespace: &str, pod: &str, scenario: &Scenario, cloud: Cloud) -> PathBuf {
    let container = scenario.target(cloud).map(|(name, _)| name).unwrap_or_default();
    let name = format!("{namespace}_{pod}_{container}.log");
    folder(cluster).join("podlogs").join(name)
}

/// Where a cluster's files lie in the run's folder.
pub(crate) fn folder(cluster: &str) -> PathBuf {
    let cluster: String =
        cluster.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    Path::new("clusters").join(cluster)
}

/// The request log of the wire.
pub(crate) fn requests(settings: &Settings, log: &RequestLog) {
    let lines: Vec<String> = log.all().iter().filter_map(|exchange| serde_json::to_string(exchange).ok()).collect();
    write(&settings.artifacts.join("clouds").join("requests.jsonl"), &(lines.join("\n") + "\n"));
}

/// What stood in a cloud before or after the run, or what differs.
pub(crate) fn inventory(settings: &Settings, cloud: &str, name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    write(&settings.artifacts.join("clouds").join(cloud).join(format!("{name}.json")), &text);
}

fn write(file: &Path, text: &str) {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    let text = trust::redact(text);
    if let Err(error) = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(file, text.as_bytes())) {
        tracing::warn!(file = %file.display(), %error, "an artifact was not written");
    }
}
