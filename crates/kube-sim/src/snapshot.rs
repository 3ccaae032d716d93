//! The objects of a server as they are kept where its state is to outlive it. What a start makes anew is left out: nodes with their leases,
//! events, and what holds the server's address or certificate.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Api;
use crate::controllers;
use crate::object::{self, text};
use crate::resources::{self, Resource};
use crate::store::Key;

/// The definitions of further kinds; they come before what is of these kinds.
const DEFINITIONS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");
/// What a start makes anew, by group and plural.
const MADE_ANEW: [(&str, &str); 4] =
    [("", "nodes"), ("coordination.k8s.io", "leases"), ("", "events"), ("events.k8s.io", "events")];

/// Objects of a cluster, secrets among them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    objects: Vec<Kept>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    group: String,
    version: String,
    resource: String,
    object: Value,
}

fn is_made_anew(resource: &Resource, object: &Value) -> bool {
    MADE_ANEW.contains(&(resource.group, resource.plural))
        || resource.is_core("services")
            && object::name(object) == "kubernetes"
            && text(object, "/metadata/namespace") == "default"
        || resource.is_core("configmaps") && object::name(object) == "kube-root-ca.crt"
}

pub(crate) fn take(api: &Api) -> Snapshot {
    let mut seen = BTreeSet::new();
    let each = api.kinds.all().into_iter().filter(|resource| seen.insert(resource.id));
    let objects = each.flat_map(|resource| {
        let (found, _) = api.store.list(resource, "", None);
        let kept = found.into_iter().filter(|object| !is_made_anew(resource, object.value())).map(|object| Kept {
            group: resource.group.to_owned(),
            version: resource.version.to_owned(),
            resource: resource.plural.to_owned(),
            object: object.value().clone(),
        });
        kept.collect::<Vec<_>>()
    });
    Snapshot { objects: objects.collect() }
}

/// Puts the objects in place of those that a new server has of the same names. One whose kind is not known is left out.
pub(crate) fn put_back(api: &std::sync::Arc<Api>, snapshot: Snapshot) {
    let is_definition = |kept: &Kept| (kept.group.as_str(), kept.resource.as_str()) == DEFINITIONS;
    snapshot.objects.iter().filter(|kept| is_definition(kept)).for_each(|kept| api.kinds.learn(&kept.object));
    api.store.change(|tx| {
        for Kept { group, version, resource, object } in snapshot.objects {
            let Some(resource) = api.kinds.find(&group, &version, &resource) else { continue };
            let namespace = text(&object, "/metadata/namespace").to_owned();
            let key = Key::new(resource, &namespace, object::name(&object));
            tx.put(key, object);
        }
        if api.has_controllers {
            let namespaces = tx.of(resources::core("namespaces"));
            namespaces.iter().for_each(|key| crate::lifecycle::furnish(api, tx, &key.name));
        }
    });
    controllers::start(api);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_start_makes_anew_is_left_out() {
        let check = |group: &str, plural: &str, namespace: &str, name: &str, expected: bool| {
            let object = json!({"metadata": {"namespace": namespace, "name": name}});
            assert_eq!(is_made_anew(resources::known(group, plural), &object), expected, "{plural} {name}");
        };
        check("", "nodes", "", "a", true);
        check("coordination.k8s.io", "leases", "kube-node-lease", "a", true);
        check("", "services", "default", "kubernetes", true);
        check("", "services", "shop", "kubernetes", false);
        check("", "configmaps", "shop", "kube-root-ca.crt", true);
        check("", "secrets", "shop", "a", false);
    }
}
