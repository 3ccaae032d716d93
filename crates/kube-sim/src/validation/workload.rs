//! Rules for the kinds that carry a pod template, as far as a stored object needs them.

use serde_json::Value;

use super::{Errors, pod};
use crate::object;
use crate::selector::LabelSelector;
use crate::status::FieldError;

pub(super) fn deployment(value: &Value, errors: &mut Errors) {
    let selector = value.pointer("/spec/selector");
    match selector {
        None => errors.push(FieldError::required("spec.selector", "")),
        Some(selector) => super::label_selector(selector, "spec.selector", errors),
    }
    let labels = value.pointer("/spec/template/metadata/labels");
    if selector.is_some() && !LabelSelector::of(selector).matches(labels.and_then(Value::as_object)) {
        let shown = labels.cloned().unwrap_or(Value::Null);
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            &shown,
            "`selector` does not match template `labels`",
        ));
    }
    if let Some(spec) = value.pointer("/spec/template/spec") {
        pod::spec(spec, "spec.template.spec", errors);
        let policy = object::text(spec, "/restartPolicy");
        if policy != "Always" {
            errors.push(FieldError::unsupported("spec.template.spec.restartPolicy", &policy.into(), &["Always"]));
        }
    }
}

pub(super) fn immutable_selector(value: &Value, old: &Value, errors: &mut Errors) {
    if value.pointer("/spec/selector") != old.pointer("/spec/selector") {
        let shown = value.pointer("/spec/selector").cloned().unwrap_or(Value::Null);
        errors.push(FieldError::invalid("spec.selector", &shown, "field is immutable"));
    }
}

pub(super) fn job(value: &Value, errors: &mut Errors) {
    let Some(spec) = value.pointer("/spec/template/spec") else {
        return;
    };
    pod::spec(spec, "spec.template.spec", errors);
    match object::text(spec, "/restartPolicy") {
        "Never" | "OnFailure" => {}
        "Always" => {
            errors.push(FieldError::required(
                "spec.template.spec.restartPolicy",
                "valid values: \"OnFailure\", \"Never\"",
            ));
        }
        other => errors.push(FieldError::unsupported(
            "spec.template.spec.restartPolicy",
            &other.into(),
            &["OnFailure", "Never"],
        )),
    }
}
