//! Vaults as resources.
//! Must not know secrets.

use http::Method;
use serde_json::json;

use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::identities::other_location;
use super::path::VAULTS;
use super::vault_body::{self, Settings};
use super::{Call, groups, versions};
use crate::directory::Directory;
use crate::vaults::Vault;

pub(super) fn list(call: &Call<'_>, group: Option<&str>) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let directory = call.state.read();
    if let Some(name) = group {
        groups::must_exist(call, &directory, name)?;
    }
    let is_asked = |vault: &&Vault| {
        vault.subscription == call.subscription && group.is_none_or(|group| group.eq_ignore_ascii_case(&vault.group))
    };
    let vaults = directory.vaults.values().filter(is_asked);
    Ok(Answer::list(vaults.map(|vault| vault_body::show(call.origin, vault)).collect()))
}

pub(super) fn one(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    match *call.method {
        Method::GET => {
            let directory = call.state.read();
            let found = groups::must_exist(call, &directory, group)?;
            let vault = held(call, &directory, &found.name, name)
                .ok_or_else(|| ArmError::resource_not_found(VAULTS, name, &found.name))?;
            Ok(Answer::ok(vault_body::show(call.origin, vault)))
        }
        Method::PUT => put(call, group, name),
        Method::PATCH => patch(call, group, name),
        Method::DELETE => Ok(delete(call, group, name)),
        _ => Err(call.unsupported()),
    }
}

/// The vault of this name, if it is in this subscription and group.
pub(super) fn held<'a>(call: &Call<'_>, directory: &'a Directory, group: &str, name: &str) -> Option<&'a Vault> {
    let vault = directory.vaults.get(&name.to_ascii_lowercase());
    vault.filter(|vault| vault.subscription == call.subscription && vault.group.eq_ignore_ascii_case(group))
}

fn put(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    check_vault_name(name)?;
    let body = call.body.object()?;
    let location = body::location(&body, VAULTS)?;
    let tags = body::tags(&body)?.unwrap_or_default();
    let settings = Settings::read(body::properties(&body)?, call.tenant)?;
    let now = call.state.now();
    let key = name.to_ascii_lowercase();
    let mut directory = call.state.write();
    directory.purge_due(now);
    let group = groups::writable(call, &mut directory, group)?.name.clone();
    if held(call, &directory, &group, name).is_some() {
        let Some(vault) = directory.vaults.get_mut(&key) else {
            return Err(taken(name));
        };
        if vault.location != location {
            return Err(other_location(name, &vault.location, &group, &location));
        }
        settings.check_complete()?;
        settings.change(vault)?;
        vault.tags = tags;
        return Ok(Answer::ok(vault_body::show(call.origin, vault)));
    }
    if settings.recovers {
        return recover(call, &mut directory, &group, name, &location);
    }
    if directory.vaults.contains_key(&key) {
        return Err(taken(name));
    }
    if let Some(deleted) = directory.deleted_vaults.get(&key) {
        return Err(if deleted.vault.subscription == call.subscription {
            ArmError::conflict(
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
            )
        } else {
            taken(name)
        });
    }
    let mut vault = Vault {
        name: name.to_owned(),
        subscription: call.subscription,
        group,
        location,
        tags,
        tenant: call.tenant,
        sku: "standard".to_owned(),
        is_rbac: versions::roles_by_default(&call.api_version),
        access_policies: Vec::new(),
        network: Default::default(),
        shows_network: false,
        retention_days: vault_body::LONGEST_RETENTION,
        purge_protection: false,
        created: now,
        incarnation: uuid::Uuid::new_v4(),
    };
    settings.check_complete()?;
    settings.create(&mut vault)?;
    let shown = vault_body::show(call.origin, &vault);
    directory.vaults.insert(key, vault);
    // The real service answers 200 and `RegisteringDns`, then `Succeeded` some seconds later.
    Ok(Answer::ok(shown))
}

fn recover(
    call: &Call<'_>,
    directory: &mut Directory,
    group: &str,
    name: &str,
    location: &str,
) -> Result<Answer, ArmError> {
    let key = name.to_ascii_lowercase();
    let is_ours = directory.deleted_vaults.get(&key).is_some_and(|deleted| {
        let vault = &deleted.vault;
        vault.subscription == call.subscription && vault.group.eq_ignore_ascii_case(group) && vault.location == location
    });
    let deleted = directory.deleted_vaults.remove(&key);
    match deleted {
        Some(deleted) if is_ours => {
            let shown = vault_body::show(call.origin, &deleted.vault);
            directory.vaults.insert(key, deleted.vault);
            Ok(Answer::ok(shown))
        }
        other => {
            if let Some(deleted) = other {
                directory.deleted_vaults.insert(key, deleted);
            }
            Err(super::deleted_vaults::absent(name))
        }
    }
}

fn patch(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    let body = call.body.object()?;
    let tags = body::tags(&body)?;
    let properties = body.get("properties").and_then(serde_json::Value::as_object);
    let settings = properties.map(|properties| Settings::read(properties, call.tenant)).transpose()?;
    let mut directory = call.state.write();
    let group = groups::writable(call, &mut directory, group)?.name.clone();
    let absent = || ArmError::resource_not_found(VAULTS, name, &group);
    held(call, &directory, &group, name).ok_or_else(absent)?;
    let vault = directory.vaults.get_mut(&name.to_ascii_lowercase());
    let vault = vault.ok_or_else(absent)?;
    if let Some(settings) = settings {
        settings.change(vault)?;
    }
    if let Some(tags) = tags {
        vault.tags = tags;
    }
    Ok(Answer::ok(vault_body::show(call.origin, vault)))
}

fn delete(call: &Call<'_>, group: &str, name: &str) -> Answer {
    let now = call.state.now();
    let mut directory = call.state.write();
    let is_held = held(call, &directory, group, name).is_some();
    if is_held {
        directory.delete_vault(&name.to_ascii_lowercase(), now);
    }
    Answer::deleted(is_held)
}

/// Whether a name can be had (Key Vault REST reference, "Check Name Availability").
pub(super) fn check_name(call: &Call<'_>) -> Result<Answer, ArmError> {
    call.must_be(&Method::POST)?;
    let body = call.body.object()?;
    let name = body::text(&body, "name")?.unwrap_or_default().to_owned();
    if body::text(&body, "type")? != Some(VAULTS) {
        return Err(ArmError::content("The property 'type' must be 'Microsoft.KeyVault/vaults'"));
    }
    let key = name.to_ascii_lowercase();
    let mut directory = call.state.write();
    directory.purge_due(call.state.now());
    let refusal = match check_vault_name(&name) {
        Err(error) => Some(("AccountNameInvalid", error.message)),
        Ok(()) if directory.vaults.contains_key(&key) || directory.deleted_vaults.contains_key(&key) => {
            Some(("AlreadyExists", taken(&name).message))
        }
        Ok(()) => None,
    };
    Ok(Answer::ok(match refusal {
        None => json!({"nameAvailable": true}),
        Some((reason, message)) => {
            json!({"nameAvailable": false, "reason": reason, "message": message})
        }
    }))
}

fn taken(name: &str) -> ArmError {
    ArmError::conflict(
        "VaultAlreadyExists",
        format!(
            "The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name. For more information about VaultAlreadyExists, soft delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740."
        ),
    )
}

fn check_vault_name(name: &str) -> Result<(), ArmError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_good = (3..=24).contains(&name.len())
        && name.chars().all(is_allowed)
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('-')
        && !name.contains("--");
    if is_good {
        return Ok(());
    }
    Err(ArmError::invalid(
        "VaultNameNotValid",
        format!(
            "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"
        ),
    ))
}
