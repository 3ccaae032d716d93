//! Authorization: `system:masters` may do all, everyone else what the stored roles and bindings grant.
//!
//! It knows stored objects and a request's attributes; how the caller was identified is no concern of it.

pub(crate) mod aggregation;
pub(crate) mod escalation;

use std::sync::Arc;

use serde_json::Value;

use crate::object::{self, Object, list, text};
use crate::request::RequestInfo;
use crate::resources;
use crate::status::Status;
use crate::store::{Key, Store};
use crate::user::User;

const GROUP: &str = "rbac.authorization.k8s.io";

/// What was decided, with the reason that the real server gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) allowed: bool,
    /// Empty for the privileged group and for a plain refusal.
    pub(crate) reason: String,
}

/// The rules that hold for a caller: everywhere, and in one namespace.
pub(crate) fn rules(store: &Store, user: &User, namespace: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    for (plural, home) in [("clusterrolebindings", ""), ("rolebindings", namespace)] {
        if plural == "rolebindings" && namespace.is_empty() {
            continue;
        }
        for binding in store.list(resources::known(GROUP, plural), home, None).0 {
            if list(binding.value(), "/subjects").iter().any(|subject| is_subject(subject, home, user))
                && let Some(role) = role_of(store, binding.value(), home)
            {
                rules.extend(list(role.value(), "/rules").iter().cloned());
            }
        }
    }
    rules
}

fn role_of(store: &Store, binding: &Value, namespace: &str) -> Option<Arc<Object>> {
    let name = text(binding, "/roleRef/name");
    store.get(&match text(binding, "/roleRef/kind") {
        "ClusterRole" => Key::new(resources::known(GROUP, "clusterroles"), "", name),
        _ => Key::new(resources::known(GROUP, "roles"), namespace, name),
    })
}

/// Decides on a request.
pub(crate) fn authorize(store: &Store, user: &User, info: &RequestInfo) -> Decision {
    if user.is_in("system:masters") {
        return Decision { allowed: true, reason: String::new() };
    }
    let mut errors = Vec::new();
    let cluster = resources::known(GROUP, "clusterrolebindings");
    for binding in store.list(cluster, "", None).0 {
        if let Some(reason) = grants(store, binding.value(), "", user, info, &mut errors) {
            return Decision { allowed: true, reason };
        }
    }
    if !info.namespace.is_empty() {
        let local = resources::known(GROUP, "rolebindings");
        for binding in store.list(local, &info.namespace, None).0 {
            if let Some(reason) = grants(store, binding.value(), &info.namespace, user, info, &mut errors) {
                return Decision { allowed: true, reason };
            }
        }
    }
    let reason = match &errors[..] {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        many => format!("RBAC: [{}]", many.join(", ")),
    };
    Decision { allowed: false, reason }
}

/// The refusal of a request, in the real server's words.
pub(crate) fn forbidden(user: &User, info: &RequestInfo, reason: &str) -> Status {
    let mut message = if info.is_resource {
        let resource = if info.subresource.is_empty() {
            info.resource.clone()
        } else {
            format!("{}/{}", info.resource, info.subresource)
        };
        let place = if info.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {:?}", info.namespace)
        };
        format!("User {:?} cannot {} resource {resource:?} in API group {:?} {place}", user.name, info.verb, info.group)
    } else {
        format!("User {:?} cannot {} path {:?}", user.name, info.verb, info.path)
    };
    if !reason.is_empty() {
        message = format!("{message}: {reason}");
    }
    Status::forbidden(&info.group, &info.resource, &info.name, &message)
}

fn grants(
    store: &Store,
    binding: &Value,
    namespace: &str,
    user: &User,
    info: &RequestInfo,
    errors: &mut Vec<String>,
) -> Option<String> {
    let subject = list(binding, "/subjects").iter().find(|subject| is_subject(subject, namespace, user))?;
    let (kind, name) = (text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
    let Some(role) = role_of(store, binding, namespace) else {
        errors.push(format!("{}.{GROUP} {name:?} not found", kind.to_lowercase()));
        return None;
    };
    list(role.value(), "/rules").iter().any(|rule| rule_allows(rule, info)).then(|| {
        let (of, at) = if namespace.is_empty() {
            ("ClusterRoleBinding", String::new())
        } else {
            ("RoleBinding", format!("/{namespace}"))
        };
        let whom = match text(subject, "/kind") {
            "ServiceAccount" => {
                let home = text(subject, "/namespace");
                format!(
                    "ServiceAccount \"{}/{}\"",
                    text(subject, "/name"),
                    if home.is_empty() { namespace } else { home }
                )
            }
            kind => format!("{kind} {:?}", text(subject, "/name")),
        };
        format!("RBAC: allowed by {of} \"{}{at}\" of {kind} {name:?} to {whom}", object::name(binding))
    })
}

fn is_subject(subject: &Value, namespace: &str, user: &User) -> bool {
    let name = text(subject, "/name");
    match text(subject, "/kind") {
        "User" => user.name == name,
        "Group" => user.is_in(name),
        "ServiceAccount" => {
            let home = text(subject, "/namespace");
            let home = if home.is_empty() { namespace } else { home };
            !home.is_empty() && user.name == trust::Subject::service_account(home, name).as_str()
        }
        _ => false,
    }
}

fn rule_allows(rule: &Value, info: &RequestInfo) -> bool {
    let has = |member: &str, wanted: &str| list(rule, member).iter().any(|one| one == "*" || one == wanted);
    if !has("/verbs", &info.verb) {
        return false;
    }
    if !info.is_resource {
        return list(rule, "/nonResourceURLs").iter().filter_map(Value::as_str).any(|url| {
            match url.strip_suffix('*') {
                Some(prefix) => info.path.starts_with(prefix),
                None => info.path == url,
            }
        });
    }
    let combined = if info.subresource.is_empty() {
        info.resource.clone()
    } else {
        format!("{}/{}", info.resource, info.subresource)
    };
    let any_resource = format!("*/{}", info.subresource);
    let names = list(rule, "/resourceNames");
    has("/apiGroups", &info.group)
        && list(rule, "/resources")
            .iter()
            .any(|one| one == "*" || *one == combined || (!info.subresource.is_empty() && *one == any_resource))
        && (names.is_empty() || names.iter().any(|one| *one == info.name))
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;
    use crate::request::Params;

    fn info(method: &str, uri: &str) -> RequestInfo {
        let uri: http::Uri = uri.parse().expect("must parse");
        RequestInfo::of(&Method::from_bytes(method.as_bytes()).expect("a method"), uri.path(), &Params::of(&uri))
    }

    #[test]
    fn rules_allow_what_they_list() {
        let check = |rule: Value, method: &str, uri: &str, allowed: bool| {
            assert_eq!(rule_allows(&rule, &info(method, uri)), allowed, "{rule} {method} {uri}")
        };
        let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]});
        check(pods.clone(), "GET", "/api/v1/namespaces/n/pods/p", true);
        check(pods.clone(), "GET", "/api/v1/namespaces/n/pods/p/log", false);
        check(pods.clone(), "GET", "/api/v1/pods?watch=1", false);
        check(pods, "GET", "/apis/apps/v1/pods/x", false);
        check(
            json!({"apiGroups": ["*"], "resources": ["*/log"], "verbs": ["*"]}),
            "GET",
            "/api/v1/namespaces/n/pods/p/log",
            true,
        );
        let one = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"], "resourceNames": ["only"]});
        check(one.clone(), "GET", "/api/v1/namespaces/n/configmaps/only", true);
        check(one.clone(), "GET", "/api/v1/namespaces/n/configmaps/other", false);
        check(one.clone(), "GET", "/api/v1/namespaces/n/configmaps", false);
        check(one, "GET", "/api/v1/namespaces/n/configmaps?fieldSelector=metadata.name%3Donly", true);
        check(json!({"nonResourceURLs": ["/healthz/*"], "verbs": ["get"]}), "GET", "/healthz/x", true);
        check(json!({"nonResourceURLs": ["/healthz"], "verbs": ["get"]}), "GET", "/healthz/x", false);
    }

    #[test]
    fn bindings_reach_their_subjects_in_their_namespace_alone() {
        let store = Store::new();
        let put = |group: &str, plural: &str, namespace: &str, name: &str, mut value: Value| {
            value["metadata"] = json!({"name": name});
            store.change(|tx| tx.put(Key::new(resources::known(group, plural), namespace, name), value));
        };
        put(
            GROUP,
            "roles",
            "n",
            "r",
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}),
        );
        put(
            GROUP,
            "rolebindings",
            "n",
            "b",
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "web"}]}),
        );
        put(
            GROUP,
            "rolebindings",
            "m",
            "b",
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "ann"}]}),
        );
        let web = User { name: "system:serviceaccount:n:web".into(), ..User::default() };
        let check = |user: &User, uri: &str, allowed: bool, reason: &str| {
            assert_eq!(authorize(&store, user, &info("GET", uri)), Decision { allowed, reason: reason.to_owned() });
        };
        check(
            &web,
            "/api/v1/namespaces/n/pods",
            true,
            r#"RBAC: allowed by RoleBinding "b/n" of Role "r" to ServiceAccount "web/n""#,
        );
        check(&web, "/api/v1/namespaces/m/pods", false, "");
        check(&web, "/api/v1/pods", false, "");
        let ann = User { name: "ann".into(), ..User::default() };
        check(&ann, "/api/v1/namespaces/m/pods", false, r#"RBAC: role.rbac.authorization.k8s.io "r" not found"#);
    }
}
