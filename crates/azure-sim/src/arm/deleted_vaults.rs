//! Vaults under soft delete: looked at, and purged so that their names are free again.
//! Must not know how a vault came to be deleted.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::error::ArmError;
use super::{Call, locations, operations};
use crate::directory::{Directory, Work};
use crate::vaults::DeletedVault;

pub(super) fn list(call: &Call<'_>) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let mut directory = call.state.write();
    directory.purge_due(call.state.now());
    let deleted = directory.deleted_vaults.values();
    let ours = deleted.filter(|deleted| deleted.vault.subscription == call.subscription);
    Ok(Answer::list(ours.map(show).collect()))
}

pub(super) fn one(call: &Call<'_>, location: &str, name: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let mut directory = call.state.write();
    let found = find(call, &mut directory, location, name)?;
    Ok(Answer::ok(show(found)))
}

pub(super) fn purge(call: &Call<'_>, location: &str, name: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::POST)?;
    let mut directory = call.state.write();
    let found = find(call, &mut directory, location, name)?;
    if found.vault.purge_protection {
        return Err(ArmError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "Operation 'DeletedVaultPurge' is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.",
        ));
    }
    let location = found.vault.location.clone();
    let work = Work::PurgeVault { vault: name.to_ascii_lowercase() };
    let operation = operations::begin(&mut directory, work);
    Ok(Answer::accepted(format!(
        "{}/subscriptions/{}/providers/Microsoft.KeyVault/locations/{location}/operationResults/{operation}?api-version={}",
        call.origin.manager, call.subscription, call.api_version
    )))
}

fn find<'a>(
    call: &Call<'_>,
    directory: &'a mut Directory,
    location: &str,
    name: &str,
) -> Result<&'a DeletedVault, ArmError> {
    directory.purge_due(call.state.now());
    let location = locations::canonical(location);
    directory
        .deleted_vaults
        .get(&name.to_ascii_lowercase())
        .filter(|deleted| {
            deleted.vault.subscription == call.subscription && location == Some(deleted.vault.location.as_str())
        })
        .ok_or_else(|| absent(name))
}

pub(super) fn absent(name: &str) -> ArmError {
    ArmError::not_found("DeletedVaultNotFound", format!("The specified deleted vault '{name}' does not exist."))
}

fn show(deleted: &DeletedVault) -> Value {
    let vault = &deleted.vault;
    let mut properties = json!({
        "vaultId": vault.id(),
        "location": vault.location,
        "tags": vault.tags,
        "deletionDate": deleted.deleted.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "scheduledPurgeDate": deleted.purges.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    if vault.purge_protection {
        properties["purgeProtectionEnabled"] = Value::Bool(true);
    }
    json!({
        "id": format!(
            "/subscriptions/{}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{}",
            vault.subscription, vault.location, vault.name
        ),
        "name": vault.name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": properties,
    })
}
