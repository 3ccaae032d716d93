//! Uploads in parts. Must not know who may: that was settled before.
//!
//! Source: S3 API reference, the page of each operation; user guide, "Uploading and copying objects using multipart upload"
//! and "Checking object integrity for data uploads in Amazon S3".

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use s3s::TrailingHeaders;
use s3s::dto::{
    self, AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};

use super::Simulated;
use super::admission::Visit;
use super::conditions::check_overwrite;
use super::content::Content;
use super::copying;
use super::integrity::{self, Algorithm};
use super::objects::{AES256, check_acl, check_encryption, check_lock, read, refuse_customer_key, without_chunks};
use super::refusal::Refusal;
use super::store::{Bucket, Description, StoredObject, wire_time};
use super::tagging::{self, Tags};
use crate::random;

/// The least size of a part that is not the last.
const LEAST_PART: usize = 5 << 20;

/// An upload that was neither completed nor aborted.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) initiated: Timestamp,
    pub(super) algorithm: Algorithm,
    /// Whether the checksum is one over the whole object, or one over the checksums of the parts.
    pub(super) whole: bool,
    pub(super) description: Description,
    pub(super) parts: BTreeMap<i32, Arc<Part>>,
    tags: Tags,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) content: Content,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) checksum: dto::Checksum,
}

fn no_such_upload() -> Refusal {
    Refusal::new(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed.",
    )
}

fn invalid_part() -> Refusal {
    Refusal::new(
        400,
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
         entity tag may not match the part's entity tag.",
    )
}

impl Bucket {
    /// The upload of `key` under this id.
    pub(super) fn upload(&self, key: &str, id: &str) -> Result<&Upload, Refusal> {
        self.uploads.get(id).filter(|upload| upload.key == key).ok_or_else(no_such_upload)
    }
}

pub(super) fn create(
    simulated: &Simulated,
    visit: &Visit,
    input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, Refusal> {
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
    let tags = tagging::of_header(simulated, visit, (&input.bucket, &input.key), input.tagging.as_deref())?;
    let algorithm = Algorithm::of(input.checksum_algorithm.as_ref())?;
    let whole = algorithm.is_whole(input.checksum_type.as_ref())?;
    let upload = Upload {
        key: input.key.clone(),
        initiated: simulated.state.now(),
        algorithm,
        whole,
        description: Description {
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
        parts: BTreeMap::new(),
        tags,
    };
    let id = random::id("", 32);
    simulated.store.change(&input.bucket, |bucket| bucket.uploads.insert(id.clone(), upload))?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_type: input.checksum_algorithm.as_ref().map(|_| integrity::kind(whole)),
        checksum_algorithm: input.checksum_algorithm,
        server_side_encryption: Some(AES256.to_owned().into()),
        ..CreateMultipartUploadOutput::default()
    })
}

fn check_number(number: i32) -> Result<(), Refusal> {
    if (1..=10_000).contains(&number) {
        return Ok(());
    }
    Err(Refusal::invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))
}

/// Keeps a part of an upload, in place of one with the same number.
fn keep(
    simulated: &Simulated,
    (bucket, key, id): (&str, &str, &str),
    number: i32,
    bytes: Bytes,
    promised: &dto::Checksum,
) -> Result<Arc<Part>, Refusal> {
    let algorithm = simulated.store.bucket(bucket, |bucket| bucket.upload(key, id).map(|one| one.algorithm))??;
    let part = Arc::new(Part {
        etag: integrity::etag(&bytes),
        checksum: integrity::of_part(promised, algorithm, &bytes)?,
        modified: simulated.state.now(),
        content: simulated.store.space().hold(bytes)?,
    });
    simulated.store.change(bucket, |bucket| {
        let upload = bucket.uploads.get_mut(id).ok_or_else(no_such_upload)?;
        upload.parts.insert(number, part.clone());
        Ok(())
    })??;
    Ok(part)
}

pub(super) async fn part(
    simulated: &Simulated,
    input: UploadPartInput,
    trailer: Option<TrailingHeaders>,
) -> Result<UploadPartOutput, Refusal> {
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    check_number(input.part_number)?;
    // Before the body is read: what it is for must be there.
    simulated.store.bucket(&input.bucket, |bucket| bucket.upload(&input.key, &input.upload_id).map(drop))??;
    let bytes = match input.body {
        Some(body) => read(body).await?,
        None => Bytes::new(),
    };
    integrity::check_md5(input.content_md5.as_deref(), &bytes)?;
    let trailer = trailer.as_ref().and_then(TrailingHeaders::take);
    let promised = integrity::in_headers!(input);
    let promised = integrity::promised(promised, trailer.as_ref());
    let place = (input.bucket.as_str(), input.key.as_str(), input.upload_id.as_str());
    let part = keep(simulated, place, input.part_number, bytes, &promised)?;
    let checksum = part.checksum.clone();
    Ok(UploadPartOutput {
        e_tag: Some(ETag::Strong(part.etag.clone())),
        server_side_encryption: Some(AES256.to_owned().into()),
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        ..UploadPartOutput::default()
    })
}

/// A part that is taken from an object. The right to read it is settled here.
pub(super) fn part_copy(
    simulated: &Simulated,
    visit: &Visit,
    input: UploadPartCopyInput,
) -> Result<UploadPartCopyOutput, Refusal> {
    check_number(input.part_number)?;
    let source = copying::source_of_part(simulated, visit, &input)?;
    let size = source.content.len();
    let bytes = match &input.copy_source_range {
        None => source.content.bytes().clone(),
        Some(range) => {
            let range = dto::Range::parse(range).map_err(|_| {
                Refusal::invalid_argument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
            })?;
            let window = range.check(size as u64).ok().filter(|_| {
                // Unlike a read, a copy must not ask for more than there is.
                !matches!(range, dto::Range::Int { last: Some(last), .. } if last >= size as u64)
            });
            let window = window.ok_or_else(|| {
                Refusal::invalid_argument(format!("Range specified is not valid for source object of size: {size}"))
            })?;
            source.content.bytes().slice(window.start as usize..window.end as usize)
        }
    };
    let place = (input.bucket.as_str(), input.key.as_str(), input.upload_id.as_str());
    let part = keep(simulated, place, input.part_number, bytes, &dto::Checksum::default())?;
    let result = dto::CopyPartResult {
        e_tag: Some(ETag::Strong(part.etag.clone())),
        last_modified: Some(wire_time(part.modified)),
        ..dto::CopyPartResult::default()
    };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() })
}

pub(super) fn abort(
    simulated: &Simulated,
    _visit: &Visit,
    input: AbortMultipartUploadInput,
) -> Result<AbortMultipartUploadOutput, Refusal> {
    simulated.store.change(&input.bucket, |bucket| {
        bucket.upload(&input.key, &input.upload_id)?;
        bucket.uploads.remove(&input.upload_id);
        Ok(())
    })??;
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) fn complete(
    simulated: &Simulated,
    _visit: &Visit,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, Refusal> {
    let listed = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let (parts, algorithm, whole) = simulated.store.bucket(&input.bucket, |bucket| {
        let upload = bucket.upload(&input.key, &input.upload_id)?;
        Ok((chosen(upload, &listed)?, upload.algorithm, upload.whole))
    })??;
    // Outside of the lock: this may be hundreds of megabytes.
    let size = parts.iter().map(|part| part.content.len()).sum();
    if input.mpu_object_size.is_some_and(|promised| usize::try_from(promised) != Ok(size)) {
        return Err(Refusal::new(
            400,
            "InvalidRequest",
            "The provided 'x-amz-mp-object-size' header value does not match what was computed.",
        ));
    }
    let mut bytes = BytesMut::with_capacity(size);
    parts.iter().for_each(|part| bytes.extend_from_slice(part.content.bytes()));
    let bytes = bytes.freeze();
    let promised = integrity::in_headers!(input);
    let checksum = integrity::of_parts(&promised, algorithm, whole, parts.iter().map(|part| &part.checksum), &bytes)?;
    let etag = integrity::etag_of_parts(parts.iter().map(|part| part.etag.as_str()));
    let content = simulated.store.space().hold(bytes)?;
    let modified = simulated.state.now();
    simulated.store.change(&input.bucket, |bucket| {
        bucket.upload(&input.key, &input.upload_id)?;
        check_overwrite(bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let upload = bucket.uploads.remove(&input.upload_id).ok_or_else(no_such_upload)?;
        let object = StoredObject {
            content,
            etag: etag.clone(),
            modified,
            checksum: checksum.clone(),
            description: upload.description,
            tags: upload.tags,
            parts: parts.iter().map(|part| part.content.len()).collect(),
        };
        bucket.objects.insert(input.key.clone(), Arc::new(object));
        Ok(())
    })??;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("https://s3.amazonaws.com/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(ETag::Strong(etag)),
        server_side_encryption: Some(AES256.to_owned().into()),
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        ..CompleteMultipartUploadOutput::default()
    })
}

/// The parts that the list names, in its order, which must be theirs.
fn chosen(upload: &Upload, listed: &[dto::CompletedPart]) -> Result<Vec<Arc<Part>>, Refusal> {
    if listed.is_empty() {
        return Err(Refusal::malformed_xml());
    }
    let numbers: Vec<i32> = listed.iter().map(|part| part.part_number.unwrap_or_default()).collect();
    if !numbers.is_sorted_by(|one, next| one < next) {
        return Err(Refusal::new(
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    let mut parts = Vec::with_capacity(listed.len());
    for (number, given) in numbers.into_iter().zip(listed) {
        let part = upload.parts.get(&number).ok_or_else(invalid_part)?;
        let is_same = given.e_tag.as_ref().is_some_and(|etag| etag.value() == part.etag)
            && integrity::agrees(given, &part.checksum);
        if !is_same {
            return Err(invalid_part());
        }
        parts.push(part.clone());
    }
    let too_small = parts.split_last().and_then(|(_, rest)| rest.iter().find(|part| part.content.len() < LEAST_PART));
    if let Some(part) = too_small {
        return Err(Refusal::new(
            400,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
        .with("ProposedSize", part.content.len().to_string())
        .with("MinSizeAllowed", LEAST_PART.to_string()));
    }
    Ok(parts)
}
