//! Which permission an operation needs, on what, and under which condition keys; the answer is [`State`]'s.
//! Must not know how policies are evaluated.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
//!
//! [`State`]: crate::state::State

use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Result};
use trust::policy::Context;

use super::Simulated;
use super::admission::{Guest, Visit};
use super::refusal::Refusal;
use crate::sigv4::{Form, query_pairs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// On no bucket in particular.
    Account(&'static str),
    Bucket(&'static str),
    Object(&'static str),
    /// Settled inside the operation, which reads what it needs from the body.
    Inside,
    Unsupported,
}

fn need(operation: &str) -> Need {
    match operation {
        "ListBuckets" => Need::Account("s3:ListAllMyBuckets"),
        "CreateBucket" | "DeleteObjects" => Need::Inside,
        "DeleteBucket" => Need::Bucket("s3:DeleteBucket"),
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => Need::Bucket("s3:ListBucket"),
        "GetBucketLocation" => Need::Bucket("s3:GetBucketLocation"),
        "GetBucketTagging" => Need::Bucket("s3:GetBucketTagging"),
        "PutBucketTagging" | "DeleteBucketTagging" => Need::Bucket("s3:PutBucketTagging"),
        "GetBucketPolicy" => Need::Bucket("s3:GetBucketPolicy"),
        "PutBucketPolicy" => Need::Bucket("s3:PutBucketPolicy"),
        "DeleteBucketPolicy" => Need::Bucket("s3:DeleteBucketPolicy"),
        "GetPublicAccessBlock" => Need::Bucket("s3:GetBucketPublicAccessBlock"),
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => Need::Bucket("s3:PutBucketPublicAccessBlock"),
        "GetBucketOwnershipControls" => Need::Bucket("s3:GetBucketOwnershipControls"),
        "PutBucketOwnershipControls" | "DeleteBucketOwnershipControls" => Need::Bucket("s3:PutBucketOwnershipControls"),
        "GetObject" | "HeadObject" => Need::Object("s3:GetObject"),
        // The source of a copy is settled inside the operation.
        "PutObject" | "CopyObject" => Need::Object("s3:PutObject"),
        "DeleteObject" => Need::Object("s3:DeleteObject"),
        // So is the source of a part.
        "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload" => {
            Need::Object("s3:PutObject")
        }
        "AbortMultipartUpload" => Need::Object("s3:AbortMultipartUpload"),
        "ListParts" => Need::Object("s3:ListMultipartUploadParts"),
        "ListMultipartUploads" => Need::Bucket("s3:ListBucketMultipartUploads"),
        "GetObjectTagging" => Need::Object("s3:GetObjectTagging"),
        "PutObjectTagging" => Need::Object("s3:PutObjectTagging"),
        "DeleteObjectTagging" => Need::Object("s3:DeleteObjectTagging"),
        "GetObjectAttributes" => Need::Object("s3:GetObjectAttributes"),
        "GetObjectAcl" => Need::Object("s3:GetObjectAcl"),
        "GetBucketAcl" => Need::Bucket("s3:GetBucketAcl"),
        "GetBucketVersioning" => Need::Bucket("s3:GetBucketVersioning"),
        "GetBucketEncryption" => Need::Bucket("s3:GetEncryptionConfiguration"),
        "GetBucketPolicyStatus" => Need::Bucket("s3:GetBucketPolicyStatus"),
        "ListObjectVersions" => Need::Bucket("s3:ListBucketVersions"),
        _ => Need::Unsupported,
    }
}

pub(super) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

pub(super) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

impl Visit {
    /// The condition keys that every request to S3 has.
    pub(super) fn context(&self) -> Context {
        let mut context = Context::new();
        context.set("aws:RequestedRegion", &self.region);
        if let Some(signer) = &self.signer {
            context.set("s3:signatureversion", "AWS4-HMAC-SHA256");
            let form = match signer.form {
                Form::Header => "REST-HEADER",
                Form::Query { .. } => "REST-QUERY-STRING",
            };
            context.set("s3:authType", form);
        }
        if let Some(address) = self.source_ip {
            context.set("aws:SourceIp", address.to_string());
        }
        context
    }
}

impl Simulated {
    /// Whether the caller may do `action` on `resource`, which is in `bucket`.
    ///
    /// # Errors
    /// `AccessDenied`, or `NoSuchBucket`: a name that nobody has taken is no secret.
    pub(super) fn permit(
        &self,
        visit: &Visit,
        action: &str,
        resource: &str,
        bucket: &str,
        keys: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        let (owner, policy, block) = self
            .store
            .bucket(bucket, |bucket| (bucket.owner.clone(), bucket.policy.clone(), bucket.public_access_block))?;
        let foreign = visit.caller().is_none_or(|caller| caller.account != owner);
        let restricted = block.is_some_and(|block| block.restrict_buckets);
        if foreign && restricted && policy.as_ref().is_some_and(|policy| policy.is_public) {
            return Err(Refusal::denied("Access Denied"));
        }
        let mut context = visit.context();
        for (key, value) in keys {
            context.set(key, *value);
        }
        self.state
            .authorize(
                visit.caller(),
                action,
                resource,
                &context,
                policy.as_deref().map(|policy| &policy.document),
                &owner,
            )
            .map_err(|denied| Refusal::denied(denied.message))
    }

    /// The same for what belongs to no bucket yet.
    pub(super) fn permit_in_account(
        &self,
        visit: &Visit,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), Refusal> {
        let caller = visit.known_caller()?;
        self.state
            .authorize(Some(caller), action, resource, context, None, &caller.account)
            .map_err(|denied| Refusal::denied(denied.message))
    }

    /// The refusal for a key that is not there: only who may list the bucket learns that it is missing.
    pub(super) fn missing_key(&self, visit: &Visit, bucket: &str) -> Refusal {
        match self.permit(visit, "s3:ListBucket", &bucket_arn(bucket), bucket, &[]) {
            Ok(()) => Refusal::no_such_key(),
            Err(denied) => denied,
        }
    }

    fn settle(&self, visit: &Visit, context: &S3AccessContext<'_>) -> Result<(), Refusal> {
        let (path, need) = (context.s3_path(), need(context.s3_op().name()));
        let bucket = path.get_bucket_name();
        if let Some(expected) = context.headers().get("x-amz-expected-bucket-owner")
            && let Some(bucket) = bucket
            && self.store.bucket(bucket, |bucket| expected != bucket.owner.as_str()).unwrap_or(false)
        {
            return Err(Refusal::denied("Access Denied"));
        }
        match (need, path) {
            (Need::Unsupported, _) => Err(Refusal::not_implemented()),
            (Need::Account(action), _) => self.permit_in_account(visit, action, "arn:aws:s3:::*", &visit.context()),
            (Need::Bucket(action), S3Path::Bucket { bucket }) => {
                let query: Vec<(String, String)> = query_pairs(context.uri().query().unwrap_or("")).collect();
                let keys: Vec<(&str, &str)> = query
                    .iter()
                    .filter_map(|(name, value)| {
                        let key = match name.as_str() {
                            "prefix" => "s3:prefix",
                            "delimiter" => "s3:delimiter",
                            "max-keys" => "s3:max-keys",
                            _ => return None,
                        };
                        (action == "s3:ListBucket").then_some((key, value.as_str()))
                    })
                    .collect();
                self.permit(visit, action, &bucket_arn(bucket), bucket, &keys)
            }
            (Need::Object(action), S3Path::Object { bucket, key }) => {
                self.permit(visit, action, &object_arn(bucket, key), bucket, &[])
            }
            (Need::Inside, _) => Ok(()),
            // The router of the library gives each operation the path it belongs to.
            (Need::Bucket(_) | Need::Object(_), _) => Err(Refusal::not_implemented()),
        }
    }
}

#[async_trait::async_trait]
impl S3Access for Simulated {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let guest = context.extensions_mut().get::<Guest>().cloned();
        let guest = guest.ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))?;
        guest.is_about(context.s3_op().name());
        self.settle(&guest, context).map_err(|refusal| guest.refuse(refusal))
    }
}
