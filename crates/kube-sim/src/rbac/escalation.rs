//! Nobody grants more than what they hold: what keeps who may write roles from making themselves an administrator.
//!
//! Follows `pkg/registry/rbac` of Kubernetes: its `policybased` storages and `ConfirmNoEscalation`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{GROUP, authorize, rules};
use crate::object::{self, list, text};
use crate::request::RequestInfo;
use crate::resources::{self, Resource};
use crate::status::Status;
use crate::store::{Key, Store};
use crate::user::User;

/// Checks a role or a binding before it is stored; `old` is what it replaces.
///
/// # Errors
/// 403 for who holds less than it grants, 404 for a binding to a role that there is not.
pub(crate) fn confirm(
    store: &Store,
    user: &User,
    resource: &Resource,
    namespace: &str,
    value: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    if resource.group != GROUP || user.is_in("system:masters") {
        return Ok(());
    }
    let name = object::name(value);
    let refuse = |why: &str| Err(Status::forbidden(GROUP, resource.plural, name, why));
    let may = |verb: &'static str, plural: &str, name: &str| {
        let info = RequestInfo {
            is_resource: true,
            verb: verb.into(),
            group: GROUP.to_owned(),
            version: "*".to_owned(),
            namespace: namespace.to_owned(),
            resource: plural.to_owned(),
            name: name.to_owned(),
            ..RequestInfo::default()
        };
        authorize(store, user, &info).allowed
    };
    if matches!(resource.plural, "roles" | "clusterroles") {
        // A new object's name is not in its path.
        if may("escalate", resource.plural, if old.is_some() { name } else { "" }) {
            return Ok(());
        }
        let is_same = |key: &str| old.is_some_and(|old| old.get(key) == value.get(key));
        if !is_same("rules")
            && let Some(why) = excess(store, user, namespace, list(value, "/rules"))
        {
            return refuse(&why);
        }
        let full = [
            json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
            json!({"nonResourceURLs": ["*"], "verbs": ["*"]}),
        ];
        let aggregates = value.get("aggregationRule").is_some_and(|rule| !rule.is_null());
        if aggregates && !is_same("aggregationRule") && excess(store, user, namespace, &full).is_some() {
            return refuse("must have cluster-admin privileges to use the aggregationRule");
        }
        return Ok(());
    }
    if old.is_some_and(|old| ["subjects", "roleRef"].iter().all(|key| old.get(*key) == value.get(*key))) {
        return Ok(());
    }
    let (kind, role) = (text(value, "/roleRef/kind"), text(value, "/roleRef/name"));
    let (plural, home) = if kind == "ClusterRole" { ("clusterroles", "") } else { ("roles", namespace) };
    if may("bind", plural, role) {
        return Ok(());
    }
    let found = store.get(&Key::new(resources::known(GROUP, plural), home, role));
    let found = found.ok_or_else(|| Status::not_found_as(GROUP, &kind.to_lowercase(), role))?;
    match excess(store, user, namespace, list(found.value(), "/rules")) {
        Some(why) => refuse(&why),
        None => Ok(()),
    }
}

/// What of some rules a user does not hold, in the words of the refusal.
fn excess(store: &Store, user: &User, namespace: &str, wanted: &[Value]) -> Option<String> {
    let held = rules(store, user, namespace);
    let missing: Vec<Atom> =
        wanted.iter().flat_map(atoms).filter(|atom| !held.iter().any(|rule| covers(rule, atom))).collect();
    if missing.is_empty() {
        return None;
    }
    let groups: Vec<String> = user.groups.iter().map(|group| format!("{group:?}")).collect();
    Some(format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        groups.join(" "),
        shown(missing).join("\n")
    ))
}

/// One permission: what a rule comes to for one verb on one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Atom {
    Resource { group: String, resource: String, name: Option<String>, verb: String },
    Path { url: String, verb: String },
}

fn texts<'a>(rule: &'a Value, member: &str) -> impl Iterator<Item = &'a str> + Clone {
    list(rule, member).iter().filter_map(Value::as_str)
}

fn atoms(rule: &Value) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for group in texts(rule, "/apiGroups") {
        for resource in texts(rule, "/resources") {
            for verb in texts(rule, "/verbs") {
                let mut names: Vec<Option<String>> =
                    texts(rule, "/resourceNames").map(|name| Some(name.to_owned())).collect();
                if names.is_empty() {
                    names.push(None);
                }
                atoms.extend(names.into_iter().map(|name| Atom::Resource {
                    group: group.to_owned(),
                    resource: resource.to_owned(),
                    name,
                    verb: verb.to_owned(),
                }));
            }
        }
    }
    for url in texts(rule, "/nonResourceURLs") {
        atoms.extend(texts(rule, "/verbs").map(|verb| Atom::Path { url: url.to_owned(), verb: verb.to_owned() }));
    }
    atoms
}

fn covers(rule: &Value, atom: &Atom) -> bool {
    let has = |member: &str, wanted: &str| texts(rule, member).any(|one| one == "*" || one == wanted);
    match atom {
        Atom::Resource { group, resource, name, verb } => {
            let below = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
            let mut names = texts(rule, "/resourceNames").peekable();
            has("/verbs", verb)
                && has("/apiGroups", group)
                && (has("/resources", resource)
                    || below.is_some_and(|any| texts(rule, "/resources").any(|one| one == any)))
                && (names.peek().is_none() || name.as_deref().is_some_and(|name| names.any(|one| one == name)))
        }
        Atom::Path { url, verb } => {
            has("/verbs", verb)
                && texts(rule, "/nonResourceURLs").any(|held| {
                    held == "*"
                        || held == url
                        || held.strip_suffix('*').is_some_and(|prefix| url.trim_end_matches('*').starts_with(prefix))
                })
        }
    }
}

/// One line for all verbs on a thing, in order.
fn shown(missing: Vec<Atom>) -> Vec<String> {
    let mut lines = BTreeSet::new();
    let mut verbs: BTreeMap<(String, String, Option<String>), Vec<String>> = BTreeMap::new();
    for atom in missing {
        match atom {
            Atom::Resource { group, resource, name, verb } => {
                let known = verbs.entry((group, resource, name)).or_default();
                if !known.contains(&verb) {
                    known.push(verb);
                }
            }
            Atom::Path { url, verb } => {
                lines.insert(format!("{{NonResourceURLs:[{url:?}], Verbs:[{verb:?}]}}"));
            }
        }
    }
    for ((group, resource, name), verbs) in verbs {
        let name = name.map(|name| format!(", ResourceNames:[{name:?}]")).unwrap_or_default();
        let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
        lines.insert(format!("{{APIGroups:[{group:?}], Resources:[{resource:?}]{name}, Verbs:[{}]}}", verbs.join(" ")));
    }
    lines.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_what_they_contain() {
        let check = |held: Value, wanted: Value, missing: &[&str]| {
            let left = atoms(&wanted).into_iter().filter(|atom| !covers(&held, atom)).collect();
            assert_eq!(shown(left), missing, "{held} {wanted}");
        };
        let rule =
            |resources: &[&str], verbs: &[&str]| json!({"apiGroups": [""], "resources": resources, "verbs": verbs});
        check(rule(&["pods"], &["get", "list"]), rule(&["pods"], &["get"]), &[]);
        check(rule(&["*"], &["*"]), rule(&["pods", "pods/log"], &["get"]), &[]);
        check(rule(&["*/log"], &["get"]), rule(&["pods/log"], &["get"]), &[]);
        check(
            rule(&["pods"], &["get"]),
            rule(&["pods", "secrets"], &["get", "list"]),
            &[
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["list"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}"#,
            ],
        );
        let named = json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"], "verbs": ["get"]});
        check(
            named.clone(),
            rule(&["secrets"], &["get"]),
            &[r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}"#],
        );
        check(
            rule(&["pods"], &["get"]),
            named,
            &[r#"{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get"]}"#],
        );
        let paths = |url: &str| json!({"nonResourceURLs": [url], "verbs": ["get"]});
        check(paths("/api/*"), paths("/api/v1"), &[]);
        check(paths("/api"), paths("/apis"), &[r#"{NonResourceURLs:["/apis"], Verbs:["get"]}"#]);
    }
}
