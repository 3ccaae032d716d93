//! A pod's readiness, status and restarts in the words of `kubectl get pods` (`printPod` of `pkg/printers/internalversion`).

use jiff::Timestamp;
use serde_json::Value;

use super::cells::age;
use crate::object::{self, list, text};

/// One of a pod's computed cells.
pub(super) fn cell(pod: &Value, which: &str, now: Timestamp) -> Value {
    match which {
        "ready" => ready(pod).into(),
        "restarts" => restarts(pod, now),
        "gates" => gates(pod),
        _ => status(pod).into(),
    }
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/containerStatuses").iter()
}

fn is_sidecar(pod: &Value, name: &str) -> bool {
    list(pod, "/spec/initContainers")
        .iter()
        .any(|one| text(one, "/name") == name && text(one, "/restartPolicy") == "Always")
}

/// Sidecars are counted with the containers.
fn ready(pod: &Value) -> String {
    let sidecars = || list(pod, "/spec/initContainers").iter().filter(|one| text(one, "/restartPolicy") == "Always");
    let is_up = |status: &&Value| status["started"] == true && is_sidecar(pod, text(status, "/name"));
    let up = list(pod, "/status/initContainerStatuses").iter().filter(is_up);
    let ready = statuses(pod).chain(up).filter(|status| status["ready"] == true).count();
    format!("{ready}/{}", list(pod, "/spec/containers").len() + sidecars().count())
}

/// While the pod initializes, those of its init containers up to the present one; then those of what goes on.
fn restarts(pod: &Value, now: Timestamp) -> Value {
    let init = list(pod, "/status/initContainerStatuses");
    let initialized =
        list(pod, "/status/conditions").iter().any(|one| one["type"] == "Initialized" && one["status"] == "True");
    let counted: Vec<&Value> = match present_init(pod) {
        Some(index) if !initialized => init.iter().take(index + 1).collect(),
        _ => init.iter().filter(|one| is_sidecar(pod, text(one, "/name"))).chain(statuses(pod)).collect(),
    };
    let count: i64 = counted.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    let ends = counted.iter().map(|status| text(status, "/lastState/terminated/finishedAt"));
    let last = ends.max().unwrap_or_default();
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
    let index = present_init(pod)?;
    let status = &list(pod, "/status/initContainerStatuses")[index];
    let waiting = text(status, "/state/waiting/reason");
    Some(match status.pointer("/state/terminated") {
        Some(ended) => ending(ended, "Init:"),
        None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
        None => format!("Init:{index}/{}", list(pod, "/spec/initContainers").len()),
    })
}

/// The first init container that neither has done its work nor goes on beside the others.
fn present_init(pod: &Value) -> Option<usize> {
    list(pod, "/status/initContainerStatuses").iter().position(|status| {
        let is_done = status.pointer("/state/terminated").is_some_and(|ended| ended["exitCode"] == 0);
        !(is_done || is_sidecar(pod, text(status, "/name")) && status["started"] == true)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sidecars_and_init_containers_are_counted_where_they_matter() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        let status = |name: &str, restarts: i64, state: Value| json!({"name": name, "ready": true, "started": true, "restartCount": restarts, "state": state});
        let check = |init: Value, main: Value, expected: [&str; 2]| {
            let pod = json!({"metadata": {}, "spec": {
                "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}, {"name": "j"}],
                "containers": [{"name": "a"}]}, "status": {"initContainerStatuses": init, "containerStatuses": main}});
            assert_eq!([cell(&pod, "ready", now), cell(&pod, "restarts", now)], expected, "{pod}");
        };
        let (up, done) = (json!({"running": {}}), json!({"terminated": {"exitCode": 0}}));
        let failing = status("i", 3, json!({"waiting": {"reason": "CrashLoopBackOff"}}));
        let waits = json!({"name": "a", "ready": false, "restartCount": 0, "state": {"waiting": {}}});
        check(json!([failing]), json!([waits]), ["0/2", "3"]);
        let later = status("j", 2, json!({"terminated": {"exitCode": 1}}));
        check(json!([status("i", 3, done.clone()), status("s", 1, up.clone()), later]), json!([waits]), ["1/2", "6"]);
        let over = json!([status("i", 3, done.clone()), status("s", 1, up.clone()), status("j", 2, done)]);
        check(over, json!([status("a", 4, up)]), ["2/2", "5"]);
    }

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
