//! Operations on buckets and their settings. Must not know objects beyond their listing.
//!
//! Source: S3 API reference, the page of each operation.

use std::sync::Arc;

use s3s::dto::{
    self, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput, GetBucketLocationInput,
    GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput,
    ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output,
};

use super::Simulated;
use super::address::HOME_REGION;
use super::admission::Visit;
use super::listing::{self, After, Page};
use super::location::region_of_new_bucket;
use super::permission::bucket_arn;
use super::refusal::Refusal;
use super::settings::check_bucket_tags;
use super::store::{Bucket, StoredObject, canonical_user, wire_time};
use crate::sigv4::percent_encode;

/// Of an account, unless it asks for more (S3 User Guide, "General purpose bucket quotas, limitations, and restrictions").
const MOST_BUCKETS: usize = 10_000;

pub(super) fn create(
    simulated: &Simulated,
    visit: &Visit,
    input: CreateBucketInput,
) -> Result<CreateBucketOutput, Refusal> {
    let configuration = input.create_bucket_configuration.as_ref();
    if configuration.is_some_and(|given| given.bucket.is_some() || given.location.is_some())
        || input.object_lock_enabled_for_bucket == Some(true)
    {
        return Err(Refusal::not_implemented());
    }
    let constraint =
        configuration.and_then(|given| given.location_constraint.as_ref()).map(dto::BucketLocationConstraint::as_str);
    let (arn, mut context) = (bucket_arn(&input.bucket), visit.context());
    if let Some(name) = constraint {
        context.set("s3:LocationConstraint", name);
    }
    context.set_request_tags(&visit.tags);
    simulated.permit_in_account(visit, "s3:CreateBucket", &arn, &context)?;
    if !visit.tags.is_empty() {
        // "You must have the s3:TagResource permission to create a general purpose bucket with tags"
        // (S3 API reference, CreateBucketConfiguration).
        simulated.permit_in_account(visit, "s3:TagResource", &arn, &context)?;
    }
    check_bucket_tags(&visit.tags)?;
    let region = region_of_new_bucket(&visit.region, constraint)?;
    check_bucket_acl(&input)?;
    let ownership = match &input.object_ownership {
        Some(ownership) => Some(check_ownership(ownership)?),
        None => None,
    };

    let owner = &visit.known_caller()?.account;
    let mut bucket = Bucket::new(owner.clone(), region.clone(), simulated.state.now());
    bucket.tags.clone_from(&visit.tags);
    if ownership.is_some() {
        bucket.ownership = ownership;
    }
    simulated.store.all(|buckets| match buckets.get(&input.bucket) {
        None if buckets.values().filter(|bucket| bucket.owner == *owner).count() >= MOST_BUCKETS => {
            Err(Refusal::new(400, "TooManyBuckets", "You have attempted to create more buckets than allowed"))
        }
        None => {
            buckets.insert(input.bucket.clone(), bucket);
            Ok(())
        }
        // "For legacy compatibility, if you re-create an existing bucket that you already own in us-east-1, Amazon S3
        // returns 200 OK." What becomes of tags that come with it is not documented: those of the bucket stay.
        Some(there) if there.owner == *owner && there.region == HOME_REGION && region == HOME_REGION => Ok(()),
        Some(there) if there.owner == *owner => Err(Refusal::new(
            409,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )),
        Some(_) => Err(Refusal::new(
            409,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
             Please select a different name and try again.",
        )),
    })?;
    Ok(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) })
}

fn check_bucket_acl(input: &CreateBucketInput) -> Result<(), Refusal> {
    let grants = [
        &input.grant_full_control,
        &input.grant_read,
        &input.grant_read_acp,
        &input.grant_write,
        &input.grant_write_acp,
    ];
    let private = input.acl.as_ref().is_none_or(|acl| acl.as_str() == dto::BucketCannedACL::PRIVATE);
    if private && grants.iter().all(|grant| grant.is_none()) {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "InvalidBucketAclWithObjectOwnership",
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ))
}

/// ACLs are not simulated, so only the setting that disables them can be chosen.
pub(super) fn check_ownership(ownership: &dto::ObjectOwnership) -> Result<String, Refusal> {
    match ownership.as_str() {
        enforced @ dto::ObjectOwnership::BUCKET_OWNER_ENFORCED => Ok(enforced.to_owned()),
        dto::ObjectOwnership::BUCKET_OWNER_PREFERRED | dto::ObjectOwnership::OBJECT_WRITER => {
            Err(Refusal::not_implemented())
        }
        _ => Err(Refusal::malformed_xml()),
    }
}

pub(super) fn head(simulated: &Simulated, _visit: &Visit, input: HeadBucketInput) -> Result<HeadBucketOutput, Refusal> {
    let region = simulated.store.bucket(&input.bucket, |bucket| bucket.region.clone())?;
    Ok(HeadBucketOutput { bucket_region: Some(region), access_point_alias: Some(false), ..HeadBucketOutput::default() })
}

pub(super) fn location(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketLocationInput,
) -> Result<GetBucketLocationOutput, Refusal> {
    let region = simulated.store.bucket(&input.bucket, |bucket| bucket.region.clone())?;
    // "Buckets in Region us-east-1 have a LocationConstraint of null."
    let location_constraint = (region != HOME_REGION).then(|| region.into());
    Ok(GetBucketLocationOutput { location_constraint })
}

pub(super) fn delete(
    simulated: &Simulated,
    _visit: &Visit,
    input: DeleteBucketInput,
) -> Result<DeleteBucketOutput, Refusal> {
    simulated.store.all(|buckets| {
        let bucket = buckets.get(&input.bucket).ok_or_else(Refusal::no_such_bucket)?;
        if !bucket.objects.is_empty() {
            return Err(Refusal::new(409, "BucketNotEmpty", "The bucket you tried to delete is not empty"));
        }
        buckets.remove(&input.bucket);
        Ok(DeleteBucketOutput::default())
    })
}

pub(super) fn list(
    simulated: &Simulated,
    visit: &Visit,
    input: ListBucketsInput,
) -> Result<ListBucketsOutput, Refusal> {
    let account = &visit.known_caller()?.account;
    let limit = match input.max_buckets {
        None => 10_000,
        Some(limit @ 1..=10_000) => limit as usize,
        Some(_) => {
            return Err(Refusal::invalid_argument("max-buckets must be between 1 and 10000"));
        }
    };
    let after = match input.continuation_token.as_deref().map(After::of_token) {
        None => String::new(),
        Some(Some(After::Key(name))) => name,
        Some(_) => return Err(wrong_token()),
    };
    let prefix = input.prefix.clone().unwrap_or_default();
    let wanted = |name: &str, bucket: &Bucket| {
        bucket.owner == *account
            && name.starts_with(&prefix)
            && name > after.as_str()
            && input.bucket_region.as_ref().is_none_or(|region| *region == bucket.region)
    };
    let mut found: Vec<dto::Bucket> = simulated.store.all(|buckets| {
        let mine = buckets.iter().filter(|(name, bucket)| wanted(name, bucket));
        mine.take(limit + 1)
            .map(|(name, bucket)| dto::Bucket {
                bucket_region: Some(bucket.region.clone()),
                creation_date: Some(wire_time(bucket.created)),
                name: Some(name.clone()),
            })
            .collect()
    });
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().and_then(|bucket| bucket.name.clone()).filter(|_| more);
    Ok(ListBucketsOutput {
        buckets: Some(found),
        continuation_token: last.map(|name| After::Key(name).token()),
        owner: Some(dto::Owner { id: Some(canonical_user(account)), ..dto::Owner::default() }),
        prefix: input.prefix,
    })
}

fn wrong_token() -> Refusal {
    Refusal::invalid_argument("The continuation token provided is incorrect")
}

/// What both versions of the listing share.
struct Listing {
    page: Page<Arc<StoredObject>>,
    owner: dto::Owner,
    limit: i32,
}

fn list_objects(
    simulated: &Simulated,
    bucket: &str,
    (prefix, delimiter): (Option<&String>, Option<&String>),
    after: After,
    limit: Option<i32>,
) -> Result<Listing, Refusal> {
    let limit = limit.unwrap_or(1000).min(1000);
    let size = usize::try_from(limit)
        .map_err(|_| Refusal::invalid_argument("Argument max-keys must be an integer between 0 and 2147483647"))?;
    let request = listing::Request {
        prefix: prefix.map_or("", String::as_str),
        delimiter: delimiter.map_or("", String::as_str),
        after,
        limit: size,
    };
    simulated.store.bucket(bucket, |bucket| Listing {
        page: listing::page(&bucket.objects, &request),
        owner: dto::Owner { id: Some(canonical_user(&bucket.owner)), ..dto::Owner::default() },
        limit,
    })
}

/// Keys as they go into XML: encoded where the client asked for it, since XML cannot carry every character.
struct Spelling(bool);

impl Spelling {
    fn of(encoding: Option<&dto::EncodingType>) -> Result<Spelling, Refusal> {
        match encoding.map(dto::EncodingType::as_str) {
            None => Ok(Spelling(false)),
            Some(dto::EncodingType::URL) => Ok(Spelling(true)),
            Some(_) => Err(Refusal::invalid_argument("Invalid Encoding Method specified in Request")),
        }
    }

    fn text(&self, text: String) -> String {
        if self.0 { percent_encode(text.as_bytes(), true) } else { text }
    }

    fn prefixes(&self, prefixes: Vec<String>) -> Option<dto::CommonPrefixList> {
        let spelled: dto::CommonPrefixList =
            prefixes.into_iter().map(|prefix| dto::CommonPrefix { prefix: Some(self.text(prefix)) }).collect();
        (!spelled.is_empty()).then_some(spelled)
    }

    fn objects(&self, entries: Vec<(String, Arc<StoredObject>)>, owner: Option<&dto::Owner>) -> dto::ObjectList {
        let objects = entries.into_iter().map(|(key, object)| dto::Object {
            e_tag: Some(dto::ETag::Strong(object.etag.clone())),
            key: Some(self.text(key)),
            last_modified: Some(wire_time(object.modified)),
            owner: owner.cloned(),
            size: i64::try_from(object.content.len()).ok(),
            storage_class: Some(
                object.description.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()).into(),
            ),
            ..dto::Object::default()
        });
        objects.collect()
    }
}

pub(super) fn list_v2(
    simulated: &Simulated,
    _visit: &Visit,
    input: ListObjectsV2Input,
) -> Result<ListObjectsV2Output, Refusal> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let after = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => After::of_token(token).ok_or_else(wrong_token)?,
        (None, Some(key)) => After::Key(key.clone()),
        (None, None) => After::Start,
    };
    let within = (input.prefix.as_ref(), input.delimiter.as_ref());
    let found = list_objects(simulated, &input.bucket, within, after, input.max_keys)?;
    let owner = input.fetch_owner.unwrap_or(false).then_some(&found.owner);
    let count = found.page.entries.len() + found.page.prefixes.len();
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(spelling.text(input.prefix.unwrap_or_default())),
        max_keys: Some(found.limit),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(found.page.next.is_some()),
        next_continuation_token: found.page.next.as_ref().map(After::token),
        contents: Some(spelling.objects(found.page.entries, owner)),
        common_prefixes: spelling.prefixes(found.page.prefixes),
        delimiter: input.delimiter.map(|delimiter| spelling.text(delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|key| spelling.text(key)),
        ..ListObjectsV2Output::default()
    })
}

pub(super) fn list_v1(
    simulated: &Simulated,
    _visit: &Visit,
    input: ListObjectsInput,
) -> Result<ListObjectsOutput, Refusal> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let marker = input.marker.clone().unwrap_or_default();
    let after = After::of_marker(&marker, input.delimiter.as_deref().unwrap_or(""));
    let within = (input.prefix.as_ref(), input.delimiter.as_ref());
    let found = list_objects(simulated, &input.bucket, within, after, input.max_keys)?;
    let truncated = found.page.next.is_some();
    // "This element is returned only if you have the delimiter request parameter specified."
    let next = found.page.next.clone().filter(|_| input.delimiter.is_some());
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(spelling.text(input.prefix.unwrap_or_default())),
        marker: Some(spelling.text(marker)),
        max_keys: Some(found.limit),
        is_truncated: Some(truncated),
        contents: Some(spelling.objects(found.page.entries, Some(&found.owner))),
        common_prefixes: spelling.prefixes(found.page.prefixes),
        delimiter: input.delimiter.map(|delimiter| spelling.text(delimiter)),
        next_marker: next.and_then(After::into_marker).map(|marker| spelling.text(marker)),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

/// Every object has one version, `null`: versioning was never switched on.
pub(super) fn list_versions(
    simulated: &Simulated,
    _visit: &Visit,
    input: ListObjectVersionsInput,
) -> Result<ListObjectVersionsOutput, Refusal> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let marker = input.key_marker.clone().unwrap_or_default();
    let after = After::of_marker(&marker, input.delimiter.as_deref().unwrap_or(""));
    let within = (input.prefix.as_ref(), input.delimiter.as_ref());
    let found = list_objects(simulated, &input.bucket, within, after, input.max_keys)?;
    let next = found.page.next.clone();
    let versions = found.page.entries.into_iter().map(|(key, object)| dto::ObjectVersion {
        e_tag: Some(dto::ETag::Strong(object.etag.clone())),
        is_latest: Some(true),
        key: Some(spelling.text(key)),
        last_modified: Some(wire_time(object.modified)),
        owner: Some(found.owner.clone()),
        size: i64::try_from(object.content.len()).ok(),
        storage_class: Some("STANDARD".to_owned().into()),
        version_id: Some("null".to_owned()),
        ..dto::ObjectVersion::default()
    });
    Ok(ListObjectVersionsOutput {
        versions: Some(versions.collect()),
        is_truncated: Some(next.is_some()),
        next_version_id_marker: next.as_ref().map(|_| "null".to_owned()),
        next_key_marker: next.and_then(After::into_marker).map(|marker| spelling.text(marker)),
        name: Some(input.bucket),
        prefix: Some(spelling.text(input.prefix.unwrap_or_default())),
        key_marker: Some(spelling.text(marker)),
        version_id_marker: input.version_id_marker,
        max_keys: Some(found.limit),
        common_prefixes: spelling.prefixes(found.page.prefixes),
        delimiter: input.delimiter.map(|delimiter| spelling.text(delimiter)),
        encoding_type: input.encoding_type,
        ..ListObjectVersionsOutput::default()
    })
}
