//! What a path of Resource Manager names, of which type it is, and which action a request to it needs.
//! Must not know whether the thing exists.

use http::Method;
use uuid::Uuid;

use super::error::ArmError;
use super::storage_path::{self, ACCOUNTS, Storage};

/// Resource types, as they are written in ids, answers and actions.
pub(super) const GROUPS: &str = "Microsoft.Resources/resourceGroups";
pub(super) const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
pub(super) const CREDENTIALS: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
pub(super) const VAULTS: &str = "Microsoft.KeyVault/vaults";
pub(super) const SECRETS: &str = "Microsoft.KeyVault/vaults/secrets";
pub(super) const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
pub(super) const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) subscription: Uuid,
    /// The subscription as the caller wrote it.
    pub(super) written: String,
    pub(super) target: Target,
}

/// Names are as the caller wrote them, scopes begin with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Subscription,
    Groups,
    Group { group: String },
    Resources { group: Option<String> },
    Operation { id: String },
    Identities { group: Option<String> },
    Identity { group: String, name: String },
    Credentials { group: String, identity: String },
    Credential { group: String, identity: String, name: String },
    Vaults { group: Option<String> },
    Vault { group: String, name: String },
    VaultPolicies { group: String, name: String, change: String },
    VaultSecrets { group: String, vault: String },
    VaultSecret { group: String, vault: String, name: String },
    VaultName,
    DeletedVaults,
    DeletedVault { location: String, name: String },
    PurgeVault { location: String, name: String },
    Storage(Storage),
    Assignments { scope: String },
    Assignment { scope: String, name: String },
    Definitions { scope: String },
    Definition { scope: String, name: String },
}

impl Path {
    pub(super) fn parse(path: &str) -> Result<Path, ArmError> {
        let unknown =
            || ArmError::not_found("InvalidResourceType", format!("No resource type is simulated at '{path}'."));
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let lower: Vec<String> = segments.iter().map(|part| part.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let [first, written, ..] = segments[..] else {
            return Err(unknown());
        };
        if !first.eq_ignore_ascii_case("subscriptions") {
            return Err(unknown());
        }
        let subscription = written.parse::<Uuid>().map_err(|_| {
            ArmError::invalid(
                "InvalidSubscriptionId",
                format!("The provided subscription identifier '{written}' is malformed or invalid."),
            )
        })?;
        let target =
            authorization(&segments, &lower).or_else(|| resource(&segments[2..], &lower[2..])).ok_or_else(unknown)?;
        Ok(Path { subscription, written: written.to_owned(), target })
    }

    /// The type whose API versions count.
    pub(super) fn kind(&self) -> &'static str {
        match &self.target {
            Target::Subscription
            | Target::Groups
            | Target::Group { .. }
            | Target::Resources { .. }
            | Target::Operation { .. } => GROUPS,
            Target::Identities { .. } | Target::Identity { .. } => IDENTITIES,
            Target::Credentials { .. } | Target::Credential { .. } => CREDENTIALS,
            Target::Vaults { .. }
            | Target::Vault { .. }
            | Target::VaultPolicies { .. }
            | Target::VaultSecrets { .. }
            | Target::VaultSecret { .. }
            | Target::VaultName
            | Target::DeletedVaults
            | Target::DeletedVault { .. }
            | Target::PurgeVault { .. } => VAULTS,
            Target::Storage(_) => ACCOUNTS,
            Target::Assignments { .. } | Target::Assignment { .. } => ASSIGNMENTS,
            Target::Definitions { .. } | Target::Definition { .. } => DEFINITIONS,
        }
    }

    /// The action that a role must allow (Azure resource provider operations).
    pub(super) fn action(&self, method: &Method) -> String {
        let of = |kind: &str| {
            let verb = match *method {
                Method::GET | Method::HEAD => "read",
                Method::DELETE => "delete",
                Method::POST => "action",
                _ => "write",
            };
            format!("{kind}/{verb}")
        };
        match &self.target {
            Target::Subscription => of("Microsoft.Resources/subscriptions"),
            Target::Groups | Target::Group { .. } => of("Microsoft.Resources/subscriptions/resourceGroups"),
            Target::Resources { group: None } => of("Microsoft.Resources/subscriptions/resources"),
            Target::Resources { group: Some(_) } => of("Microsoft.Resources/subscriptions/resourcegroups/resources"),
            Target::Operation { .. } => "Microsoft.Resources/subscriptions/operationresults/read".to_owned(),
            Target::VaultPolicies { .. } => "Microsoft.KeyVault/vaults/accessPolicies/write".to_owned(),
            Target::VaultSecrets { .. } | Target::VaultSecret { .. } => of(SECRETS),
            Target::VaultName => "Microsoft.KeyVault/checkNameAvailability/read".to_owned(),
            Target::DeletedVaults => "Microsoft.KeyVault/deletedVaults/read".to_owned(),
            Target::DeletedVault { .. } => of("Microsoft.KeyVault/locations/deletedVaults"),
            Target::PurgeVault { .. } => "Microsoft.KeyVault/locations/deletedVaults/purge/action".to_owned(),
            Target::Storage(storage) => storage.action(of),
            _ => of(self.kind()),
        }
    }

    /// The scope on which a role must be held.
    pub(super) fn scope(&self) -> String {
        let root = format!("/subscriptions/{}", self.written);
        let within = |group: &str| format!("{root}/resourceGroups/{group}");
        let provided = |group: &str, kind: &str, name: &str| format!("{}/providers/{kind}/{name}", within(group));
        match &self.target {
            Target::Subscription
            | Target::Groups
            | Target::Operation { .. }
            | Target::VaultName
            | Target::DeletedVaults
            | Target::DeletedVault { .. }
            | Target::PurgeVault { .. } => root,
            Target::Resources { group } | Target::Identities { group } | Target::Vaults { group } => match group {
                Some(group) => within(group),
                None => root,
            },
            Target::Group { group } => within(group),
            Target::Identity { group, name } => provided(group, IDENTITIES, name),
            Target::Credentials { group, identity } => provided(group, IDENTITIES, identity),
            Target::Credential { group, identity, name } => {
                let identity = provided(group, IDENTITIES, identity);
                format!("{identity}/federatedIdentityCredentials/{name}")
            }
            Target::Vault { group, name } | Target::VaultPolicies { group, name, .. } => provided(group, VAULTS, name),
            Target::VaultSecrets { group, vault } => provided(group, VAULTS, vault),
            Target::VaultSecret { group, vault, name } => {
                format!("{}/secrets/{name}", provided(group, VAULTS, vault))
            }
            Target::Storage(storage) => storage.scope(&root),
            Target::Assignments { scope }
            | Target::Assignment { scope, .. }
            | Target::Definitions { scope }
            | Target::Definition { scope, .. } => scope.clone(),
        }
    }
}

/// Extension resources hang on a scope of any kind: the last `providers` counts.
fn authorization(segments: &[&str], lower: &[&str]) -> Option<Target> {
    let at = lower.iter().rposition(|part| *part == "providers")?;
    let scope = format!("/{}", segments[..at].join("/"));
    let name = || segments.last().map(|name| (*name).to_owned()).unwrap_or_default();
    match lower[at + 1..] {
        ["microsoft.authorization", "roleassignments"] => Some(Target::Assignments { scope }),
        ["microsoft.authorization", "roleassignments", _] => Some(Target::Assignment { scope, name: name() }),
        ["microsoft.authorization", "roledefinitions"] => Some(Target::Definitions { scope }),
        ["microsoft.authorization", "roledefinitions", _] => Some(Target::Definition { scope, name: name() }),
        _ => None,
    }
}

/// What stands below the subscription.
fn resource(segments: &[&str], lower: &[&str]) -> Option<Target> {
    let named = |at: usize| segments.get(at).map(|name| (*name).to_owned()).unwrap_or_default();
    match lower {
        [] => Some(Target::Subscription),
        ["resourcegroups"] => Some(Target::Groups),
        ["resourcegroups", _] => Some(Target::Group { group: named(1) }),
        ["resources"] => Some(Target::Resources { group: None }),
        ["resourcegroups", _, "resources"] => Some(Target::Resources { group: Some(named(1)) }),
        ["operationresults", _] => Some(Target::Operation { id: named(1) }),
        ["resourcegroups", _, "providers", rest @ ..] => provider(Some(named(1)), &segments[3..], rest),
        ["providers", rest @ ..] => provider(None, &segments[1..], rest),
        _ => None,
    }
}

fn provider(group: Option<String>, segments: &[&str], lower: &[&str]) -> Option<Target> {
    let named = |at: usize| segments.get(at).map(|name| (*name).to_owned()).unwrap_or_default();
    let [namespace, rest @ ..] = lower else {
        return None;
    };
    match (*namespace, rest, group) {
        ("microsoft.storage", rest, group) => storage_path::parse(group, &segments[1..], rest).map(Target::Storage),
        ("microsoft.managedidentity", ["userassignedidentities"], group) => Some(Target::Identities { group }),
        ("microsoft.managedidentity", ["userassignedidentities", _], Some(group)) => {
            Some(Target::Identity { group, name: named(2) })
        }
        ("microsoft.managedidentity", ["userassignedidentities", _, "federatedidentitycredentials"], Some(group)) => {
            Some(Target::Credentials { group, identity: named(2) })
        }
        (
            "microsoft.managedidentity",
            ["userassignedidentities", _, "federatedidentitycredentials", _],
            Some(group),
        ) => Some(Target::Credential { group, identity: named(2), name: named(4) }),
        ("microsoft.keyvault", ["vaults"], group) => Some(Target::Vaults { group }),
        ("microsoft.keyvault", ["vaults", _], Some(group)) => Some(Target::Vault { group, name: named(2) }),
        ("microsoft.keyvault", ["vaults", _, "accesspolicies", change], Some(group)) => {
            Some(Target::VaultPolicies { group, name: named(2), change: (*change).to_owned() })
        }
        ("microsoft.keyvault", ["vaults", _, "secrets"], Some(group)) => {
            Some(Target::VaultSecrets { group, vault: named(2) })
        }
        ("microsoft.keyvault", ["vaults", _, "secrets", _], Some(group)) => {
            Some(Target::VaultSecret { group, vault: named(2), name: named(4) })
        }
        ("microsoft.keyvault", ["checknameavailability"], None) => Some(Target::VaultName),
        ("microsoft.keyvault", ["deletedvaults"], None) => Some(Target::DeletedVaults),
        ("microsoft.keyvault", ["locations", _, "deletedvaults", _], None) => {
            Some(Target::DeletedVault { location: named(2), name: named(4) })
        }
        ("microsoft.keyvault", ["locations", _, "deletedvaults", _, "purge"], None) => {
            Some(Target::PurgeVault { location: named(2), name: named(4) })
        }
        ("microsoft.keyvault", ["locations", _, "operationresults", _], None) => {
            Some(Target::Operation { id: named(4) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/subscriptions/11111111-1111-4111-8111-111111111111";

    #[test]
    fn paths_name_what_they_are_about() {
        let check = |method: Method, path: &str, scope: &str, action: &str| {
            let parsed = Path::parse(&format!("{ROOT}{path}")).expect("path must parse");
            assert_eq!(parsed.scope(), format!("{ROOT}{scope}"), "{path}");
            assert_eq!(parsed.action(&method), action, "{path}");
        };
        let vault = "/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v";
        check(Method::GET, "", "", "Microsoft.Resources/subscriptions/read");
        check(
            Method::PUT,
            "/resourcegroups/g",
            "/resourceGroups/g",
            "Microsoft.Resources/subscriptions/resourceGroups/write",
        );
        check(Method::DELETE, vault, vault, "Microsoft.KeyVault/vaults/delete");
        check(
            Method::PUT,
            &format!("{vault}/secrets/s"),
            &format!("{vault}/secrets/s"),
            "Microsoft.KeyVault/vaults/secrets/write",
        );
        check(
            Method::PUT,
            &format!("{vault}/providers/Microsoft.Authorization/roleAssignments/x"),
            vault,
            "Microsoft.Authorization/roleAssignments/write",
        );
        check(
            Method::PUT,
            "/resourceGroups/g/providers/microsoft.managedidentity/USERASSIGNEDIDENTITIES/i/federatedidentitycredentials/f",
            "/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i/federatedIdentityCredentials/f",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        );
        check(
            Method::POST,
            "/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/v/purge",
            "",
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
        );
    }

    #[test]
    fn what_is_not_simulated_is_not_found() {
        let check = |path: &str, expected: &str| {
            let error = Path::parse(path).expect_err("path must be refused");
            assert_eq!(error.code, expected, "{path}");
        };
        check("/", "InvalidResourceType");
        check("/tenants", "InvalidResourceType");
        check("/subscriptions/mine", "InvalidSubscriptionId");
        check(&format!("{ROOT}/providers/Microsoft.Compute/disks"), "InvalidResourceType");
        check(&format!("{ROOT}/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/keys/k"), "InvalidResourceType");
    }
}
