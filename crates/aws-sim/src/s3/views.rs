//! What every bucket and object is alike in, for clients that ask: no versions, no ACLs but the owner's, encrypted by S3.
//!
//! Source: S3 API reference, the page of each operation; user guide, "Default settings for new S3 buckets FAQ".

use s3s::dto::{
    self, GetBucketAclInput, GetBucketAclOutput, GetBucketEncryptionInput, GetBucketEncryptionOutput,
    GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, GetBucketVersioningInput, GetBucketVersioningOutput,
    GetObjectAclInput, GetObjectAclOutput, GetObjectAttributesInput, GetObjectAttributesOutput,
};

use super::Simulated;
use super::admission::Visit;
use super::objects::{AES256, check_version};
use super::permission::object_arn;
use super::refusal::Refusal;
use super::store::{canonical_user, wire_time};

/// Versioning was never switched on, which is said by saying nothing.
pub(super) fn versioning(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketVersioningInput,
) -> Result<GetBucketVersioningOutput, Refusal> {
    simulated.store.bucket(&input.bucket, |_| GetBucketVersioningOutput::default())
}

pub(super) fn encryption(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketEncryptionInput,
) -> Result<GetBucketEncryptionOutput, Refusal> {
    let by_default =
        dto::ServerSideEncryptionByDefault { kms_master_key_id: None, sse_algorithm: AES256.to_owned().into() };
    let rule = dto::ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: Some(false),
    };
    let configuration = dto::ServerSideEncryptionConfiguration { rules: vec![rule] };
    simulated.store.bucket(&input.bucket, |_| GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(configuration),
    })
}

pub(super) fn policy_status(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketPolicyStatusInput,
) -> Result<GetBucketPolicyStatusOutput, Refusal> {
    match simulated.store.bucket(&input.bucket, |bucket| bucket.policy.clone())? {
        Some(policy) => Ok(GetBucketPolicyStatusOutput {
            policy_status: Some(dto::PolicyStatus { is_public: Some(policy.is_public) }),
        }),
        None => Err(Refusal::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist")),
    }
}

/// The owner of a bucket and all that it has: full control.
fn ownership(simulated: &Simulated, bucket: &str) -> Result<(dto::Owner, dto::Grants), Refusal> {
    let id = simulated.store.bucket(bucket, |bucket| canonical_user(&bucket.owner))?;
    let grantee = dto::Grantee {
        id: Some(id.clone()),
        type_: dto::Type::from_static(dto::Type::CANONICAL_USER),
        display_name: None,
        email_address: None,
        uri: None,
    };
    let permission = dto::Permission::from_static(dto::Permission::FULL_CONTROL);
    let grant = dto::Grant { grantee: Some(grantee), permission: Some(permission) };
    Ok((dto::Owner { id: Some(id), ..dto::Owner::default() }, vec![grant]))
}

pub(super) fn bucket_acl(
    simulated: &Simulated,
    _visit: &Visit,
    input: GetBucketAclInput,
) -> Result<GetBucketAclOutput, Refusal> {
    let (owner, grants) = ownership(simulated, &input.bucket)?;
    Ok(GetBucketAclOutput { owner: Some(owner), grants: Some(grants) })
}

pub(super) fn object_acl(
    simulated: &Simulated,
    visit: &Visit,
    input: GetObjectAclInput,
) -> Result<GetObjectAclOutput, Refusal> {
    check_version(input.version_id.as_deref())?;
    let found = simulated.store.object(&input.bucket, &input.key)?;
    found.ok_or_else(|| simulated.missing_key(visit, &input.bucket))?;
    let (owner, grants) = ownership(simulated, &input.bucket)?;
    Ok(GetObjectAclOutput { owner: Some(owner), grants: Some(grants), ..GetObjectAclOutput::default() })
}

/// Needs the right to read the object beside the one to read its attributes.
pub(super) fn attributes(
    simulated: &Simulated,
    visit: &Visit,
    input: GetObjectAttributesInput,
) -> Result<GetObjectAttributesOutput, Refusal> {
    check_version(input.version_id.as_deref())?;
    simulated.permit(visit, "s3:GetObject", &object_arn(&input.bucket, &input.key), &input.bucket, &[])?;
    let object = simulated.store.object(&input.bucket, &input.key)?;
    let object = object.ok_or_else(|| simulated.missing_key(visit, &input.bucket))?;
    // In one header or in several.
    let wanted = input.object_attributes.iter().flat_map(|header| header.as_str().split(',').map(str::trim));
    let wanted: Vec<_> = wanted.collect();
    let asks = |name: &str| wanted.contains(&name);
    let parts = (asks("ObjectParts") && !object.parts.is_empty()).then(|| dto::GetObjectAttributesParts {
        total_parts_count: i32::try_from(object.parts.len()).ok(),
        ..dto::GetObjectAttributesParts::default()
    });
    Ok(GetObjectAttributesOutput {
        last_modified: Some(wire_time(object.modified)),
        // S3 leaves out the quotes here; s3s writes them whatever it is given.
        e_tag: asks("ETag").then(|| dto::ETag::Strong(object.etag.clone())),
        checksum: asks("Checksum").then(|| object.checksum.clone()),
        object_size: asks("ObjectSize").then(|| i64::try_from(object.content.len()).unwrap_or(i64::MAX)),
        storage_class: asks("StorageClass")
            .then(|| object.description.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()).into()),
        object_parts: parts,
        ..GetObjectAttributesOutput::default()
    })
}
