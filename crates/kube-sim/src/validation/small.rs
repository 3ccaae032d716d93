//! Rules for kinds that have few of them.

use serde_json::Value;

use super::Errors;
use crate::object::{self, text};
use crate::status::FieldError;

/// An event lies where the object lies that it is about; what has no namespace is told of in `default`.
pub(super) fn event(value: &Value, errors: &mut Errors) {
    let (home, about) = (object::namespace(value), text(value, "/involvedObject/namespace"));
    let fits = if about.is_empty() { home == "default" } else { home == about };
    if !fits {
        errors.push(FieldError::invalid("involvedObject.namespace", &about.into(), "does not match event.namespace"));
    }
}

pub(super) fn lease(value: &Value, errors: &mut Errors) {
    let mut least = |member: &str, limit: i64, why: &str| {
        if let Some(number) = value["spec"][member].as_i64().filter(|number| *number < limit) {
            errors.push(FieldError::invalid(format!("spec.{member}"), &number.into(), why));
        }
    };
    least("leaseDurationSeconds", 1, "must be greater than 0");
    least("leaseTransitions", 0, "must be greater than or equal to 0");
}

/// `pkg/apis/policy/validation`.
pub(super) fn budget(value: &Value, errors: &mut Errors) {
    let spec = &value["spec"];
    let given = |member: &str| spec.get(member).filter(|one| !one.is_null());
    if given("minAvailable").is_some() && given("maxUnavailable").is_some() {
        let why = "minAvailable and maxUnavailable cannot be both set";
        errors.push(FieldError::invalid("spec", spec, why));
    }
    for member in ["minAvailable", "maxUnavailable"] {
        if let Some(one) = given(member) {
            int_or_percent(one, &format!("spec.{member}"), errors);
        }
    }
    if let Some(selector) = given("selector") {
        super::label_selector(selector, "spec.selector", errors);
    }
}

fn int_or_percent(value: &Value, field: &str, errors: &mut Errors) {
    let Some(text) = value.as_str() else {
        if value.as_i64().is_some_and(|number| number < 0) {
            errors.push(FieldError::invalid(field, value, "must be greater than or equal to 0"));
        }
        return;
    };
    let digits =
        text.strip_suffix('%').filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    match digits.map(str::parse::<u64>) {
        None => {
            let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            errors.push(FieldError::invalid(field, value, why));
        }
        Some(Ok(0..=100)) => {}
        Some(_) => errors.push(FieldError::invalid(field, value, "must not be greater than 100%")),
    }
}

/// `pkg/apis/scheduling/validation`.
pub(super) fn priority_class(value: &Value, errors: &mut Errors) {
    const HIGHEST: i64 = 1_000_000_000;
    let (name, number) = (object::name(value), value["value"].as_i64().unwrap_or(0));
    if name.starts_with("system-") {
        let why = "priority class names with 'system-' prefix are reserved for system use only. error: only the following system classes are allowed: system-node-critical, system-cluster-critical";
        errors.push(FieldError::forbidden("metadata.name", why));
    } else if number > HIGHEST {
        let why = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        errors.push(FieldError::forbidden("value", &why));
    }
    super::one_of(&value["preemptionPolicy"], "preemptionPolicy", &["Never", "PreemptLowerPriority"], errors);
}

pub(super) fn priority_class_update(value: &Value, old: &Value, errors: &mut Errors) {
    if value.get("value") != old.get("value") {
        errors.push(FieldError::forbidden("value", "may not be changed in an update."));
    }
    if value.get("preemptionPolicy") != old.get("preemptionPolicy") {
        errors.push(FieldError::invalid("preemptionPolicy", &value["preemptionPolicy"], "field is immutable"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::refusal;
    use super::*;

    #[test]
    fn small_kinds_are_refused_field_by_field() {
        let check = |plural: &str, mut value: Value, expected: &str| {
            value["metadata"]["name"] = "a".into();
            let message = refusal(plural, value);
            assert_eq!(message.split_once(" is invalid: ").map_or("", |(_, causes)| causes), expected);
        };
        let event =
            |home: &str, about: &str| json!({"metadata": {"namespace": home}, "involvedObject": {"namespace": about}});
        check("events", event("n", "n"), "");
        check("events", event("default", ""), "");
        check(
            "events",
            event("n", "m"),
            r#"involvedObject.namespace: Invalid value: "m": does not match event.namespace"#,
        );
        check(
            "leases",
            json!({"spec": {"leaseDurationSeconds": 0}}),
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        );
        check("poddisruptionbudgets", json!({"spec": {"minAvailable": "50%"}}), "");
        check(
            "poddisruptionbudgets",
            json!({"spec": {"maxUnavailable": "101%"}}),
            r#"spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%"#,
        );
        check(
            "poddisruptionbudgets",
            json!({"spec": {"minAvailable": -1}}),
            "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0",
        );
        check(
            "priorityclasses",
            json!({"value": 1_000_000_001}),
            "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
        );
    }
}
