//! User-assigned managed identities: a resource here, a client with a service principal in the tenant.
//! Must not know what an identity may do, nor whose tokens stand for it.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::path::IDENTITIES;
use super::{Call, groups};
use crate::directory::{Directory, Identity};

const MIN_NAME: usize = 3;
const MAX_NAME: usize = 128;

pub(super) fn list(call: &Call<'_>, group: Option<&str>) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let directory = call.state.read();
    if let Some(name) = group {
        groups::must_exist(call, &directory, name)?;
    }
    let is_asked = |name: &str| group.is_none_or(|group| group.eq_ignore_ascii_case(name));
    let subscription = directory.subscriptions.get(&call.subscription);
    let groups = subscription.map(|subscription| subscription.groups.values());
    let groups = groups.into_iter().flatten();
    let shown = groups.filter(|group| is_asked(&group.name)).flat_map(|group| {
        let identities = group.identities.values();
        identities.map(|identity| show(call, &group.name, identity))
    });
    Ok(Answer::list(shown.collect()))
}

pub(super) fn one(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    match *call.method {
        Method::GET => {
            let directory = call.state.read();
            let (group, identity) = find(call, &directory, group, name)?;
            Ok(Answer::ok(show(call, &group, identity)))
        }
        Method::PUT => put(call, group, name),
        Method::PATCH => patch(call, group, name),
        Method::DELETE => Ok(delete(call, group, name)),
        _ => Err(call.unsupported()),
    }
}

/// The identity, with its group's name as it was created.
pub(super) fn find<'a>(
    call: &Call<'_>,
    directory: &'a Directory,
    group: &str,
    name: &str,
) -> Result<(String, &'a Identity), ArmError> {
    let found = groups::must_exist(call, directory, group)?;
    let identity = found.identities.get(&name.to_ascii_lowercase());
    let identity = identity.ok_or_else(|| ArmError::resource_not_found(IDENTITIES, name, &found.name))?;
    Ok((found.name.clone(), identity))
}

fn put(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    check_name(name)?;
    let body = call.body.object()?;
    let location = body::location(&body, IDENTITIES)?;
    let tags = body::tags(&body)?;
    let mut directory = call.state.write();
    let key = name.to_ascii_lowercase();
    let found = groups::writable(call, &mut directory, group)?;
    let group = found.name.clone();
    if let Some(identity) = found.identities.get_mut(&key) {
        if identity.location != location {
            return Err(other_location(name, &identity.location, &group, &location));
        }
        identity.tags = tags.unwrap_or_default();
        return Ok(Answer::put(false, show(call, &group, identity)));
    }
    let principal_id = Uuid::new_v4();
    let tenant = directory.tenant(call.tenant);
    let client_id = tenant.register(name, Some(principal_id));
    if let Some(client) = tenant.clients.get_mut(&client_id) {
        client.resource_id = Some(groups::identity_id(call, &group, name));
    }
    let identity =
        Identity { name: name.to_owned(), location, tags: tags.unwrap_or_else(BTreeMap::new), client_id, principal_id };
    let shown = show(call, &group, &identity);
    directory.send_principal(principal_id);
    let found = groups::writable(call, &mut directory, &group)?;
    found.identities.insert(key, identity);
    Ok(Answer::put(true, shown))
}

fn patch(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    let tags = body::tags(&call.body.object()?)?;
    let mut directory = call.state.write();
    let found = groups::writable(call, &mut directory, group)?;
    let group = found.name.clone();
    let identity = found
        .identities
        .get_mut(&name.to_ascii_lowercase())
        .ok_or_else(|| ArmError::resource_not_found(IDENTITIES, name, &group))?;
    if let Some(tags) = tags {
        identity.tags = tags;
    }
    Ok(Answer::ok(show(call, &group, identity)))
}

fn delete(call: &Call<'_>, group: &str, name: &str) -> Answer {
    let mut directory = call.state.write();
    let found = directory.group_mut(call.subscription, group);
    let removed = found.and_then(|found| {
        let identity = found.identities.remove(&name.to_ascii_lowercase())?;
        Some((found.name.clone(), identity))
    });
    if let Some((group, identity)) = &removed {
        let id = groups::identity_id(call, group, &identity.name);
        directory.remove_identity(call.tenant, identity, &id);
    }
    Answer::deleted(removed.is_some())
}

fn show(call: &Call<'_>, group: &str, identity: &Identity) -> Value {
    json!({
        "id": groups::identity_id(call, group, &identity.name),
        "name": identity.name,
        "type": IDENTITIES,
        "location": identity.location,
        "tags": identity.tags,
        "properties": {
            "tenantId": call.tenant,
            "principalId": identity.principal_id,
            "clientId": identity.client_id,
        },
    })
}

/// A resource cannot move by being put elsewhere.
pub(super) fn other_location(name: &str, held: &str, group: &str, asked: &str) -> ArmError {
    ArmError::conflict(
        "InvalidResourceLocation",
        format!(
            "The resource '{name}' already exists in location '{held}' in resource group '{group}'. A resource with the same name cannot be created in location '{asked}'. Please select a new resource name."
        ),
    )
}

/// Letters, digits, `-`, `_`, beginning with a letter or digit (Azure naming rules).
fn check_name(name: &str) -> Result<(), ArmError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && (MIN_NAME..=MAX_NAME).contains(&name.len()) && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(ArmError::bad_request(format!(
        "The identity name '{name}' is invalid. It has {MIN_NAME} to {MAX_NAME} letters, digits, hyphens and underscores, and begins with a letter or digit."
    )))
}
