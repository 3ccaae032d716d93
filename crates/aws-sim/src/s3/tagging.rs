//! Tags of objects, at most ten. Must not know buckets' tags.
//!
//! Source: S3 user guide, "Categorizing your objects using tags"; S3 API reference, "PutObjectTagging".

use std::sync::Arc;

use s3s::dto::{
    self, DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput,
};

use super::Simulated;
use super::admission::Visit;
use super::objects::check_version;
use super::permission::object_arn;
use super::refusal::Refusal;
use super::settings::check_tags;
use super::store::StoredObject;
use crate::sigv4::query_pairs;

const MOST: usize = 10;

pub(super) type Tags = Vec<(String, String)>;

fn checked(tags: Tags) -> Result<Tags, Refusal> {
    if tags.len() > MOST {
        return Err(Refusal::new(400, "BadRequest", "Object tags cannot be greater than 10"));
    }
    check_tags(&tags)?;
    Ok(tags)
}

/// The tags in `x-amz-tagging`, which need a permission of their own.
pub(super) fn of_header(
    simulated: &Simulated,
    visit: &Visit,
    (bucket, key): (&str, &str),
    header: Option<&str>,
) -> Result<Tags, Refusal> {
    let Some(header) = header else { return Ok(Tags::new()) };
    simulated.permit(visit, "s3:PutObjectTagging", &object_arn(bucket, key), bucket, &[])?;
    checked(query_pairs(header).collect())
}

fn find(
    simulated: &Simulated,
    visit: &Visit,
    (bucket, key): (&str, &str),
    version: Option<&str>,
) -> Result<Arc<StoredObject>, Refusal> {
    check_version(version)?;
    simulated.store.object(bucket, key)?.ok_or_else(|| simulated.missing_key(visit, bucket))
}

pub(super) fn get(
    simulated: &Simulated,
    visit: &Visit,
    input: GetObjectTaggingInput,
) -> Result<GetObjectTaggingOutput, Refusal> {
    let object = find(simulated, visit, (&input.bucket, &input.key), input.version_id.as_deref())?;
    let tag = |(key, value): &(String, String)| dto::Tag { key: Some(key.clone()), value: Some(value.clone()) };
    Ok(GetObjectTaggingOutput { tag_set: object.tags.iter().map(tag).collect(), version_id: None })
}

pub(super) fn put(
    simulated: &Simulated,
    visit: &Visit,
    input: PutObjectTaggingInput,
) -> Result<PutObjectTaggingOutput, Refusal> {
    let given = input.tagging.tag_set.into_iter();
    let tags = checked(given.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect())?;
    set(simulated, visit, (&input.bucket, &input.key), input.version_id.as_deref(), tags)?;
    Ok(PutObjectTaggingOutput::default())
}

pub(super) fn delete(
    simulated: &Simulated,
    visit: &Visit,
    input: DeleteObjectTaggingInput,
) -> Result<DeleteObjectTaggingOutput, Refusal> {
    set(simulated, visit, (&input.bucket, &input.key), input.version_id.as_deref(), Tags::new())?;
    Ok(DeleteObjectTaggingOutput::default())
}

fn set(
    simulated: &Simulated,
    visit: &Visit,
    (bucket, key): (&str, &str),
    version: Option<&str>,
    tags: Tags,
) -> Result<(), Refusal> {
    find(simulated, visit, (bucket, key), version)?;
    simulated.store.change(bucket, |bucket| match bucket.objects.get_mut(key) {
        Some(object) => {
            Arc::make_mut(object).tags = tags;
            Ok(())
        }
        None => Err(Refusal::no_such_key()),
    })?
}
