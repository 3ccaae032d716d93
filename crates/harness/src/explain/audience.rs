//! Tokens that are made for somebody else. It must not know what the other side asks for.

use scenario::Cloud;

use super::material::{Material, Shown, audience};

/// What a token with the wrong audience is meant for.
pub(crate) fn misused(presented: &str, issuer: Option<&Shown>) -> String {
    let is_default = presented.starts_with("https://kubernetes.default.svc")
        || issuer.is_some_and(|issuer| issuer.value == presented);
    match presented {
        _ if is_default => {
            "this is the pod's default token, for the API server: read the file that the webhook's variable names"
                .to_owned()
        }
        presented if presented == audience(Cloud::Aws) => {
            "this is the token for AWS: each cloud has one of its own".to_owned()
        }
        presented if presented == audience(Cloud::Azure) => {
            "this is the token for Azure: each cloud has one of its own".to_owned()
        }
        presented => format!("the token is made for {presented}"),
    }
}

/// A command that prints a token with a cloud's usual audience.
pub(crate) fn fresh(material: &Material, cloud: Cloud) -> String {
    format!("kubectl create token {} --audience {}", material.account_words(), audience(cloud))
}
