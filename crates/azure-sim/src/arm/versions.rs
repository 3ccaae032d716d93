//! The API versions of each resource type: there is no default.
//! Must not know what a version changes.

use super::error::ArmError;
use super::path::{ASSIGNMENTS, CREDENTIALS, DEFINITIONS, IDENTITIES, Path, Target, VAULTS};
use super::storage_path::ACCOUNTS;
use super::tenancy;

const RESOURCES: &[&str] = &[
    "2015-11-01",
    "2019-05-10",
    "2019-10-01",
    "2020-06-01",
    "2020-10-01",
    "2021-01-01",
    "2021-04-01",
    "2022-09-01",
    "2023-07-01",
    "2024-03-01",
    "2024-07-01",
    "2024-11-01",
    "2025-03-01",
    "2025-04-01",
];
const IDENTITY: &[&str] =
    &["2018-11-30", "2022-01-31-preview", "2023-01-31", "2024-11-30", "2025-05-31-preview", "2026-05-31"];
/// Federated credentials came with 2022-01-31-preview.
const FEDERATION: &[&str] =
    &["2022-01-31-preview", "2023-01-31", "2024-11-30", "2025-01-31-preview", "2025-05-31-preview", "2026-05-31"];
const VAULT: &[&str] = &[
    "2018-02-14",
    "2019-09-01",
    "2021-10-01",
    "2022-07-01",
    "2023-02-01",
    "2023-07-01",
    "2024-11-01",
    "2025-05-01",
    "2026-02-01",
    "2026-05-15",
];
/// Accounts and their containers: those that know `allowBlobPublicAccess`, from azure-rest-api-specs.
const STORAGE: &[&str] = &[
    "2019-06-01",
    "2021-01-01",
    "2021-02-01",
    "2021-04-01",
    "2021-06-01",
    "2021-08-01",
    "2021-09-01",
    "2022-05-01",
    "2022-09-01",
    "2023-01-01",
    "2023-04-01",
    "2023-05-01",
    "2024-01-01",
    "2025-01-01",
    "2025-06-01",
    "2025-08-01",
    "2026-04-01",
];
const AUTHORIZATION: &[&str] =
    &["2015-07-01", "2018-01-01-preview", "2020-04-01-preview", "2022-04-01", "2022-05-01-preview"];

/// From this version on, a vault that says nothing uses roles (Key Vault, "access control default").
const ROLES_BY_DEFAULT: &str = "2026-02-01";

pub(super) fn check(path: &Path, version: Option<&str>) -> Result<String, ArmError> {
    let known = match path.kind() {
        IDENTITIES => IDENTITY,
        CREDENTIALS => FEDERATION,
        VAULTS => VAULT,
        ACCOUNTS => STORAGE,
        ASSIGNMENTS | DEFINITIONS => AUTHORIZATION,
        _ => RESOURCES,
    };
    if matches!(path.target, Target::Subscription)
        && version.is_some_and(|version| tenancy::VERSIONS.contains(&version))
    {
        return must_be_one_of(tenancy::VERSIONS, version);
    }
    // The link to an operation repeats the version of the request that began it.
    let is_operation = matches!(path.target, Target::Operation { .. });
    if is_operation && version.is_some_and(|version| VAULT.contains(&version)) {
        return must_be_one_of(VAULT, version);
    }
    must_be_one_of(known, version)
}

pub(super) fn must_be_one_of(known: &[&str], version: Option<&str>) -> Result<String, ArmError> {
    let Some(version) = version.filter(|version| !version.is_empty()) else {
        return Err(ArmError::invalid(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    if known.contains(&version) {
        return Ok(version.to_owned());
    }
    Err(ArmError::invalid(
        "InvalidApiVersionParameter",
        format!("The api-version '{version}' is invalid. The supported versions are '{}'.", known.join(",")),
    ))
}

/// Whether a new vault uses roles if nothing is said. Versions are dates, and sort as such.
pub(super) fn roles_by_default(version: &str) -> bool {
    version >= ROLES_BY_DEFAULT
}
