//! Roles and their trust policies.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{Account, Role, Touched};
use crate::error::ApiError;
use crate::managed;
use crate::query::{Answer, NAME, Text, Validator, Xml, timestamp, url_encoded};
use crate::random;

use super::documents::{self, DOCUMENT};
use super::paging::Window;
use super::providers::request_tags;
use super::{Call, tags};

const MAX_ROLES: usize = 1000;
pub(super) const ROLE_NAME: Text = Text::of(1, 64).within(NAME, r"[\w+=,.@-]+");
pub(super) const PATH: Text =
    Text::of(1, 512).within(|char| matches!(char, '!'..='\u{7f}'), r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)");
const DESCRIPTION: Text = Text::of(0, 1000);
const SESSION_SECONDS: std::ops::RangeInclusive<i64> = 3600..=43200;

/// Paths begin and end with a slash.
pub(super) fn checked_path(path: Option<&str>) -> Result<&str, ApiError> {
    match path {
        None => Ok("/"),
        Some(path) if path.starts_with('/') && path.ends_with('/') => Ok(path),
        Some(_) => Err(ApiError::validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        )),
    }
}

pub(super) fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let name = check.required("RoleName", ROLE_NAME);
    let path = check.optional("Path", PATH);
    let text = check.required("AssumeRolePolicyDocument", DOCUMENT);
    let description = check.optional("Description", DESCRIPTION);
    let seconds = check.integer("MaxSessionDuration", SESSION_SECONDS).unwrap_or(3600);
    let boundary = check.optional("PermissionsBoundary", Text::of(20, 2048));
    check.finish()?;
    let path = checked_path(path)?;
    let tags = tags::given(call.parameters)?;
    let arn = call.arn(&format!("role{path}{name}"));
    let mut context = request_tags(call.context, &tags);
    if let Some(boundary) = boundary {
        context.set("iam:PermissionsBoundary", boundary);
    }
    call.authorize_with(&arn, &context)?;

    let trust = documents::trust(text, call.state)?;
    let role = Role {
        name: name.to_owned(),
        path: path.to_owned(),
        id: random::id("AROA", 21),
        arn,
        created: call.state.now(),
        description: description.map(str::to_owned),
        max_session_seconds: seconds,
        trust,
        boundary: boundary.map(str::to_owned),
        attached: BTreeSet::new(),
        inline: BTreeMap::new(),
        tags,
    };
    call.write(Touched::Role(name), |account| {
        if account.role(name).is_some() {
            return Err(ApiError::already_exists(format!("Role with name {name} already exists.")));
        }
        if account.roles.len() >= MAX_ROLES {
            return Err(ApiError::quota("RolesPerAccount", MAX_ROLES));
        }
        role.boundary.as_deref().map_or(Ok(()), |boundary| check_boundary(account, boundary))?;
        let answer = Answer::of(|xml| write_role(xml, &role, true));
        account.roles.insert(name.to_ascii_lowercase(), role);
        Ok(answer)
    })
}

fn write_role(xml: &mut Xml, role: &Role, in_full: bool) {
    xml.element("Role", |xml| write_members(xml, role, in_full));
}

/// Listings leave out tags and the boundary (IAM API reference, `ListRoles`).
fn write_members(xml: &mut Xml, role: &Role, in_full: bool) {
    xml.text("Path", &role.path);
    xml.text("RoleName", &role.name);
    xml.text("RoleId", &role.id);
    xml.text("Arn", &role.arn);
    xml.text("CreateDate", &timestamp(role.created));
    xml.text("AssumeRolePolicyDocument", &url_encoded(&role.trust.text));
    if let Some(description) = &role.description {
        xml.text("Description", description);
    }
    xml.number("MaxSessionDuration", role.max_session_seconds);
    if !in_full {
        return;
    }
    if let Some(boundary) = &role.boundary {
        xml.element("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy");
            xml.text("PermissionsBoundaryArn", boundary);
        });
    }
    if !role.tags.is_empty() {
        tags::write(xml, &role.tags);
    }
}

pub(super) fn absent(name: &str) -> ApiError {
    ApiError::no_such_entity(format!("The role with name {name} cannot be found."))
}

/// The role that the request names, checked and authorised.
pub(super) fn named<'a>(call: &Call<'a>) -> Result<&'a str, ApiError> {
    let mut check = Validator::new(call.parameters);
    let name = check.required("RoleName", ROLE_NAME);
    check.finish()?;
    let arn = call.read(|account| Ok(account.role(name).map(|role| role.arn.clone())))?;
    call.authorize(&arn.unwrap_or_else(|| call.arn(&format!("role/{name}"))))?;
    Ok(name)
}

pub(super) fn find<'a>(account: &'a Account, name: &str) -> Result<&'a Role, ApiError> {
    account.role(name).ok_or_else(|| absent(name))
}

pub(super) fn find_mut<'a>(account: &'a mut Account, name: &str) -> Result<&'a mut Role, ApiError> {
    account.role_mut(name).ok_or_else(|| absent(name))
}

pub(super) fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = named(call)?;
    call.read(|account| {
        let role = find(account, name)?;
        Ok(Answer::of(|xml| write_role(xml, role, true)))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let mut check = Validator::new(call.parameters);
    let prefix = check.optional("PathPrefix", PATH).unwrap_or("/");
    check.finish()?;
    call.authorize(&call.arn("role/"))?;
    call.read(|account| {
        let roles = account.roles.iter().filter(|(_, role)| role.path.starts_with(prefix));
        let page = window.cut(roles, |(key, _)| key);
        Ok(Answer::of(|xml| {
            xml.members("Roles", &page.items, |xml, (_, role)| write_members(xml, role, false));
            page.write_end(xml);
        }))
    })
}

pub(super) fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let description = check.optional("Description", DESCRIPTION);
    let seconds = check.integer("MaxSessionDuration", SESSION_SECONDS);
    check.finish()?;
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        let role = find_mut(account, name)?;
        if let Some(description) = description {
            role.description = Some(description.to_owned());
        }
        if let Some(seconds) = seconds {
            role.max_session_seconds = seconds;
        }
        // The result element is there and empty (IAM API reference, `UpdateRole`).
        Ok(Answer::of(|_| {}))
    })
}

/// The older way to change the description; it shows the role.
pub(super) fn update_description(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let description = check.required("Description", DESCRIPTION);
    check.finish()?;
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        let role = find_mut(account, name)?;
        role.description = Some(description.to_owned());
        Ok(Answer::of(|xml| write_role(xml, role, true)))
    })
}

pub(super) fn put_boundary(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let boundary = check.required("PermissionsBoundary", Text::of(20, 2048));
    check.finish()?;
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        check_boundary(account, boundary)?;
        find_mut(account, name)?.boundary = Some(boundary.to_owned());
        Ok(Answer::empty())
    })
}

pub(super) fn delete_boundary(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        find_mut(account, name)?.boundary = None;
        Ok(Answer::empty())
    })
}

fn check_boundary(account: &Account, boundary: &str) -> Result<(), ApiError> {
    match managed::name(account, boundary) {
        Some(_) => Ok(()),
        None => Err(ApiError::no_such_entity(format!("Policy {boundary} does not exist or is not attachable."))),
    }
}

pub(super) fn update_trust(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let text = check.required("PolicyDocument", DOCUMENT);
    check.finish()?;
    let name = named(call)?;
    let trust = documents::trust(text, call.state)?;
    call.write(Touched::Role(name), |account| {
        find_mut(account, name)?.trust = trust;
        Ok(Answer::empty())
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        let role = find(account, name)?;
        if !role.attached.is_empty() {
            return Err(ApiError::delete_conflict("Cannot delete entity, must detach all policies first."));
        }
        if !role.inline.is_empty() {
            return Err(ApiError::delete_conflict("Cannot delete entity, must delete policies first."));
        }
        account.roles.remove(&name.to_ascii_lowercase());
        Ok(Answer::empty())
    })
}

pub(super) fn tag(call: &Call<'_>) -> Result<Answer, ApiError> {
    let added = tags::given(call.parameters)?;
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        tags::merge(&mut find_mut(account, name)?.tags, added)?;
        Ok(Answer::empty())
    })
}

pub(super) fn untag(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = named(call)?;
    call.write(Touched::Role(name), |account| {
        tags::remove(&mut find_mut(account, name)?.tags, call.parameters)?;
        Ok(Answer::empty())
    })
}

pub(super) fn list_tags(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let name = named(call)?;
    call.read(|account| {
        let role = find(account, name)?;
        Ok(Answer::of(|xml| tags::write_page(xml, &role.tags, &window)))
    })
}
