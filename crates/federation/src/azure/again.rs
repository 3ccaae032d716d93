//! Creating what an earlier attempt or an earlier life of the run may have created. Knows no request that creates.

use super::access::{Clients, IdentityIds};
use super::call::{Request, call};
use super::create::{learn, operation, put, refuse_existing, version};
use super::delete::purge_vault;
use super::desired::Desired;
use super::error::ProvisionError;
use super::owner::{self, Owner};
use super::poll::until_ready;
use super::undo::Undo;
use super::{Kind, Tags, id};

/// Creates one thing, where an earlier life of the run may have done it.
pub(super) async fn create_again(
    clients: &Clients,
    desired: &Desired,
    tags: &Tags,
) -> Result<Option<IdentityIds>, ProvisionError> {
    let made = match refuse_existing(clients, desired).await {
        Ok(()) => put(clients, desired, tags).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(reply) => learn(clients, desired, reply).await,
        Err(error) if error.kind == Kind::Exists => {
            keep(clients, desired, tags, error).await?;
            learn(clients, desired, None).await
        }
        // A refusal of this attempt tells nothing about the one before.
        Err(error) => Err(ProvisionError { maybe_done: true, ..error }),
    }
}

/// Takes what is there if the run made it, and waits until it is ready.
pub(super) async fn keep(
    clients: &Clients,
    desired: &Desired,
    tags: &Tags,
    error: ProvisionError,
) -> Result<(), ProvisionError> {
    let open = |error| ProvisionError { maybe_done: true, ..error };
    let undo = desired.undo(clients.subscription(), clients.location());
    if owner::of(clients, &undo, tags.run()).await.map_err(open)? != Owner::Run {
        return Err(ProvisionError { maybe_done: false, ..error });
    }
    if !matches!(desired, Desired::Vault { .. } | Desired::ResourceGroup { .. } | Desired::StorageAccount { .. }) {
        return Ok(());
    }
    let (resource, address) = (desired.label(), desired.id(clients.subscription()).unwrap_or_default());
    let look = Request::get(operation(desired), &resource, &address, version(desired));
    match call(clients, look.clone()).await {
        Ok(reply) => until_ready(clients, reply, look).await.map(drop),
        // Ours, but deleted: its name is kept for it until it is purged.
        Err(gone) if gone.is_absent() => {
            if let Undo::Vault { subscription, location, name, .. } = &undo {
                purge_vault(clients, &id::deleted_vault(subscription, location, name), &resource)
                    .await
                    .map_err(open)?;
            }
            put(clients, desired, tags).await.map(drop).map_err(open)
        }
        Err(error) => Err(open(error)),
    }
}

/// An identity's ids, where an earlier life of the run created what is wanted.
pub(super) async fn standing(
    clients: &Clients,
    desired: &Desired,
    undo: &Undo,
    tags: &Tags,
) -> Result<Option<IdentityIds>, ProvisionError> {
    let Desired::Identity { group, name } = desired else {
        return Ok(None);
    };
    let refuse = |kind, message: &str| Err(ProvisionError::new(kind, operation(desired), &desired.label(), message));
    match owner::of(clients, undo, tags.run()).await? {
        Owner::Run => clients.identity(group, name).await.map(Some),
        Owner::Other => refuse(Kind::Exists, "another has made it anew since the run did"),
        Owner::Absent => refuse(Kind::Invalid, "the run has made it, and it is gone: clean up the run and begin anew"),
    }
}
