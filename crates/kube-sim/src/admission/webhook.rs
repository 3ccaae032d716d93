//! Which mutating webhooks are called, in which order and how often, and what their answers do to the object.

use std::sync::Arc;

use serde_json::Value;

use super::call::{self, CallError};
use super::{Attributes, Callers, review};
use crate::defaults;
use crate::object::{self, Object, list, text};
use crate::resources;
use crate::selector::LabelSelector;
use crate::status::Status;
use crate::store::{Key, Store};

/// What the rounds have seen, as the real server's reinvocation context keeps it.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    is_second: bool,
    changed: bool,
    /// Called, and to be called again if anything changes.
    called: Vec<String>,
    /// To be called in the second round.
    again: Vec<String>,
    /// The object after the last webhook.
    last: Option<Value>,
}

impl Rounds {
    /// A webhook changed the object, so that the chain runs again.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// Starts the second round: what the built-in plugins changed meanwhile counts as a change.
    pub(super) fn second(&mut self, attributes: &Attributes<'_>) {
        self.is_second = true;
        if self.last != attributes.object {
            self.require_again();
        }
    }

    fn require_again(&mut self) {
        self.again.append(&mut self.called);
    }
}

/// Calls the webhooks that match, in the order of their configurations' names.
pub(super) async fn run(
    store: &Store,
    callers: &Callers,
    attributes: &mut Attributes<'_>,
    rounds: &mut Rounds,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    // Webhook configurations themselves are exempt: a broken webhook must not prevent its own repair.
    if attributes.resource.group == "admissionregistration.k8s.io" {
        return Ok(());
    }
    let configurations: Vec<Arc<Object>> =
        store.list(resources::known("admissionregistration.k8s.io", "mutatingwebhookconfigurations"), "", None).0;
    for configuration in &configurations {
        for (index, webhook) in list(configuration.value(), "/webhooks").iter().enumerate() {
            if !matches(store, webhook, attributes) {
                continue;
            }
            let id = format!("{}/{index}", object::name(configuration.value()));
            // A webhook that did not match in the first round is not called for the first time in the second.
            if rounds.is_second && !rounds.again.contains(&id) {
                continue;
            }
            match one(store, callers, webhook, attributes, warnings).await {
                Ok(changed) => {
                    if changed {
                        rounds.changed = true;
                        rounds.require_again();
                    }
                }
                Err(CallError::Refused(status)) => return Err(status),
                Err(CallError::Failed(reason)) => {
                    let error = format!("failed calling webhook {:?}: {reason}", text(webhook, "/name"));
                    if text(webhook, "/failurePolicy") != "Ignore" {
                        return Err(Status::internal(&error));
                    }
                    tracing::warn!(webhook = text(webhook, "/name"), %error, "failed open");
                }
            }
            if text(webhook, "/reinvocationPolicy") == "IfNeeded" {
                rounds.called.push(id);
            }
        }
    }
    rounds.last.clone_from(&attributes.object);
    Ok(())
}

/// Calls one webhook and applies its patch. True when the object is another one afterwards.
async fn one(
    store: &Store,
    callers: &Callers,
    webhook: &Value,
    attributes: &mut Attributes<'_>,
    warnings: &mut Vec<String>,
) -> Result<bool, CallError> {
    let answer = call::call(store, callers, webhook, attributes, warnings).await?;
    warnings.extend(answer.warnings);
    let Some(patch) = answer.patch else {
        return Ok(false);
    };
    let name = text(webhook, "/name");
    let Some(object) = &attributes.object else {
        let why = format!(
            "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
        );
        return Err(CallError::Refused(Status::internal(&why)));
    };
    let internal = |why: String| CallError::Refused(Status::internal(&why));
    let mut patched = review::apply(attributes.resource, object, &patch).map_err(internal)?;
    attributes.resource.decode(&mut patched).map_err(internal)?;
    let changed = patched != *object;
    defaults::apply(attributes.resource, &mut patched);
    attributes.object = Some(patched);
    Ok(changed)
}

fn matches(store: &Store, webhook: &Value, attributes: &Attributes<'_>) -> bool {
    list(webhook, "/rules").iter().any(|rule| rule_matches(rule, attributes))
        && namespace_matches(store, webhook, attributes)
        && object_matches(webhook, attributes)
        && list(webhook, "/matchConditions").iter().all(|condition| text(condition, "/expression").trim() == "true")
}

fn rule_matches(rule: &Value, attributes: &Attributes<'_>) -> bool {
    let resource = attributes.resource;
    let has = |member: &str, wanted: &str| list(rule, member).iter().any(|one| one == "*" || one == wanted);
    let is_namespace = resource.is_core("namespaces");
    let scope = match text(rule, "/scope") {
        "Namespaced" => !is_namespace && !attributes.namespace.is_empty(),
        "Cluster" => is_namespace || attributes.namespace.is_empty(),
        _ => true,
    };
    scope
        && has("/operations", attributes.operation.name())
        && has("/apiGroups", resource.group)
        && has("/apiVersions", resource.version)
        && list(rule, "/resources").iter().filter_map(Value::as_str).any(|wanted| {
            let (wanted, part) = wanted.split_once('/').unwrap_or((wanted, ""));
            (wanted == "*" || wanted == resource.plural) && (part == "*" || part == attributes.subresource)
        })
}

fn namespace_matches(store: &Store, webhook: &Value, attributes: &Attributes<'_>) -> bool {
    let selector = LabelSelector::of(webhook.get("namespaceSelector"));
    if selector.is_empty() || (attributes.namespace.is_empty() && !attributes.resource.is_core("namespaces")) {
        return true;
    }
    if attributes.resource.is_core("namespaces")
        && attributes.subresource.is_empty()
        && let Some(namespace) = &attributes.object
    {
        return selector.matches(object::labels(namespace));
    }
    let namespace = store.get(&Key::new(resources::core("namespaces"), "", attributes.namespace));
    namespace.is_some_and(|namespace| selector.matches(object::labels(namespace.value())))
}

fn object_matches(webhook: &Value, attributes: &Attributes<'_>) -> bool {
    let selector = LabelSelector::of(webhook.get("objectSelector"));
    selector.is_empty()
        || [&attributes.object, &attributes.old]
            .into_iter()
            .flatten()
            .any(|object| selector.matches(object::labels(object)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admission::Operation;
    use crate::user::User;

    fn store() -> Store {
        let store = Store::new();
        let namespace = json!({"metadata": {"name": "n", "labels": {"team": "a"}}});
        store.change(|tx| tx.put(Key::new(resources::core("namespaces"), "", "n"), namespace));
        store
    }

    fn check(webhook: Value, subresource: &str, expected: bool) {
        let mut whole = json!({"rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"}]});
        json_patch::merge(&mut whole, &webhook);
        let user = User::anonymous();
        let attributes = Attributes {
            operation: Operation::Create,
            resource: resources::core("pods"),
            subresource,
            namespace: "n",
            name: "p",
            user: &user,
            options: Value::Null,
            dry_run: false,
            object: Some(json!({"metadata": {"labels": {"use": "true"}}})),
            old: None,
        };
        assert_eq!(matches(&store(), &whole, &attributes), expected, "{webhook} {subresource}");
    }

    #[test]
    fn rules_selectors_and_conditions_all_must_match() {
        let rule = |change: Value| {
            let mut rule = json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"});
            json_patch::merge(&mut rule, &change);
            json!({"rules": [rule]})
        };
        check(json!({}), "", true);
        check(json!({}), "status", false);
        check(rule(json!({"resources": ["pods/*"]})), "status", true);
        check(rule(json!({"resources": ["*/*"]})), "", true);
        check(rule(json!({"operations": ["UPDATE"]})), "", false);
        check(rule(json!({"apiGroups": ["apps"]})), "", false);
        check(rule(json!({"scope": "Cluster"})), "", false);
        check(json!({"namespaceSelector": {"matchLabels": {"team": "a"}}}), "", true);
        check(json!({"namespaceSelector": {"matchLabels": {"team": "b"}}}), "", false);
        check(json!({"objectSelector": {"matchLabels": {"use": "true"}}}), "", true);
        check(json!({"objectSelector": {"matchExpressions": [{"key": "use", "operator": "DoesNotExist"}]}}), "", false);
        check(json!({"matchConditions": [{"name": "c", "expression": "false"}]}), "", false);
    }
}
