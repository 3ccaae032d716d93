//! Policies on a role: attached managed ones and inline ones.

use crate::account::Touched;
use crate::error::ApiError;
use crate::managed;
use crate::query::{Answer, NAME, Text, Validator, url_encoded};

use super::Call;
use super::documents::{self, DOCUMENT};
use super::paging::Window;
use super::roles::{PATH, find, find_mut, named};

const MAX_ATTACHED: usize = 10;
const INLINE_QUOTA: usize = 10_240;
const POLICY_ARN: Text = Text::of(20, 2048);
pub(super) const POLICY_NAME: Text = Text::of(1, 128).within(NAME, r"[\w+=,.@-]+");

/// Idempotent.
pub(super) fn attach(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let arn = check.required("PolicyArn", POLICY_ARN);
    check.finish()?;
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        if managed::name(account, arn).is_none() {
            return Err(ApiError::no_such_entity(format!("Policy {arn} does not exist or is not attachable.")));
        }
        let role = find_mut(account, name)?;
        if !role.attached.contains(arn) && role.attached.len() >= MAX_ATTACHED {
            return Err(ApiError::quota("PoliciesPerRole", MAX_ATTACHED));
        }
        role.attached.insert(arn.to_owned());
        Ok(Answer::empty())
    })
}

pub(super) fn detach(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let arn = check.required("PolicyArn", POLICY_ARN);
    check.finish()?;
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        if find_mut(account, name)?.attached.remove(arn) {
            Ok(Answer::empty())
        } else {
            Err(ApiError::no_such_entity(format!("Policy {arn} was not found.")))
        }
    })
}

pub(super) fn list_attached(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let mut check = Validator::new(call.parameters);
    let prefix = check.optional("PathPrefix", PATH).unwrap_or("/");
    check.finish()?;
    let name = named(call)?;
    call.read(|account| {
        let role = find(account, name)?;
        let attached = role.attached.iter().filter(|arn| {
            let path = account.policies.get(*arn).map_or("/", |policy| &policy.path);
            path.starts_with(prefix)
        });
        let page = window.cut(attached, |arn| arn);
        Ok(Answer::of(|xml| {
            xml.members("AttachedPolicies", &page.items, |xml, arn| {
                xml.text("PolicyName", managed::name(account, arn).unwrap_or_default());
                xml.text("PolicyArn", arn);
            });
            page.write_end(xml);
        }))
    })
}

/// Adds or replaces an inline policy.
pub(super) fn put(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let policy_name = check.required("PolicyName", POLICY_NAME);
    let text = check.required("PolicyDocument", DOCUMENT);
    check.finish()?;
    let name = named(call)?;
    let policy = documents::identity(text)?;
    call.write(Touched::Role(name), |account| {
        let role = find_mut(account, name)?;
        let others: usize = role
            .inline
            .iter()
            .filter(|(other, _)| *other != policy_name)
            .map(|(_, policy)| documents::size(&policy.text))
            .sum();
        if others + documents::size(text) > INLINE_QUOTA {
            return Err(ApiError::limit_exceeded(format!(
                "Maximum policy size of {INLINE_QUOTA} bytes exceeded for role {name}"
            )));
        }
        role.inline.insert(policy_name.to_owned(), policy);
        Ok(Answer::empty())
    })
}

fn absent(policy_name: &str) -> ApiError {
    ApiError::no_such_entity(format!("The role policy with name {policy_name} cannot be found."))
}

pub(super) fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let policy_name = check.required("PolicyName", POLICY_NAME);
    check.finish()?;
    let name = named(call)?;
    call.read(|account| {
        let role = find(account, name)?;
        let policy = role.inline.get(policy_name).ok_or_else(|| absent(policy_name))?;
        Ok(Answer::of(|xml| {
            xml.text("RoleName", &role.name);
            xml.text("PolicyName", policy_name);
            xml.text("PolicyDocument", &url_encoded(&policy.text));
        }))
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let policy_name = check.required("PolicyName", POLICY_NAME);
    check.finish()?;
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        let removed = find_mut(account, name)?.inline.remove(policy_name);
        removed.map(|_| Answer::empty()).ok_or_else(|| absent(policy_name))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let name = named(call)?;
    call.read(|account| {
        let page = window.cut(find(account, name)?.inline.keys(), |name| name);
        Ok(Answer::of(|xml| {
            xml.texts("PolicyNames", page.items.iter().map(|name| name.as_str()));
            page.write_end(xml);
        }))
    })
}
