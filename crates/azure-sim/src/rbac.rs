//! Role definitions, role assignments and whether they allow something.
//! Must not know any service: an action is a name, a scope is a resource id.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

use crate::state::Caller;

/// A built-in role (Azure built-in roles reference).
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) id: Uuid,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) actions: &'static [&'static str],
    pub(crate) not_actions: &'static [&'static str],
    pub(crate) data_actions: &'static [&'static str],
}

/// What the vault roles may do in Resource Manager: look around.
const VAULT_ACTIONS: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/operations/read",
];

pub(crate) static OWNER: Role = Role {
    id: uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
    title: "Owner",
    description: "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
    actions: &["*"],
    not_actions: &[],
    data_actions: &[],
};

static CONTRIBUTOR: Role = Role {
    id: uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c"),
    title: "Contributor",
    description: "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.",
    actions: &["*"],
    not_actions: &[
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ],
    data_actions: &[],
};

static READER: Role = Role {
    id: uuid!("acdd72a7-3385-48ef-bd42-f606fba81ae7"),
    title: "Reader",
    description: "View all resources, but does not allow you to make any changes.",
    actions: &["*/read"],
    not_actions: &[],
    data_actions: &[],
};

static VAULT_ADMINISTRATOR: Role = Role {
    id: uuid!("00482a5a-887f-4fb3-b363-3b7fe8e74483"),
    title: "Key Vault Administrator",
    description: "Perform all data plane operations on a key vault and all objects in it.",
    actions: VAULT_ACTIONS,
    not_actions: &[],
    data_actions: &["Microsoft.KeyVault/vaults/*"],
};

static VAULT_READER: Role = Role {
    id: uuid!("21090545-7ca7-4776-b22c-e363652d74d2"),
    title: "Key Vault Reader",
    description: "Read metadata of key vaults and its certificates, keys, and secrets.",
    actions: VAULT_ACTIONS,
    not_actions: &[],
    data_actions: &["Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
};

static SECRETS_OFFICER: Role = Role {
    id: uuid!("b86a8fe4-44ce-4948-aee5-eccb2c155cd7"),
    title: "Key Vault Secrets Officer",
    description: "Perform any action on the secrets of a key vault, except manage permissions.",
    actions: VAULT_ACTIONS,
    not_actions: &[],
    data_actions: &["Microsoft.KeyVault/vaults/secrets/*"],
};

static SECRETS_USER: Role = Role {
    id: uuid!("4633458b-17de-408a-b874-0445c86b69e6"),
    title: "Key Vault Secrets User",
    description: "Read secret contents.",
    actions: &[],
    not_actions: &[],
    data_actions: &[
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    ],
};

static BLOB_CONTRIBUTOR: Role = Role {
    id: uuid!("ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
    title: "Storage Blob Data Contributor",
    description: "Allows for read, write and delete access to Azure Storage blob containers and data",
    actions: &[
        "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
        "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        "Microsoft.Storage/storageAccounts/blobServices/containers/write",
        "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
    ],
    not_actions: &[],
    data_actions: &[
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
    ],
};

static BLOB_READER: Role = Role {
    id: uuid!("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
    title: "Storage Blob Data Reader",
    description: "Allows for read access to Azure Storage blob containers and data",
    actions: &[
        "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
    ],
    not_actions: &[],
    data_actions: &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
};

/// The roles of the simulator: the general three, the four of a vault's secrets, and the two of blobs.
pub(crate) static ROLES: [&Role; 9] = [
    &OWNER,
    &CONTRIBUTOR,
    &READER,
    &VAULT_ADMINISTRATOR,
    &VAULT_READER,
    &SECRETS_OFFICER,
    &SECRETS_USER,
    &BLOB_CONTRIBUTOR,
    &BLOB_READER,
];

/// The role of this id, if there is one.
pub(crate) fn role(id: Uuid) -> Option<&'static Role> {
    ROLES.into_iter().find(|role| role.id == id)
}

/// A principal's role on a scope and everything below it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoleAssignment {
    pub(crate) name: Uuid,
    /// Resource id without trailing slash, as written.
    pub(crate) scope: String,
    #[serde(with = "crate::snapshot::role")]
    pub(crate) role: &'static Role,
    /// Object id; nothing says that it exists.
    pub(crate) principal: Uuid,
    pub(crate) principal_type: String,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) creator: Uuid,
}

/// All role assignments, by principal: each request asks for one principal's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Assignments(BTreeMap<Uuid, Vec<RoleAssignment>>);

impl Assignments {
    pub(crate) fn of(&self, principal: Uuid) -> impl Iterator<Item = &RoleAssignment> {
        self.0.get(&principal).into_iter().flatten()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &RoleAssignment> {
        self.0.values().flatten()
    }

    pub(crate) fn push(&mut self, assignment: RoleAssignment) {
        self.0.entry(assignment.principal).or_default().push(assignment);
    }

    /// Takes one out, found by its principal, name and scope.
    pub(crate) fn forget(&mut self, gone: &RoleAssignment) {
        if let Some(held) = self.0.get_mut(&gone.principal) {
            held.retain(|one| one.name != gone.name || !one.scope.eq_ignore_ascii_case(&gone.scope));
        }
    }

    /// Takes out what is not to be kept, and returns it.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&RoleAssignment) -> bool) -> Vec<RoleAssignment> {
        let mut removed = Vec::new();
        self.0.retain(|_, held| {
            removed.extend(held.extract_if(.., |assignment| !is_kept(assignment)));
            !held.is_empty()
        });
        removed
    }
}

/// Whether `caller` may do `action` in Resource Manager at `scope`.
pub(crate) fn allows(assignments: &Assignments, caller: &Caller, action: &str, scope: &str) -> bool {
    held(assignments, caller, scope).any(|role| any(role.actions, action) && !any(role.not_actions, action))
}

/// Whether `caller` may do `action` to data at `scope`.
pub(crate) fn allows_data(assignments: &Assignments, caller: &Caller, action: &str, scope: &str) -> bool {
    held(assignments, caller, scope).any(|role| any(role.data_actions, action))
}

fn held<'a>(
    assignments: &'a Assignments,
    caller: &'a Caller,
    scope: &'a str,
) -> impl Iterator<Item = &'static Role> + 'a {
    assignments.of(caller.object_id).filter(move |held| covers(&held.scope, scope)).map(|held| held.role)
}

fn any(patterns: &[&str], action: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, action))
}

/// Whether `scope` is `outer` or lies below it; resource ids are compared without regard to case.
pub(crate) fn covers(outer: &str, scope: &str) -> bool {
    let outer = outer.trim_end_matches('/');
    let Some(head) = scope.get(..outer.len()) else {
        return false;
    };
    head.eq_ignore_ascii_case(outer) && (scope.len() == outer.len() || scope[outer.len()..].starts_with('/'))
}

/// `*` stands for any characters; case does not count.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_characters_and_case_does_not_count() {
        let check = |pattern: &str, action: &str, expected: bool| {
            assert_eq!(matches(pattern, action), expected, "{pattern} {action}");
        };
        check("*", "Microsoft.KeyVault/vaults/read", true);
        check("*/read", "Microsoft.KeyVault/vaults/READ", true);
        check("*/read", "Microsoft.KeyVault/vaults/readMetadata", false);
        check("a/*/c", "a/b/c", true);
        check("a/*/c", "a/b/d/c", true);
        check("a/*/c", "a/c", false);
        check("a/b", "a/b", true);
        check("a/b", "a/bc", false);
        check("a/*b*/c", "a/xby/c", true);
        check("a/*b*/c", "a/xy/c", false);
        check("ab*b", "ab", false);
    }

    #[test]
    fn a_scope_covers_what_lies_below_it_and_no_namesake() {
        let check = |outer: &str, scope: &str, expected: bool| {
            assert_eq!(covers(outer, scope), expected, "{outer} {scope}");
        };
        check("/subscriptions/s", "/subscriptions/s", true);
        check("/subscriptions/s", "/Subscriptions/S/resourceGroups/g", true);
        check("/subscriptions/s/", "/subscriptions/s/resourceGroups/g", true);
        check("/subscriptions/s", "/subscriptions/st", false);
        check("/subscriptions/s/resourceGroups/g", "/subscriptions/s", false);
        check("/", "/subscriptions/s", true);
    }

    #[test]
    fn roles_allow_what_their_documentation_says() {
        let caller = Caller {
            tenant: Uuid::nil(),
            app_id: Uuid::nil(),
            object_id: uuid!("11111111-1111-4111-8111-111111111111"),
            issuer: String::new(),
        };
        let check = |role: &'static Role, action: &str, control: bool, data: bool| {
            let mut held = Assignments::default();
            held.push(RoleAssignment {
                name: Uuid::nil(),
                scope: "/s".to_owned(),
                role,
                principal: caller.object_id,
                principal_type: "ServicePrincipal".to_owned(),
                description: None,
                created: Timestamp::UNIX_EPOCH,
                creator: Uuid::nil(),
            });
            assert_eq!(allows(&held, &caller, action, "/s/v"), control, "{} {action}", role.title);
            assert_eq!(allows_data(&held, &caller, action, "/s/v"), data, "{} {action}", role.title);
            let other = Caller { object_id: Uuid::nil(), ..caller.clone() };
            assert!(!allows(&held, &other, action, "/s/v") && !allows_data(&held, &other, action, "/s/v"));
        };
        let value = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
        let metadata = "Microsoft.KeyVault/vaults/secrets/readMetadata/action";
        let set = "Microsoft.KeyVault/vaults/secrets/setSecret/action";
        let assign = "Microsoft.Authorization/roleAssignments/write";
        // Owners of a subscription own no secret.
        check(&OWNER, value, true, false);
        check(&OWNER, assign, true, false);
        check(&CONTRIBUTOR, assign, false, false);
        check(&CONTRIBUTOR, "Microsoft.KeyVault/vaults/write", true, false);
        check(&READER, "Microsoft.KeyVault/vaults/read", true, false);
        check(&READER, "Microsoft.KeyVault/vaults/write", false, false);
        check(&SECRETS_USER, value, false, true);
        check(&SECRETS_USER, metadata, false, true);
        check(&SECRETS_USER, set, false, false);
        check(&SECRETS_OFFICER, set, false, true);
        check(&VAULT_READER, metadata, false, true);
        check(&VAULT_READER, value, false, false);
        check(&VAULT_ADMINISTRATOR, value, false, true);
        let blobs = |verb: &str| format!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{verb}");
        check(&OWNER, &blobs("write"), true, false);
        check(&BLOB_CONTRIBUTOR, &blobs("write"), false, true);
        check(&BLOB_CONTRIBUTOR, &blobs("delete"), false, true);
        check(&BLOB_READER, &blobs("read"), false, true);
        check(&BLOB_READER, &blobs("write"), false, false);
        check(&SECRETS_OFFICER, &blobs("read"), false, false);
    }
}
