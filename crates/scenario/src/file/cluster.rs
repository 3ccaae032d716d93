//! The cluster that a scenario speaks of, as far as its issuer shows it.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::source::SourceError;

/// Whose cluster it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavor {
    /// Azure Kubernetes Service: the issuer ends in a slash.
    Aks,
    /// Amazon EKS: it does not.
    Eks,
    /// The owner's own: the issuer is published as static files.
    SelfManaged,
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavor::Aks => "aks",
            Flavor::Eks => "eks",
            Flavor::SelfManaged => "self-managed",
        })
    }
}

/// Where a self-managed cluster's owner publishes the issuer's two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerSite {
    /// A public S3 bucket in `aws.region`: `https://<bucket>.s3.<region>.amazonaws.com`.
    S3Bucket,
    /// A public container of a storage account: `https://<account>.blob.core.windows.net/<container>/`.
    BlobContainer,
}

impl fmt::Display for IssuerSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IssuerSite::S3Bucket => "s3-bucket",
            IssuerSite::BlobContainer => "blob-container",
        })
    }
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", rename_all = "kebab-case")]
pub enum ClusterShape {
    /// Azure Kubernetes Service.
    Aks {
        /// Region, part of the issuer.
        region: String,
    },
    /// Amazon EKS.
    Eks {
        /// Region, part of the issuer.
        region: String,
    },
    /// The owner's own.
    SelfManaged {
        /// Where the issuer is published.
        issuer: IssuerSite,
    },
}

impl ClusterShape {
    /// Whose it is.
    pub fn flavor(&self) -> Flavor {
        match self {
            Self::Aks { .. } => Flavor::Aks,
            Self::Eks { .. } => Flavor::Eks,
            Self::SelfManaged { .. } => Flavor::SelfManaged,
        }
    }

    pub(super) fn check(&self, file: &Path) -> Result<(), SourceError> {
        match self {
            Self::Aks { region } | Self::Eks { region } => super::region(file, "cluster.region", region),
            Self::SelfManaged { .. } => Ok(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    flavor: Flavor,
    region: Option<String>,
    issuer: Option<IssuerSite>,
}

impl TryFrom<Document> for ClusterShape {
    type Error = String;

    fn try_from(document: Document) -> Result<Self, String> {
        let Document { flavor, region, issuer } = document;
        match (flavor, region, issuer) {
            (Flavor::Aks, Some(region), None) => Ok(Self::Aks { region }),
            (Flavor::Eks, Some(region), None) => Ok(Self::Eks { region }),
            (Flavor::SelfManaged, None, Some(issuer)) => Ok(Self::SelfManaged { issuer }),
            (Flavor::Aks | Flavor::Eks, None, _) => {
                Err(format!("a cluster of flavor {flavor} needs `region`: it is part of the issuer"))
            }
            (Flavor::Aks | Flavor::Eks, _, Some(_)) => {
                Err(format!("a cluster of flavor {flavor} publishes its issuer itself: leave `issuer` out"))
            }
            (Flavor::SelfManaged, _, None) => Err("a cluster of flavor self-managed needs `issuer`, where its owner \
                                                   publishes it: s3-bucket or blob-container"
                .to_owned()),
            (Flavor::SelfManaged, Some(_), _) => {
                Err("the files of a self-managed issuer lie where `aws` or `azure` says: leave `region` out".to_owned())
            }
        }
    }
}
