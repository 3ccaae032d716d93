//! How each thing is deleted, and how long that takes. Does not ask whose it is.

use reqwest::Method;

use super::access::Clients;
use super::call::{Reply, Request, call, settle};
use super::create::access_policy;
use super::error::ProvisionError;
use super::poll::until_gone;
use super::undo::{Undo, Undone};
use super::{Kind, id, list};

/// Deletes, and waits until it is gone. What is not there may be an error of status 404.
pub(super) async fn delete(clients: &Clients, undo: &Undo) -> Result<Undone, ProvisionError> {
    let (operation, resource) = (undo.operation(), undo.resource());
    let delete =
        |address: &str, version| call(clients, Request::new(Method::DELETE, operation, &resource, address, version));
    match undo {
        Undo::ResourceGroup { subscription, name } => {
            let address = id::group(subscription, name);
            settle(clients, || refuse_full(clients, &address, &resource)).await?;
            let accepted =
                call(clients, Request::new(Method::DELETE, operation, &resource, &address, id::RESOURCES)).await?;
            finish(clients, accepted, Request::get(operation, &resource, &address, id::RESOURCES)).await
        }
        Undo::Vault { subscription, location, group, name } => {
            let vault = id::vault(subscription, group, name);
            delete_vault(clients, &vault, &id::deleted_vault(subscription, location, name), &resource).await
        }
        Undo::Secret { subscription, group, vault, .. } => {
            let address = id::vault(subscription, group, vault);
            let found = call(clients, Request::get("GetVault", &resource, &address, id::VAULTS)).await?;
            if found.body["tags"]["tool"] == "crossfed" {
                return Ok(Undone::WithVault);
            }
            let message = "Resource Manager cannot delete a secret, and its vault stays, since it is not of a run";
            Err(ProvisionError::new(Kind::Invalid, operation, &resource, message))
        }
        Undo::Identity { subscription, group, name } => {
            let address = id::identity(subscription, group, name);
            clients.remember_identity(&address, None);
            let accepted = delete(&address, id::IDENTITIES).await?;
            finish(clients, accepted, Request::get(operation, &resource, &address, id::IDENTITIES)).await
        }
        Undo::FederatedCredential { subscription, group, identity, name } => {
            let accepted = delete(&id::credential(subscription, group, identity, name), id::IDENTITIES).await?;
            Ok(told(&accepted))
        }
        Undo::RoleAssignment { subscription, group, vault, name } => {
            let address = id::assignment(&id::vault(subscription, group, vault), name);
            Ok(told(&delete(&address, id::AUTHORIZATION).await?))
        }
        Undo::AccessPolicy { subscription, group, vault, principal, secrets } => {
            let address = format!("{}/accessPolicies/remove", id::vault(subscription, group, vault));
            let body = access_policy(clients.tenant(), &clients.object_id(principal).await?, secrets);
            call(clients, Request::new(Method::PUT, operation, &resource, &address, id::VAULTS).body(&body)).await?;
            Ok(Undone::Deleted)
        }
        Undo::StorageAccount { subscription, group, name } => {
            let address = id::storage_account(subscription, group, name);
            let accepted = delete(&address, id::STORAGE).await?;
            finish(clients, accepted, Request::get(operation, &resource, &address, id::STORAGE)).await
        }
        Undo::Container { subscription, group, account, name } => {
            let address = id::container(subscription, group, account, name);
            Ok(told(&delete(&address, id::STORAGE).await?))
        }
        Undo::StorageRole { subscription, group, account, name } => {
            let address = id::assignment(&id::storage_account(subscription, group, account), name);
            Ok(told(&delete(&address, id::AUTHORIZATION).await?))
        }
        Undo::Blob { account, .. } => match list::storage_account(clients, operation, account).await? {
            None => Ok(Undone::AlreadyGone),
            Some(found) if found["tags"]["tool"] == "crossfed" => Ok(Undone::WithVault),
            Some(_) => {
                let message = "its storage account stays, since it is not of a run";
                Err(ProvisionError::new(Kind::Invalid, operation, &resource, message))
            }
        },
    }
}

/// Resource Manager answers a deletion of what is not there with 204 (Azure REST API guidelines, "DELETE").
fn told(reply: &Reply) -> Undone {
    if reply.status == 204 { Undone::AlreadyGone } else { Undone::Deleted }
}

async fn finish(clients: &Clients, accepted: Reply, look: Request<'_>) -> Result<Undone, ProvisionError> {
    let done = told(&accepted);
    if accepted.status == 202 {
        until_gone(clients, accepted, look).await?;
    }
    Ok(done)
}

/// A group takes everything in it along, and not all of it need be ours.
async fn refuse_full(clients: &Clients, group: &str, resource: &str) -> Result<(), ProvisionError> {
    let listed =
        call(clients, Request::get("DeleteResourceGroup", resource, &format!("{group}/resources"), id::RESOURCES))
            .await?;
    let resources = listed.body["value"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(first) = resources.first() else {
        return Ok(());
    };
    let message = format!(
        "it holds {} resources, such as {}",
        resources.len(),
        first["id"].as_str().unwrap_or("one without an id")
    );
    let told = ProvisionError::new(Kind::Invalid, "DeleteResourceGroup", resource, message);
    Err(ProvisionError { code: Some("NotEmpty".to_owned()), ..told })
}

/// A deleted vault keeps its name, for a week at least, unless it is purged.
async fn delete_vault(clients: &Clients, vault: &str, deleted: &str, resource: &str) -> Result<Undone, ProvisionError> {
    let accepted = call(clients, Request::new(Method::DELETE, "DeleteVault", resource, vault, id::VAULTS)).await;
    let there = match accepted {
        Ok(reply) => {
            finish(clients, reply, Request::get("DeleteVault", resource, vault, id::VAULTS)).await? == Undone::Deleted
        }
        Err(error) if error.is_absent() => false,
        Err(error) => return Err(error),
    };
    // It may have been deleted before, and not been purged; then a vault of the same name elsewhere is not ours.
    if !there {
        let kept = call(clients, Request::get("GetDeletedVault", resource, deleted, id::VAULTS)).await?;
        if !kept.property("vaultId").is_some_and(|kept| kept.eq_ignore_ascii_case(vault)) {
            return Ok(Undone::AlreadyGone);
        }
    }
    purge_vault(clients, deleted, resource).await?;
    Ok(Undone::Deleted)
}

/// Frees the name of a deleted vault.
pub(super) async fn purge_vault(clients: &Clients, deleted: &str, resource: &str) -> Result<(), ProvisionError> {
    let address = format!("{deleted}/purge");
    let accepted = call(clients, Request::new(Method::POST, "PurgeVault", resource, &address, id::VAULTS)).await?;
    finish(clients, accepted, Request::get("GetDeletedVault", resource, deleted, id::VAULTS)).await.map(drop)
}
