//! Creating one thing: never one that is there already, and never before it is written down.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tagging};

use super::access::Clients;
use super::call::call;
use super::desired::{Desired, Tags};
use super::error::{Kind, ProvisionError};
use super::owner::{self, Owner, RUN_METADATA};
use super::undo::Undo;
use crate::ledger::{Ledger, LedgerError};

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
    let entry = ledger.intend(&desired.label(), &desired.undo(clients.account(), clients.region()))?;
    match create(clients, desired, tags).await {
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

/// Creates one thing and marks it as the run's.
///
/// # Errors
/// [`Kind::Exists`] if it is there already; it is not touched then. With `maybe_done`, it may have been created.
pub async fn create(clients: &Clients, desired: &Desired, tags: &Tags) -> Result<(), ProvisionError> {
    match send(clients, desired, tags).await {
        // An attempt before this one got no answer: then the thing that is there may well be ours.
        Err(error) if error.kind == Kind::Exists && error.maybe_done => {
            let undo = desired.undo(clients.account(), clients.region());
            let owner = owner::of(clients, &undo, tags.run()).await;
            if owner.map_err(|unread| ProvisionError { maybe_done: true, ..unread })? != Owner::Run {
                return Err(ProvisionError { maybe_done: false, ..error });
            }
            if let Desired::Bucket { name } = desired {
                tag_bucket(clients, name, tags).await?;
            }
            Ok(())
        }
        other => other,
    }
}

async fn send(clients: &Clients, desired: &Desired, tags: &Tags) -> Result<(), ProvisionError> {
    let (consistency, iam, resource) = (clients.consistency(), clients.iam(), desired.label());
    match desired {
        Desired::Bucket { name } => create_bucket(clients, name, tags).await,
        Desired::Object { bucket, key, body } => {
            let send = || {
                let put = clients.s3().put_object().bucket(bucket).key(key).body(ByteStream::from(body.clone()));
                put.if_none_match("*").metadata(RUN_METADATA, tags.run()).send()
            };
            call(consistency, "PutObject", &resource, send).await.map(drop)
        }
        Desired::OidcProvider { url, client_ids, thumbprints } => {
            let tags = iam_tags(tags, &resource)?;
            let send = || {
                let thumbprints = thumbprints.iter().map(ToString::to_string).collect::<Vec<_>>();
                iam.create_open_id_connect_provider()
                    .url(url.as_str())
                    .set_client_id_list(Some(client_ids.clone()))
                    .set_thumbprint_list((!thumbprints.is_empty()).then_some(thumbprints))
                    .set_tags(Some(tags.clone()))
                    .send()
            };
            call(consistency, "CreateOpenIDConnectProvider", &resource, send).await.map(drop)
        }
        Desired::Policy { name, document } => {
            let tags = iam_tags(tags, &resource)?;
            let send =
                || iam.create_policy().policy_name(name).policy_document(document).set_tags(Some(tags.clone())).send();
            call(consistency, "CreatePolicy", &resource, send).await.map(drop)
        }
        Desired::Role { name, trust_policy, max_session_seconds } => {
            let tags = iam_tags(tags, &resource)?;
            let send = || {
                iam.create_role()
                    .role_name(name)
                    .assume_role_policy_document(trust_policy)
                    .set_max_session_duration(*max_session_seconds)
                    .set_tags(Some(tags.clone()))
                    .send()
            };
            call(consistency, "CreateRole", &resource, send).await.map(drop)
        }
        Desired::Attachment { role, policy_arn } => {
            let send = || iam.attach_role_policy().role_name(role).policy_arn(policy_arn).send();
            call(consistency, "AttachRolePolicy", &resource, send).await.map(drop)
        }
    }
}

async fn create_bucket(clients: &Clients, name: &str, tags: &Tags) -> Result<(), ProvisionError> {
    let (s3, resource) = (clients.s3(), format!("bucket {name}"));
    let location = match clients.region() {
        // This region takes no location constraint, and answers 200 to the owner of a bucket that exists (Amazon S3
        // API reference, CreateBucket): so look first.
        "us-east-1" => {
            refuse_own_bucket(clients, name).await?;
            None
        }
        region => {
            let constraint = BucketLocationConstraint::from(region);
            Some(CreateBucketConfiguration::builder().location_constraint(constraint).build())
        }
    };
    let send = || s3.create_bucket().bucket(name).set_create_bucket_configuration(location.clone()).send();
    call(clients.consistency(), "CreateBucket", &resource, send).await?;
    tag_bucket(clients, name, tags).await
}

async fn refuse_own_bucket(clients: &Clients, name: &str) -> Result<(), ProvisionError> {
    let resource = format!("bucket {name}");
    let send = || clients.s3().head_bucket().bucket(name).send();
    match call(clients.consistency(), "HeadBucket", &resource, send).await {
        Ok(_) => Err(ProvisionError {
            kind: Kind::Exists,
            code: Some("BucketAlreadyOwnedByYou".to_owned()),
            ..ProvisionError::bug("CreateBucket", &resource, "the account has a bucket of that name".to_owned())
        }),
        // Another's bucket answers 403 here; CreateBucket then says so better.
        Err(error) if error.kind == Kind::Unavailable => Err(ProvisionError { maybe_done: false, ..error }),
        Err(_) => Ok(()),
    }
}

/// The bucket stands when this is called, so every error leaves something behind.
async fn tag_bucket(clients: &Clients, name: &str, tags: &Tags) -> Result<(), ProvisionError> {
    let resource = format!("bucket {name}");
    let set: Result<Vec<_>, _> = tags
        .pairs()
        .into_iter()
        .map(|(key, value)| aws_sdk_s3::types::Tag::builder().key(key).value(value).build())
        .collect();
    let tagging = set.and_then(|set| Tagging::builder().set_tag_set(Some(set)).build());
    let tagging = tagging.map_err(|error| ProvisionError {
        maybe_done: true,
        ..ProvisionError::bug("PutBucketTagging", &resource, error.to_string())
    })?;
    let send = || clients.s3().put_bucket_tagging().bucket(name).tagging(tagging.clone()).send();
    let tagged = call(clients.consistency(), "PutBucketTagging", &resource, send).await;
    tagged.map(drop).map_err(|error| ProvisionError { maybe_done: true, ..error })
}

fn iam_tags(tags: &Tags, resource: &str) -> Result<Vec<aws_sdk_iam::types::Tag>, ProvisionError> {
    let tag = |(key, value)| aws_sdk_iam::types::Tag::builder().key(key).value(value).build();
    let built: Result<Vec<_>, _> = tags.pairs().into_iter().map(tag).collect();
    built.map_err(|error| ProvisionError::bug("Tag", resource, error.to_string()))
}
