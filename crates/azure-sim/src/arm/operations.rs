//! Work that goes on after its request was answered.
//! Must not know requests other than the one that asks how far it is.
//!
//! Here, work takes no time of its own: it is found under way at the first look, and done at the next.

use http::StatusCode;

use super::Call;
use super::answer::Answer;
use super::error::ArmError;
use crate::directory::{Directory, Operation, Work};
use crate::random;
use crate::state::State;
use crate::storage::StorageAccount;
use crate::vaults::Vault;

/// Looks that find an operation still under way.
const LOOKS: u8 = 1;

/// With so many noted, those that are done, or that nobody looks after, make way.
const MAX_NOTED: usize = 10_000;

/// Notes the work and returns the opaque part of its URL.
pub(super) fn begin(directory: &mut Directory, work: Work) -> String {
    let id = random::text::<24>();
    let operation = Operation { work, is_done: false, looks: LOOKS };
    if directory.operations.len() >= MAX_NOTED {
        // A group waits for its operation, and has one.
        let is_kept = |held: &Operation| !held.is_done && matches!(held.work, Work::DeleteGroup { .. });
        directory.operations.retain(|_, held| is_kept(held));
    }
    directory.operations.insert(id.clone(), operation);
    id
}

pub(super) fn poll(call: &Call<'_>, id: &str) -> Result<Answer, ArmError> {
    call.must_be(&http::Method::GET)?;
    let location = |id: &str| {
        format!(
            "{}/subscriptions/{}/operationresults/{id}?api-version={}",
            call.origin.manager, call.subscription, call.api_version
        )
    };
    match look(call.state, id) {
        None => Err(ArmError::not_found("OperationNotFound", format!("The operation '{id}' could not be found."))),
        Some(false) => Ok(Answer::accepted(location(id))),
        Some(true) => Ok(Answer::empty(StatusCode::OK)),
    }
}

/// Whether the operation is done, if there is one of this id.
pub(super) fn look(state: &State, id: &str) -> Option<bool> {
    let now = state.now();
    let mut directory = state.write();
    let operation = directory.operations.get_mut(id)?;
    if operation.is_done {
        return Some(true);
    }
    if operation.looks > 0 {
        operation.looks -= 1;
        return Some(false);
    }
    operation.is_done = true;
    match operation.work.clone() {
        Work::PurgeVault { vault } => {
            directory.deleted_vaults.remove(&vault);
        }
        Work::DeleteGroup { subscription, group } => {
            let within = |vault: &Vault| vault.subscription == subscription && vault.group.eq_ignore_ascii_case(&group);
            let vaults = directory.vaults.iter().filter(|(_, vault)| within(vault));
            let vaults: Vec<String> = vaults.map(|(name, _)| name.clone()).collect();
            for vault in vaults {
                directory.delete_vault(&vault, now);
            }
            let within = |account: &StorageAccount| {
                account.subscription == subscription && account.group.eq_ignore_ascii_case(&group)
            };
            directory.storage.retain(|_, account| !within(account));
            let found = directory.subscriptions.get_mut(&subscription);
            let removed = found.and_then(|found| Some((found.tenant, found.groups.remove(&group)?)));
            if let Some((tenant, removed)) = removed {
                let root = format!("/subscriptions/{subscription}/resourceGroups/{group}");
                for identity in removed.identities.values() {
                    directory.remove_identity(tenant, identity, &root);
                }
                directory.forget_assignments(&root);
            }
        }
    }
    Some(true)
}
