//! Role assignments and role definitions.
//! Must not know what a role allows.

use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::path::{ASSIGNMENTS, DEFINITIONS, IDENTITIES, Path, Target, VAULTS};
use super::{Call, groups};
use crate::rbac::{self, ROLES, Role, RoleAssignment};

/// What a principal can be.
const PRINCIPAL_TYPES: [&str; 5] = ["User", "Group", "ServicePrincipal", "ForeignGroup", "Device"];

/// What a request to assign a role says.
struct Wanted {
    role: &'static Role,
    principal: Uuid,
    principal_type: Option<String>,
    description: Option<String>,
}

/// Assignments at the scope, above it, and, unless the filter is `atScope()`, below it.
pub(super) fn list(call: &Call<'_>, scope: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    must_exist(call, scope)?;
    let filter = Filter::parse(call.filter.as_deref())?;
    let directory = call.state.read();
    let is_asked = |held: &&RoleAssignment| {
        let near = rbac::covers(&held.scope, scope) || (!filter.at_scope && rbac::covers(scope, &held.scope));
        near && filter.principal.is_none_or(|principal| held.principal == principal)
    };
    let found = directory.assignments.iter().filter(is_asked);
    Ok(Answer::list(found.map(|held| show(call, held)).collect()))
}

pub(super) fn one(call: &Call<'_>, scope: &str, name: &str) -> Result<Answer, ArmError> {
    let id = name.parse::<Uuid>().map_err(|_| {
        ArmError::invalid(
            "InvalidRoleAssignmentId",
            format!("The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."),
        )
    })?;
    let is_it = |held: &RoleAssignment| held.name == id && held.scope.eq_ignore_ascii_case(scope);
    match *call.method {
        Method::GET => {
            let directory = call.state.read();
            let found = directory.assignments.iter().find(|held| is_it(held));
            let found = found.ok_or_else(|| {
                ArmError::not_found("RoleAssignmentNotFound", format!("The role assignment '{id}' is not found."))
            })?;
            Ok(Answer::ok(show(call, found)))
        }
        Method::PUT => {
            must_exist(call, scope)?;
            let wanted = read(call, &call.body.object()?)?;
            put(call, scope, id, wanted)
        }
        Method::DELETE => {
            let mut directory = call.state.write();
            let removed = directory.unassign(is_it);
            Ok(match removed.first() {
                Some(removed) => Answer::ok(show(call, removed)),
                None => Answer::deleted(false),
            })
        }
        _ => Err(call.unsupported()),
    }
}

fn read(call: &Call<'_>, body: &Map<String, Value>) -> Result<Wanted, ArmError> {
    let properties = body::properties(body)?;
    let required = |name: &str| {
        body::text(properties, name)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| ArmError::content(&format!("The property '{name}' is required")))
    };
    let definition = required("roleDefinitionId")?;
    let id = definition.rsplit('/').next().unwrap_or_default();
    let role = id.parse::<Uuid>().ok().and_then(rbac::role).ok_or_else(|| {
        ArmError::invalid(
            "RoleDefinitionDoesNotExist",
            format!("The specified role definition with ID '{id}' does not exist."),
        )
    })?;
    let principal = required("principalId")?;
    let principal = principal.parse::<Uuid>().map_err(|_| {
        ArmError::invalid(
            "InvalidPrincipalId",
            format!("A valid principal ID must be provided for role assignment. '{principal}' is no GUID."),
        )
    })?;
    let principal_type = body::text(properties, "principalType")?;
    if principal_type.is_some_and(|kind| !PRINCIPAL_TYPES.contains(&kind)) {
        return Err(ArmError::content("The property 'principalType' has an unknown value"));
    }
    check_principal(call, principal, principal_type)?;
    Ok(Wanted {
        role,
        principal,
        principal_type: principal_type.map(str::to_owned),
        description: body::text(properties, "description")?.map(str::to_owned),
    })
}

/// With its type given, a principal is not looked for: it may not have spread yet. All principals here
/// are service principals.
fn check_principal(call: &Call<'_>, principal: Uuid, principal_type: Option<&str>) -> Result<(), ArmError> {
    let directory = call.state.read();
    let is_known = directory.sees_principal(call.tenant, principal);
    match principal_type {
        None if !is_known => Err(ArmError::invalid(
            "PrincipalNotFound",
            format!(
                "Principal {} does not exist in the directory {}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
                principal.simple(),
                call.tenant
            ),
        )),
        Some(kind) if is_known && kind != "ServicePrincipal" => Err(ArmError::invalid(
            "UnmatchedPrincipalType",
            format!(
                "The PrincipalId '{}' has type 'ServicePrincipal' , which is different from specified PrinciaplType '{kind}'.",
                principal.simple()
            ),
        )),
        _ => Ok(()),
    }
}

fn put(call: &Call<'_>, scope: &str, name: Uuid, wanted: Wanted) -> Result<Answer, ArmError> {
    let created = call.state.now();
    let mut directory = call.state.write();
    let is_equal = |held: &RoleAssignment| {
        held.role.id == wanted.role.id && held.principal == wanted.principal && held.scope.eq_ignore_ascii_case(scope)
    };
    // The status of this refusal is not documented.
    if let Some(held) = directory.assignments.iter().find(|held| held.name == name) {
        if is_equal(held) {
            return Ok(Answer::put(false, show(call, held)));
        }
        return Err(ArmError::invalid(
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ));
    }
    if let Some(held) = directory.assignments.iter().find(|held| is_equal(held)) {
        return Err(ArmError::conflict(
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                held.name.simple()
            ),
        ));
    }
    let assignment = RoleAssignment {
        name,
        scope: scope.to_owned(),
        role: wanted.role,
        principal: wanted.principal,
        principal_type: wanted.principal_type.unwrap_or_else(|| "ServicePrincipal".to_owned()),
        description: wanted.description,
        created,
        creator: call.caller.object_id,
    };
    let shown = show(call, &assignment);
    directory.assign(assignment);
    Ok(Answer::put(true, shown))
}

/// A role can be held on what is there: the subscription, a group, an identity, a vault, a storage
/// account or container, and whatever is named below an identity or vault.
fn must_exist(call: &Call<'_>, scope: &str) -> Result<(), ArmError> {
    let directory = call.state.read();
    let owner = scope.find("/secrets/").map_or(scope, |at| &scope[..at]);
    match Path::parse(owner)?.target {
        Target::Subscription => Ok(()),
        Target::Group { group } => groups::must_exist(call, &directory, &group).map(drop),
        Target::Vault { group, name } => {
            let found = groups::must_exist(call, &directory, &group)?;
            super::vaults::held(call, &directory, &found.name, &name)
                .map(drop)
                .ok_or_else(|| ArmError::resource_not_found(VAULTS, &name, &found.name))
        }
        Target::Identity { group, name } | Target::Credential { group, identity: name, .. } => {
            let found = groups::must_exist(call, &directory, &group)?;
            let identity = found.identities.get(&name.to_ascii_lowercase());
            identity.map(drop).ok_or_else(|| ArmError::resource_not_found(IDENTITIES, &name, &found.name))
        }
        Target::Storage(storage) => super::storage_accounts::must_exist(call, &directory, &storage),
        _ => Err(ArmError::bad_request(format!("'{scope}' is no scope for a role."))),
    }
}

/// The filters of the listing that are in use.
#[derive(Default)]
struct Filter {
    at_scope: bool,
    principal: Option<Uuid>,
}

impl Filter {
    fn parse(text: Option<&str>) -> Result<Filter, ArmError> {
        let mut filter = Filter::default();
        let Some(text) = text else {
            return Ok(filter);
        };
        for part in text.split(" and ").map(str::trim) {
            let quoted = |rest: &str| {
                let id = rest.trim().strip_prefix('\'')?.strip_suffix('\'')?;
                id.parse::<Uuid>().ok()
            };
            let assigned = part.strip_prefix("assignedTo(").and_then(|rest| rest.strip_suffix(')'));
            let principal = part.strip_prefix("principalId eq ").or(assigned).and_then(quoted);
            if part == "atScope()" {
                filter.at_scope = true;
            } else if principal.is_some() {
                filter.principal = principal;
            } else {
                return Err(ArmError::invalid("InvalidFilter", format!("The filter '{text}' is not supported.")));
            }
        }
        Ok(filter)
    }
}

fn show(call: &Call<'_>, held: &RoleAssignment) -> Value {
    let created = held.created.to_string();
    json!({
        "properties": {
            "roleDefinitionId": definition_id(call, held.role),
            "principalId": held.principal,
            "principalType": held.principal_type,
            "scope": held.scope,
            "condition": null,
            "conditionVersion": null,
            "createdOn": created,
            "updatedOn": created,
            "createdBy": held.creator,
            "updatedBy": held.creator,
            "delegatedManagedIdentityResourceId": null,
            "description": held.description,
        },
        "id": format!("{}/providers/{ASSIGNMENTS}/{}", held.scope, held.name),
        "type": ASSIGNMENTS,
        "name": held.name,
    })
}

fn definition_id(call: &Call<'_>, role: &Role) -> String {
    format!("/subscriptions/{}/providers/{DEFINITIONS}/{}", call.subscription, role.id)
}

/// The roles that can be assigned; the filter `roleName eq '...'` finds one.
pub(super) fn definitions(call: &Call<'_>, scope: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    must_exist(call, scope)?;
    let title = match call.filter.as_deref() {
        None => None,
        Some(filter) => {
            let title = filter.strip_prefix("roleName eq '").and_then(|rest| rest.strip_suffix('\''));
            Some(title.ok_or_else(|| {
                ArmError::invalid("InvalidFilter", format!("The filter '{filter}' is not supported."))
            })?)
        }
    };
    let asked = ROLES.into_iter().filter(|role| title.is_none_or(|title| role.title == title));
    Ok(Answer::list(asked.map(|role| show_definition(call, role)).collect()))
}

pub(super) fn definition(call: &Call<'_>, scope: &str, name: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    must_exist(call, scope)?;
    let role = name.parse::<Uuid>().ok().and_then(rbac::role);
    match role {
        Some(role) => Ok(Answer::ok(show_definition(call, role))),
        None => Err(ArmError::not_found(
            "RoleDefinitionDoesNotExist",
            format!("The specified role definition with ID '{name}' does not exist."),
        )),
    }
}

fn show_definition(call: &Call<'_>, role: &Role) -> Value {
    json!({
        "properties": {
            "roleName": role.title,
            "type": "BuiltInRole",
            "description": role.description,
            "assignableScopes": ["/"],
            "permissions": [{
                "actions": role.actions,
                "notActions": role.not_actions,
                "dataActions": role.data_actions,
                "notDataActions": [],
            }],
        },
        "id": definition_id(call, role),
        "type": DEFINITIONS,
        "name": role.id,
    })
}
