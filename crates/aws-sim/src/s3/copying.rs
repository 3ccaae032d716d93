//! Copies within S3: the permission on the source, its conditions, and what the copy keeps of it.

use std::sync::Arc;

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETag, MetadataDirective, TaggingDirective,
    UploadPartCopyInput,
};

use super::Simulated;
use super::admission::Visit;
use super::conditions::{Conditions, Unmet, precondition_failed};
use super::objects::{check_acl, check_encryption, check_lock, check_version, refuse_customer_key};
use super::permission::object_arn;
use super::refusal::Refusal;
use super::store::{Description, StoredObject, wire_time};
use super::tagging;

/// Copies an object. The right to write the copy was settled before; the right to read the source is settled here.
pub(super) fn copy(simulated: &Simulated, visit: &Visit, input: CopyObjectInput) -> Result<CopyObjectOutput, Refusal> {
    check_supported(&input)?;
    let conditions = Conditions {
        matches: input.copy_source_if_match.clone(),
        matches_not: input.copy_source_if_none_match.clone(),
        modified_since: input.copy_source_if_modified_since.clone(),
        unmodified_since: input.copy_source_if_unmodified_since.clone(),
    };
    let owner = input.expected_source_bucket_owner.as_deref();
    let (bucket, key, source) = source(simulated, visit, &input.copy_source, owner, &conditions)?;

    let replaces =
        input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let storage_class = input.storage_class.map(|class| class.as_str().to_owned());
    let onto_itself = bucket == input.bucket && key == input.key;
    if onto_itself && !replaces && storage_class.is_none() && input.website_redirect_location.is_none() {
        return Err(Refusal::new(
            400,
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let kept = if replaces {
        Description {
            content_type: input.content_type.or_else(|| Some("binary/octet-stream".to_owned())),
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            expires: input.expires,
            metadata: input.metadata,
            ..Description::default()
        }
    } else {
        source.description.clone()
    };
    // Unless told otherwise a copy has the tags of its source (S3 API reference, CopyObject).
    let tags = match input.tagging_directive.as_ref().map(TaggingDirective::as_str) {
        Some(TaggingDirective::REPLACE) => {
            tagging::of_header(simulated, visit, (&input.bucket, &input.key), input.tagging.as_deref())?
        }
        _ => source.tags.clone(),
    };
    let object = StoredObject {
        tags,
        modified: simulated.state.now(),
        // Neither is part of what the directive copies.
        description: Description { storage_class, website_redirect_location: input.website_redirect_location, ..kept },
        ..(*source).clone()
    };
    let result = CopyObjectResult {
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(wire_time(object.modified)),
        ..CopyObjectResult::default()
    };
    simulated.store.change(&input.bucket, |bucket| bucket.objects.insert(input.key.clone(), Arc::new(object)))?;
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() })
}

/// The object that is copied: who may read it, and whether the conditions hold.
fn source<'a>(
    simulated: &Simulated,
    visit: &Visit,
    named: &'a CopySource,
    owner: Option<&str>,
    conditions: &Conditions,
) -> Result<(&'a str, &'a str, Arc<StoredObject>), Refusal> {
    let CopySource::Bucket { bucket, key, version_id } = named else {
        return Err(Refusal::not_implemented());
    };
    check_version(version_id.as_deref())?;
    if let Some(expected) = owner
        && simulated.store.bucket(bucket, |bucket| bucket.owner.as_str() != expected)?
    {
        return Err(Refusal::denied("Access Denied"));
    }
    simulated.permit(visit, "s3:GetObject", &object_arn(bucket, key), bucket, &[])?;
    let source = simulated.store.object(bucket, key)?.ok_or_else(|| simulated.missing_key(visit, bucket))?;
    conditions.check(&source).map_err(|unmet| match unmet {
        Unmet::Failed("If-Match") => precondition_failed("x-amz-copy-source-If-Match"),
        Unmet::Failed(_) => precondition_failed("x-amz-copy-source-If-Unmodified-Since"),
        // A write cannot be answered with 304.
        Unmet::NotModified => precondition_failed("x-amz-copy-source-If-None-Match"),
    })?;
    Ok((bucket, key, source))
}

/// The object that a part of an upload is taken from.
pub(super) fn source_of_part(
    simulated: &Simulated,
    visit: &Visit,
    input: &UploadPartCopyInput,
) -> Result<Arc<StoredObject>, Refusal> {
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    refuse_customer_key(input.copy_source_sse_customer_algorithm.as_ref())?;
    let conditions = Conditions {
        matches: input.copy_source_if_match.clone(),
        matches_not: input.copy_source_if_none_match.clone(),
        modified_since: input.copy_source_if_modified_since.clone(),
        unmodified_since: input.copy_source_if_unmodified_since.clone(),
    };
    let owner = input.expected_source_bucket_owner.as_deref();
    source(simulated, visit, &input.copy_source, owner, &conditions).map(|(_, _, source)| source)
}

fn check_supported(input: &CopyObjectInput) -> Result<(), Refusal> {
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    refuse_customer_key(input.copy_source_sse_customer_algorithm.as_ref())?;
    check_encryption(input.server_side_encryption.as_ref())?;
    check_acl(
        input.acl.as_ref().map(s3s::dto::ObjectCannedACL::as_str),
        [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp],
    )?;
    check_lock(
        input.object_lock_legal_hold_status.is_some()
            || input.object_lock_mode.is_some()
            || input.object_lock_retain_until_date.is_some(),
    )?;
    Ok(())
}
