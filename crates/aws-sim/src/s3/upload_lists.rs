//! Which uploads are under way, and which parts they have.
//!
//! Source: S3 API reference, "ListMultipartUploads" and "ListParts".

use s3s::dto::{self, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput};

use super::Simulated;
use super::admission::Visit;
use super::integrity;
use super::refusal::Refusal;
use super::store::{canonical_user, wire_time};

const MOST: i32 = 1000;

fn limit(asked: Option<i32>, name: &str) -> Result<usize, Refusal> {
    usize::try_from(asked.unwrap_or(MOST).min(MOST))
        .map_err(|_| Refusal::invalid_argument(format!("Argument {name} must be an integer between 0 and 2147483647")))
}

pub(super) fn parts(simulated: &Simulated, _visit: &Visit, input: ListPartsInput) -> Result<ListPartsOutput, Refusal> {
    let limit = limit(input.max_parts, "max-parts")?;
    let after = input.part_number_marker.unwrap_or(0);
    simulated.store.bucket(&input.bucket, |bucket| {
        let upload = bucket.upload(&input.key, &input.upload_id)?;
        let mut parts: Vec<dto::Part> = upload
            .parts
            .range(after.saturating_add(1)..)
            .take(limit + 1)
            .map(|(number, part)| dto::Part {
                part_number: Some(*number),
                e_tag: Some(ETag::Strong(part.etag.clone())),
                last_modified: Some(wire_time(part.modified)),
                size: i64::try_from(part.content.len()).ok(),
                checksum_crc32: part.checksum.checksum_crc32.clone(),
                checksum_crc32c: part.checksum.checksum_crc32c.clone(),
                checksum_crc64nvme: part.checksum.checksum_crc64nvme.clone(),
                checksum_sha1: part.checksum.checksum_sha1.clone(),
                checksum_sha256: part.checksum.checksum_sha256.clone(),
            })
            .collect();
        let more = parts.len() > limit;
        parts.truncate(limit);
        let owner = canonical_user(&bucket.owner);
        Ok(ListPartsOutput {
            is_truncated: Some(more),
            next_part_number_marker: parts.last().and_then(|part| part.part_number).or(Some(0)),
            part_number_marker: Some(after),
            max_parts: i32::try_from(limit).ok(),
            initiator: Some(dto::Initiator { id: Some(owner.clone()), ..dto::Initiator::default() }),
            owner: Some(dto::Owner { id: Some(owner), ..dto::Owner::default() }),
            checksum_algorithm: Some(upload.algorithm.name().to_owned().into()),
            checksum_type: Some(integrity::kind(upload.whole)),
            storage_class: Some("STANDARD".to_owned().into()),
            parts: Some(parts),
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(input.upload_id.clone()),
            ..ListPartsOutput::default()
        })
    })?
}

/// By key, and by time where a key has several.
pub(super) fn uploads(
    simulated: &Simulated,
    _visit: &Visit,
    input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput, Refusal> {
    if input.delimiter.is_some() || input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() != "url") {
        return Err(Refusal::not_implemented());
    }
    let limit = limit(input.max_uploads, "max-uploads")?;
    let encoded = input.encoding_type.is_some();
    let spell = |text: &str| {
        if encoded { crate::sigv4::percent_encode(text.as_bytes(), true) } else { text.to_owned() }
    };
    let prefix = input.prefix.clone().unwrap_or_default();
    simulated.store.bucket(&input.bucket, |bucket| {
        let mut found: Vec<_> = bucket.uploads.iter().filter(|(_, upload)| upload.key.starts_with(&prefix)).collect();
        found.sort_by(|(one_id, one), (other_id, other)| {
            (&one.key, one.initiated, one_id).cmp(&(&other.key, other.initiated, other_id))
        });
        // The marker is the last upload of the page before; without its id, all uploads of its key are done.
        let (key, id) = (input.key_marker.as_deref().unwrap_or(""), input.upload_id_marker.as_deref());
        let at = id.and_then(|id| found.iter().position(|(other, upload)| *other == id && upload.key == key));
        let skipped =
            at.map_or_else(|| found.iter().take_while(|(_, upload)| upload.key.as_str() <= key).count(), |at| at + 1);
        let rest = found.get(skipped..).unwrap_or_default();
        let page = rest.get(..limit).unwrap_or(rest);
        let more = rest.len() > page.len();
        let last = page.last().filter(|_| more);
        let owner = canonical_user(&bucket.owner);
        let uploads = page.iter().map(|(id, upload)| dto::MultipartUpload {
            upload_id: Some((*id).clone()),
            key: Some(spell(&upload.key)),
            initiated: Some(wire_time(upload.initiated)),
            initiator: Some(dto::Initiator { id: Some(owner.clone()), ..dto::Initiator::default() }),
            owner: Some(dto::Owner { id: Some(owner.clone()), ..dto::Owner::default() }),
            storage_class: Some("STANDARD".to_owned().into()),
            checksum_algorithm: Some(upload.algorithm.name().to_owned().into()),
            checksum_type: Some(integrity::kind(upload.whole)),
        });
        ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            is_truncated: Some(more),
            next_key_marker: last.map(|(_, upload)| spell(&upload.key)),
            next_upload_id_marker: last.map(|(id, _)| (*id).clone()),
            max_uploads: i32::try_from(limit).ok(),
            key_marker: Some(spell(key)),
            upload_id_marker: id.map(str::to_owned),
            prefix: input.prefix.as_deref().map(spell),
            encoding_type: input.encoding_type.clone(),
            bucket: Some(input.bucket.clone()),
            ..ListMultipartUploadsOutput::default()
        }
    })
}
