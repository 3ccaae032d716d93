//! Cluster roles that are made of others: `pkg/controller/clusterroleaggregation` of Kubernetes, in the transaction of the change.

use serde_json::Value;

use super::GROUP;
use crate::object::{self, list};
use crate::resources;
use crate::selector::LabelSelector;
use crate::store::{Key, Transaction};

/// Brings the rules of every aggregating role up to date.
pub(crate) fn settle(tx: &mut Transaction<'_>) {
    let resource = resources::known(GROUP, "clusterroles");
    let keys = tx.of(resource);
    // Roles that aggregate may themselves be aggregated; a chain is no longer than there are roles.
    for _ in 0..keys.len() {
        let mut changed = false;
        for key in &keys {
            changed |= refresh(tx, key, &keys);
        }
        if !changed {
            return;
        }
    }
}

fn refresh(tx: &mut Transaction<'_>, key: &Key, all: &[Key]) -> bool {
    let Some(role) = tx.get(key) else { return false };
    let selectors: Vec<LabelSelector> = list(role.value(), "/aggregationRule/clusterRoleSelectors")
        .iter()
        .map(|selector| LabelSelector::of(Some(selector)))
        .collect();
    if selectors.is_empty() {
        return false;
    }
    let mut rules: Vec<Value> = Vec::new();
    for other in all.iter().filter(|other| *other != key) {
        let Some(other) = tx.get(other) else { continue };
        if selectors.iter().any(|selector| selector.matches(object::labels(other.value()))) {
            for rule in list(other.value(), "/rules") {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    if list(role.value(), "/rules") == rules {
        return false;
    }
    let mut value = role.value().clone();
    object::fields(&mut value).insert("rules".into(), rules.into());
    tx.put(key.clone(), value);
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Store;

    #[test]
    fn rules_are_gathered_through_a_chain() {
        let store = Store::new();
        let resource = resources::known(GROUP, "clusterroles");
        let rule = |name: &str| json!({"apiGroups": [""], "resources": [name], "verbs": ["get"]});
        let gathers = |label: &str| json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
        store.change(|tx| {
            let mut put = |name: &str, value: Value| drop(tx.put(Key::new(resource, "", name), value));
            put("all", json!({"metadata": {"name": "all"}, "aggregationRule": gathers("to-all")}));
            put("some", json!({"metadata": {"name": "some", "labels": {"to-all": "true"}}, "aggregationRule": gathers("to-some")}));
            put("leaf", json!({"metadata": {"name": "leaf", "labels": {"to-some": "true"}}, "rules": [rule("pods")]}));
            settle(tx);
        });
        let rules = |name: &str| store.get(&Key::new(resource, "", name)).map(|role| role.value()["rules"].clone());
        assert_eq!(rules("all"), Some(json!([rule("pods")])));
        store.change(|tx| {
            tx.remove(&Key::new(resource, "", "leaf"));
            settle(tx);
        });
        assert_eq!(rules("all"), Some(json!([])));
    }
}
