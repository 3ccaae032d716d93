//! Where things are in Resource Manager: resource ids and the API versions that are spoken. Sends nothing.

use aws_lc_rs::digest::{SHA256, digest};

/// Resource Manager of the public cloud.
pub(super) const MANAGEMENT: &str = "https://management.azure.com";
/// What its tokens are for.
pub(super) const MANAGEMENT_SCOPE: &str = "https://management.azure.com/.default";

/// Resource groups and the resources in them.
pub(super) const RESOURCES: &str = "2021-04-01";
/// User-assigned identities and their federated credentials.
pub(super) const IDENTITIES: &str = "2024-11-30";
/// Vaults, secrets and deleted vaults. Earlier versions are retired in February 2027; from this one on a vault uses
/// roles unless its request says otherwise (Key Vault, "Prepare for Key Vault API version 2026-02-01"). Ours always says.
pub(super) const VAULTS: &str = "2026-02-01";
/// Storage accounts and their containers.
pub(super) const STORAGE: &str = "2023-05-01";
/// Role assignments.
pub(super) const AUTHORIZATION: &str = "2022-04-01";

/// What tokens for blobs are for.
pub(super) const STORAGE_SCOPE: &str = "https://storage.azure.com/.default";
/// `x-ms-version` of the Blob service; tokens are understood since 2017-11-09.
pub(super) const STORAGE_VERSION: &str = "2023-11-03";
/// Storage Blob Data Contributor (Azure RBAC, "Azure built-in roles for Storage").
pub(super) const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

pub(super) fn subscription(subscription: &str) -> String {
    format!("/subscriptions/{subscription}")
}

pub(super) fn group(subscription: &str, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}

/// The group in a resource's id; ids differ in case from one answer to the next.
pub(super) fn group_of(id: &str) -> Option<&str> {
    let mut segments = id.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case("resourceGroups"))?;
    segments.next()
}

pub(super) fn vault(subscription: &str, group: &str, name: &str) -> String {
    format!("{}/providers/Microsoft.KeyVault/vaults/{name}", self::group(subscription, group))
}

pub(super) fn deleted_vault(subscription: &str, location: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}")
}

pub(super) fn secret(subscription: &str, group: &str, vault: &str, name: &str) -> String {
    format!("{}/secrets/{name}", self::vault(subscription, group, vault))
}

pub(super) fn identity(subscription: &str, group: &str, name: &str) -> String {
    format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}", self::group(subscription, group))
}

pub(super) fn credential(subscription: &str, group: &str, identity: &str, name: &str) -> String {
    format!("{}/federatedIdentityCredentials/{name}", self::identity(subscription, group, identity))
}

pub(super) fn storage_account(subscription: &str, group: &str, name: &str) -> String {
    format!("{}/providers/Microsoft.Storage/storageAccounts/{name}", self::group(subscription, group))
}

pub(super) fn container(subscription: &str, group: &str, account: &str, name: &str) -> String {
    format!("{}/blobServices/default/containers/{name}", storage_account(subscription, group, account))
}

pub(super) fn assignment(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

pub(super) fn role(subscription: &str, role: &str) -> String {
    format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}")
}

/// A role assignment is named by a GUID of its creator's choice. This one follows from what is assigned, so that it is
/// known before the principal is.
pub(super) fn assignment_name(scope: &str, role: &str, principal: &str) -> String {
    let text = format!("{scope}\n{role}\n{principal}").to_ascii_lowercase();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_whatever_the_case() {
        let check = |id: &str, expected: Option<&str>| assert_eq!(group_of(id), expected, "{id}");
        check(&vault("s", "g", "v"), Some("g"));
        check("/subscriptions/s/resourcegroups/G/providers/p/vaults/v", Some("G"));
        check("/subscriptions/s/resourceGroups", None);
        check("/subscriptions/s", None);
    }

    #[test]
    fn an_assignment_keeps_its_name_whatever_the_case_and_shares_it_with_no_other() {
        let name = |scope: &str, role: &str| assignment_name(scope, role, "p");
        assert_eq!(name("/subscriptions/S/V", "r"), name("/subscriptions/s/v", "R"));
        assert_ne!(name("/s/v", "r"), name("/s/v", "r2"));
        assert_ne!(name("/s/v", "r"), name("/s/v2", "r"));
        let parsed: uuid::Uuid = name("/s/v", "r").parse().expect("name must be a GUID");
        assert_eq!(parsed.get_version_num(), 8);
    }
}
