//! Storage accounts as resources (Storage Resource Provider REST reference, "Storage Accounts").
//! Must not know blobs. Account keys do not exist here, nor anything that is signed with them.

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;

use super::answer::Answer;
use super::error::ArmError;
use super::identities::other_location;
use super::storage_body::{self, Settings};
use super::storage_path::{ACCOUNTS, Storage};
use super::{Call, body, containers, groups};
use crate::directory::Directory;
use crate::storage::{StorageAccount, is_account_name};

pub(super) fn serve(call: &Call<'_>, storage: &Storage) -> Result<Answer, ArmError> {
    match storage {
        Storage::Accounts { group } => list(call, group.as_deref()),
        Storage::Account { group, name } => one(call, group, name),
        Storage::AccountName => check_name(call),
        Storage::Containers { group, account } => containers::list(call, group, account),
        Storage::Container { group, account, name } => containers::one(call, group, account, name),
    }
}

fn list(call: &Call<'_>, group: Option<&str>) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let directory = call.state.read();
    if let Some(name) = group {
        groups::must_exist(call, &directory, name)?;
    }
    let is_asked = |account: &&StorageAccount| {
        account.subscription == call.subscription
            && group.is_none_or(|group| group.eq_ignore_ascii_case(&account.group))
    };
    let accounts = directory.storage.values().filter(is_asked);
    Ok(Answer::list(accounts.map(|account| storage_body::show(call.origin, account)).collect()))
}

fn one(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    match *call.method {
        Method::GET => {
            let directory = call.state.read();
            Ok(Answer::ok(storage_body::show(call.origin, find(call, &directory, group, name)?)))
        }
        Method::PUT => put(call, group, name),
        Method::PATCH => patch(call, group, name),
        Method::DELETE => {
            let mut directory = call.state.write();
            let is_held = held(call, &directory, group, name).is_some();
            if is_held {
                directory.delete_storage(&name.to_ascii_lowercase());
            }
            Ok(Answer::deleted(is_held))
        }
        _ => Err(call.unsupported()),
    }
}

/// The account of this name, if it is in this subscription and group.
fn held<'a>(call: &Call<'_>, directory: &'a Directory, group: &str, name: &str) -> Option<&'a StorageAccount> {
    let account = directory.storage.get(&name.to_ascii_lowercase());
    account.filter(|account| account.subscription == call.subscription && account.group.eq_ignore_ascii_case(group))
}

/// As [`held`], or the refusal that says what is missing.
pub(super) fn find<'a>(
    call: &Call<'_>,
    directory: &'a Directory,
    group: &str,
    name: &str,
) -> Result<&'a StorageAccount, ArmError> {
    let found = groups::must_exist(call, directory, group)?;
    held(call, directory, &found.name, name).ok_or_else(|| ArmError::resource_not_found(ACCOUNTS, name, &found.name))
}

pub(super) fn find_mut<'a>(
    call: &Call<'_>,
    directory: &'a mut Directory,
    group: &str,
    name: &str,
) -> Result<&'a mut StorageAccount, ArmError> {
    let group = groups::writable(call, directory, group)?.name.clone();
    find(call, directory, &group, name)?;
    let account = directory.storage.get_mut(&name.to_ascii_lowercase());
    account.ok_or_else(|| ArmError::resource_not_found(ACCOUNTS, name, &group))
}

/// Something that a role can be held on.
pub(super) fn must_exist(call: &Call<'_>, directory: &Directory, storage: &Storage) -> Result<(), ArmError> {
    match storage {
        Storage::Account { group, name } => find(call, directory, group, name).map(drop),
        Storage::Container { group, account, name } => {
            containers::find(find(call, directory, group, account)?, name).map(drop)
        }
        _ => Err(ArmError::bad_request("A role is held on an account or a container.")),
    }
}

/// The real service answers 202 and makes the account within the minute.
fn put(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    check_account_name(name)?;
    let body = call.body.object()?;
    let location = body::location(&body, ACCOUNTS)?;
    let tags = body::tags(&body)?.unwrap_or_default();
    let settings = Settings::read(&body)?;
    settings.check_complete()?;
    let mut directory = call.state.write();
    let group = groups::writable(call, &mut directory, group)?.name.clone();
    if held(call, &directory, &group, name).is_some() {
        let account = find_mut(call, &mut directory, &group, name)?;
        if account.location != location {
            return Err(other_location(name, &account.location, &group, &location));
        }
        settings.apply(account);
        account.tags = tags;
        return Ok(Answer::ok(storage_body::show(call.origin, account)));
    }
    if directory.storage.contains_key(name) {
        return Err(taken(name));
    }
    let mut account = StorageAccount {
        name: name.to_owned(),
        subscription: call.subscription,
        group,
        location,
        tags,
        tenant: call.tenant,
        sku: String::new(),
        kind: String::new(),
        allows_public: false,
        least_tls: storage_body::LEAST_TLS.to_owned(),
        created: call.state.now(),
        containers: BTreeMap::new(),
    };
    settings.apply(&mut account);
    let shown = storage_body::show(call.origin, &account);
    directory.storage.insert(name.to_owned(), account);
    Ok(Answer::ok(shown))
}

fn patch(call: &Call<'_>, group: &str, name: &str) -> Result<Answer, ArmError> {
    let body = call.body.object()?;
    let tags = body::tags(&body)?;
    let settings = Settings::read(&body)?;
    let mut directory = call.state.write();
    let account = find_mut(call, &mut directory, group, name)?;
    settings.apply(account);
    if let Some(tags) = tags {
        account.tags = tags;
    }
    Ok(Answer::ok(storage_body::show(call.origin, account)))
}

/// Whether a name can be had (Storage Resource Provider REST reference, "Check Name Availability").
fn check_name(call: &Call<'_>) -> Result<Answer, ArmError> {
    call.must_be(&Method::POST)?;
    let body = call.body.object()?;
    let name = body::text(&body, "name")?.unwrap_or_default().to_owned();
    if body::text(&body, "type")? != Some(ACCOUNTS) {
        return Err(ArmError::content("The property 'type' must be 'Microsoft.Storage/storageAccounts'"));
    }
    let refusal = match check_account_name(&name) {
        Err(error) => Some(("AccountNameInvalid", error.message)),
        Ok(()) if call.state.read().storage.contains_key(&name) => Some(("AlreadyExists", taken(&name).message)),
        Ok(()) => None,
    };
    Ok(Answer::ok(match refusal {
        None => json!({"nameAvailable": true}),
        Some((reason, message)) => json!({"nameAvailable": false, "reason": reason, "message": message}),
    }))
}

/// Azure documentation, "Resolve errors for storage account names".
fn taken(name: &str) -> ArmError {
    ArmError::conflict("StorageAccountAlreadyTaken", format!("The storage account named {name} is already taken."))
}

/// Azure documentation, "Resolve errors for storage account names".
fn check_account_name(name: &str) -> Result<(), ArmError> {
    if is_account_name(name) {
        return Ok(());
    }
    Err(ArmError::invalid(
        "AccountNameInvalid",
        format!(
            "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only."
        ),
    ))
}
