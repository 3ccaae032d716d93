//! Issuer URLs in the exact shape of the managed clouds'.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aks_ends_in_a_slash_and_eks_does_not() {
        let aks = aks("westeurope", "t", "c").expect("must parse");
        let eks = eks("eu-central-1", "0a").expect("must parse");
        assert_eq!(aks.as_str(), "https://westeurope.oic.prod-aks.azure.com/t/c/");
        assert_eq!(eks.as_str(), "https://oidc.eks.eu-central-1.amazonaws.com/id/0A");
    }
}
