//! The settings of a bucket: tags, policy, Block Public Access, ownership. Must not know objects.
//!
//! Source: S3 API reference, the page of each operation; user guide, "Blocking public access".

use std::collections::BTreeSet;
use std::sync::Arc;

use s3s::dto::{
    self, DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput, DeleteBucketPolicyInput,
    DeleteBucketPolicyOutput, DeleteBucketTaggingInput, DeleteBucketTaggingOutput, DeletePublicAccessBlockInput,
    DeletePublicAccessBlockOutput, GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput,
    GetBucketPolicyInput, GetBucketPolicyOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
    GetPublicAccessBlockInput, GetPublicAccessBlockOutput, PutBucketOwnershipControlsInput,
    PutBucketOwnershipControlsOutput, PutBucketPolicyInput, PutBucketPolicyOutput, PutBucketTaggingInput,
    PutBucketTaggingOutput, PutPublicAccessBlockInput, PutPublicAccessBlockOutput,
};
use serde_json::Value;
use trust::policy::{Document, Kind};

use super::Simulated;
use super::admission::Visit;
use super::buckets::check_ownership;
use super::permission::bucket_arn;
use super::public::is_public;
use super::refusal::Refusal;
use super::store::{BucketPolicy, PublicAccessBlock};
use super::tagging::Tags;

/// Bytes of a bucket's policy (S3 user guide, "Adding a bucket policy": 20 KB). AWS normalises before it counts, in a way that is not
/// documented; here the text counts as it came. Neither is the code documented: this is the one of MinIO, which follows S3.
const LARGEST_POLICY: usize = 20 * 1024;

pub(super) fn put_tags(
    simulated: &Simulated,
    _visit: &Visit,
    input: PutBucketTaggingInput,
) -> Result<PutBucketTaggingOutput, Refusal> {
    let tags = pairs(input.tagging.tag_set);
    check_bucket_tags(&tags)?;
    simulated.store.change(&input.bucket, |bucket| bucket.tags = tags)?;
    Ok(PutBucketTaggingOutput::default())
}

/// Tags as they came.
pub(super) fn pairs(given: dto::TagSet) -> Tags {
    given.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect()
}

pub(super) fn check_bucket_tags(tags: &[(String, String)]) -> Result<(), Refusal> {
    if tags.len() > 50 {
        return Err(Refusal::new(400, "BadRequest", "Bucket tag count cannot be greater than 50"));
    }
    check_tags(tags)
}

/// What holds for the tags of buckets and of objects.
pub(super) fn check_tags(tags: &[(String, String)]) -> Result<(), Refusal> {
    let invalid = |message: &'static str| Refusal::new(400, "InvalidTag", message);
    let names: BTreeSet<&String> = tags.iter().map(|(name, _)| name).collect();
    if names.len() != tags.len() {
        return Err(invalid("Cannot provide multiple Tags with the same key"));
    }
    for (name, value) in tags {
        if name.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
        if name.is_empty() || name.chars().count() > 128 {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
    }
    Ok(())
}

pub(super) fn get_tags(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketTaggingInput,
) -> Result<GetBucketTaggingOutput, Refusal> {
    let tags = simulated.store.bucket(&input.bucket, |bucket| bucket.tags.clone())?;
    if tags.is_empty() {
        return Err(Refusal::new(404, "NoSuchTagSet", "The TagSet does not exist"));
    }
    let tag_set = tags.into_iter().map(|(key, value)| dto::Tag { key: Some(key), value: Some(value) }).collect();
    Ok(GetBucketTaggingOutput { tag_set })
}

pub(super) fn delete_tags(
    simulated: &Simulated,
    _visit: &Visit,
    input: DeleteBucketTaggingInput,
) -> Result<DeleteBucketTaggingOutput, Refusal> {
    simulated.store.change(&input.bucket, |bucket| bucket.tags.clear())?;
    Ok(DeleteBucketTaggingOutput::default())
}

pub(super) fn put_policy(
    simulated: &Simulated,
    visit: &Visit,
    input: PutBucketPolicyInput,
) -> Result<PutBucketPolicyOutput, Refusal> {
    let malformed = |message: String| Refusal::new(400, "MalformedPolicy", message);
    if input.policy.len() > LARGEST_POLICY {
        return Err(Refusal::new(
            400,
            "PolicyTooLarge",
            "Policy exceeds the maximum allowed document size.".to_owned(),
        ));
    }
    let document = Document::parse(&input.policy, Kind::Resource).map_err(|error| malformed(error.aws_message()))?;
    if !is_about(&input.policy, &input.bucket) {
        return Err(malformed("Policy has invalid resource".to_owned()));
    }
    let caller = visit.known_caller()?;
    let is_public = is_public(&input.policy);
    simulated.store.change(&input.bucket, |bucket| {
        if is_public && bucket.public_access_block.is_some_and(|block| block.block_policy) {
            return Err(Refusal::denied(format!(
                "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"{}\" because public policies \
                 are blocked by the BlockPublicPolicy block public access setting.",
                caller.arn,
                bucket_arn(&input.bucket)
            )));
        }
        bucket.policy = Some(Arc::new(BucketPolicy { text: input.policy, document, is_public }));
        Ok(())
    })??;
    Ok(PutBucketPolicyOutput::default())
}

/// Whether every statement of a valid policy speaks of this bucket or what is in it.
fn is_about(policy: &str, bucket: &str) -> bool {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    listed(&document["Statement"])
        .into_iter()
        .flat_map(|statement| [&statement["Resource"], &statement["NotResource"]])
        .flat_map(listed)
        .filter_map(Value::as_str)
        .all(|resource| {
            let name = resource.strip_prefix("arn:aws:s3:::").unwrap_or(resource).split('/').next();
            // Whether a pattern fits is decided when a request comes.
            name.is_some_and(|name| name == bucket || name.contains(['*', '?', '$']))
        })
}

fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

pub(super) fn get_policy(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketPolicyInput,
) -> Result<GetBucketPolicyOutput, Refusal> {
    match simulated.store.bucket(&input.bucket, |bucket| bucket.policy.clone())? {
        Some(policy) => Ok(GetBucketPolicyOutput { policy: Some(policy.text.clone()) }),
        None => Err(Refusal::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist")),
    }
}

pub(super) fn delete_policy(
    simulated: &Simulated,
    _visit: &Visit,
    input: DeleteBucketPolicyInput,
) -> Result<DeleteBucketPolicyOutput, Refusal> {
    simulated.store.change(&input.bucket, |bucket| bucket.policy = None)?;
    Ok(DeleteBucketPolicyOutput::default())
}

pub(super) fn put_public_access_block(
    simulated: &Simulated,
    _visit: &Visit,
    input: PutPublicAccessBlockInput,
) -> Result<PutPublicAccessBlockOutput, Refusal> {
    let given = input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_acls: given.block_public_acls.unwrap_or(false),
        ignore_acls: given.ignore_public_acls.unwrap_or(false),
        block_policy: given.block_public_policy.unwrap_or(false),
        restrict_buckets: given.restrict_public_buckets.unwrap_or(false),
    };
    simulated.store.change(&input.bucket, |bucket| bucket.public_access_block = Some(block))?;
    Ok(PutPublicAccessBlockOutput::default())
}

pub(super) fn get_public_access_block(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetPublicAccessBlockInput,
) -> Result<GetPublicAccessBlockOutput, Refusal> {
    let block = simulated.store.bucket(&input.bucket, |bucket| bucket.public_access_block)?.ok_or_else(|| {
        Refusal::new(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
    })?;
    Ok(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(dto::PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_acls),
            block_public_policy: Some(block.block_policy),
            ignore_public_acls: Some(block.ignore_acls),
            restrict_public_buckets: Some(block.restrict_buckets),
        }),
    })
}

pub(super) fn delete_public_access_block(
    simulated: &Simulated,
    _visit: &Visit,
    input: DeletePublicAccessBlockInput,
) -> Result<DeletePublicAccessBlockOutput, Refusal> {
    simulated.store.change(&input.bucket, |bucket| bucket.public_access_block = None)?;
    Ok(DeletePublicAccessBlockOutput::default())
}

pub(super) fn put_ownership(
    simulated: &Simulated,
    _visit: &Visit,
    input: PutBucketOwnershipControlsInput,
) -> Result<PutBucketOwnershipControlsOutput, Refusal> {
    let [rule] = input.ownership_controls.rules.as_slice() else {
        return Err(Refusal::malformed_xml());
    };
    let ownership = check_ownership(&rule.object_ownership)?;
    simulated.store.change(&input.bucket, |bucket| bucket.ownership = Some(ownership))?;
    Ok(PutBucketOwnershipControlsOutput::default())
}

pub(super) fn get_ownership(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketOwnershipControlsInput,
) -> Result<GetBucketOwnershipControlsOutput, Refusal> {
    let ownership = simulated.store.bucket(&input.bucket, |bucket| bucket.ownership.clone())?.ok_or_else(|| {
        Refusal::new(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
    })?;
    let rule = dto::OwnershipControlsRule { object_ownership: ownership.into() };
    Ok(GetBucketOwnershipControlsOutput { ownership_controls: Some(dto::OwnershipControls { rules: vec![rule] }) })
}

pub(super) fn delete_ownership(
    simulated: &Simulated,
    _visit: &Visit,
    input: DeleteBucketOwnershipControlsInput,
) -> Result<DeleteBucketOwnershipControlsOutput, Refusal> {
    simulated.store.change(&input.bucket, |bucket| bucket.ownership = None)?;
    Ok(DeleteBucketOwnershipControlsOutput::default())
}
