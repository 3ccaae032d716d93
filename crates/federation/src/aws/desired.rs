//! What a run wants to have in an account, as data: names, ARNs and order. Sends nothing.

use std::fmt;

use trust::{AccountId, Arn, IssuerUrl};

use super::access::partition;
use super::undo::Undo;
use crate::thumbprint::Thumbprint;

/// Which run made a thing and until when it may stand.
const RUN_TAG: &str = "crossfed:run";
const EXPIRES_TAG: &str = "crossfed:expires";

/// One thing to create.
#[derive(Clone, PartialEq, Eq)]
pub enum Desired {
    /// An S3 bucket in the clients' region. Its name should hold the run id.
    Bucket {
        /// Unique in the whole partition.
        name: String,
    },
    /// An object in a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The content.
        body: Vec<u8>,
    },
    /// An IAM OpenID Connect provider.
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
            Self::Object { bucket, key, .. } => format!("object {bucket}/{key}"),
            Self::OidcProvider { url, .. } => format!("OIDC provider for {url}"),
            Self::Policy { name, .. } => format!("policy {name}"),
            Self::Role { name, .. } => format!("role {name}"),
            Self::Attachment { role, policy_arn } => format!("policy {policy_arn} on role {role}"),
        }
    }

    /// Its ARN, known before it exists; an attachment has none.
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
            Self::Bucket { name } => arn("s3", "", name.clone()),
            Self::Object { bucket, key, .. } => arn("s3", "", format!("{bucket}/{key}")),
            Self::OidcProvider { url, .. } => {
                arn("iam", account.as_str(), format!("oidc-provider/{}", url.without_scheme()))
            }
            Self::Policy { name, .. } => arn("iam", account.as_str(), format!("policy/{name}")),
            Self::Role { name, .. } => arn("iam", account.as_str(), format!("role/{name}")),
            Self::Attachment { .. } => None,
        }
    }

    /// What takes it back, known before it exists.
    pub fn undo(&self, account: &AccountId, region: &str) -> Undo {
        let account = account.clone();
        let region = region.to_owned();
        let arn = || self.arn(&account, &region).map(|arn| arn.to_string()).unwrap_or_default();
        match self {
            Self::Bucket { name } => Undo::Bucket { account, region, name: name.clone() },
            Self::Object { bucket, key, .. } => {
                Undo::Object { account, region, bucket: bucket.clone(), key: key.clone() }
            }
            Self::OidcProvider { .. } => Undo::OidcProvider { arn: arn(), account },
            Self::Policy { .. } => Undo::Policy { arn: arn(), account },
            Self::Role { name, .. } => Undo::Role { account, name: name.clone() },
            Self::Attachment { role, policy_arn } => {
                Undo::Attachment { account, role: role.clone(), policy_arn: policy_arn.clone() }
            }
        }
    }

    /// True if `other` must stand before this can be made.
    fn needs(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object { bucket, .. }, Self::Bucket { name }) => bucket == name,
            (Self::Attachment { role, .. }, Self::Role { name, .. }) => role == name,
            (Self::Attachment { policy_arn, .. }, Self::Policy { name, .. }) => {
                policy_arn.rsplit('/').next() == Some(name.as_str())
            }
            _ => false,
        }
    }
}

/// Documents and contents are left out: they are long, and a content may be a canary.
impl fmt::Debug for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desired({})", self.label())
    }
}

/// Sorts into rounds: what stands in one round can be created at the same time, once the rounds before it stand.
///
/// Take things down in the reverse order.
pub fn stages(desired: Vec<Desired>) -> Vec<Vec<Desired>> {
    // Nothing that something else needs has needs of its own, so there are two rounds at most.
    let waits: Vec<bool> = desired.iter().map(|one| desired.iter().any(|other| one.needs(other))).collect();
    let mut rounds = vec![Vec::new(), Vec::new()];
    for (one, waits) in desired.into_iter().zip(waits) {
        rounds[usize::from(waits)].push(one);
    }
    rounds.retain(|round| !round.is_empty());
    rounds
}

/// What everything is marked with: who made it, for which run, and when it may be swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    run: String,
    expires: String,
}

impl Tags {
    /// `expires` is written as RFC 3339, such as a `jiff::Timestamp` shows it.
    pub fn new(run: impl Into<String>, expires: impl fmt::Display) -> Self {
        Self { run: run.into(), expires: expires.to_string() }
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Key and value of each tag.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [("tool", "crossfed"), (RUN_TAG, &self.run), (EXPIRES_TAG, &self.expires)]
    }

    /// True if a tag says that `run` made the thing.
    pub(crate) fn claims<'a>(mut tags: impl Iterator<Item = (&'a str, &'a str)>, run: &str) -> bool {
        tags.any(|tag| tag == (RUN_TAG, run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: &str) -> Desired {
        Desired::Bucket { name: name.into() }
    }
    fn object(bucket: &str, key: &str) -> Desired {
        Desired::Object { bucket: bucket.into(), key: key.into(), body: b"canary".to_vec() }
    }
    fn provider() -> Desired {
        let url = "https://westeurope.oic.prod-aks.azure.com/t/g/".parse().expect("issuer must parse");
        Desired::OidcProvider { url, client_ids: vec!["sts.amazonaws.com".into()], thumbprints: vec![] }
    }
    fn policy(name: &str) -> Desired {
        Desired::Policy { name: name.into(), document: "{}".into() }
    }
    fn role(name: &str) -> Desired {
        Desired::Role { name: name.into(), trust_policy: "{}".into(), max_session_seconds: None }
    }
    fn attachment(role: &str, policy: &str) -> Desired {
        Desired::Attachment { role: role.into(), policy_arn: format!("arn:aws:iam::123456789012:policy/{policy}") }
    }

    #[test]
    fn only_what_needs_something_of_the_list_waits() {
        let check = |desired: Vec<Desired>, expected: &str| {
            let rounds: Vec<String> = stages(desired)
                .iter()
                .map(|round| round.iter().map(Desired::label).collect::<Vec<_>>().join(", "))
                .collect();
            assert_eq!(rounds.join(" | ").replace("arn:aws:iam::123456789012:policy/", ""), expected);
        };
        check(vec![], "");
        check(vec![role("r")], "role r");
        check(
            vec![attachment("r", "p"), object("b", "k"), bucket("b"), policy("p"), role("r"), provider()],
            "bucket b, policy p, role r, OIDC provider for https://westeurope.oic.prod-aks.azure.com/t/g/ | policy p on role r, object b/k",
        );
        check(vec![object("elsewhere", "k"), bucket("b")], "object elsewhere/k, bucket b");
        check(vec![attachment("r", "ReadOnlyAccess"), role("r")], "role r | policy ReadOnlyAccess on role r");
        check(vec![attachment("other", "p"), policy("p")], "policy p | policy p on role other");
    }

    #[test]
    fn arns_are_known_beforehand() {
        let account: AccountId = "123456789012".parse().expect("account must parse");
        let check = |desired: Desired, region: &str, expected: Option<&str>| {
            assert_eq!(desired.arn(&account, region).map(|arn| arn.to_string()).as_deref(), expected);
        };
        let eu = "eu-central-1";
        check(bucket("b"), eu, Some("arn:aws:s3:::b"));
        check(object("b", "d/k.txt"), eu, Some("arn:aws:s3:::b/d/k.txt"));
        check(provider(), eu, Some("arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/"));
        check(policy("p"), eu, Some("arn:aws:iam::123456789012:policy/p"));
        check(role("r"), eu, Some("arn:aws:iam::123456789012:role/r"));
        check(role("r"), "cn-north-1", Some("arn:aws-cn:iam::123456789012:role/r"));
        check(attachment("r", "p"), eu, None);
    }

    #[test]
    fn undo_survives_the_journal() {
        let account: AccountId = "123456789012".parse().expect("account must parse");
        let mut lines = String::new();
        for desired in [bucket("b"), object("b", "k"), provider(), policy("p"), role("r"), attachment("r", "p")] {
            let undo = desired.undo(&account, "eu-central-1");
            let line = serde_json::to_string(&undo).expect("undo must serialise");
            assert_eq!(serde_json::from_str::<Undo>(&line).expect("undo must parse"), undo);
            lines += &format!("{undo}\n{line}\n");
        }
        insta::assert_snapshot!(lines, @r#"
        delete bucket b in account 123456789012
        {"delete":"bucket","account":"123456789012","region":"eu-central-1","name":"b"}
        delete object b/k in account 123456789012
        {"delete":"object","account":"123456789012","region":"eu-central-1","bucket":"b","key":"k"}
        delete OIDC provider arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/ in account 123456789012
        {"delete":"oidc-provider","account":"123456789012","arn":"arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/"}
        delete policy arn:aws:iam::123456789012:policy/p in account 123456789012
        {"delete":"policy","account":"123456789012","arn":"arn:aws:iam::123456789012:policy/p"}
        delete role r in account 123456789012
        {"delete":"role","account":"123456789012","name":"r"}
        detach policy arn:aws:iam::123456789012:policy/p on role r in account 123456789012
        {"delete":"attachment","account":"123456789012","role":"r","policy_arn":"arn:aws:iam::123456789012:policy/p"}
        "#);
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", object("b", "k")), "Desired(object b/k)");
    }

    #[test]
    fn a_claim_is_the_very_run() {
        let tags = Tags::new("r-1", "2026-11-23T12:00:00Z");
        let check =
            |run: &str, expected: bool| assert_eq!(Tags::claims(tags.pairs().into_iter(), run), expected, "{run}");
        check("r-1", true);
        check("r-2", false);
        check("crossfed", false);
        check("", false);
    }
}
