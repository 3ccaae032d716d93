//! Rules for roles and bindings: `pkg/apis/rbac/validation` of Kubernetes.

use serde_json::{Value, json};

use super::Errors;
use crate::names;
use crate::object::{list, text};
use crate::resources::Resource;
use crate::status::FieldError;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn check(resource: &Resource, value: &Value, errors: &mut Errors) {
    match resource.plural {
        "roles" | "clusterroles" => {
            for (index, one) in list(value, "/rules").iter().enumerate() {
                rule(one, resource.namespaced, &format!("rules[{index}]"), errors);
            }
            if let Some(aggregation) = value.get("aggregationRule").filter(|one| one.is_object()) {
                let selectors = list(aggregation, "/clusterRoleSelectors");
                if selectors.is_empty() {
                    let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
                    errors.push(FieldError::required("aggregationRule.clusterRoleSelectors", why));
                }
                for (index, selector) in selectors.iter().enumerate() {
                    super::label_selector(selector, &format!("aggregationRule.clusterRoleSelectors[{index}]"), errors);
                }
            }
        }
        _ => binding(value, resource.namespaced, errors),
    }
}

fn rule(rule: &Value, is_local: bool, at: &str, errors: &mut Errors) {
    let has = |member: &str| !list(rule, member).is_empty();
    if !has("/verbs") {
        errors.push(FieldError::required(format!("{at}.verbs"), "verbs must contain at least one value"));
    }
    if has("/nonResourceURLs") {
        let field = format!("{at}.nonResourceURLs");
        let urls = &rule["nonResourceURLs"];
        if is_local {
            errors.push(FieldError::invalid(&field, urls, "namespaced rules cannot apply to non-resource URLs"));
        }
        if ["/apiGroups", "/resources", "/resourceNames"].into_iter().any(has) {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            errors.push(FieldError::invalid(&field, urls, why));
        }
        return;
    }
    if !has("/apiGroups") {
        let why = "resource rules must supply at least one api group";
        errors.push(FieldError::required(format!("{at}.apiGroups"), why));
    }
    if !has("/resources") {
        let why = "resource rules must supply at least one resource";
        errors.push(FieldError::required(format!("{at}.resources"), why));
    }
}

fn binding(value: &Value, is_local: bool, errors: &mut Errors) {
    let of = |member: &str| text(value, &format!("/roleRef/{member}"));
    if of("apiGroup") != GROUP {
        errors.push(FieldError::unsupported("roleRef.apiGroup", &of("apiGroup").into(), &[GROUP]));
    }
    let kinds: &[&str] = if is_local { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&of("kind")) {
        errors.push(FieldError::unsupported("roleRef.kind", &of("kind").into(), kinds));
    }
    if of("name").is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    } else {
        for complaint in names::path_segment(of("name")) {
            errors.push(FieldError::invalid("roleRef.name", &of("name").into(), &complaint));
        }
    }
    for (index, one) in list(value, "/subjects").iter().enumerate() {
        subject(one, is_local, &format!("subjects[{index}]"), errors);
    }
}

fn subject(subject: &Value, is_local: bool, at: &str, errors: &mut Errors) {
    let (kind, name, group) = (text(subject, "/kind"), text(subject, "/name"), text(subject, "/apiGroup"));
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    }
    match kind {
        "ServiceAccount" => {
            for complaint in if name.is_empty() { Vec::new() } else { names::dns_subdomain(name) } {
                errors.push(FieldError::invalid(format!("{at}.name"), &name.into(), &complaint));
            }
            if !group.is_empty() {
                errors.push(FieldError::unsupported(format!("{at}.apiGroup"), &group.into(), &[""]));
            }
            if !is_local && text(subject, "/namespace").is_empty() {
                errors.push(FieldError::required(format!("{at}.namespace"), ""));
            }
        }
        "User" | "Group" => {
            if name.is_empty() {
                let why = format!("{} name cannot be empty", kind.to_lowercase());
                errors.push(FieldError::invalid(format!("{at}.name"), &json!(""), &why));
            }
            if group != GROUP {
                errors.push(FieldError::unsupported(format!("{at}.apiGroup"), &group.into(), &[GROUP]));
            }
        }
        _ => errors.push(FieldError::unsupported(
            format!("{at}.kind"),
            &kind.into(),
            &["ServiceAccount", "User", "Group"],
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::refusal;
    use super::*;

    #[test]
    fn roles_and_bindings_are_refused_field_by_field() {
        let check = |plural: &str, mut value: Value, expected: &str| {
            value["metadata"] = json!({"name": "a"});
            let message = refusal(plural, value);
            assert_eq!(message.split_once(" is invalid: ").map_or("", |(_, causes)| causes), expected);
        };
        let pods = |verbs: &[&str]| json!({"apiGroups": [""], "resources": ["pods"], "verbs": verbs});
        check("roles", json!({"rules": [pods(&["get"])]}), "");
        check(
            "roles",
            json!({"rules": [pods(&[])]}),
            "rules[0].verbs: Required value: verbs must contain at least one value",
        );
        check(
            "roles",
            json!({"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}),
            r#"rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs"#,
        );
        check("clusterroles", json!({"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}), "");
        check(
            "clusterroles",
            json!({"rules": [{"verbs": ["get"]}]}),
            "[rules[0].apiGroups: Required value: resource rules must supply at least one api group, rules[0].resources: Required value: resource rules must supply at least one resource]",
        );
        check(
            "clusterrolebindings",
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "x"}]}),
            r#"[roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole", subjects[0].namespace: Required value]"#,
        );
        check(
            "rolebindings",
            json!({"roleRef": {"kind": "Role", "name": "a/b"}, "subjects": [{"kind": "User", "name": ""}, {"kind": "Robot", "name": "r"}]}),
            r#"[roleRef.name: Invalid value: "a/b": may not contain '/', subjects[0].name: Required value, subjects[0].name: Invalid value: "": user name cannot be empty, subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"]"#,
        );
    }
}
