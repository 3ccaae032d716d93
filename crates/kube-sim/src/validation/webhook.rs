//! Rules for webhook configurations.

use serde_json::Value;

use super::{Errors, label_selector, one_of};
use crate::names;
use crate::object;
use crate::status::FieldError;

pub(super) fn configuration(value: &Value, errors: &mut Errors) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, webhook) in object::list(value, "/webhooks").iter().enumerate() {
        let here = format!("webhooks[{index}]");
        one(webhook, &here, errors);
        let name = object::text(webhook, "/name");
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{here}.name"), &name.into()));
        }
        seen.push(name);
    }
}

fn one(webhook: &Value, here: &str, errors: &mut Errors) {
    let at = |member: &str| format!("{here}.{member}");
    let name = object::text(webhook, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(at("name"), ""));
    } else {
        for complaint in names::dns_subdomain(name) {
            errors.push(FieldError::invalid(at("name"), &name.into(), &complaint));
        }
        if name.split('.').count() < 3 {
            errors.push(FieldError::invalid(
                at("name"),
                &name.into(),
                "should be a domain with at least three segments separated by dots",
            ));
        }
    }
    versions(webhook, &at("admissionReviewVersions"), errors);
    for (position, rule) in object::list(webhook, "/rules").iter().enumerate() {
        rules(rule, &format!("{here}.rules[{position}]"), errors);
    }
    one_of(&webhook["failurePolicy"], &at("failurePolicy"), &["Fail", "Ignore"], errors);
    one_of(&webhook["matchPolicy"], &at("matchPolicy"), &["Equivalent", "Exact"], errors);
    match webhook["sideEffects"].as_str() {
        None => errors.push(FieldError::required(at("sideEffects"), "must specify one of None, NoneOnDryRun")),
        Some(_) => one_of(&webhook["sideEffects"], &at("sideEffects"), &["None", "NoneOnDryRun"], errors),
    }
    if webhook["timeoutSeconds"].as_i64().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        errors.push(FieldError::invalid(
            at("timeoutSeconds"),
            &webhook["timeoutSeconds"],
            "the timeout value must be between 1 and 30 seconds",
        ));
    }
    for selector in ["namespaceSelector", "objectSelector"] {
        label_selector(&webhook[selector], &at(selector), errors);
    }
    client(&webhook["clientConfig"], &at("clientConfig"), errors);
    one_of(&webhook["reinvocationPolicy"], &at("reinvocationPolicy"), &["IfNeeded", "Never"], errors);
    conditions(webhook, &at("matchConditions"), errors);
}

fn versions(webhook: &Value, field: &str, errors: &mut Errors) {
    let versions = object::list(webhook, "/admissionReviewVersions");
    if versions.is_empty() {
        errors.push(FieldError::required(field, "must specify one of v1, v1beta1"));
        return;
    }
    let mut seen: Vec<&Value> = Vec::new();
    for (position, version) in versions.iter().enumerate() {
        if seen.contains(&version) {
            errors.push(FieldError::invalid(format!("{field}[{position}]"), version, "duplicate version"));
        }
        seen.push(version);
    }
    if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
        errors.push(FieldError::invalid(
            field,
            &webhook["admissionReviewVersions"],
            "must include at least one of v1, v1beta1",
        ));
    }
}

fn rules(rule: &Value, here: &str, errors: &mut Errors) {
    for member in ["operations", "apiGroups", "apiVersions", "resources"] {
        let items = object::list(rule, &format!("/{member}"));
        if items.is_empty() {
            errors.push(FieldError::required(format!("{here}.{member}"), ""));
        }
        let wildcard = items.iter().any(|item| item == "*");
        if wildcard && items.len() > 1 && member != "resources" {
            errors.push(FieldError::invalid(
                format!("{here}.{member}"),
                &rule[member],
                "if '*' is present, must not specify other ",
            ));
        }
        if member == "operations" {
            for (position, operation) in items.iter().enumerate() {
                one_of(
                    operation,
                    &format!("{here}.operations[{position}]"),
                    &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"],
                    errors,
                );
            }
        }
    }
    one_of(&rule["scope"], &format!("{here}.scope"), &["*", "Cluster", "Namespaced"], errors);
}

fn client(client: &Value, here: &str, errors: &mut Errors) {
    let (url, service) = (client.get("url").and_then(Value::as_str), client.get("service"));
    match (url, service) {
        (None, None) | (Some(_), Some(_)) => {
            errors.push(FieldError::required(here, "exactly one of url or service is required"))
        }
        (Some(url), None) => url_rules(url, &format!("{here}.url"), errors),
        (None, Some(service)) => {
            for member in ["name", "namespace"] {
                if object::text(service, &format!("/{member}")).is_empty() {
                    errors.push(FieldError::required(
                        format!("{here}.service.{member}"),
                        &format!("service {member} is required"),
                    ));
                }
            }
            if service["port"].as_i64().is_some_and(|port| !(1..=65535).contains(&port)) {
                errors.push(FieldError::invalid(
                    format!("{here}.service.port"),
                    &service["port"],
                    "port is not valid: must be between 1 and 65535, inclusive",
                ));
            }
        }
    }
}

fn url_rules(url: &str, field: &str, errors: &mut Errors) {
    const FORM: &str = "desired format: https://host[/path]";
    let Some((scheme, rest)) = url.split_once("://") else {
        errors.push(FieldError::invalid(field, &"".into(), &format!("'https' is the only allowed URL scheme; {FORM}")));
        return;
    };
    if scheme != "https" {
        errors.push(FieldError::invalid(
            field,
            &scheme.into(),
            &format!("'https' is the only allowed URL scheme; {FORM}"),
        ));
    }
    if rest.is_empty() || rest.starts_with('/') {
        errors.push(FieldError::invalid(field, &"".into(), &format!("host must be specified; {FORM}")));
    }
    for (sign, what) in [('@', "user information"), ('#', "fragments"), ('?', "query parameters")] {
        if let Some((_, after)) = rest.split_once(sign) {
            errors.push(FieldError::invalid(field, &after.into(), &format!("{what} are not permitted in the URL")));
        }
    }
}

/// Expressions other than the two constants are refused: this server evaluates no CEL, and says so.
fn conditions(webhook: &Value, field: &str, errors: &mut Errors) {
    for (position, condition) in object::list(webhook, "/matchConditions").iter().enumerate() {
        let here = format!("{field}[{position}]");
        let name = object::text(condition, "/name");
        if name.is_empty() {
            errors.push(FieldError::required(format!("{here}.name"), ""));
        }
        let expression = object::text(condition, "/expression").trim();
        if expression.is_empty() {
            errors.push(FieldError::required(format!("{here}.expression"), ""));
        } else if !["true", "false"].contains(&expression) {
            let detail = "the embedded server evaluates no CEL expressions but the constants true and false";
            errors.push(FieldError::invalid(format!("{here}.expression"), &expression.into(), detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::refusal;
    use super::*;

    fn with(change: Value) -> String {
        let mut webhook = json!({"name": "a.b.c", "clientConfig": {"url": "https://127.0.0.1:1/x"}, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]});
        json_patch::merge(&mut webhook, &change);
        let message =
            refusal("mutatingwebhookconfigurations", json!({"metadata": {"name": "aa"}, "webhooks": [webhook]}));
        message
            .trim_start_matches("MutatingWebhookConfiguration.admissionregistration.k8s.io \"aa\" is invalid: ")
            .to_owned()
    }

    #[test]
    fn configurations_are_refused_field_by_field() {
        let check = |change: Value, expected: &str| assert_eq!(with(change), expected);
        check(json!({}), "");
        check(
            json!({"admissionReviewVersions": ["v9"]}),
            r#"webhooks[0].admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1"#,
        );
        check(
            json!({"timeoutSeconds": 31}),
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        );
        check(
            json!({"clientConfig": {"url": "http://127.0.0.1:1/x"}}),
            r#"webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]"#,
        );
        check(
            json!({"clientConfig": {"url": null}}),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        );
        check(
            json!({"name": "short"}),
            r#"webhooks[0].name: Invalid value: "short": should be a domain with at least three segments separated by dots"#,
        );
        check(
            json!({"sideEffects": "Some"}),
            r#"webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun""#,
        );
        check(json!({"matchConditions": [{"name": "c", "expression": "false"}]}), "");
        check(
            json!({"matchConditions": [{"name": "c", "expression": "object.x == 1"}]}),
            r#"webhooks[0].matchConditions[0].expression: Invalid value: "object.x == 1": the embedded server evaluates no CEL expressions but the constants true and false"#,
        );
    }
}
