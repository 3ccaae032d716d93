//! Who made a thing: asked before anything is deleted that we are not sure to have made.

use serde_json::Value;

use super::Tags;
use super::access::Clients;
use super::call::{Request, call};
use super::error::ProvisionError;
use super::undo::Undo;
use super::{id, list};

/// Whose a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// There is no such thing.
    Absent,
    /// The run that was asked for.
    Run,
    /// Another, or nobody can tell.
    Other,
}

/// Reads the tags. A federated credential, a role assignment, an access policy, a container and a blob have none: they
/// are of whoever made the identity, vault or storage account that they are on or in.
pub(super) async fn of(clients: &Clients, entry: &Undo, run: &str) -> Result<Owner, ProvisionError> {
    match look(clients, entry).await {
        Ok(Some(tags)) if claims(&tags, run) => Ok(Owner::Run),
        Ok(Some(_)) => Ok(Owner::Other),
        Ok(None) => Ok(Owner::Absent),
        Err(error) if error.is_absent() => Ok(Owner::Absent),
        Err(error) => Err(error),
    }
}

/// The tags; none if the thing is not there and the answer said so without a refusal.
async fn look(clients: &Clients, entry: &Undo) -> Result<Option<Value>, ProvisionError> {
    let resource = entry.resource();
    let get = async |address: String, version| {
        Ok::<_, ProvisionError>(call(clients, Request::get("Look", &resource, &address, version)).await?.body)
    };
    let mut found = match entry {
        Undo::ResourceGroup { subscription, name } => get(id::group(subscription, name), id::RESOURCES).await,
        Undo::Identity { subscription, group, name } => {
            get(id::identity(subscription, group, name), id::IDENTITIES).await
        }
        Undo::FederatedCredential { subscription, group, identity, name } => {
            get(id::credential(subscription, group, identity, name), id::IDENTITIES).await?;
            get(id::identity(subscription, group, identity), id::IDENTITIES).await
        }
        Undo::RoleAssignment { subscription, group, vault, name } => {
            let scope = id::vault(subscription, group, vault);
            get(id::assignment(&scope, name), id::AUTHORIZATION).await?;
            get(scope, id::VAULTS).await
        }
        Undo::Secret { subscription, group, vault, name } => {
            get(id::secret(subscription, group, vault, name), id::VAULTS).await
        }
        Undo::AccessPolicy { subscription, group, vault, .. } => {
            get(id::vault(subscription, group, vault), id::VAULTS).await
        }
        Undo::StorageAccount { subscription, group, name } => {
            get(id::storage_account(subscription, group, name), id::STORAGE).await
        }
        Undo::Container { subscription, group, account, name } => {
            get(id::container(subscription, group, account, name), id::STORAGE).await?;
            get(id::storage_account(subscription, group, account), id::STORAGE).await
        }
        Undo::StorageRole { subscription, group, account, name } => {
            let scope = id::storage_account(subscription, group, account);
            get(id::assignment(&scope, name), id::AUTHORIZATION).await?;
            get(scope, id::STORAGE).await
        }
        Undo::Blob { account, .. } => match list::storage_account(clients, "Look", account).await? {
            Some(found) => Ok(found),
            None => return Ok(None),
        },
        Undo::Vault { subscription, location, group, name } => {
            match get(id::vault(subscription, group, name), id::VAULTS).await {
                // Deleted, and not purged yet.
                Err(error) if error.is_absent() => {
                    let mut deleted = get(id::deleted_vault(subscription, location, name), id::VAULTS).await?;
                    Ok(deleted["properties"].take())
                }
                found => found,
            }
        }
    }?;
    Ok(Some(found["tags"].take()))
}

fn claims(tags: &Value, run: &str) -> bool {
    let tags = tags.as_object().into_iter().flatten();
    Tags::claims(tags.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))), run)
}
