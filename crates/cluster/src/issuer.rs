//! Issuer URLs in the exact shape that they have in the field: the managed clouds' own, and the storage of who runs a cluster.

use trust::{IssuerError, IssuerUrl};

/// AKS: `https://<region>.oic.prod-aks.azure.com/<tenant>/<cluster>/`, with its slash (AKS docs, "Use the OIDC issuer").
///
/// # Errors
/// When the region cannot stand in a host name.
pub fn aks(region: &str, tenant: &str, cluster: &str) -> Result<IssuerUrl, IssuerError> {
    format!("https://{region}.oic.prod-aks.azure.com/{tenant}/{cluster}/").parse()
}

/// EKS: `https://oidc.eks.<region>.amazonaws.com/id/<32 hex digits in capitals>`, without a slash (EKS user guide, "IAM roles for service accounts").
///
/// # Errors
/// When the region cannot stand in a host name.
pub fn eks(region: &str, id: &str) -> Result<IssuerUrl, IssuerError> {
    format!("https://oidc.eks.{region}.amazonaws.com/id/{}", id.to_ascii_uppercase()).parse()
}

/// Self-managed, published in a public S3 bucket: `https://<bucket>.s3.<region>.amazonaws.com`, without a slash.
///
/// The host is that of S3's virtual hosting (S3 user guide, "Virtual hosting of buckets"); that the documents lie in a bucket is from
/// amazon-eks-pod-identity-webhook, `SELF_HOSTED_SETUP.md`, which puts the bucket into the path instead. A bucket whose name has dots
/// has no certificate at this host.
///
/// # Errors
/// When bucket or region cannot stand in a host name.
pub fn s3_bucket(bucket: &str, region: &str) -> Result<IssuerUrl, IssuerError> {
    format!("https://{bucket}.s3.{region}.amazonaws.com").parse()
}

/// Self-managed, published in a public blob container: `https://<account>.blob.core.windows.net/<container>/`, with a slash
/// (azure-workload-identity docs, "Self-Managed Clusters", "Discovery Document").
///
/// # Errors
/// When account or container cannot stand in a URL.
pub fn blob_container(account: &str, container: &str) -> Result<IssuerUrl, IssuerError> {
    format!("https://{account}.blob.core.windows.net/{container}/").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_slash_or_has_none() {
        let check = |issuer: Result<IssuerUrl, IssuerError>, want: &str, keys: &str| {
            let issuer = issuer.expect("must parse");
            assert_eq!(issuer.as_str(), want);
            assert_eq!(format!("{}/openid/v1/jwks", issuer.trimmed()), keys);
        };
        check(
            aks("westeurope", "t", "c"),
            "https://westeurope.oic.prod-aks.azure.com/t/c/",
            "https://westeurope.oic.prod-aks.azure.com/t/c/openid/v1/jwks",
        );
        check(
            eks("eu-central-1", "0a"),
            "https://oidc.eks.eu-central-1.amazonaws.com/id/0A",
            "https://oidc.eks.eu-central-1.amazonaws.com/id/0A/openid/v1/jwks",
        );
        check(
            s3_bucket("keys", "eu-central-1"),
            "https://keys.s3.eu-central-1.amazonaws.com",
            "https://keys.s3.eu-central-1.amazonaws.com/openid/v1/jwks",
        );
        check(
            blob_container("issuer", "oidc"),
            "https://issuer.blob.core.windows.net/oidc/",
            "https://issuer.blob.core.windows.net/oidc/openid/v1/jwks",
        );
    }
}
