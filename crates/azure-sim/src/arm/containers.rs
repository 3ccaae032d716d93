//! Blob containers as resources (Storage Resource Provider REST reference, "Blob Containers").
//! Must not know what a container holds.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use super::Call;
use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::storage_accounts;
use super::storage_path::CONTAINERS;
use crate::storage::{Container, PublicAccess, StorageAccount, is_container_name};

/// What a request says; what it does not say is none.
struct Settings {
    public_access: Option<PublicAccess>,
    metadata: Option<BTreeMap<String, String>>,
}

pub(super) fn list(call: &Call<'_>, group: &str, account: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let directory = call.state.read();
    let account = storage_accounts::find(call, &directory, group, account)?;
    Ok(Answer::list(account.containers.values().map(|container| show(account, container)).collect()))
}

pub(super) fn one(call: &Call<'_>, group: &str, account: &str, name: &str) -> Result<Answer, ArmError> {
    match *call.method {
        Method::GET => {
            let directory = call.state.read();
            let account = storage_accounts::find(call, &directory, group, account)?;
            Ok(Answer::ok(show(account, find(account, name)?)))
        }
        Method::PUT => put(call, group, account, name),
        Method::PATCH => patch(call, group, account, name),
        Method::DELETE => {
            let mut directory = call.state.write();
            let account = storage_accounts::find_mut(call, &mut directory, group, account)?;
            let was_there = account.containers.remove(name).is_some();
            let id = account.container_id(name);
            directory.forget_assignments(&id);
            Ok(Answer::deleted(was_there))
        }
        _ => Err(call.unsupported()),
    }
}

/// Container names have one case.
pub(super) fn find<'a>(account: &'a StorageAccount, name: &str) -> Result<&'a Container, ArmError> {
    account
        .containers
        .get(name)
        .ok_or_else(|| ArmError::not_found("ContainerNotFound", "The specified container does not exist."))
}

fn put(call: &Call<'_>, group: &str, account: &str, name: &str) -> Result<Answer, ArmError> {
    if !is_container_name(name) {
        return Err(ArmError::invalid(
            "InvalidResourceName",
            "The specified resource name contains invalid characters or does not have a valid length.",
        ));
    }
    let settings = read(&call.body.object()?)?;
    let now = call.state.now();
    let mut directory = call.state.write();
    let account = storage_accounts::find_mut(call, &mut directory, group, account)?;
    check_public(account, &settings)?;
    let is_new = !account.containers.contains_key(name);
    let container =
        account.containers.entry(name.to_owned()).or_insert_with(|| Container::new(name, PublicAccess::None, now));
    apply(container, settings);
    let container = container.clone();
    Ok(Answer::put(is_new, show(account, &container)))
}

fn patch(call: &Call<'_>, group: &str, account: &str, name: &str) -> Result<Answer, ArmError> {
    let settings = read(&call.body.object()?)?;
    let mut directory = call.state.write();
    let account = storage_accounts::find_mut(call, &mut directory, group, account)?;
    find(account, name)?;
    check_public(account, &settings)?;
    let changed = account.containers.get_mut(name).map(|container| {
        apply(container, settings);
        container.clone()
    });
    Ok(Answer::ok(changed.map(|container| show(account, &container)).unwrap_or_default()))
}

/// The code and text of the Blob service, which Resource Manager passes on (hashicorp/terraform-provider-azurerm
/// issue 8214, pivotal/paving issue 89).
fn check_public(account: &StorageAccount, settings: &Settings) -> Result<(), ArmError> {
    let wants = settings.public_access.is_some_and(|access| access != PublicAccess::None);
    if account.allows_public || !wants {
        return Ok(());
    }
    Err(ArmError::conflict("PublicAccessNotPermitted", "Public access is not permitted on this storage account."))
}

fn read(body: &Map<String, Value>) -> Result<Settings, ArmError> {
    let properties = match body.get("properties") {
        None | Some(Value::Null) => return Ok(Settings { public_access: None, metadata: None }),
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(ArmError::content("The property 'properties' is not an object")),
    };
    let public_access = body::text(properties, "publicAccess")?;
    let public_access = public_access
        .map(|word| {
            PublicAccess::read(word)
                .ok_or_else(|| ArmError::content(&format!("Error converting value \"{word}\" to type 'PublicAccess'")))
        })
        .transpose()?;
    let metadata = match properties.get("metadata") {
        None | Some(Value::Null) => None,
        Some(Value::Object(object)) => {
            let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
            let entries = object.iter().map(text).collect::<Option<BTreeMap<String, String>>>();
            Some(entries.ok_or_else(|| ArmError::content("The property 'metadata' holds what is not a string"))?)
        }
        Some(_) => return Err(ArmError::content("The property 'metadata' is not an object")),
    };
    Ok(Settings { public_access, metadata })
}

fn apply(container: &mut Container, settings: Settings) {
    container.public_access = settings.public_access.unwrap_or(container.public_access);
    if let Some(metadata) = settings.metadata {
        container.metadata = metadata;
    }
}

fn show(account: &StorageAccount, container: &Container) -> Value {
    json!({
        "id": account.container_id(&container.name),
        "name": container.name,
        "type": CONTAINERS,
        "etag": container.etag,
        "properties": {
            "publicAccess": container.public_access.word(),
            "metadata": container.metadata,
            "leaseStatus": "Unlocked",
            "leaseState": "Available",
            "lastModifiedTime": container.modified.to_string(),
            "hasImmutabilityPolicy": false,
            "hasLegalHold": false,
            "deleted": false,
        },
    })
}
