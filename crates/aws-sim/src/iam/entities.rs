//! What hangs on what: the roles and users that hold a managed policy, the instance profiles of a role.

use crate::account::Account;
use crate::error::ApiError;
use crate::query::{Answer, Text, Validator, Xml};

use super::Call;
use super::paging::Window;
use super::policies::{absent, aws_managed, named};
use super::roles::{self, PATH};

/// A role or user that holds a policy.
struct Holder<'a> {
    /// Sorts the groups of the answer, and names within them.
    key: String,
    path: &'a str,
    name: &'a str,
    id: &'a str,
}

fn holders<'a>(account: &'a Account, arn: &str, boundary: bool) -> Vec<Holder<'a>> {
    let roles = account
        .roles
        .values()
        .filter(|role| if boundary { role.boundary.as_deref() == Some(arn) } else { role.attached.contains(arn) });
    let roles = roles.map(|role| Holder {
        key: format!("role {}", role.name),
        path: &role.path,
        name: &role.name,
        id: &role.id,
    });
    let users = account.users.iter().filter(|(_, user)| !boundary && user.attached.contains(arn));
    let users = users.map(|(name, user)| Holder { key: format!("user {name}"), path: "/", name, id: &user.id });
    let mut all: Vec<Holder<'_>> = roles.chain(users).collect();
    all.sort_by(|one, other| one.key.cmp(&other.key));
    all
}

pub(super) fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let window = Window::of(call.parameters)?;
    let mut check = Validator::new(call.parameters);
    let prefix = check.optional("PathPrefix", PATH).unwrap_or("/");
    let filter = check.optional("EntityFilter", Text::of(1, 32));
    check.finish()?;
    let wanted = match filter {
        None | Some("LocalManagedPolicy" | "AWSManagedPolicy") => "",
        Some("Role") => "role ",
        Some("User") => "user ",
        Some("Group") => "group ",
        Some(other) => {
            return Err(ApiError::validation(format!(
                "1 validation error detected: Value '{other}' at 'entityFilter' failed to satisfy constraint: Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]"
            )));
        }
    };
    let boundary = call.parameters.get("PolicyUsageFilter") == Some("PermissionsBoundary");
    let arn = named(call)?;
    call.read(|account| {
        if aws_managed(arn).is_none() && !account.policies.contains_key(arn) {
            return Err(absent(arn));
        }
        let found = holders(account, arn, boundary).into_iter();
        let page =
            window.cut(found.filter(|one| one.key.starts_with(wanted) && one.path.starts_with(prefix)), |one| &one.key);
        let write = |xml: &mut Xml, list: &str, kind: &str, member: &str| {
            xml.members(list, page.items.iter().filter(|one| one.key.starts_with(kind)), |xml, one| {
                xml.text(&format!("{member}Name"), one.name);
                xml.text(&format!("{member}Id"), one.id);
            });
        };
        Ok(Answer::of(|xml| {
            write(xml, "PolicyGroups", "group ", "Group");
            write(xml, "PolicyUsers", "user ", "User");
            write(xml, "PolicyRoles", "role ", "Role");
            page.write_end(xml);
        }))
    })
}

/// There are none; who takes a role down looks for them.
pub(super) fn instance_profiles(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = roles::named(call)?;
    call.read(|account| {
        roles::find(account, name)?;
        Ok(Answer::of(|xml| {
            xml.element("InstanceProfiles", |_| {});
            xml.boolean("IsTruncated", false);
        }))
    })
}
