//! Who made a thing: asked before anything is deleted that we are not sure to have made.

use super::access::Clients;
use super::bucket::tags_of;
use super::call::call;
use super::error::ProvisionError;
use super::provider;
use super::undo::{Undo, is_absent};
use crate::Tags;
use crate::tags::RUN_METADATA;

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

/// Reads the tags (an object's metadata; of what is a part of a role or a bucket, those of that).
///
/// A bucket gets its tags by a second call, so one without any is the run's if its name holds the run id.
pub(super) async fn of(clients: &Clients, entry: &Undo, run: &str) -> Result<Owner, ProvisionError> {
    let told = match entry {
        Undo::Bucket { region, name, .. } | Undo::BucketPolicy { region, bucket: name, .. } => {
            bucket(clients, region, name, run).await
        }
        Undo::Object { region, bucket, key, .. } => object(clients, region, bucket, key, run).await,
        Undo::OidcProvider { arn, .. } => return provider::owner(clients, arn, run, &entry.resource()).await,
        Undo::Policy { arn, .. } => {
            let send = || clients.iam().get_policy().policy_arn(arn).send();
            let found = call(clients.consistency(), "GetPolicy", &entry.resource(), send).await;
            found.map(|found| found.policy().is_some_and(|policy| iam_claims(policy.tags(), run)))
        }
        Undo::Role { name: role, .. } | Undo::Attachment { role, .. } | Undo::InlinePolicy { role, .. } => {
            let send = || clients.iam().get_role().role_name(role).send();
            let found = call(clients.consistency(), "GetRole", &entry.resource(), send).await;
            found.map(|found| found.role().is_some_and(|role| iam_claims(role.tags(), run)))
        }
    };
    match told {
        Ok(true) => Ok(Owner::Run),
        Ok(false) => Ok(Owner::Other),
        Err(error) if is_absent(&error) => Ok(Owner::Absent),
        Err(error) => Err(error),
    }
}

fn iam_claims(tags: &[aws_sdk_iam::types::Tag], run: &str) -> bool {
    Tags::claims(tags.iter().map(|tag| (tag.key(), tag.value())), run)
}

async fn bucket(clients: &Clients, region: &str, name: &str, run: &str) -> Result<bool, ProvisionError> {
    let s3 = clients.s3_in(region);
    let found = tags_of(clients, &s3, name).await?;
    // Where it is tagged after its creation, a run may have been killed in between: its name then says whose it is.
    Ok(match found.is_empty() {
        true => name.contains(run),
        false => Tags::claims(found.iter().map(|tag| (tag.key(), tag.value())), run),
    })
}

async fn object(clients: &Clients, region: &str, bucket: &str, key: &str, run: &str) -> Result<bool, ProvisionError> {
    let s3 = clients.s3_in(region);
    let resource = format!("object {bucket}/{key}");
    let send = || s3.head_object().bucket(bucket).key(key).send();
    let found = call(clients.consistency(), "HeadObject", &resource, send).await?;
    let metadata = found.metadata().and_then(|metadata| metadata.get(RUN_METADATA));
    Ok(metadata.is_some_and(|value| value == run))
}
