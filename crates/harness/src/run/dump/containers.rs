//! Which containers of a pod have said something, and what of an object or a log must not be shown. Knows no API server.

use std::borrow::Cow;

use serde_json::Value;

use crate::run::sha256;

/// One output of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) container: String,
    /// That of the instance before the present one.
    pub(super) previous: bool,
}

/// The outputs of a pod's containers, init containers and sidecars included. One that never started has none, which is not missing.
pub(super) fn outputs(pod: &Value) -> Vec<Output> {
    let lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
    let statuses = lists.iter().filter_map(|list| pod.get("status")?.get(list)?.as_array()).flatten();
    let mut outputs = Vec::new();
    for status in statuses {
        let Some(container) = status.get("name").and_then(Value::as_str) else { continue };
        let has_ended_before = status.pointer("/lastState/terminated").is_some_and(Value::is_object);
        let is_there = |state: &str| status.get("state").and_then(|now| now.get(state)).is_some_and(Value::is_object);
        let mut told = |previous| outputs.push(Output { container: container.to_owned(), previous });
        if is_there("running") || is_there("terminated") {
            told(false);
        }
        if has_ended_before {
            told(true);
        }
    }
    outputs
}

/// How a block of PEM begins and ends; and how it begins in base64, as in a webhook's configuration.
const PEM: [&str; 2] = ["-----BEGIN", "-----END"];
const PEM_IN_BASE64: &str = "LS0tLS1CRUdJTi";

/// Takes the values of variables that are secrets by their names, wherever they stand: as members of a list, name and value apart, they
/// look like any text. Keys and certificates in PEM are told apart by their sums alone.
pub(super) fn masked(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(masked),
        Value::Object(members) => {
            let name = members.get("name").and_then(Value::as_str).map(str::to_owned);
            let is_secret = name.is_some_and(|name| matches!(trust::redact(&format!("{name}=value")), Cow::Owned(_)));
            if let (true, Some(value @ Value::String(_))) = (is_secret, members.get_mut("value")) {
                *value = Value::from("<redacted>");
            }
            members.values_mut().for_each(masked);
        }
        Value::String(text) if text.contains(PEM[0]) || text.contains(PEM_IN_BASE64) => {
            *text = format!("<PEM, sha256 {}>", sha256(text.as_bytes()));
        }
        _ => {}
    }
}

/// A log without the keys and certificates in it.
pub(super) fn without_pem(log: &str) -> String {
    let [begin, end] = PEM;
    let mut is_inside = false;
    let mut kept = Vec::new();
    for line in log.split_inclusive('\n') {
        let begins = line.contains(begin);
        if begins || line.contains(PEM_IN_BASE64) {
            kept.push("<PEM>\n");
        } else if !is_inside {
            kept.push(line);
        }
        is_inside = (begins || is_inside) && !line.contains(end);
    }
    kept.concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_never_started_has_no_output_and_what_started_again_has_two() {
        let check = |status: Value, expected: &[(&str, bool)]| {
            let outputs = outputs(&json!({"status": status}));
            let told: Vec<_> = outputs.iter().map(|one| (one.container.as_str(), one.previous)).collect();
            assert_eq!(told, expected);
        };
        let (ended, running) = (json!({"terminated": {"exitCode": 1}}), json!({"running": {}}));
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        check(json!({}), &[]);
        check(json!({"containerStatuses": [{"name": "a", "state": waiting}]}), &[]);
        check(json!({"containerStatuses": [{"name": "a", "state": running}]}), &[("a", false)]);
        check(json!({"containerStatuses": [{"name": "a", "state": waiting, "lastState": ended}]}), &[("a", true)]);
        check(
            json!({"containerStatuses": [{"name": "a", "state": running, "lastState": ended}],
                "initContainerStatuses": [{"name": "i", "state": ended, "lastState": {}}]}),
            &[("i", false), ("a", false), ("a", true)],
        );
    }

    #[test]
    fn variables_are_masked_by_their_names_and_no_others() {
        let mut pod = json!({"spec": {"containers": [{"name": "password", "env": [
            {"name": "AWS_SECRET_ACCESS_KEY", "value": "canary"}, {"name": "AWS_REGION", "value": "eu-central-1"},
            {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}});
        masked(&mut pod);
        assert_eq!(
            pod["spec"]["containers"][0]["env"],
            json!([
            {"name": "AWS_SECRET_ACCESS_KEY", "value": "<redacted>"}, {"name": "AWS_REGION", "value": "eu-central-1"},
            {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])
        );
    }

    #[test]
    fn pem_is_told_by_its_sum_and_taken_out_of_logs() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----\n";
        let mut object = json!({"data": {"key": key}, "caBundle": "LS0tLS1CRUdJTiBDRVJU", "other": "LS0t"});
        masked(&mut object);
        assert_eq!(object["data"]["key"], format!("<PEM, sha256 {}>", sha256(key.as_bytes())));
        assert_eq!(object["caBundle"], format!("<PEM, sha256 {}>", sha256(b"LS0tLS1CRUdJTiBDRVJU")));
        assert_eq!(object["other"], "LS0t");
        let check = |log: &str, expected: &str| assert_eq!(without_pem(log), expected);
        check("a\nb", "a\nb");
        check(&format!("a\n{key}b\n"), "a\n<PEM>\nb\n");
        check("a\n-----BEGIN X-----\nMIIC", "a\n<PEM>\n");
        check("key=LS0tLS1CRUdJTiBQUk\nb", "<PEM>\nb");
        check("-----BEGIN X----- MIIC -----END X-----\nb", "<PEM>\nb");
    }
}
