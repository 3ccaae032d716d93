//! What differs from one recording to the next is replaced by a name in pointed brackets; the rest is compared member by member.

use serde_json::Value;

/// The value without times, ids, versions, ports and random suffixes.
pub(super) fn normal(value: &Value) -> Value {
    at("", value)
}

fn at(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("resourceVersion" | "continue", _) => "<rv>".into(),
        ("remainingItemCount", _) => "<n>".into(),
        ("serverAddress", _) => "<host>".into(),
        (_, Value::Object(fields)) => {
            let kept = fields.iter().filter(|(key, _)| *key != "managedFields");
            Value::Object(kept.map(|(key, value)| (key.clone(), at(key, value))).collect())
        }
        (_, Value::Array(items)) => items.iter().map(|item| at(key, item)).collect(),
        (_, Value::String(text)) => plain(text).into(),
        (_, other) => other.clone(),
    }
}

fn plain(text: &str) -> String {
    // Go's structs before and after a change are not imitated.
    let text = text.split("\n@@ ").next().unwrap_or_default();
    let text = shaped(text, "dddd-dd-ddTdd:dd:ddZ", "<time>");
    let text = shaped(&text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "<uid>");
    let text = followed(&text, "eyJ", false, "<jwt>", |c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let mut text = text;
    for prefix in ["kube-api-access-", "gen-", "gp-"] {
        text = followed(&text, prefix, true, "<sfx>", |c| "bcdfghjklmnpqrstvwxz2456789".contains(c));
    }
    for host in ["127.0.0.1:", "localhost:"] {
        text = followed(&text, host, true, "<port>", |c| c.is_ascii_digit());
    }
    text.replace("https://127.0.0.1:<port>/openid", "https://<host>/openid")
}

/// Replaces what looks like the shape: `d` a digit, `x` a hexadecimal one, the rest itself.
fn shaped(text: &str, shape: &str, name: &str) -> String {
    let fits = |piece: &str| {
        piece.chars().zip(shape.chars()).all(|(given, wanted)| match wanted {
            'd' => given.is_ascii_digit(),
            'x' => given.is_ascii_hexdigit(),
            other => given == other,
        })
    };
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        if rest.get(..shape.len()).is_some_and(fits) {
            out.push_str(name);
            rest = &rest[shape.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Replaces the letters of a kind that follow a prefix.
fn followed(text: &str, prefix: &str, keeps_prefix: bool, name: &str, belongs: impl Fn(char) -> bool) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(prefix) {
        let after = &rest[start + prefix.len()..];
        let end = after.find(|c| !belongs(c)).unwrap_or(after.len());
        out.push_str(&rest[..start + if keeps_prefix || end == 0 { prefix.len() } else { 0 }]);
        if end > 0 {
            out.push_str(name);
        }
        rest = &after[end..];
    }
    out + rest
}

/// Lists where two values differ.
pub(super) fn differences(path: &str, given: &Value, recorded: &Value, found: &mut Vec<String>) {
    match (given, recorded) {
        (Value::Object(given), Value::Object(recorded)) => {
            for (key, value) in given {
                differences(&format!("{path}.{key}"), value, recorded.get(key).unwrap_or(&Value::Null), found);
            }
            for (key, value) in recorded.iter().filter(|(key, _)| !given.contains_key(*key)) {
                found.push(format!("  {path}.{key}: absent, recorded {value}"));
            }
        }
        (Value::Array(given), Value::Array(recorded)) if given.len() == recorded.len() => {
            for (index, (given, recorded)) in given.iter().zip(recorded).enumerate() {
                differences(&format!("{path}[{index}]"), given, recorded, found);
            }
        }
        _ if given == recorded => {}
        _ => found.push(format!("  {path}: {given}\n    recorded {recorded}")),
    }
}
