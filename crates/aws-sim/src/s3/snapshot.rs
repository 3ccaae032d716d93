//! Buckets as they are kept where the simulator's state is to outlive it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use s3s::dto;
use serde::{Deserialize, Serialize};
use trust::AccountId;
use trust::policy::{Document, Kind};

use super::public::is_public;
use super::store::{Bucket, BucketPolicy, Description, PublicAccessBlock, Store, StoredObject};

/// A bucket with its objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BucketSnapshot {
    owner: AccountId,
    region: String,
    created: Timestamp,
    tags: Vec<(String, String)>,
    policy: Option<String>,
    /// ACLs blocked, ACLs ignored, policies blocked, buckets restricted.
    public_access_block: Option<[bool; 4]>,
    ownership: Option<String>,
    objects: BTreeMap<String, ObjectSnapshot>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ObjectSnapshot {
    /// In Base64.
    content: String,
    etag: String,
    modified: Timestamp,
    checksums: BTreeMap<String, String>,
    /// Headers that its writer gave, by name.
    description: BTreeMap<String, String>,
    expires: Option<dto::Timestamp>,
    metadata: Option<HashMap<String, String>>,
    tags: super::tagging::Tags,
    parts: Vec<usize>,
}

/// The checksums that an object may have, each under its name in a snapshot.
fn checksums(checksum: &mut dto::Checksum) -> [(&'static str, &mut Option<String>); 5] {
    [
        ("crc32", &mut checksum.checksum_crc32),
        ("crc32c", &mut checksum.checksum_crc32c),
        ("crc64nvme", &mut checksum.checksum_crc64nvme),
        ("sha1", &mut checksum.checksum_sha1),
        ("sha256", &mut checksum.checksum_sha256),
    ]
}

/// Whether a checksum is one over the whole object stands beside the checksums.
const TYPE: &str = "type";

/// What its writer said of an object, each under its header's name.
fn headers(description: &mut Description) -> [(&'static str, &mut Option<String>); 7] {
    [
        ("content-type", &mut description.content_type),
        ("cache-control", &mut description.cache_control),
        ("content-disposition", &mut description.content_disposition),
        ("content-encoding", &mut description.content_encoding),
        ("content-language", &mut description.content_language),
        ("storage-class", &mut description.storage_class),
        ("website-redirect-location", &mut description.website_redirect_location),
    ]
}

fn kept<const N: usize>(fields: [(&'static str, &mut Option<String>); N]) -> BTreeMap<String, String> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
}

fn restored<const N: usize>(fields: [(&'static str, &mut Option<String>); N], kept: &BTreeMap<String, String>) {
    for (name, value) in fields {
        *value = kept.get(name).cloned();
    }
}

impl ObjectSnapshot {
    fn of(object: &StoredObject) -> ObjectSnapshot {
        let (mut checksum, mut description) = (object.checksum.clone(), object.description.clone());
        let mut all = kept(checksums(&mut checksum));
        all.extend(checksum.checksum_type.map(|kind| (TYPE.to_owned(), kind.as_str().to_owned())));
        ObjectSnapshot {
            content: STANDARD.encode(object.content.bytes()),
            etag: object.etag.clone(),
            modified: object.modified,
            checksums: all,
            description: kept(headers(&mut description)),
            expires: description.expires,
            metadata: description.metadata.map(|all| all.into_iter().collect()),
            tags: object.tags.clone(),
            parts: object.parts.clone(),
        }
    }

    /// # Errors
    /// When its content is not Base64, or the simulator may not hold so much.
    fn restore(self, store: &Store) -> Result<StoredObject, String> {
        let bytes = STANDARD.decode(&self.content).map_err(|error| error.to_string())?;
        let content = store.space().hold(Bytes::from(bytes)).map_err(|refusal| refusal.code.to_string())?;
        let (mut checksum, mut description) = (dto::Checksum::default(), Description::default());
        restored(checksums(&mut checksum), &self.checksums);
        checksum.checksum_type = self.checksums.get(TYPE).cloned().map(dto::ChecksumType::from);
        restored(headers(&mut description), &self.description);
        description.expires = self.expires;
        description.metadata = self.metadata.map(|all| all.into_iter().collect());
        let ObjectSnapshot { etag, modified, tags, parts, .. } = self;
        Ok(StoredObject { content, etag, modified, checksum, description, tags, parts })
    }
}

impl BucketSnapshot {
    fn of(bucket: &Bucket) -> BucketSnapshot {
        let objects = bucket.objects.iter().map(|(key, object)| (key.clone(), ObjectSnapshot::of(object)));
        BucketSnapshot {
            owner: bucket.owner.clone(),
            region: bucket.region.clone(),
            created: bucket.created,
            tags: bucket.tags.clone(),
            policy: bucket.policy.as_ref().map(|policy| policy.text.clone()),
            public_access_block: bucket.public_access_block.map(
                |PublicAccessBlock { block_acls, ignore_acls, block_policy, restrict_buckets }| {
                    [block_acls, ignore_acls, block_policy, restrict_buckets]
                },
            ),
            ownership: bucket.ownership.clone(),
            objects: objects.collect(),
        }
    }

    fn restore(self, store: &Store) -> Result<Bucket, String> {
        let mut bucket = Bucket::new(self.owner, self.region, self.created);
        bucket.tags = self.tags;
        bucket.ownership = self.ownership;
        bucket.public_access_block =
            self.public_access_block.map(|[block_acls, ignore_acls, block_policy, restrict_buckets]| {
                PublicAccessBlock { block_acls, ignore_acls, block_policy, restrict_buckets }
            });
        if let Some(text) = self.policy {
            let document = Document::parse(&text, Kind::Resource).map_err(|error| error.to_string())?;
            bucket.policy = Some(Arc::new(BucketPolicy { is_public: is_public(&text), text, document }));
        }
        for (key, object) in self.objects {
            bucket.objects.insert(key, Arc::new(object.restore(store)?));
        }
        Ok(bucket)
    }
}

pub(super) fn take(store: &Store) -> BTreeMap<String, BucketSnapshot> {
    store.all(|buckets| buckets.iter().map(|(name, bucket)| (name.clone(), BucketSnapshot::of(bucket))).collect())
}

/// # Errors
/// Which bucket cannot be restored, and why.
pub(super) fn put_back(store: &Store, kept: BTreeMap<String, BucketSnapshot>) -> Result<(), String> {
    for (name, bucket) in kept {
        let bucket = bucket.restore(store).map_err(|error| format!("bucket {name}: {error}"))?;
        store.all(|buckets| buckets.insert(name, bucket));
    }
    Ok(())
}
