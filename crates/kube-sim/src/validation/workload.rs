//! Rules for the kinds that carry a pod template, as far as a stored object needs them.

use serde_json::Value;

use super::{Errors, pod};
use crate::controllers::Schedule;
use crate::object;
use crate::selector::LabelSelector;
use crate::status::FieldError;

pub(super) fn set(value: &Value, errors: &mut Errors) {
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

/// A job, or what a CronJob makes jobs of: `at` is where the pod's specification lies.
pub(super) fn job(value: &Value, at: &str, errors: &mut Errors) {
    let Some(spec) = value.pointer(&format!("/{}", at.replace('.', "/"))) else {
        return;
    };
    pod::spec(spec, at, errors);
    match object::text(spec, "/restartPolicy") {
        "Never" | "OnFailure" => {}
        "Always" => {
            errors.push(FieldError::required(format!("{at}.restartPolicy"), "valid values: \"OnFailure\", \"Never\""));
        }
        other => {
            errors.push(FieldError::unsupported(format!("{at}.restartPolicy"), &other.into(), &["OnFailure", "Never"]));
        }
    }
}

/// What a job was made of cannot be changed.
pub(super) fn job_update(value: &Value, old: &Value, errors: &mut Errors) {
    for (pointer, field) in [
        ("/spec/completionMode", "spec.completionMode"),
        ("/spec/selector", "spec.selector"),
        ("/spec/template", "spec.template"),
    ] {
        // A suspended job that never began may still be placed elsewhere: that is not looked at here.
        if value.pointer(pointer) != old.pointer(pointer) {
            let shown = value.pointer(pointer).cloned().unwrap_or(Value::Null);
            errors.push(FieldError::invalid(field, &shown, "field is immutable"));
        }
    }
}

pub(super) fn cron_job(value: &Value, errors: &mut Errors) {
    let schedule = object::text(value, "/spec/schedule");
    if schedule.is_empty() {
        errors.push(FieldError::required("spec.schedule", ""));
    } else if let Err(why) = Schedule::parse(schedule) {
        errors.push(FieldError::invalid("spec.schedule", &schedule.into(), &why));
    }
    job(value, "spec.jobTemplate.spec.template.spec", errors);
}
