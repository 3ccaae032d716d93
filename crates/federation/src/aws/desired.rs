//! What a run wants to have in an account, as data: names and ARNs. Sends nothing.

use std::fmt;

use trust::{AccountId, Arn, IssuerUrl};

use super::access::partition;
use super::undo::Undo;
use crate::thumbprint::Thumbprint;

/// One thing to create.
#[derive(Clone, PartialEq, Eq)]
pub enum Desired {
    /// An S3 bucket in the clients' region. Its name should hold the run id.
    Bucket {
        /// Unique in the whole partition.
        name: String,
    },
    /// The same, and everyone may read its objects, unsigned too: its policy and its public access block say so.
    PublicBucket {
        /// Unique in the whole partition.
        name: String,
    },
    /// The bucket's own policy.
    BucketPolicy {
        /// The bucket.
        bucket: String,
        /// The JSON document.
        document: String,
    },
    /// An object in a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The content.
        body: Vec<u8>,
        /// What it is served as; without one, as the SDK's `application/octet-stream`.
        content_type: Option<String>,
    },
    /// An IAM OpenID Connect provider, which runs of the tool share: an account has one an issuer.
    OidcProvider {
        /// The issuer, slash and all.
        url: IssuerUrl,
        /// Accepted audiences.
        client_ids: Vec<String>,
        /// May be empty: IAM then fetches one itself.
        thumbprints: Vec<Thumbprint>,
    },
    /// A customer managed policy.
    Policy {
        /// Its name.
        name: String,
        /// The JSON document.
        document: String,
    },
    /// A role.
    Role {
        /// Its name.
        name: String,
        /// The JSON document of who may assume it.
        trust_policy: String,
        /// 3600 to 43200; IAM's default is 3600.
        max_session_seconds: Option<i32>,
        /// ARN of the policy that bounds it.
        boundary: Option<String>,
    },
    /// A policy in the role itself.
    InlinePolicy {
        /// The role's name.
        role: String,
        /// Its name.
        name: String,
        /// The JSON document.
        document: String,
    },
    /// A managed policy on a role.
    Attachment {
        /// The role's name.
        role: String,
        /// The policy's ARN.
        policy_arn: String,
    },
}

impl Desired {
    /// What a person calls it.
    pub fn label(&self) -> String {
        match self {
            Self::Bucket { name } => format!("bucket {name}"),
            Self::PublicBucket { name } => format!("public bucket {name}"),
            Self::BucketPolicy { bucket, .. } => format!("policy of bucket {bucket}"),
            Self::Object { bucket, key, .. } => format!("object {bucket}/{key}"),
            Self::OidcProvider { url, .. } => format!("OIDC provider for {url}"),
            Self::Policy { name, .. } => format!("policy {name}"),
            Self::Role { name, .. } => format!("role {name}"),
            Self::InlinePolicy { role, name, .. } => format!("inline policy {name} of role {role}"),
            Self::Attachment { role, policy_arn } => format!("policy {policy_arn} on role {role}"),
        }
    }

    /// Its ARN, known before it exists; what is a part of something else has none.
    ///
    /// The provider's keeps every byte of the issuer after `https://`, a trailing slash too.
    pub fn arn(&self, account: &AccountId, region: &str) -> Option<Arn> {
        let arn = |service: &str, account: &str, resource: String| {
            Some(Arn {
                partition: partition(region).to_owned(),
                service: service.to_owned(),
                region: String::new(),
                account: account.to_owned(),
                resource,
            })
        };
        match self {
            Self::Bucket { name } | Self::PublicBucket { name } => arn("s3", "", name.clone()),
            Self::Object { bucket, key, .. } => arn("s3", "", format!("{bucket}/{key}")),
            Self::OidcProvider { url, .. } => {
                arn("iam", account.as_str(), format!("oidc-provider/{}", url.without_scheme()))
            }
            Self::Policy { name, .. } => arn("iam", account.as_str(), format!("policy/{name}")),
            Self::Role { name, .. } => arn("iam", account.as_str(), format!("role/{name}")),
            Self::Attachment { .. } | Self::InlinePolicy { .. } | Self::BucketPolicy { .. } => None,
        }
    }

    /// What takes it back for `run`, known before it exists.
    pub fn undo(&self, account: &AccountId, region: &str, run: &str) -> Undo {
        let account = account.clone();
        let region = region.to_owned();
        let arn = || self.arn(&account, &region).map(|arn| arn.to_string()).unwrap_or_default();
        match self {
            // Policy and public access block go with the bucket.
            Self::Bucket { name } | Self::PublicBucket { name } => Undo::Bucket { account, region, name: name.clone() },
            Self::BucketPolicy { bucket, .. } => Undo::BucketPolicy { account, region, bucket: bucket.clone() },
            Self::Object { bucket, key, .. } => {
                Undo::Object { account, region, bucket: bucket.clone(), key: key.clone() }
            }
            Self::OidcProvider { .. } => Undo::OidcProvider { arn: arn(), account, run: run.to_owned() },
            Self::Policy { .. } => Undo::Policy { arn: arn(), account },
            Self::Role { name, .. } => Undo::Role { account, name: name.clone() },
            Self::InlinePolicy { role, name, .. } => {
                Undo::InlinePolicy { account, role: role.clone(), name: name.clone() }
            }
            Self::Attachment { role, policy_arn } => {
                Undo::Attachment { account, role: role.clone(), policy_arn: policy_arn.clone() }
            }
        }
    }
}

/// Documents and contents are left out: they are long, and a content may be a canary.
impl fmt::Debug for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desired({})", self.label())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::aws) fn bucket(name: &str) -> Desired {
        Desired::Bucket { name: name.into() }
    }
    pub(in crate::aws) fn public_bucket(name: &str) -> Desired {
        Desired::PublicBucket { name: name.into() }
    }
    pub(in crate::aws) fn object(bucket: &str, key: &str) -> Desired {
        Desired::Object { bucket: bucket.into(), key: key.into(), body: b"canary".to_vec(), content_type: None }
    }
    pub(in crate::aws) fn provider() -> Desired {
        let url = "https://westeurope.oic.prod-aks.azure.com/t/g/".parse().expect("issuer must parse");
        Desired::OidcProvider { url, client_ids: vec!["sts.amazonaws.com".into()], thumbprints: vec![] }
    }
    pub(in crate::aws) fn policy(name: &str) -> Desired {
        Desired::Policy { name: name.into(), document: "{}".into() }
    }
    pub(in crate::aws) fn role(name: &str) -> Desired {
        Desired::Role { name: name.into(), trust_policy: "{}".into(), max_session_seconds: None, boundary: None }
    }
    pub(in crate::aws) fn bounded_role(name: &str, policy: &str) -> Desired {
        let boundary = Some(format!("arn:aws:iam::123456789012:policy/{policy}"));
        Desired::Role { name: name.into(), trust_policy: "{}".into(), max_session_seconds: None, boundary }
    }
    pub(in crate::aws) fn inline_policy(role: &str, name: &str) -> Desired {
        Desired::InlinePolicy { role: role.into(), name: name.into(), document: "{}".into() }
    }
    pub(in crate::aws) fn bucket_policy(bucket: &str) -> Desired {
        Desired::BucketPolicy { bucket: bucket.into(), document: "{}".into() }
    }
    pub(in crate::aws) fn attachment(role: &str, policy: &str) -> Desired {
        Desired::Attachment { role: role.into(), policy_arn: format!("arn:aws:iam::123456789012:policy/{policy}") }
    }

    #[test]
    fn arns_are_known_beforehand() {
        let account: AccountId = "123456789012".parse().expect("account must parse");
        let check = |desired: Desired, region: &str, expected: Option<&str>| {
            assert_eq!(desired.arn(&account, region).map(|arn| arn.to_string()).as_deref(), expected);
        };
        let eu = "eu-central-1";
        check(bucket("b"), eu, Some("arn:aws:s3:::b"));
        check(public_bucket("b"), "us-gov-west-1", Some("arn:aws-us-gov:s3:::b"));
        check(object("b", "d/k.txt"), eu, Some("arn:aws:s3:::b/d/k.txt"));
        check(provider(), eu, Some("arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/"));
        check(policy("p"), eu, Some("arn:aws:iam::123456789012:policy/p"));
        check(role("r"), eu, Some("arn:aws:iam::123456789012:role/r"));
        check(role("r"), "cn-north-1", Some("arn:aws-cn:iam::123456789012:role/r"));
        check(attachment("r", "p"), eu, None);
        check(inline_policy("r", "p"), eu, None);
        check(bucket_policy("b"), eu, None);
    }

    #[test]
    fn undo_survives_the_journal() {
        let account: AccountId = "123456789012".parse().expect("account must parse");
        let mut lines = String::new();
        for desired in [
            bucket("b"),
            public_bucket("o"),
            object("b", "k"),
            provider(),
            policy("p"),
            role("r"),
            attachment("r", "p"),
            inline_policy("r", "p"),
            bucket_policy("b"),
        ] {
            let undo = desired.undo(&account, "eu-central-1", "r-1");
            let line = serde_json::to_string(&undo).expect("undo must serialise");
            assert_eq!(serde_json::from_str::<Undo>(&line).expect("undo must parse"), undo);
            lines += &format!("{undo}\n{line}\n");
        }
        insta::assert_snapshot!(lines, @r#"
        delete bucket b in account 123456789012
        {"delete":"bucket","account":"123456789012","region":"eu-central-1","name":"b"}
        delete bucket o in account 123456789012
        {"delete":"bucket","account":"123456789012","region":"eu-central-1","name":"o"}
        delete object b/k in account 123456789012
        {"delete":"object","account":"123456789012","region":"eu-central-1","bucket":"b","key":"k"}
        delete OIDC provider arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/ in account 123456789012
        {"delete":"oidc-provider","account":"123456789012","arn":"arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/","run":"r-1"}
        delete policy arn:aws:iam::123456789012:policy/p in account 123456789012
        {"delete":"policy","account":"123456789012","arn":"arn:aws:iam::123456789012:policy/p"}
        delete role r in account 123456789012
        {"delete":"role","account":"123456789012","name":"r"}
        detach policy arn:aws:iam::123456789012:policy/p on role r in account 123456789012
        {"delete":"attachment","account":"123456789012","role":"r","policy_arn":"arn:aws:iam::123456789012:policy/p"}
        delete inline policy p of role r in account 123456789012
        {"delete":"inline-policy","account":"123456789012","role":"r","name":"p"}
        delete policy of bucket b in account 123456789012
        {"delete":"bucket-policy","account":"123456789012","region":"eu-central-1","bucket":"b"}
        "#);
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", object("b", "k")), "Desired(object b/k)");
    }
}
