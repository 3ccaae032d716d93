//! Copies within S3: the permission on the source, its conditions, and what the copy keeps of it.

use std::sync::Arc;

use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETag, MetadataDirective};

use super::Simulated;
use super::admission::Visit;
use super::conditions::{Conditions, Unmet, precondition_failed};
use super::objects::{check_acl, check_encryption, check_lock, check_version, refuse_customer_key};
use super::permission::object_arn;
use super::refusal::Refusal;
use super::store::{Description, StoredObject, wire_time};

/// Copies an object. The right to write the copy was settled before; the right to read the source is settled here.
pub(super) fn copy(simulated: &Simulated, visit: &Visit, input: CopyObjectInput) -> Result<CopyObjectOutput, Refusal> {
    check_supported(&input)?;
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(Refusal::not_implemented());
    };
    check_version(version_id.as_deref())?;
    if let Some(expected) = &input.expected_source_bucket_owner
        && simulated.store.bucket(bucket, |bucket| bucket.owner.as_str() != expected)?
    {
        return Err(Refusal::denied("Access Denied"));
    }
    simulated.permit(visit, "s3:GetObject", &object_arn(bucket, key), bucket, &[])?;
    let source = simulated.store.object(bucket, key)?.ok_or_else(|| simulated.missing_key(visit, bucket))?;
    let conditions = Conditions {
        matches: input.copy_source_if_match,
        matches_not: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    conditions.check(&source).map_err(|unmet| match unmet {
        Unmet::Failed("If-Match") => precondition_failed("x-amz-copy-source-If-Match"),
        Unmet::Failed(_) => precondition_failed("x-amz-copy-source-If-Unmodified-Since"),
        // A write cannot be answered with 304.
        Unmet::NotModified => precondition_failed("x-amz-copy-source-If-None-Match"),
    })?;

    let replaces =
        input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let storage_class = input.storage_class.map(|class| class.as_str().to_owned());
    let onto_itself = **bucket == *input.bucket && **key == *input.key;
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
    let object = StoredObject {
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
    match input.tagging {
        Some(_) => Err(Refusal::not_implemented()),
        None => Ok(()),
    }
}
