//! Where a self-managed cluster's owner publishes the issuer: two static files in a public bucket or container.

use federation::{aws, azure};
use scenario::{ClusterShape, IssuerSite, Scenario};

use super::render::group;
use crate::naming::RunId;

/// Path of the discovery document below the issuer (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY: &str = ".well-known/openid-configuration";
/// Path of the key set below the issuer, as kube-apiserver names it.
const KEYS: &str = "openid/v1/jwks";
pub(crate) const JSON: &str = "application/json";
/// Name of the container: part of the issuer.
const CONTAINER: &str = "oidc";

/// The place of the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// A bucket in the scenario's AWS account.
    Bucket {
        /// Its name.
        name: String,
        /// Its region.
        region: String,
    },
    /// A container in the scenario's Azure subscription.
    Container {
        /// Resource group of the storage account.
        group: String,
        /// The storage account.
        account: String,
        /// The container.
        name: String,
    },
}

/// The discovery document and the key set.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) discovery: Vec<u8>,
    pub(crate) keys: Vec<u8>,
}

impl Files {
    pub(crate) fn each(&self) -> [(&'static str, &[u8]); 2] {
        [(DISCOVERY, &self.discovery), (KEYS, &self.keys)]
    }
}

/// Where the issuer of a scenario's cluster is published, if its owner does that.
pub(crate) fn home(scenario: &Scenario, run: &RunId) -> Option<Home> {
    match (&scenario.cluster, &scenario.aws, &scenario.azure) {
        (ClusterShape::SelfManaged { issuer: IssuerSite::S3Bucket }, Some(aws), _) => {
            Some(Home::Bucket { name: run.name("issuer"), region: aws.region.clone() })
        }
        (ClusterShape::SelfManaged { issuer: IssuerSite::BlobContainer }, _, Some(_)) => {
            Some(Home::Container { group: group(run), account: run.compact_name("issuer"), name: CONTAINER.to_owned() })
        }
        _ => None,
    }
}

/// What must stand on AWS for it.
pub(crate) fn on_aws(home: &Home, files: &Files) -> Vec<aws::Desired> {
    let Home::Bucket { name, .. } = home else {
        return Vec::new();
    };
    let object = |(key, body): (&str, &[u8])| aws::Desired::Object {
        bucket: name.clone(),
        key: key.to_owned(),
        body: body.to_vec(),
        content_type: Some(JSON.to_owned()),
    };
    let bucket = aws::Desired::PublicBucket { name: name.clone() };
    std::iter::once(bucket).chain(files.each().into_iter().map(object)).collect()
}

/// What must stand on Azure for it; `owner` is the object id of whoever uploads.
pub(crate) fn on_azure(home: &Home, files: &Files, owner: &str) -> Vec<azure::Desired> {
    let Home::Container { group, account, name } = home else {
        return Vec::new();
    };
    let blob = |(path, body): (&str, &[u8])| azure::Desired::Blob {
        account: account.clone(),
        container: name.clone(),
        name: path.to_owned(),
        content_type: JSON.to_owned(),
        body: body.to_vec(),
    };
    let (group, account_name) = (group.clone(), account.clone());
    let standing = [
        azure::Desired::ResourceGroup { name: group.clone() },
        azure::Desired::StorageAccount { group: group.clone(), name: account_name.clone() },
        azure::Desired::Container { group: group.clone(), account: account_name.clone(), name: name.clone() },
        azure::Desired::StorageRole {
            group,
            account: account_name,
            principal: azure::Principal::Object { id: owner.to_owned() },
        },
    ];
    standing.into_iter().chain(files.each().into_iter().map(blob)).collect()
}
