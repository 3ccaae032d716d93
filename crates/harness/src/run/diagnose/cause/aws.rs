//! Links 6 and 8 to 11 in AWS: provider, role, trust policy, permissions, object.

use serde_json::Value;
use trust::policy::{Context, Document, Effect, Kind, PrincipalFacts, Request};
use trust::{Arn, Audience, Cause, Denial, Link};

use super::super::super::federate::INLINE;
use super::{Diagnosis, Sighting, because};
use crate::explain::{mended_permission, mended_trust, shell_word};

const ROLE: &str = "eks.amazonaws.com/role-arn";
const READ: &str = "s3:GetObject";

impl Sighting<'_> {
    /// ARN of the role that the run made.
    pub(super) fn role_arn(&self) -> Option<String> {
        let names = self.names.aws.as_ref()?;
        Some(Arn::iam(&names.account, format!("role/{}", names.role)).to_string())
    }

    /// ARN of the provider that the token's issuer needs.
    pub(super) fn provider_arn(&self) -> String {
        let issuer = self.issuers.iter().find(|known| self.presents(known.as_str())).or(self.issuers.last());
        let path = issuer.map_or("ISSUER", |issuer| issuer.without_scheme());
        match &self.names.aws {
            Some(names) => Arn::iam(&names.account, format!("oidc-provider/{path}")).to_string(),
            None => format!("arn:aws:iam::ACCOUNT:oidc-provider/{path}"),
        }
    }

    fn presents(&self, issuer: &str) -> bool {
        self.presented.is_some_and(|token| token.iss.as_deref() == Some(issuer))
    }

    fn role(&self) -> &str {
        self.names.aws.as_ref().map_or("ROLE", |names| &names.role)
    }
}

pub(super) fn cause(seen: &Sighting<'_>, denial: &Denial) -> Option<Diagnosis> {
    let message = denial.message.as_deref().unwrap_or_default();
    match denial.link {
        Link::IssuerTrusted => issuer(seen),
        Link::SubjectAccepted => subject(seen),
        Link::CredentialIssued => session(seen, message),
        Link::Permitted => permitted(seen, denial, message),
        Link::Read => because(Cause::ObjectMissing, put_object(seen)),
        _ => None,
    }
}

fn annotated(seen: &Sighting<'_>) -> String {
    seen.annotate(ROLE, &seen.role_arn().unwrap_or_else(|| "ROLE_ARN".to_owned()))
}

/// No provider for the issuer where STS looked: in the account that the role's ARN names.
fn issuer(seen: &Sighting<'_>) -> Option<Diagnosis> {
    let asked: Option<Arn> = seen.env("AWS_ROLE_ARN").and_then(|role| role.parse().ok());
    let wanted: Option<Arn> = seen.role_arn().and_then(|role| role.parse().ok());
    if let Some((asked, wanted)) = asked.zip(wanted) {
        if asked.partition != wanted.partition {
            return because(Cause::RoleInAnotherPartition, annotated(seen));
        }
        if asked.account != wanted.account {
            return because(Cause::RoleInAnotherAccount, annotated(seen));
        }
    }
    if let Some(foreign) = seen.foreign_issuer() {
        return Some(foreign);
    }
    let issuer = seen.presented?.iss.as_deref()?;
    let provider = seen.rendered.aws.as_ref()?.provider.as_ref();
    let slash = provider.is_some_and(|(url, _)| url.as_str().trim_end_matches('/') == issuer.trim_end_matches('/'));
    let create = format!(
        "aws iam create-open-id-connect-provider --url {} --client-id-list {}",
        shell_word(issuer),
        Audience::AWS_STS
    );
    because(if slash { Cause::ProviderSlash } else { Cause::ProviderMissing }, create)
}

/// AWS says no more than "Not authorized": there is no such role, or its trust policy does not let the token in.
fn subject(seen: &Sighting<'_>) -> Option<Diagnosis> {
    if seen.env("AWS_ROLE_ARN") != seen.role_arn().as_deref() {
        return because(Cause::RoleMissing, annotated(seen));
    }
    let token = seen.presented?;
    let audience = token.azp.as_ref().or_else(|| token.aud.first())?;
    let policy = &seen.rendered.aws.as_ref()?.trust_policy;
    let (cause, document) =
        mended_trust(policy, &seen.provider_arn(), token.sub.as_deref()?, audience, token.iss.as_deref()?)?;
    let document = document.map_or_else(|| "DOCUMENT".to_owned(), |document| shell_word(&document));
    let role = shell_word(seen.role());
    because(cause, format!("aws iam update-assume-role-policy --role-name {role} --policy-document {document}"))
}

fn session(seen: &Sighting<'_>, message: &str) -> Option<Diagnosis> {
    if message.contains("'roleSessionName'") {
        let variable = seen.without_variable("AWS_ROLE_SESSION_NAME");
        return because(Cause::SessionName, format!("{variable}, or give it 2 to 64 of letters, digits and _+=,.@-"));
    }
    if message.contains("'roleArn'") {
        return because(Cause::RoleArnMalformed, annotated(seen));
    }
    let key = "AWS_ACCESS_KEY_ID";
    seen.env(key)
        .and_then(|_| because(Cause::StaticCredentials, format!("{} (and its secret)", seen.without_variable(key))))
}

/// S3 says which kind of policy did not let it through.
fn permitted(seen: &Sighting<'_>, denial: &Denial, message: &str) -> Option<Diagnosis> {
    let (names, held) = (seen.names.aws.as_ref()?, seen.rendered.aws.as_ref()?);
    let object = format!("arn:aws:s3:::{}/{}", names.bucket, seen.scenario.aws.as_ref()?.object_key);
    if denial.code == "PermanentRedirect" {
        let bucket = &names.bucket;
        let fix = format!(
            "set the region of the bucket, which `aws s3api get-bucket-location --bucket {bucket}` tells, as the webhook's --aws-default-region or as AWS_REGION in the pod's template"
        );
        return because(Cause::WrongRegion, fix);
    }
    // Who may not list is not told that an object is missing.
    if message.contains("s3:ListBucket") {
        return because(Cause::ObjectMissing, put_object(seen));
    }
    if message.contains("explicit deny in a resource-based policy") {
        let left = held.bucket_policy.as_deref().and_then(|policy| without_deny(policy, Kind::Resource));
        let bucket = &names.bucket;
        return because(
            Cause::BucketPolicy,
            match left {
                Some(policy) => {
                    format!("aws s3api put-bucket-policy --bucket {bucket} --policy {}", shell_word(&policy))
                }
                None => format!("aws s3api delete-bucket-policy --bucket {bucket}"),
            },
        );
    }
    if message.contains("explicit deny in an identity-based policy") {
        let left = held.inline_policy.as_deref().and_then(|policy| without_deny(policy, Kind::Identity));
        let of_role = format!("--role-name {} --policy-name {}", shell_word(seen.role()), INLINE);
        return because(
            Cause::PolicyDenies,
            match left {
                Some(policy) => format!("aws iam put-role-policy {of_role} --policy-document {}", shell_word(&policy)),
                None => format!("aws iam delete-role-policy {of_role}"),
            },
        );
    }
    let version = |arn: &str, policy: &str, index: Option<usize>| {
        let json: Option<Value> = serde_json::from_str(policy).ok();
        let document = json.and_then(|json| mended_permission(&json, index, READ, &object));
        let document = document.map_or_else(|| "DOCUMENT".to_owned(), |document| shell_word(&document));
        format!("aws iam create-policy-version --policy-arn {arn} --set-as-default --policy-document {document}")
    };
    if message.contains("no permissions boundary allows") {
        let (arn, policy) = held.boundary.as_ref()?;
        return because(Cause::PermissionsBoundary, version(arn, policy, None));
    }
    if message.contains("no identity-based policy allows") {
        return because_policy(&held.permission_policy, &object, |cause, index| match cause {
            Cause::PolicyNotAttached => {
                format!(
                    "aws iam attach-role-policy --role-name {} --policy-arn {}",
                    shell_word(seen.role()),
                    held.policy_arn
                )
            }
            _ => version(&held.policy_arn, &held.permission_policy, index),
        });
    }
    None
}

/// What a policy lacks that is said not to allow the read.
fn because_policy(policy: &str, object: &str, fix: impl Fn(Cause, Option<usize>) -> String) -> Option<Diagnosis> {
    let document = Document::parse(policy, Kind::Identity).ok()?;
    let (principal, context) = (PrincipalFacts::Anonymous, Context::new());
    let request = Request { principal: &principal, action: READ, resource: object, context: &context };
    let decision = document.evaluate(&request);
    let allowing = || decision.statements.iter().filter(|one| one.effect == Effect::Allow && one.action.holds);
    // It would allow: so the role does not have it.
    if allowing().any(|one| one.resource.as_ref().is_none_or(|resource| resource.holds)) {
        return because(Cause::PolicyNotAttached, fix(Cause::PolicyNotAttached, None));
    }
    let index = allowing().next().map(|one| one.index);
    let cause = if index.is_some() { Cause::PolicyResource } else { Cause::PolicyAction };
    because(cause, fix(cause, index))
}

/// A policy without its Deny statements; `None` where nothing is left of it.
fn without_deny(policy: &str, kind: Kind) -> Option<String> {
    let mut json: Value = serde_json::from_str(policy).ok()?;
    let statements = json.get_mut("Statement")?.as_array_mut()?;
    statements.retain(|statement| statement["Effect"] != "Deny");
    let is_left = !statements.is_empty();
    let text = json.to_string();
    (is_left && Document::parse(&text, kind).is_ok()).then_some(text)
}

fn put_object(seen: &Sighting<'_>) -> String {
    let bucket = seen.names.aws.as_ref().map_or("BUCKET", |names| &names.bucket);
    let key = seen.scenario.aws.as_ref().map_or("KEY", |aws| &aws.object_key);
    format!("aws s3 cp FILE {}", shell_word(&format!("s3://{bucket}/{key}")))
}
