//! Creating one thing: never one that is there already, and never before it is written down.

use super::access::Clients;
use super::bucket::{self, Readers};
use super::call::call;
use super::desired::Desired;
use super::error::ProvisionError;
use super::object::{self, Content};
use super::owner::{self, Owner};
use super::provider::{self, Wanted};
use super::undo::Undo;
use crate::ledger::{Intent, Known, Ledger, LedgerError};
use crate::{Kind, Tags};

/// Why a thing was not created.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It could not be written down first, or its outcome could not.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It was refused or lost.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
}

/// Writes the intention down, creates, writes the outcome down. Returns the number of the entry.
///
/// What an earlier life of the run created is left as it is, and nothing is sent. What it may have created is created as
/// if its attempt had got no answer.
///
/// After an error that leaves open whether something was created, the entry stays open:
/// [`super::undo_unconfirmed`] finishes it.
///
/// # Errors
/// When the ledger cannot be written (nothing is created then), or the creation fails.
pub async fn create_journaled(
    clients: &Clients,
    desired: &Desired,
    tags: &Tags,
    ledger: &dyn Ledger<Undo>,
) -> Result<u64, ApplyError> {
    let undo = desired.undo(clients.account(), clients.region(), tags.run());
    let Intent { entry, known } = ledger.intend(&desired.label(), &undo)?;
    let made = match known {
        Known::Stands => return Ok(entry),
        Known::MayStand => create_again(clients, desired, tags).await,
        Known::New => create(clients, desired, tags).await,
    };
    match made {
        Ok(()) => ledger.done(entry)?,
        Err(error) => {
            if !error.maybe_done {
                ledger.failed(entry, &error.to_string())?;
            }
            return Err(error.into());
        }
    }
    Ok(entry)
}

/// Creates one thing and marks it as the run's. An OIDC provider that other runs of the tool have made is shared with them.
///
/// # Errors
/// [`Kind::Exists`] if it is there already, or the run has it already; it is not touched then. With `maybe_done`, it may have been created.
pub async fn create(clients: &Clients, desired: &Desired, tags: &Tags) -> Result<(), ProvisionError> {
    match send(clients, desired, tags, false).await {
        // An attempt before this one got no answer: then the thing that is there may well be ours.
        Err(error) if error.kind == Kind::Exists && error.maybe_done => keep(clients, desired, tags, error).await,
        other => other,
    }
}

/// The same, where an earlier life of the run may have done it.
async fn create_again(clients: &Clients, desired: &Desired, tags: &Tags) -> Result<(), ProvisionError> {
    match send(clients, desired, tags, true).await {
        Err(error) if error.kind == Kind::Exists => keep(clients, desired, tags, error).await,
        // A refusal of this attempt tells nothing about the one before.
        other => other.map_err(|error| ProvisionError { maybe_done: true, ..error }),
    }
}

/// Takes what is there if the run made it, and does what may be missing.
async fn keep(clients: &Clients, desired: &Desired, tags: &Tags, error: ProvisionError) -> Result<(), ProvisionError> {
    let undo = desired.undo(clients.account(), clients.region(), tags.run());
    let owner = owner::of(clients, &undo, tags.run()).await;
    if owner.map_err(|unread| ProvisionError { maybe_done: true, ..unread })? != Owner::Run {
        return Err(ProvisionError { maybe_done: false, ..error });
    }
    match desired {
        Desired::Bucket { name } => bucket::furnish(clients, name, Readers::Account, tags).await,
        Desired::PublicBucket { name } => bucket::furnish(clients, name, Readers::Everyone, tags).await,
        _ => Ok(()),
    }
}

/// `tried` says that an earlier life of the run may have sent it.
async fn send(clients: &Clients, desired: &Desired, tags: &Tags, tried: bool) -> Result<(), ProvisionError> {
    let (consistency, iam, resource) = (clients.consistency(), clients.iam(), desired.label());
    match desired {
        Desired::Bucket { name } => bucket::create(clients, name, Readers::Account, tags).await,
        Desired::PublicBucket { name } => bucket::create(clients, name, Readers::Everyone, tags).await,
        Desired::BucketPolicy { bucket, document } => bucket::put_policy(clients, bucket, document).await,
        Desired::Object { bucket, key, body, content_type } => {
            let content = Content { bucket, key, content_type: content_type.as_deref(), body };
            object::create(clients, content, tags).await
        }
        Desired::OidcProvider { url, client_ids, thumbprints } => {
            let arn = desired.arn(clients.account(), clients.region()).map(|arn| arn.to_string()).unwrap_or_default();
            let wanted = Wanted { arn: &arn, resource: &resource, url, client_ids, thumbprints };
            provider::join(clients, wanted, tags, tried).await
        }
        Desired::Policy { name, document } => {
            let tags = iam_tags(tags, &resource)?;
            let send =
                || iam.create_policy().policy_name(name).policy_document(document).set_tags(Some(tags.clone())).send();
            call(consistency, "CreatePolicy", &resource, send).await.map(drop)
        }
        Desired::Role { name, trust_policy, max_session_seconds, boundary } => {
            let tags = iam_tags(tags, &resource)?;
            let send = || {
                iam.create_role()
                    .role_name(name)
                    .assume_role_policy_document(trust_policy)
                    .set_max_session_duration(*max_session_seconds)
                    .set_permissions_boundary(boundary.clone())
                    .set_tags(Some(tags.clone()))
                    .send()
            };
            call(consistency, "CreateRole", &resource, send).await.map(drop)
        }
        Desired::InlinePolicy { role, name, document } => {
            let send = || iam.put_role_policy().role_name(role).policy_name(name).policy_document(document).send();
            call(consistency, "PutRolePolicy", &resource, send).await.map(drop)
        }
        Desired::Attachment { role, policy_arn } => {
            let send = || iam.attach_role_policy().role_name(role).policy_arn(policy_arn).send();
            call(consistency, "AttachRolePolicy", &resource, send).await.map(drop)
        }
    }
}

fn iam_tags(tags: &Tags, resource: &str) -> Result<Vec<aws_sdk_iam::types::Tag>, ProvisionError> {
    let tag = |(key, value)| aws_sdk_iam::types::Tag::builder().key(key).value(value).build();
    let built: Result<Vec<_>, _> = tags.pairs().into_iter().map(tag).collect();
    built.map_err(|error| ProvisionError::bug("Tag", resource, error.to_string()))
}
