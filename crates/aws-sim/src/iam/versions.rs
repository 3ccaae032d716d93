//! The versions of a managed policy: up to five, one of them in force.

use crate::account::{ManagedPolicy, PolicyVersion, Touched};
use crate::error::ApiError;
use crate::query::{Answer, Text, Validator, Xml, timestamp, url_encoded};

use super::Call;
use super::documents::{self, DOCUMENT};
use super::paging::Window;
use super::policies::{AWS_VERSION, SIZE_QUOTA, absent, aws_managed, change, named};

const MAX_VERSIONS: usize = 5;
const VERSION: Text = Text::of(1, 32);

fn id_of(number: u32) -> String {
    format!("v{number}")
}

/// The version of the policy that `id` names.
fn number_of(policy: &ManagedPolicy, id: &str) -> Result<u32, ApiError> {
    let number = id.strip_prefix('v').and_then(|number| number.parse().ok());
    number.filter(|number| policy.versions.contains_key(number)).ok_or_else(|| absent_version(&policy.arn, id))
}

fn absent_version(arn: &str, id: &str) -> ApiError {
    ApiError::no_such_entity(format!("Policy {arn} version {id} does not exist or is not attachable."))
}

fn write_head(xml: &mut Xml, policy: &ManagedPolicy, number: u32, version: &PolicyVersion) {
    xml.text("VersionId", &id_of(number));
    xml.boolean("IsDefaultVersion", number == policy.default);
    xml.text("CreateDate", &timestamp(version.created));
}

pub(super) fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let text = check.required("PolicyDocument", DOCUMENT);
    check.finish()?;
    let is_default = call.parameters.get("SetAsDefault") == Some("true");
    let arn = named(call)?;
    if documents::size(text) > SIZE_QUOTA {
        return Err(ApiError::quota("PolicySize", SIZE_QUOTA));
    }
    let version = PolicyVersion { document: documents::identity(text)?, created: call.state.now() };
    call.write(Touched::Policy(arn), |account| {
        let policy = account.policies.get_mut(arn).ok_or_else(|| absent(arn))?;
        if policy.versions.len() >= MAX_VERSIONS {
            return Err(ApiError::limit_exceeded(
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
            ));
        }
        policy.latest += 1;
        let number = policy.latest;
        if is_default {
            policy.default = number;
        }
        policy.updated = version.created;
        let answer = Answer::of(|xml| xml.element("PolicyVersion", |xml| write_head(xml, policy, number, &version)));
        policy.versions.insert(number, version);
        Ok(answer)
    })
}

pub(super) fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let id = check.required("VersionId", VERSION);
    check.finish()?;
    let arn = named(call)?;
    if let Some(policy) = aws_managed(arn) {
        if id != AWS_VERSION {
            return Err(absent_version(arn, id));
        }
        return Ok(Answer::of(|xml| {
            xml.element("PolicyVersion", |xml| {
                xml.text("Document", &url_encoded(policy.text));
                xml.text("VersionId", AWS_VERSION);
                xml.boolean("IsDefaultVersion", true);
            });
        }));
    }
    call.read(|account| {
        let policy = account.policies.get(arn).ok_or_else(|| absent(arn))?;
        let number = number_of(policy, id)?;
        let version = policy.versions.get(&number).ok_or_else(|| absent_version(arn, id))?;
        Ok(Answer::of(|xml| {
            xml.element("PolicyVersion", |xml| {
                xml.text("Document", &url_encoded(&version.document.text));
                write_head(xml, policy, number, version);
            });
        }))
    })
}

/// The newest first.
pub(super) fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let arn = named(call)?;
    if aws_managed(arn).is_some() {
        return Ok(Answer::of(|xml| {
            xml.members("Versions", [AWS_VERSION], |xml, id| {
                xml.text("VersionId", id);
                xml.boolean("IsDefaultVersion", true);
            });
            xml.boolean("IsTruncated", false);
        }));
    }
    call.read(|account| {
        let policy = account.policies.get(arn).ok_or_else(|| absent(arn))?;
        // Names that sort as the versions do, the newest first.
        let named = |(number, version)| (format!("{:010}", u32::MAX - number), number, version);
        let page =
            window.cut(policy.versions.iter().rev().map(|(number, version)| named((*number, version))), |one| &one.0);
        Ok(Answer::of(|xml| {
            xml.members("Versions", &page.items, |xml, (_, number, version)| write_head(xml, policy, *number, version));
            page.write_end(xml);
        }))
    })
}

pub(super) fn set_default(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let id = check.required("VersionId", VERSION);
    check.finish()?;
    let now = call.state.now();
    change(call, |policy| {
        policy.default = number_of(policy, id)?;
        policy.updated = now;
        Ok(())
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let id = check.required("VersionId", VERSION);
    check.finish()?;
    change(call, |policy| {
        let number = number_of(policy, id)?;
        if number == policy.default {
            return Err(ApiError::delete_conflict("Cannot delete the default version of a policy."));
        }
        policy.versions.remove(&number);
        Ok(())
    })
}
