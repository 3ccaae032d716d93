//! One cell of a table: a member of the object, a count, an age, or something that takes code.

use jiff::Timestamp;
use serde_json::Value;

use super::pods;
use crate::object::{self, list, text};

const NONE: &str = "<none>";

/// How a cell is computed.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// The member at a JSON pointer, and what stands for an absent one.
    Member(String, &'static str),
    /// A number that is 0 when absent; with a second one, `a/b`.
    Number(String, Option<String>),
    Age(String, &'static str),
    /// Named code with an argument.
    Code(&'static str, &'static str),
    /// The member at a JSON path of a definition.
    Path(Vec<Step>, bool),
}

/// One step of a JSON path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A member, or the index of an item.
    Member(String),
    /// The first item whose member has this text.
    First(String, String),
}

impl Step {
    /// A filter at the beginning of a path, and what comes behind it.
    fn filter(path: &str) -> Option<(Self, &str)> {
        let (condition, rest) = path.strip_prefix("[?(@.")?.split_once(")]")?;
        let (member, text) = condition.split_once("==")?;
        Some((Self::First(member.trim().to_owned(), text.trim().trim_matches(['"', '\'']).to_owned()), rest))
    }

    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match (self, value) {
            (Self::Member(name), Value::Array(items)) => items.get(name.parse::<usize>().ok()?),
            (Self::Member(name), other) => other.get(name),
            (Self::First(member, wanted), items) => {
                items.as_array()?.iter().find(|item| item.get(member).and_then(Value::as_str) == Some(wanted))
            }
        }
    }
}

impl Cell {
    /// `.a.b` a member (with `?`: `<none>` when absent), `#.a` a number, `#.a/.b` two, `@.a` an age, `!name argument` code.
    pub(super) fn parse(text: &'static str) -> Self {
        let optional = text.ends_with('?');
        let text = text.trim_end_matches('?');
        if let Some(code) = text.strip_prefix('!') {
            let (name, argument) = code.split_once(' ').unwrap_or((code, ""));
            return Cell::Code(name, argument);
        }
        if let Some(numbers) = text.strip_prefix('#') {
            let mut paths = numbers.split('/').map(|path| path.replace('.', "/"));
            return Cell::Number(paths.next().unwrap_or_default(), paths.next());
        }
        match text.strip_prefix('@') {
            Some(path) => Cell::Age(path.replace('.', "/"), if optional { NONE } else { "<unknown>" }),
            None => Cell::Member(text.replace('.', "/"), if optional { NONE } else { "" }),
        }
    }

    /// A simple JSON path (`.spec.a[0].b`, `.metadata.annotations.x\.y`, `.status.conditions[?(@.type=="Ready")].status`).
    pub(super) fn of_path(path: &str, is_date: bool) -> Self {
        let mut steps = Vec::new();
        let mut rest = path;
        while !rest.is_empty() {
            if let Some((step, after)) = Step::filter(rest) {
                steps.push(step);
                rest = after;
                continue;
            }
            let mut name = String::new();
            let mut letters = rest.char_indices().skip(usize::from(rest.starts_with(['.', '[']))).peekable();
            while let Some((_, letter)) = letters.next_if(|(_, letter)| !['.', '['].contains(letter)) {
                match letter {
                    '\\' => name.extend(letters.next().map(|(_, escaped)| escaped)),
                    ']' | '\'' | '"' => {}
                    other => name.push(other),
                }
            }
            rest = letters.peek().map_or("", |(at, _)| &rest[*at..]);
            if !name.is_empty() {
                steps.push(Step::Member(name));
            }
        }
        Cell::Path(steps, is_date)
    }

    pub(super) fn of(&self, object: &Value, now: Timestamp) -> Value {
        match self {
            Cell::Member(path, absent) => match object.pointer(path) {
                Some(Value::String(text)) if text.is_empty() => (*absent).into(),
                Some(value) => value.clone(),
                None => (*absent).into(),
            },
            Cell::Number(path, second) => {
                let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
                match second {
                    Some(second) => format!("{}/{}", number(path), number(second)).into(),
                    None => number(path).into(),
                }
            }
            Cell::Age(path, absent) => match text(object, path) {
                "" => (*absent).into(),
                time => age(time, now).into(),
            },
            Cell::Code(name, argument) => code(name, argument, object, now),
            Cell::Path(steps, is_date) => {
                let found = steps.iter().try_fold(object, |value, step| step.of(value)).unwrap_or(&Value::Null);
                match found.as_str() {
                    Some(time) if *is_date => age(time, now).into(),
                    _ => found.clone(),
                }
            }
        }
    }
}

/// Time since, as `duration.HumanDuration` writes it.
pub(super) fn age(time: &str, now: Timestamp) -> String {
    time.parse::<Timestamp>().map_or_else(|_| "<unknown>".to_owned(), |then| human(now.as_second() - then.as_second()))
}

fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let with = |whole: String, rest: i64, unit: &str| if rest == 0 { whole } else { format!("{whole}{rest}{unit}") };
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => with(format!("{minutes}m"), seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => with(format!("{hours}h"), minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => with(format!("{days}d"), hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => with(format!("{}y", days / 365), days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

fn joined(parts: Vec<String>) -> Value {
    if parts.is_empty() { NONE.into() } else { parts.join(",").into() }
}

fn pairs(value: Option<&Value>) -> Value {
    let pairs = value.and_then(Value::as_object).into_iter().flatten();
    let mut pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    pairs.sort();
    joined(pairs)
}

fn texts(value: &Value, pointer: &str, member: &str) -> Vec<String> {
    list(value, pointer).iter().map(|one| text(one, member).to_owned()).collect()
}

fn code(name: &str, argument: &str, object: &Value, now: Timestamp) -> Value {
    let count = |pointer: &str| list(object, pointer).len();
    let template = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let containers = || template.iter().find_map(|path| object.pointer(path)).cloned().unwrap_or_default();
    match name {
        "pod" => pods::cell(object, argument, now),
        "available" => match object.pointer(&format!("/spec/{argument}")) {
            Some(Value::String(text)) => text.as_str().into(),
            Some(number) => number.to_string().into(),
            None => "N/A".into(),
        },
        "map" => pairs(object.pointer(argument)),
        "list" => joined(list(object, argument).iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        "data" => {
            let members = ["data", "binaryData"].iter().filter_map(|key| object.get(key)?.as_object());
            members.map(object::Fields::len).sum::<usize>().into()
        }
        "containers" => joined(texts(&containers(), "/containers", "/name")),
        "images" => joined(texts(&containers(), "/containers", "/image")),
        "selector" => selector(object),
        "external" => {
            let given = texts(object, "/status/loadBalancer/ingress", "/ip");
            if given.is_empty() && text(object, "/spec/type") == "LoadBalancer" {
                "<pending>".into()
            } else {
                joined(given)
            }
        }
        "ports" => joined(list(object, "/spec/ports").iter().map(service_port).collect()),
        "endpoints" => joined(list(object, "/subsets").iter().flat_map(addresses).collect()),
        "node" => node(object, argument),
        "event" => event(object, argument, now),
        "owner" => {
            let owner = list(object, "/metadata/ownerReferences").iter().find(|one| one["controller"] == true);
            owner.map_or(NONE.into(), |owner| {
                format!("{}/{}", text(owner, "/kind").to_lowercase(), text(owner, "/name")).into()
            })
        }
        "job" => job(object, argument, now),
        "suspend" => if object.pointer("/spec/suspend") == Some(&true.into()) { "True" } else { "False" }.into(),
        "active" => count("/status/active").into(),
        "hosts" => {
            let hosts = texts(object, "/spec/rules", "/host");
            if hosts.iter().all(String::is_empty) { "*".into() } else { joined(hosts) }
        }
        "address" => texts(object, "/status/loadBalancer/ingress", "/ip").join(",").into(),
        "ingress" => if count("/spec/tls") > 0 { "80, 443" } else { "80" }.into(),
        "expansion" => (object["allowVolumeExpansion"] == true).into(),
        "default" => (object["globalDefault"] == true).into(),
        "role" => format!("{}/{}", text(object, "/roleRef/kind"), text(object, "/roleRef/name")).into(),
        "subjects" => {
            let wanted = list(object, "/subjects").iter().filter(|one| text(one, "/kind") == argument);
            let name = |one: &Value| match text(one, "/namespace") {
                "" => text(one, "/name").to_owned(),
                namespace => format!("{namespace}/{}", text(one, "/name")),
            };
            wanted.map(name).collect::<Vec<_>>().join(", ").into()
        }
        "webhooks" => count("/webhooks").into(),
        _ => Value::Null,
    }
}

fn selector(object: &Value) -> Value {
    let mut parts: Vec<String> = Vec::new();
    for (key, value) in object.pointer("/spec/selector/matchLabels").and_then(Value::as_object).into_iter().flatten() {
        parts.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    parts.sort();
    for one in list(object, "/spec/selector/matchExpressions") {
        let (key, values) =
            (text(one, "/key"), list(one, "/values").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
        parts.push(match text(one, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    joined(parts)
}

fn service_port(port: &Value) -> String {
    let number = &port["port"];
    let protocol = text(port, "/protocol");
    match port["nodePort"].as_i64() {
        Some(node) if node > 0 => format!("{number}:{node}/{protocol}"),
        _ => format!("{number}/{protocol}"),
    }
}

fn addresses(subset: &Value) -> Vec<String> {
    let ports: Vec<String> = list(subset, "/ports").iter().map(|port| port["port"].to_string()).collect();
    let one = |address: &Value| ports.iter().map(|port| format!("{}:{port}", text(address, "/ip"))).collect::<Vec<_>>();
    list(subset, "/addresses").iter().flat_map(one).collect()
}

fn node(object: &Value, which: &str) -> Value {
    match which {
        "status" => {
            let ready = list(object, "/status/conditions").iter().find(|one| one["type"] == "Ready");
            let mut status = match ready.map(|one| text(one, "/status")) {
                Some("True") => "Ready",
                Some(_) => "NotReady",
                None => "Unknown",
            }
            .to_owned();
            if object.pointer("/spec/unschedulable") == Some(&true.into()) {
                status.push_str(",SchedulingDisabled");
            }
            status.into()
        }
        "roles" => {
            let roles = object::labels(object).into_iter().flatten();
            joined(
                roles.filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/")).map(str::to_owned).collect(),
            )
        }
        kind => {
            let found = list(object, "/status/addresses").iter().find(|one| text(one, "/type") == kind);
            found.map_or(NONE, |one| text(one, "/address")).into()
        }
    }
}

fn event(object: &Value, which: &str, now: Timestamp) -> Value {
    let first_of =
        |paths: &[&str]| paths.iter().map(|path| text(object, path)).find(|time| !time.is_empty()).map(str::to_owned);
    let seen = |paths: &[&str]| first_of(paths).map_or_else(|| "<unknown>".to_owned(), |time| age(&time, now)).into();
    match which {
        "last" => seen(&["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"]),
        "first" => seen(&["/firstTimestamp", "/eventTime"]),
        "count" => {
            object.pointer("/series/count").or_else(|| object.get("count")).and_then(Value::as_i64).unwrap_or(1).into()
        }
        "object" => {
            format!("{}/{}", text(object, "/involvedObject/kind").to_lowercase(), text(object, "/involvedObject/name"))
                .into()
        }
        _ => {
            let component = first_of(&["/source/component", "/reportingComponent"]).unwrap_or_default();
            match first_of(&["/source/host", "/reportingInstance"]) {
                Some(host) => format!("{component}, {host}").into(),
                None => component.into(),
            }
        }
    }
}

fn job(object: &Value, which: &str, now: Timestamp) -> Value {
    let has = |kind: &str| {
        list(object, "/status/conditions").iter().any(|one| one["type"] == kind && one["status"] == "True")
    };
    match which {
        "status" => match () {
            () if has("Complete") => "Complete",
            () if has("Failed") => "Failed",
            () if object::is_deleting(object) => "Terminating",
            () if has("Suspended") => "Suspended",
            () if has("FailureTarget") => "FailureTarget",
            () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
            () => "Running",
        }
        .into(),
        "completions" => {
            let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
            let succeeded = number("/status/succeeded").unwrap_or(0);
            match (number("/spec/completions"), number("/spec/parallelism").unwrap_or(0)) {
                (Some(wanted), _) => format!("{succeeded}/{wanted}").into(),
                (None, parallel) if parallel > 1 => format!("{succeeded}/1 of {parallel}").into(),
                (None, _) => format!("{succeeded}/1").into(),
            }
        }
        _ => {
            let time = |path: &str| text(object, path).parse::<Timestamp>().ok();
            match (time("/status/startTime"), time("/status/completionTime")) {
                (None, _) => "".into(),
                (Some(start), end) => human(end.unwrap_or(now).as_second() - start.as_second()).into(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ages_lose_precision_as_they_grow() {
        for (seconds, expected) in [
            (-5, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (3600, "60m"),
            (10_800, "3h"),
            (11_460, "3h11m"),
            (100_000, "27h"),
            (200_000, "2d7h"),
            (8_640_000, "100d"),
            (70_000_000, "2y80d"),
            (300_000_000, "9y"),
        ] {
            assert_eq!(human(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn definitions_name_cells_by_json_paths() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let object = json!({
            "spec": {"list": [{"a": 1}], "since": "2026-01-01T00:00:00Z"},
            "metadata": {"annotations": {"x.y/z": "v"}},
            "status": {"conditions": [{"type": "Issued", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        let check = |path: &str, is_date, expected: Value| {
            assert_eq!(Cell::of_path(path, is_date).of(&object, now), expected, "{path}")
        };
        check(r#".status.conditions[?(@.type=="Ready")].status"#, false, json!("True"));
        check(".status.conditions[?(@.type == 'Issued')].status", false, json!("False"));
        check(r#".status.conditions[?(@.type=="None")].status"#, false, Value::Null);
        check(".status.conditions[?(@.type", false, Value::Null);
        check("[", false, object.clone());
        check(".spec.list[0].a", false, json!(1));
        check(".spec.since", true, json!("60s"));
        check(r".metadata.annotations.x\.y/z", false, json!("v"));
        check(".spec.nope", false, Value::Null);
    }
}
