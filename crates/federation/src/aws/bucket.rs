//! Making a bucket: itself with its tags in one call, so that none stands without an owner even if the run is killed between two calls, and, for
//! a public one, what lets everyone read. After the first call it stands, so that every later error leaves something to take back.

use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, PublicAccessBlockConfiguration, Tag, Tagging,
};
use serde_json::json;

use super::access::{Clients, partition};
use super::call::call;
use super::error::ProvisionError;
use crate::{Kind, Tags};

/// Who may read the objects of a bucket without a policy of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// Nobody outside of the account: a new bucket's own settings.
    Account,
    /// Everyone, unsigned too.
    Everyone,
}

/// Makes a bucket that is not there, with all that belongs to it.
pub(super) async fn create(clients: &Clients, name: &str, readers: Readers, tags: &Tags) -> Result<(), ProvisionError> {
    let resource = resource(name);
    let constraint = match clients.region() {
        // This region takes no location constraint, and answers 200 to the owner of a bucket that exists (Amazon S3
        // API reference, CreateBucket): so look first.
        "us-east-1" => {
            refuse_own(clients, name).await?;
            None
        }
        region => Some(BucketLocationConstraint::from(region)),
    };
    let set = tag_set(tags).map_err(|error| ProvisionError::bug("CreateBucket", &resource, error))?;
    let configuration =
        CreateBucketConfiguration::builder().set_location_constraint(constraint).set_tags(Some(set)).build();
    let send = || clients.s3().create_bucket().bucket(name).create_bucket_configuration(configuration.clone()).send();
    call(clients.consistency(), "CreateBucket", &resource, send).await?;
    furnish(clients, name, readers, tags).await
}

/// All that belongs to a bucket that stands. May be done again.
pub(super) async fn furnish(
    clients: &Clients,
    name: &str,
    readers: Readers,
    tags: &Tags,
) -> Result<(), ProvisionError> {
    let furnished = async {
        tag(clients, name, tags).await?;
        match readers {
            Readers::Account => Ok(()),
            Readers::Everyone => open(clients, name).await,
        }
    };
    furnished.await.map_err(|error| ProvisionError { maybe_done: true, ..error })
}

async fn refuse_own(clients: &Clients, name: &str) -> Result<(), ProvisionError> {
    let resource = resource(name);
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

/// Gives a bucket its tags where it lacks them: an endpoint may not know yet that a bucket can be created with them.
async fn tag(clients: &Clients, name: &str, tags: &Tags) -> Result<(), ProvisionError> {
    let resource = resource(name);
    let bug = |error: String| ProvisionError::bug("PutBucketTagging", &resource, error);
    let set = tag_set(tags).map_err(bug)?;
    // A bucket that is not seen yet is tagged as one without tags, which waits for it.
    if let Ok(found) = tags_of(clients, clients.s3(), name).await
        && set.iter().all(|tag| found.contains(tag))
    {
        return Ok(());
    }
    let tagging = Tagging::builder().set_tag_set(Some(set)).build().map_err(|error| bug(error.to_string()))?;
    let send = || clients.s3().put_bucket_tagging().bucket(name).tagging(tagging.clone()).send();
    call(clients.consistency(), "PutBucketTagging", &resource, send).await.map(drop)
}

fn tag_set(tags: &Tags) -> Result<Vec<Tag>, String> {
    let each = tags.pairs().into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    each.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// The tags of a bucket that stands, in whatever region.
pub(super) async fn tags_of(
    clients: &Clients,
    s3: &aws_sdk_s3::Client,
    name: &str,
) -> Result<Vec<Tag>, ProvisionError> {
    let send = || s3.get_bucket_tagging().bucket(name).send();
    match call(clients.consistency(), "GetBucketTagging", &resource(name), send).await {
        Ok(found) => Ok(found.tag_set),
        Err(error) if error.code.as_deref() == Some("NoSuchTagSet") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Lets everyone read the objects, as those who publish an issuer from a bucket do: a policy opens it, and ACLs still
/// cannot (openshift/cloud-credential-operator, `ccoctl aws create-identity-provider`).
async fn open(clients: &Clients, name: &str) -> Result<(), ProvisionError> {
    let (s3, resource) = (clients.s3(), resource(name));
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(false)
        .restrict_public_buckets(false)
        .build();
    let send = || s3.put_public_access_block().bucket(name).public_access_block_configuration(block.clone()).send();
    call(clients.consistency(), "PutPublicAccessBlock", &resource, send).await?;
    put_policy(clients, name, &public_policy(partition(clients.region()), name)).await
}

/// Gives a bucket that stands a policy of its own.
pub(super) async fn put_policy(clients: &Clients, name: &str, document: &str) -> Result<(), ProvisionError> {
    let send = || clients.s3().put_bucket_policy().bucket(name).policy(document).send();
    call(clients.consistency(), "PutBucketPolicy", &resource(name), send).await.map(drop)
}

fn public_policy(partition: &str, name: &str) -> String {
    let statement = json!({
        "Sid": "EveryoneReads",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:{partition}:s3:::{name}/*"),
    });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn resource(name: &str) -> String {
    format!("bucket {name}")
}
