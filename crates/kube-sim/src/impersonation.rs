//! Acting as someone else: `Impersonate-*` headers, for who may.
//!
//! Follows `k8s.io/apiserver/pkg/endpoints/filters/impersonation.go`. It knows headers and roles, no objects.

use std::collections::BTreeMap;

use http::HeaderMap;

use crate::rbac;
use crate::request::RequestInfo;
use crate::status::Status;
use crate::store::Store;
use crate::user::User;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Who the caller acts as: itself, or whom its headers name.
///
/// # Errors
/// 403 for who may not, 500 for headers that name nobody.
pub(crate) fn acting(store: &Store, caller: User, headers: &HeaderMap) -> Result<User, Status> {
    let all = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    };
    let mut user = User { groups: all(GROUP), extra: extra(headers), ..User::default() };
    user.name = all(USER).into_iter().next().unwrap_or_default();
    user.uid = all(UID).into_iter().next().unwrap_or_default();
    if user.name.is_empty() {
        let is_plain = user.groups.is_empty() && user.uid.is_empty() && user.extra.is_empty();
        return if is_plain {
            Ok(caller)
        } else {
            Err(Status::internal("requested impersonation without impersonating a user"))
        };
    }
    let account = user.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let account = account.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    match &account {
        Some((namespace, name)) => allowed(store, &caller, "", "serviceaccounts", "", namespace, name)?,
        None => allowed(store, &caller, "", "users", "", "", &user.name)?,
    }
    for group in &user.groups {
        allowed(store, &caller, "", "groups", "", "", group)?;
    }
    for (key, values) in &user.extra {
        for value in values {
            allowed(store, &caller, AUTHENTICATION, "userextras", key, "", value)?;
        }
    }
    if !user.uid.is_empty() {
        allowed(store, &caller, AUTHENTICATION, "uids", "", "", &user.uid)?;
    }
    if let Some((namespace, _)) = account.filter(|_| user.groups.is_empty()) {
        user.groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    }
    if user.name == "system:anonymous" {
        user.groups = vec!["system:unauthenticated".to_owned()];
    } else if !user.is_in("system:authenticated") && !user.is_in("system:unauthenticated") {
        user.groups.push("system:authenticated".to_owned());
    }
    Ok(user)
}

fn extra(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let (Some(key), Ok(value)) = (name.as_str().strip_prefix(EXTRA), value.to_str()) {
            // Keys may hold slashes, which headers may not.
            extra.entry(key.replace("%2f", "/")).or_default().push(value.to_owned());
        }
    }
    extra
}

fn allowed(
    store: &Store,
    caller: &User,
    group: &str,
    resource: &str,
    subresource: &str,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    let info = RequestInfo {
        is_resource: true,
        verb: "impersonate".into(),
        group: group.to_owned(),
        version: "v1".to_owned(),
        namespace: namespace.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        name: name.to_owned(),
        ..RequestInfo::default()
    };
    let decision = rbac::authorize(store, caller, &info);
    if decision.allowed { Ok(()) } else { Err(rbac::forbidden(caller, &info, &decision.reason)) }
}
