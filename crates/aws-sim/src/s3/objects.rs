//! Operations on one object: get, head, put. Must not know who may: that was settled
//! before, except who may learn that a key is missing.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use s3s::TrailingHeaders;
use s3s::dto::{
    self, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput,
    StreamingBlob,
};

use super::Simulated;
use super::admission::Visit;
use super::conditions::{Conditions, Unmet, check_overwrite, precondition_failed};
use super::integrity;
use super::refusal::Refusal;
use super::store::{Description, StoredObject, wire_time};
use super::tagging;

pub(super) const AES256: &str = dto::ServerSideEncryption::AES256;

/// The object, if it is there and the conditions hold.
fn find(
    simulated: &Simulated,
    visit: &Visit,
    (bucket, key): (&str, &str),
    version: Option<&str>,
    conditions: &Conditions,
) -> Result<Arc<StoredObject>, Refusal> {
    check_version(version)?;
    let object = simulated.store.object(bucket, key)?.ok_or_else(|| simulated.missing_key(visit, bucket))?;
    conditions.check(&object).map_err(|unmet| match unmet {
        Unmet::Failed(condition) => precondition_failed(condition),
        Unmet::NotModified => Refusal::new(304, "NotModified", "")
            .header("etag", format!("\"{}\"", object.etag))
            .header("last-modified", object.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    })?;
    Ok(object)
}

/// Buckets have no versioning, so that the only version is `null`.
pub(super) fn check_version(version: Option<&str>) -> Result<(), Refusal> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(Refusal::invalid_argument("Invalid version id specified")),
    }
}

pub(super) fn get(simulated: &Simulated, visit: &Visit, input: GetObjectInput) -> Result<GetObjectOutput, Refusal> {
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    check_overrides(visit, &input)?;
    let conditions = Conditions {
        matches: input.if_match,
        matches_not: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    let object = find(simulated, visit, (&input.bucket, &input.key), input.version_id.as_deref(), &conditions)?;
    let size = object.content.len();
    let window = match (input.range, input.part_number) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(Refusal::new(
                400,
                "InvalidRequest",
                "Cannot specify both Range header and partNumber query parameter",
            ));
        }
        (None, Some(number)) => part_of(&object, number)?,
        (Some(range), None) => {
            let window = range.check(size as u64).map_err(|_| {
                Refusal::new(416, "InvalidRange", "The requested range is not satisfiable")
                    .with("ActualObjectSize", size.to_string())
                    .header("content-range", format!("bytes */{size}"))
            })?;
            // The window lies within the bytes, whose length is a usize.
            Some(window.start as usize..window.end as usize)
        }
    };
    let bytes = match &window {
        None => object.content.bytes().clone(),
        Some(window) => object.content.bytes().slice(window.clone()),
    };
    let content_range = window.map(|window| format!("bytes {}-{}/{size}", window.start, window.end.saturating_sub(1)));
    // A checksum covers the whole object, so it goes only with the whole of it.
    let checksum = if input.checksum_mode.is_some() && content_range.is_none() {
        object.checksum.clone()
    } else {
        dto::Checksum::default()
    };
    let Description {
        content_type,
        cache_control,
        content_disposition,
        content_encoding,
        content_language,
        expires,
        metadata,
        storage_class,
        website_redirect_location,
    } = object.description.clone();
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: i64::try_from(bytes.len()).ok(),
        body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
        content_range,
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(wire_time(object.modified)),
        server_side_encryption: Some(AES256.to_owned().into()),
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        content_type: input.response_content_type.or(content_type),
        cache_control: input.response_cache_control.or(cache_control),
        content_disposition: input.response_content_disposition.or(content_disposition),
        content_encoding: input.response_content_encoding.or(content_encoding),
        content_language: input.response_content_language.or(content_language),
        expires: input.response_expires.or(expires),
        metadata,
        parts_count: input.part_number.and_then(|_| parts_count(&object)),
        tag_count: (!object.tags.is_empty()).then(|| i32::try_from(object.tags.len()).unwrap_or(i32::MAX)),
        storage_class: storage_class.map(Into::into),
        website_redirect_location,
        ..GetObjectOutput::default()
    })
}

/// The bytes of a part; `None` for the only part of an object that was put in one piece.
fn part_of(object: &StoredObject, number: i32) -> Result<Option<std::ops::Range<usize>>, Refusal> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match index {
        Some(0) if object.parts.is_empty() => Ok(None),
        Some(index) if index < object.parts.len() => {
            let start: usize = object.parts[..index].iter().sum();
            Ok(Some(start..start + object.parts[index]))
        }
        _ => Err(Refusal::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")),
    }
}

fn parts_count(object: &StoredObject) -> Option<i32> {
    i32::try_from(object.parts.len()).ok().filter(|count| *count > 0)
}

/// Headers of the answer that the request sets: not for everyone (S3 API reference, GetObject).
fn check_overrides(visit: &Visit, input: &GetObjectInput) -> Result<(), Refusal> {
    let overrides = input.response_cache_control.is_some()
        || input.response_content_disposition.is_some()
        || input.response_content_encoding.is_some()
        || input.response_content_language.is_some()
        || input.response_content_type.is_some()
        || input.response_expires.is_some();
    if overrides && visit.caller().is_none() {
        return Err(Refusal::new(
            400,
            "InvalidRequest",
            "Request specific response headers cannot be used for anonymous GET requests.",
        ));
    }
    Ok(())
}

pub(super) fn head(simulated: &Simulated, visit: &Visit, input: HeadObjectInput) -> Result<HeadObjectOutput, Refusal> {
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    let conditions = Conditions {
        matches: input.if_match,
        matches_not: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    let object = find(simulated, visit, (&input.bucket, &input.key), input.version_id.as_deref(), &conditions)?;
    let part = input.part_number.map(|number| part_of(&object, number)).transpose()?.flatten();
    let checksum = if input.checksum_mode.is_some() && part.is_none() {
        object.checksum.clone()
    } else {
        dto::Checksum::default()
    };
    let described = object.description.clone();
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: i64::try_from(part.as_ref().map_or(object.content.len(), ExactSizeIterator::len)).ok(),
        parts_count: input.part_number.and_then(|_| parts_count(&object)),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(wire_time(object.modified)),
        server_side_encryption: Some(AES256.to_owned().into()),
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        content_type: described.content_type,
        cache_control: described.cache_control,
        content_disposition: described.content_disposition,
        content_encoding: described.content_encoding,
        content_language: described.content_language,
        expires: described.expires,
        metadata: described.metadata,
        storage_class: described.storage_class.map(Into::into),
        website_redirect_location: described.website_redirect_location,
        ..HeadObjectOutput::default()
    })
}

pub(super) async fn put(
    simulated: &Simulated,
    visit: &Visit,
    input: PutObjectInput,
    trailer: Option<TrailingHeaders>,
) -> Result<PutObjectOutput, Refusal> {
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    check_encryption(input.server_side_encryption.as_ref())?;
    check_acl(
        input.acl.as_ref().map(dto::ObjectCannedACL::as_str),
        [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp],
    )?;
    check_lock(
        input.object_lock_legal_hold_status.is_some()
            || input.object_lock_mode.is_some()
            || input.object_lock_retain_until_date.is_some(),
    )?;
    if input.write_offset_bytes.is_some() {
        return Err(Refusal::not_implemented());
    }
    let tags = tagging::of_header(simulated, visit, (&input.bucket, &input.key), input.tagging.as_deref())?;

    let bytes = match input.body {
        Some(body) => read(body).await?,
        None => Bytes::new(),
    };
    integrity::check_md5(input.content_md5.as_deref(), &bytes)?;
    let trailer = trailer.as_ref().and_then(TrailingHeaders::take);
    let promised = integrity::in_headers!(input);
    let checksum = integrity::compute(&integrity::promised(promised, trailer.as_ref()), &bytes)?;
    let object = StoredObject {
        etag: integrity::etag(&bytes),
        content: simulated.store.space().hold(bytes)?,
        tags,
        parts: Vec::new(),
        modified: simulated.state.now(),
        checksum: checksum.clone(),
        description: Description {
            // The type of an object that was put without one (S3 API reference, PutObject).
            content_type: input.content_type.or_else(|| Some("binary/octet-stream".to_owned())),
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding.and_then(|encoding| without_chunks(&encoding)),
            content_language: input.content_language,
            expires: input.expires,
            metadata: input.metadata,
            storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
            website_redirect_location: input.website_redirect_location,
        },
    };
    let etag = object.etag.clone();
    simulated.store.change(&input.bucket, |bucket| {
        check_overwrite(bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        bucket.objects.insert(input.key.clone(), Arc::new(object));
        Ok(())
    })??;
    Ok(PutObjectOutput {
        e_tag: Some(ETag::Strong(etag)),
        server_side_encryption: Some(AES256.to_owned().into()),
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        ..PutObjectOutput::default()
    })
}

pub(super) async fn read(body: StreamingBlob) -> Result<Bytes, Refusal> {
    let whole = body.try_fold(BytesMut::new(), |mut whole, chunk| async move {
        whole.extend_from_slice(&chunk);
        Ok(whole)
    });
    whole.await.map(BytesMut::freeze).map_err(|error| {
        // The library keeps the type of this error to itself; only its text tells the two apart.
        if error.to_string().contains("SignatureMismatch") {
            Refusal::new(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method.",
            )
        } else {
            Refusal::new(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            )
        }
    })
}

/// `aws-chunked` describes the transfer, not the object.
pub(super) fn without_chunks(encoding: &str) -> Option<String> {
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// Encryption with a key of the caller's is not simulated.
pub(super) fn refuse_customer_key(algorithm: Option<&String>) -> Result<(), Refusal> {
    algorithm.map_or(Ok(()), |_| Err(Refusal::not_implemented()))
}

/// Nor is KMS; SSE-S3 is what every object has.
pub(super) fn check_encryption(encryption: Option<&dto::ServerSideEncryption>) -> Result<(), Refusal> {
    match encryption.map(dto::ServerSideEncryption::as_str) {
        None | Some(AES256) => Ok(()),
        Some(_) => Err(Refusal::not_implemented()),
    }
}

/// Buckets have ACLs disabled, which leaves only those that change nothing.
pub(super) fn check_acl(acl: Option<&str>, grants: [&Option<String>; 4]) -> Result<(), Refusal> {
    let granted = grants.iter().any(|grant| grant.is_some());
    match acl {
        None | Some("bucket-owner-full-control" | "private") if !granted => Ok(()),
        _ => Err(Refusal::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")),
    }
}

pub(super) fn check_lock(asked: bool) -> Result<(), Refusal> {
    if asked {
        return Err(Refusal::new(400, "InvalidRequest", "Bucket is missing Object Lock Configuration"));
    }
    Ok(())
}
