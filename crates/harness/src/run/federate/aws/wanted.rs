//! What one cell wants to have in an AWS account.

use federation::aws::Desired;
use federation::thumbprint::Thumbprint;
use scenario::access::Thumbprints;
use scenario::{Cell, Scenario};

use super::super::super::render::{Names, Rendered};
use crate::exit::{Exit, Stop};

/// A thumbprint that belongs to no certificate.
const WRONG: &str = "0123456789abcdef0123456789abcdef01234567";
/// Name of the policy in a role itself.
/// Name of the policy in a role itself.
pub(crate) const INLINE: &str = "crossfed-inline";

/// The region of everything, and everything.
pub(in crate::run::federate) fn wanted(
    scenario: &Scenario,
    cell: &Cell,
    names: &Names,
    rendered: &Rendered,
) -> Result<(String, Vec<Desired>), Stop> {
    let (Some(resources), Some(access), Some(names), Some(rendered)) =
        (&scenario.aws, &cell.access.aws, &names.aws, &rendered.aws)
    else {
        return Err(Stop::new(Exit::Internal, "a cell without names on AWS"));
    };
    let (bucket, role) = (|| names.bucket.clone(), || names.role.clone());
    let mut wanted = vec![
        Desired::Bucket { name: bucket() },
        Desired::Policy { name: names.policy.clone(), document: rendered.permission_policy.clone() },
        Desired::Role {
            name: role(),
            trust_policy: rendered.trust_policy.clone(),
            max_session_seconds: None,
            boundary: rendered.boundary.as_ref().map(|(arn, _)| arn.clone()),
        },
    ];
    if access.object.exists {
        let (key, body) = (resources.object_key.clone(), resources.object.clone());
        wanted.push(Desired::Object { bucket: bucket(), key, body, content_type: None });
    }
    if access.attach {
        wanted.push(Desired::Attachment { role: role(), policy_arn: rendered.policy_arn.clone() });
    }
    if let Some((_, document)) = &rendered.boundary {
        wanted.push(Desired::Policy { name: names.boundary.clone(), document: document.clone() });
    }
    if let Some(document) = &rendered.inline_policy {
        wanted.push(Desired::InlinePolicy { role: role(), name: INLINE.to_owned(), document: document.clone() });
    }
    if let Some(document) = &rendered.bucket_policy {
        wanted.push(Desired::BucketPolicy { bucket: bucket(), document: document.clone() });
    }
    if let Some((url, client_ids)) = &rendered.provider {
        let thumbprints = match access.thumbprints {
            // They are known once the issuer has been looked at.
            Thumbprints::Seen => Vec::new(),
            Thumbprints::Wrong => vec![wrong()?],
        };
        wanted.push(Desired::OidcProvider { url: url.clone(), client_ids: client_ids.clone(), thumbprints });
    }
    Ok((resources.region.clone(), wanted))
}

fn wrong() -> Result<Thumbprint, Stop> {
    WRONG.parse().map_err(|error: federation::thumbprint::ThumbprintError| Stop::caused(Exit::Internal, error))
}
