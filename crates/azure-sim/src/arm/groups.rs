//! Subscriptions, resource groups, and what lies in them.
//! Must not know how a resource of a provider is made.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::path::{GROUPS, IDENTITIES, VAULTS};
use super::storage_path::ACCOUNTS;
use super::{Call, operations, tenancy};
use crate::directory::{Directory, ResourceGroup, Work};

const MAX_NAME: usize = 90;

pub(super) fn subscription(call: &Call<'_>) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    Ok(Answer::ok(tenancy::show_subscription(call.subscription, call.tenant)))
}

pub(super) fn list(call: &Call<'_>) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let directory = call.state.read();
    let groups = directory.subscriptions.get(&call.subscription).map(|subscription| subscription.groups.values());
    let mut shown = Vec::new();
    for group in groups.into_iter().flatten() {
        if body::fits(call.filter.as_deref(), &group.tags)? {
            shown.push(show(call, group));
        }
    }
    Ok(Answer::list(shown))
}

pub(super) fn one(call: &Call<'_>, name: &str) -> Result<Answer, ArmError> {
    match *call.method {
        Method::GET => get(call, name).map(Answer::ok),
        // The one type that answers to HEAD (Resource Groups REST reference, "Check Existence").
        Method::HEAD => Ok(Answer::empty(match get(call, name) {
            Ok(_) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::NOT_FOUND,
        })),
        Method::PUT => put(call, name),
        Method::PATCH => patch(call, name),
        Method::DELETE => delete(call, name),
        _ => Err(call.unsupported()),
    }
}

fn get(call: &Call<'_>, name: &str) -> Result<Value, ArmError> {
    let absent = || ArmError::group_not_found(name);
    let deleting = {
        let directory = call.state.read();
        let group = directory.group(call.subscription, name).ok_or_else(absent)?;
        match &group.deleting {
            None => return Ok(show(call, group)),
            Some(operation) => operation.clone(),
        }
    };
    operations::look(call.state, &deleting);
    let directory = call.state.read();
    let group = directory.group(call.subscription, name).ok_or_else(absent)?;
    Ok(show(call, group))
}

fn put(call: &Call<'_>, name: &str) -> Result<Answer, ArmError> {
    check_name(name)?;
    let body = call.body.object()?;
    let location = body::location(&body, "")?;
    let tags = body::tags(&body)?.unwrap_or_default();
    let mut directory = call.state.write();
    let key = name.to_ascii_lowercase();
    let Some(subscription) = directory.subscriptions.get_mut(&call.subscription) else {
        return Err(ArmError::group_not_found(name));
    };
    let Some(group) = subscription.groups.get_mut(&key) else {
        let group =
            ResourceGroup { name: name.to_owned(), location, tags, deleting: None, identities: Default::default() };
        let shown = show(call, &group);
        subscription.groups.insert(key, group);
        return Ok(Answer::put(true, shown));
    };
    refuse_deleting(group)?;
    if group.location != location {
        return Err(ArmError::conflict(
            "InvalidResourceGroupLocation",
            format!(
                "Invalid resource group location '{location}'. The Resource group already exists in location '{}'.",
                group.location
            ),
        ));
    }
    group.tags = tags;
    Ok(Answer::put(false, show(call, group)))
}

fn patch(call: &Call<'_>, name: &str) -> Result<Answer, ArmError> {
    let tags = body::tags(&call.body.object()?)?;
    let mut directory = call.state.write();
    let group = directory.group_mut(call.subscription, name).ok_or_else(|| ArmError::group_not_found(name))?;
    refuse_deleting(group)?;
    if let Some(tags) = tags {
        group.tags = tags;
    }
    Ok(Answer::ok(show(call, group)))
}

/// The group goes with all that is in it, after the answer.
fn delete(call: &Call<'_>, name: &str) -> Result<Answer, ArmError> {
    let absent = || ArmError::group_not_found(name);
    let mut directory = call.state.write();
    let group = directory.group(call.subscription, name).ok_or_else(absent)?;
    let operation = match &group.deleting {
        Some(operation) => operation.clone(),
        None => {
            let work = Work::DeleteGroup { subscription: call.subscription, group: name.to_ascii_lowercase() };
            let operation = operations::begin(&mut directory, work);
            if let Some(group) = directory.group_mut(call.subscription, name) {
                group.deleting = Some(operation.clone());
            }
            operation
        }
    };
    Ok(Answer::accepted(format!(
        "{}/subscriptions/{}/operationresults/{operation}?api-version={}",
        call.origin.manager, call.subscription, call.api_version
    )))
}

/// Every resource of the subscription or of a group, as the general listing shows it.
pub(super) fn resources(call: &Call<'_>, group: Option<&str>) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let directory = call.state.read();
    if let Some(name) = group {
        must_exist(call, &directory, name)?;
    }
    let is_asked = |name: &str| group.is_none_or(|group| group.eq_ignore_ascii_case(name));
    let mut shown = Vec::new();
    let subscription = directory.subscriptions.get(&call.subscription);
    let groups = subscription.map(|subscription| subscription.groups.values());
    let mut note = |id: String, name: &str, kind: &str, location: &str, tags: &BTreeMap<String, String>| {
        if body::fits_resource(call.filter.as_deref(), kind, name, tags)? {
            shown.push(json!({"id": id, "name": name, "type": kind, "location": location, "tags": tags}));
        }
        Ok::<_, ArmError>(())
    };
    for group in groups.into_iter().flatten().filter(|group| is_asked(&group.name)) {
        for identity in group.identities.values() {
            let id = identity_id(call, &group.name, &identity.name);
            note(id, &identity.name, IDENTITIES, &identity.location, &identity.tags)?;
        }
    }
    let is_here = |subscription, group: &str| subscription == call.subscription && is_asked(group);
    for vault in directory.vaults.values().filter(|vault| is_here(vault.subscription, &vault.group)) {
        note(vault.id(), &vault.name, VAULTS, &vault.location, &vault.tags)?;
    }
    for account in directory.storage.values().filter(|account| is_here(account.subscription, &account.group)) {
        note(account.id(), &account.name, ACCOUNTS, &account.location, &account.tags)?;
    }
    Ok(Answer::list(shown))
}

/// The id of an identity, in the case in which the identity service writes it.
pub(super) fn identity_id(call: &Call<'_>, group: &str, name: &str) -> String {
    format!("/subscriptions/{}/resourcegroups/{group}/providers/{IDENTITIES}/{name}", call.subscription)
}

/// A group that a listing looks into.
pub(super) fn must_exist<'a>(
    call: &Call<'_>,
    directory: &'a Directory,
    name: &str,
) -> Result<&'a ResourceGroup, ArmError> {
    directory.group(call.subscription, name).ok_or_else(|| ArmError::group_not_found(name))
}

/// A group that something is written into.
pub(super) fn writable<'a>(
    call: &Call<'_>,
    directory: &'a mut Directory,
    name: &str,
) -> Result<&'a mut ResourceGroup, ArmError> {
    let group = directory.group_mut(call.subscription, name).ok_or_else(|| ArmError::group_not_found(name))?;
    refuse_deleting(group)?;
    Ok(group)
}

fn refuse_deleting(group: &ResourceGroup) -> Result<(), ArmError> {
    if group.deleting.is_none() {
        return Ok(());
    }
    Err(ArmError::conflict(
        "ResourceGroupBeingDeleted",
        format!("The resource group '{}' is in deprovisioning state and cannot perform this operation.", group.name),
    ))
}

fn show(call: &Call<'_>, group: &ResourceGroup) -> Value {
    let state = match group.deleting {
        Some(_) => "Deleting",
        None => "Succeeded",
    };
    json!({
        "id": call.group_id(&group.name),
        "name": group.name,
        "type": GROUPS,
        "location": group.location,
        "tags": group.tags,
        "properties": {"provisioningState": state},
    })
}

/// Letters, digits, `.`, `_`, `-`, parentheses; no period at the end (Azure naming rules).
fn check_name(name: &str) -> Result<(), ArmError> {
    let is_allowed = |c: char| c.is_alphanumeric() || "._-()".contains(c);
    if name.chars().count() <= MAX_NAME && name.chars().all(is_allowed) && !name.ends_with('.') {
        return Ok(());
    }
    Err(ArmError::invalid(
        "InvalidResourceName",
        format!(
            "Resource group name '{name}' is invalid. It has 1 to {MAX_NAME} letters, digits, periods, underscores, hyphens and parentheses, and does not end with a period."
        ),
    ))
}
