//! Managed policies: AWS's own few that accounts can attach without creating them, and those of an account.

use std::sync::{Arc, LazyLock};

use trust::policy::{Document, Kind};

use crate::account::Account;

pub(crate) const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A policy that AWS maintains.
#[derive(Debug)]
pub(crate) struct AwsManaged {
    pub(crate) arn: &'static str,
    pub(crate) name: &'static str,
    pub(crate) id: &'static str,
    pub(crate) text: &'static str,
    document: Arc<Document>,
}

/// Statements after the AWS managed policy reference, for the services simulated here.
const SOURCES: &[(&str, &str, &str, &str)] = &[
    (
        ADMINISTRATOR_ACCESS,
        "AdministratorAccess",
        "ANPAIWMBCKSKIEE64ZLYK",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        "AmazonS3FullAccess",
        "ANPAIFIR6V6BVTRAHWINE",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#,
    ),
    (
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
        "AmazonS3ReadOnlyAccess",
        "ANPAIZTJ4DXE7G6AGAE6M",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}"#,
    ),
];

static CATALOGUE: LazyLock<Vec<AwsManaged>> = LazyLock::new(|| {
    SOURCES
        .iter()
        .filter_map(|(arn, name, id, text)| {
            let document = Document::parse(text, Kind::Identity).ok()?;
            Some(AwsManaged { arn, name, id, text, document: Arc::new(document) })
        })
        .collect()
});

pub(crate) fn aws_managed() -> &'static [AwsManaged] {
    &CATALOGUE
}

/// What a managed policy says, as far as `account` can see it.
pub(crate) fn document(account: &Account, arn: &str) -> Option<Arc<Document>> {
    match account.policies.get(arn) {
        Some(policy) => policy.versions.get(&policy.default).map(|version| version.document.document.clone()),
        None => aws_managed().iter().find(|policy| policy.arn == arn).map(|p| p.document.clone()),
    }
}

/// The name of a managed policy, as far as `account` can see it.
pub(crate) fn name<'a>(account: &'a Account, arn: &str) -> Option<&'a str> {
    match account.policies.get(arn) {
        Some(policy) => Some(&policy.name),
        None => aws_managed().iter().find(|policy| policy.arn == arn).map(|policy| policy.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_policy_parses() {
        assert_eq!(aws_managed().len(), SOURCES.len());
    }
}
