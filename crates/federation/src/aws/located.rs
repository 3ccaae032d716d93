//! Which buckets an account has, and in which region each is: S3 answers about a bucket there alone.

use super::access::Clients;
use super::call::call;
use super::error::ProvisionError;

/// Buckets a page.
const PAGE: i32 = 1000;

/// A bucket, and its region where the listing tells it.
pub(super) struct Listed {
    pub(super) name: String,
    region: Option<String>,
}

/// The buckets whose name begins so, in order.
pub(super) async fn buckets(clients: &Clients, prefix: &str) -> Result<Vec<Listed>, ProvisionError> {
    let begins = (!prefix.is_empty()).then(|| prefix.to_owned());
    let send = || {
        let request = clients.s3().list_buckets().set_prefix(begins.clone()).max_buckets(PAGE);
        request.into_paginator().send().collect::<Result<Vec<_>, _>>()
    };
    let pages = call(clients.consistency(), "ListBuckets", "the account", send).await?;
    let all = pages.iter().flat_map(|page| page.buckets());
    let listed = all.filter_map(|bucket| {
        Some(Listed { name: bucket.name()?.to_owned(), region: bucket.bucket_region().map(str::to_owned) })
    });
    // Some that answer in place of S3 do not look at the prefix.
    Ok(listed.filter(|bucket| bucket.name.starts_with(prefix)).collect())
}

impl Listed {
    /// Where it is (Amazon S3 API reference, GetBucketLocation: of the first region it says nothing, and one has a name of old).
    pub(super) async fn region(&self, clients: &Clients) -> Result<String, ProvisionError> {
        if let Some(region) = &self.region {
            return Ok(region.clone());
        }
        let send = || clients.s3().get_bucket_location().bucket(&self.name).send();
        let resource = format!("bucket {}", self.name);
        let found = call(clients.consistency(), "GetBucketLocation", &resource, send).await?;
        Ok(match found.location_constraint().map(|region| region.as_str()) {
            None | Some("") => "us-east-1",
            Some("EU") => "eu-west-1",
            Some(region) => region,
        }
        .to_owned())
    }
}
