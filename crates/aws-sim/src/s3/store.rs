//! What S3 remembers: buckets, global by name, and their objects. Must not know the protocol, nor who may read.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use s3s::dto;
use time::OffsetDateTime;
use trust::AccountId;
use trust::policy::Document;

use super::content::{Content, Space};
use super::refusal::Refusal;
use super::tagging::Tags;
use super::uploads::Upload;
use crate::sigv4::{hex, sha256};

/// All buckets. The lock is held for look-ups only, never across an await.
#[derive(Debug)]
pub(super) struct Store {
    buckets: RwLock<BTreeMap<String, Bucket>>,
    space: Space,
}

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) owner: AccountId,
    pub(super) region: String,
    pub(super) created: Timestamp,
    pub(super) objects: BTreeMap<String, Arc<StoredObject>>,
    /// By id: uploads in parts that are under way.
    pub(super) uploads: BTreeMap<String, Upload>,
    /// In the order given.
    pub(super) tags: Vec<(String, String)>,
    pub(super) policy: Option<Arc<BucketPolicy>>,
    pub(super) public_access_block: Option<PublicAccessBlock>,
    pub(super) ownership: Option<String>,
}

/// The policy on a bucket.
#[derive(Debug)]
pub(super) struct BucketPolicy {
    /// As it was put.
    pub(super) text: String,
    pub(super) document: Document,
    pub(super) is_public: bool,
}

/// The four settings of Block Public Access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicAccessBlock {
    pub(super) block_acls: bool,
    pub(super) ignore_acls: bool,
    pub(super) block_policy: bool,
    pub(super) restrict_buckets: bool,
}

impl PublicAccessBlock {
    const ALL: PublicAccessBlock =
        PublicAccessBlock { block_acls: true, ignore_acls: true, block_policy: true, restrict_buckets: true };
}

#[derive(Clone, Debug)]
pub(super) struct StoredObject {
    pub(super) content: Content,
    /// Hexadecimal MD5 of the bytes, or of those of the parts with their number; without quotes.
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) checksum: dto::Checksum,
    pub(super) description: Description,
    pub(super) tags: Tags,
    /// The sizes of the parts; none where it was put in one piece.
    pub(super) parts: Vec<usize>,
}

/// What the writer of an object says of it, given back as it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Description {
    pub(super) content_type: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) expires: Option<dto::Timestamp>,
    pub(super) metadata: Option<dto::Metadata>,
    pub(super) storage_class: Option<String>,
    pub(super) website_redirect_location: Option<String>,
}

impl Bucket {
    /// A bucket with the defaults of April 2023: no public access, no ACLs (S3 user guide, "Default settings for new
    /// S3 buckets FAQ").
    pub(super) fn new(owner: AccountId, region: String, created: Timestamp) -> Bucket {
        Bucket {
            owner,
            region,
            created,
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            tags: Vec::new(),
            policy: None,
            public_access_block: Some(PublicAccessBlock::ALL),
            ownership: Some(dto::ObjectOwnership::BUCKET_OWNER_ENFORCED.to_owned()),
        }
    }
}

impl Store {
    /// Empty, for this many bytes of objects.
    pub(super) fn new(limit: usize) -> Store {
        Store { buckets: RwLock::default(), space: Space::new(limit) }
    }

    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    /// Reads one bucket.
    pub(super) fn bucket<T>(&self, name: &str, read: impl FnOnce(&Bucket) -> T) -> Result<T, Refusal> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).map(read).ok_or_else(Refusal::no_such_bucket)
    }

    /// Changes one bucket.
    pub(super) fn change<T>(&self, name: &str, change: impl FnOnce(&mut Bucket) -> T) -> Result<T, Refusal> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.get_mut(name).map(change).ok_or_else(Refusal::no_such_bucket)
    }

    /// Changes the set of buckets.
    pub(super) fn all<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Bucket>) -> T) -> T {
        change(&mut self.buckets.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn region(&self, name: &str) -> Option<String> {
        self.bucket(name, |bucket| bucket.region.clone()).ok()
    }

    pub(super) fn object(&self, bucket: &str, key: &str) -> Result<Option<Arc<StoredObject>>, Refusal> {
        self.bucket(bucket, |bucket| bucket.objects.get(key).cloned())
    }
}

/// The canonical user id of an account: 64 hexadecimal digits that say nothing.
pub(super) fn canonical_user(account: &AccountId) -> String {
    hex(sha256(format!("canonical user of {account}").as_bytes()))
}

/// A moment as the protocol library has it, in whole seconds as S3 keeps them.
pub(super) fn wire_time(at: Timestamp) -> dto::Timestamp {
    OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH).into()
}
