//! A pod's readiness, status and restarts in the words of `kubectl get pods` (`printPod` of `pkg/printers/internalversion`).

use jiff::Timestamp;
use serde_json::Value;

use super::cells::age;
use crate::object::{self, list, text};

/// One of a pod's computed cells.
pub(super) fn cell(pod: &Value, which: &str, now: Timestamp) -> Value {
    match which {
        "ready" => {
            let ready = statuses(pod).filter(|status| status["ready"] == true).count();
            format!("{ready}/{}", list(pod, "/spec/containers").len()).into()
        }
        "restarts" => restarts(pod, now),
        "gates" => gates(pod),
        _ => status(pod).into(),
    }
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/containerStatuses").iter()
}

fn restarts(pod: &Value, now: Timestamp) -> Value {
    let all = || statuses(pod).chain(list(pod, "/status/initContainerStatuses"));
    let count: i64 = statuses(pod).filter_map(|status| status["restartCount"].as_i64()).sum();
    let last = all().map(|status| text(status, "/lastState/terminated/finishedAt")).max().unwrap_or_default();
    if count > 0 && !last.is_empty() {
        format!("{count} ({} ago)", age(last, now)).into()
    } else {
        count.to_string().into()
    }
}

fn gates(pod: &Value) -> Value {
    let gates = list(pod, "/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".into();
    }
    let met = |gate: &&Value| {
        list(pod, "/status/conditions")
            .iter()
            .any(|one| one["type"] == gate["conditionType"] && one["status"] == "True")
    };
    format!("{}/{}", gates.iter().filter(met).count(), gates.len()).into()
}

fn status(pod: &Value) -> String {
    let own = text(pod, "/status/reason");
    let mut reason = if own.is_empty() { text(pod, "/status/phase").to_owned() } else { own.to_owned() };
    if list(pod, "/status/conditions")
        .iter()
        .any(|one| one["type"] == "PodScheduled" && one["reason"] == "SchedulingGated")
    {
        reason = "SchedulingGated".to_owned();
    }
    let init = initializing(pod);
    if let Some(why) = &init {
        reason.clone_from(why);
    } else {
        let mut has_running = false;
        for status in list(pod, "/status/containerStatuses").iter().rev() {
            if let Some(why) = halted(status) {
                reason = why;
            } else if status["ready"] == true && status.pointer("/state/running").is_some() {
                has_running = true;
            }
        }
        if reason == "Completed" && has_running {
            let ready =
                list(pod, "/status/conditions").iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
            reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if object::is_deleting(pod) {
        return if text(pod, "/status/reason") == "NodeLost" {
            "Unknown".to_owned()
        } else if ["Failed", "Succeeded"].contains(&text(pod, "/status/phase")) {
            reason
        } else {
            "Terminating".to_owned()
        };
    }
    reason
}

/// Why a container waits or has ended.
fn halted(status: &Value) -> Option<String> {
    let waiting = text(status, "/state/waiting/reason");
    if !waiting.is_empty() {
        return Some(waiting.to_owned());
    }
    let ended = status.pointer("/state/terminated")?;
    Some(ending(ended, ""))
}

fn ending(ended: &Value, prefix: &str) -> String {
    let why = match (text(ended, "/reason"), ended["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", ended["exitCode"].as_i64().unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    };
    format!("{prefix}{why}")
}

/// How far the init containers are, while they are not through.
fn initializing(pod: &Value) -> Option<String> {
    let sidecar = |name: &str| {
        list(pod, "/spec/initContainers")
            .iter()
            .any(|one| text(one, "/name") == name && text(one, "/restartPolicy") == "Always")
    };
    for (index, status) in list(pod, "/status/initContainerStatuses").iter().enumerate() {
        let ended = status.pointer("/state/terminated");
        if ended.is_some_and(|ended| ended["exitCode"] == 0)
            || (sidecar(text(status, "/name")) && status["started"] == true)
        {
            continue;
        }
        let waiting = text(status, "/state/waiting/reason");
        return Some(match ended {
            Some(ended) => ending(ended, "Init:"),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{index}/{}", list(pod, "/spec/initContainers").len()),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pods_status_is_what_its_containers_do() {
        let check = |status: Value, expected: &str| {
            let pod = json!({"metadata": {}, "spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]}, "status": status});
            assert_eq!(super::status(&pod), expected, "{pod}");
        };
        let state = |phase: &str, state: Value| json!({"phase": phase, "containerStatuses": [{"name": "a", "ready": true, "state": state}]});
        check(json!({"phase": "Pending"}), "Pending");
        check(state("Running", json!({"running": {}})), "Running");
        check(state("Pending", json!({"waiting": {"reason": "ImagePullBackOff"}})), "ImagePullBackOff");
        check(state("Succeeded", json!({"terminated": {"exitCode": 0, "reason": "Completed"}})), "Completed");
        check(state("Failed", json!({"terminated": {"exitCode": 3}})), "ExitCode:3");
        check(
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]}),
            "Init:0/1",
        );
        check(
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}),
            "Init:Error",
        );
    }
}
