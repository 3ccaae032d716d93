//! Managed policies: an account's own, and AWS's as far as they can be read. Must not know their versions beyond which is in force.

use std::collections::BTreeMap;

use crate::account::{Account, ManagedPolicy, PolicyVersion, Touched};
use crate::error::ApiError;
use crate::managed::{self, AwsManaged};
use crate::query::{Answer, Text, Validator, Xml, timestamp};
use crate::random;

use super::documents::{self, DOCUMENT};
use super::paging::Window;
use super::providers::request_tags;
use super::role_policies::POLICY_NAME;
use super::roles::{PATH, checked_path};
use super::{Call, tags};

const MAX_POLICIES: usize = 1500;
pub(super) const SIZE_QUOTA: usize = 6144;
pub(super) const ARN: Text = Text::of(20, 2048);
/// AWS's own have had more versions; only what is in force can be read here.
pub(super) const AWS_VERSION: &str = "v1";

pub(super) fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let name = check.required("PolicyName", POLICY_NAME);
    let path = check.optional("Path", PATH);
    let text = check.required("PolicyDocument", DOCUMENT);
    let description = check.optional("Description", Text::of(0, 1000));
    check.finish()?;
    let path = checked_path(path)?;
    let tags = tags::given(call.parameters)?;
    let arn = call.arn(&format!("policy{path}{name}"));
    call.authorize_with(&arn, &request_tags(call.context, &tags))?;
    if documents::size(text) > SIZE_QUOTA {
        return Err(ApiError::quota("PolicySize", SIZE_QUOTA));
    }
    let created = call.state.now();
    let policy = ManagedPolicy {
        name: name.to_owned(),
        path: path.to_owned(),
        id: random::id("ANPA", 21),
        arn: arn.clone(),
        description: description.map(str::to_owned),
        created,
        updated: created,
        versions: BTreeMap::from([(1, PolicyVersion { document: documents::identity(text)?, created })]),
        default: 1,
        latest: 1,
        tags,
    };
    call.write(Touched::Policy(&arn), |account| {
        if account.policies.values().any(|other| other.name.eq_ignore_ascii_case(name)) {
            return Err(ApiError::already_exists(format!(
                "A policy called {name} already exists. Duplicate names are not allowed."
            )));
        }
        if account.policies.len() >= MAX_POLICIES {
            return Err(ApiError::quota("PoliciesPerAccount", MAX_POLICIES));
        }
        let answer = Answer::of(|xml| {
            xml.element("Policy", |xml| write_members(xml, account, &policy, true));
        });
        account.policies.insert(arn.clone(), policy);
        Ok(answer)
    })
}

fn write_members(xml: &mut Xml, account: &Account, policy: &ManagedPolicy, in_full: bool) {
    let count = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    xml.text("PolicyName", &policy.name);
    xml.text("PolicyId", &policy.id);
    xml.text("Arn", &policy.arn);
    xml.text("Path", &policy.path);
    xml.text("DefaultVersionId", &format!("v{}", policy.default));
    xml.number("AttachmentCount", count(account.attachments(&policy.arn)));
    xml.number("PermissionsBoundaryUsageCount", count(account.boundary_uses(&policy.arn)));
    xml.boolean("IsAttachable", true);
    xml.text("CreateDate", &timestamp(policy.created));
    xml.text("UpdateDate", &timestamp(policy.updated));
    if in_full {
        if let Some(description) = &policy.description {
            xml.text("Description", description);
        }
        tags::write(xml, &policy.tags);
    }
}

fn write_aws_managed(xml: &mut Xml, account: &Account, policy: &AwsManaged) {
    let attached = i64::try_from(account.attachments(policy.arn)).unwrap_or(i64::MAX);
    xml.text("PolicyName", policy.name);
    xml.text("PolicyId", policy.id);
    xml.text("Arn", policy.arn);
    xml.text("Path", "/");
    xml.text("DefaultVersionId", AWS_VERSION);
    xml.number("AttachmentCount", attached);
    xml.number("PermissionsBoundaryUsageCount", 0);
    xml.boolean("IsAttachable", true);
}

/// The policy that the request names, checked and authorised.
pub(super) fn named<'a>(call: &Call<'a>) -> Result<&'a str, ApiError> {
    let mut check = Validator::new(call.parameters);
    let arn = check.required("PolicyArn", ARN);
    check.finish()?;
    call.authorize(arn)?;
    Ok(arn)
}

pub(super) fn absent(arn: &str) -> ApiError {
    ApiError::no_such_entity(format!("Policy {arn} was not found."))
}

pub(super) fn aws_managed(arn: &str) -> Option<&'static AwsManaged> {
    managed::aws_managed().iter().find(|policy| policy.arn == arn)
}

pub(super) fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let arn = named(call)?;
    call.read(|account| {
        if let Some(policy) = aws_managed(arn) {
            return Ok(Answer::of(|xml| {
                xml.element("Policy", |xml| write_aws_managed(xml, account, policy));
            }));
        }
        let policy = account.policies.get(arn).ok_or_else(|| absent(arn))?;
        Ok(Answer::of(|xml| {
            xml.element("Policy", |xml| write_members(xml, account, policy, true));
        }))
    })
}

/// One entry of a listing.
enum Listed<'a> {
    Aws(&'a AwsManaged),
    Own(&'a ManagedPolicy),
}

impl Listed<'_> {
    fn arn(&self) -> &str {
        match self {
            Listed::Aws(policy) => policy.arn,
            Listed::Own(policy) => &policy.arn,
        }
    }

    fn path(&self) -> &str {
        match self {
            Listed::Aws(_) => "/",
            Listed::Own(policy) => &policy.path,
        }
    }
}

pub(super) fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let mut check = Validator::new(call.parameters);
    let prefix = check.optional("PathPrefix", PATH).unwrap_or("/");
    check.finish()?;
    let scope = call.parameters.get("Scope").unwrap_or("All");
    if !matches!(scope, "All" | "AWS" | "Local") {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{scope}' at 'scope' failed to satisfy constraint: Member must satisfy enum value set: [AWS, Local, All]"
        )));
    }
    let only_attached = call.parameters.get("OnlyAttached") == Some("true");
    call.authorize(&call.arn("policy/"))?;
    call.read(|account| {
        let own = account.policies.values().filter(|_| scope != "AWS").map(Listed::Own);
        let aws = managed::aws_managed().iter().filter(|_| scope != "Local").map(Listed::Aws);
        let mut listed: Vec<Listed<'_>> = own
            .chain(aws)
            .filter(|policy| policy.path().starts_with(prefix))
            .filter(|policy| !only_attached || account.attachments(policy.arn()) > 0)
            .collect();
        listed.sort_by(|a, b| a.arn().cmp(b.arn()));
        let page = window.cut(listed, Listed::arn);
        Ok(Answer::of(|xml| {
            xml.members("Policies", &page.items, |xml, policy| match policy {
                Listed::Aws(policy) => write_aws_managed(xml, account, policy),
                Listed::Own(policy) => write_members(xml, account, policy, false),
            });
            page.write_end(xml);
        }))
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let arn = named(call)?;
    call.write(Touched::Policy(arn), |account| {
        let policy = account.policies.get(arn).ok_or_else(|| absent(arn))?;
        if account.attachments(arn) + account.boundary_uses(arn) > 0 {
            return Err(ApiError::delete_conflict("Cannot delete a policy attached to entities."));
        }
        if policy.versions.len() > 1 {
            return Err(ApiError::delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
            ));
        }
        account.policies.remove(arn);
        Ok(Answer::empty())
    })
}

pub(super) fn tag(call: &Call<'_>) -> Result<Answer, ApiError> {
    let added = tags::given(call.parameters)?;
    change(call, |policy| tags::merge(&mut policy.tags, added))
}

pub(super) fn untag(call: &Call<'_>) -> Result<Answer, ApiError> {
    change(call, |policy| tags::remove(&mut policy.tags, call.parameters))
}

pub(super) fn change(
    call: &Call<'_>,
    change: impl FnOnce(&mut ManagedPolicy) -> Result<(), ApiError>,
) -> Result<Answer, ApiError> {
    let arn = named(call)?;
    call.write(Touched::Policy(arn), |account| {
        change(account.policies.get_mut(arn).ok_or_else(|| absent(arn))?)?;
        Ok(Answer::empty())
    })
}

pub(super) fn list_tags(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let arn = named(call)?;
    call.read(|account| {
        let policy = account.policies.get(arn).ok_or_else(|| absent(arn))?;
        Ok(Answer::of(|xml| tags::write_page(xml, &policy.tags, &window)))
    })
}
