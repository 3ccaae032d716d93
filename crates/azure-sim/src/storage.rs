//! Storage accounts with their containers and blobs: the ground on which both planes decide.
//! Must not know who may touch them, nor how they are written on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::random;
use crate::space::Taken;

/// A storage account. Its name is a host name, so that all subscriptions share the names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StorageAccount {
    pub(crate) name: String,
    pub(crate) subscription: Uuid,
    pub(crate) group: String,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) tenant: Uuid,
    /// Such as `Standard_LRS`.
    pub(crate) sku: String,
    /// Such as `StorageV2`.
    pub(crate) kind: String,
    /// `allowBlobPublicAccess`: without it no container lets anybody in who does not say who they are.
    pub(crate) allows_public: bool,
    /// `minimumTlsVersion`; shown, and not enforced.
    pub(crate) least_tls: String,
    pub(crate) created: Timestamp,
    /// By name.
    pub(crate) containers: BTreeMap<String, Container>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) public_access: PublicAccess,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) modified: Timestamp,
    pub(crate) etag: String,
    /// By name, which may hold slashes and is compared exactly.
    pub(crate) blobs: BTreeMap<String, Blob>,
}

/// What anonymous callers may do in a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PublicAccess {
    #[default]
    None,
    /// Read blobs whose names they know.
    Blob,
    /// List blobs as well.
    Container,
}

impl PublicAccess {
    const ALL: [PublicAccess; 3] = [PublicAccess::None, PublicAccess::Blob, PublicAccess::Container];

    /// As Resource Manager writes it (Storage REST reference, `PublicAccess`).
    pub(crate) fn word(self) -> &'static str {
        match self {
            PublicAccess::None => "None",
            PublicAccess::Blob => "Blob",
            PublicAccess::Container => "Container",
        }
    }

    pub(crate) fn read(word: &str) -> Option<PublicAccess> {
        PublicAccess::ALL.into_iter().find(|access| access.word().eq_ignore_ascii_case(word))
    }
}

/// A block blob.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub(crate) content_type: String,
    pub(crate) cache_control: Option<String>,
    #[serde(with = "crate::snapshot::base64")]
    pub(crate) body: Bytes,
    /// The room that it takes; none where it was restored.
    #[serde(skip)]
    pub(crate) _space: Option<Arc<Taken>>,
    pub(crate) modified: Timestamp,
    pub(crate) etag: String,
}

impl Container {
    pub(crate) fn new(name: &str, public_access: PublicAccess, modified: Timestamp) -> Container {
        Container {
            name: name.to_owned(),
            public_access,
            metadata: BTreeMap::new(),
            modified,
            etag: format!("\"0x{}\"", random::text::<12>()),
            blobs: BTreeMap::new(),
        }
    }
}

impl StorageAccount {
    /// The resource id.
    pub(crate) fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{}",
            self.subscription, self.group, self.name
        )
    }

    /// The resource id of a container, whether there is one of this name or not.
    pub(crate) fn container_id(&self, container: &str) -> String {
        format!("{}/blobServices/default/containers/{container}", self.id())
    }
}

/// 3 to 24 lower-case letters and digits (Azure naming rules).
pub(crate) fn is_account_name(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// 3 to 63 lower-case letters, digits and single dashes, with a letter or digit at both ends (Azure
/// naming rules). The special containers (`$root`, `$web`, `$logs`) are not simulated.
pub(crate) fn is_container_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| is_plain(b) || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_host_and_path_names() {
        let check = |name: &str, account: bool, container: bool| {
            assert_eq!((is_account_name(name), is_container_name(name)), (account, container), "{name}");
        };
        check("oidc1", true, true);
        check("abc", true, true);
        check("ab", false, false);
        check(&"a".repeat(24), true, true);
        check(&"a".repeat(25), false, true);
        check(&"a".repeat(63), false, true);
        check(&"a".repeat(64), false, false);
        check("Oidc", false, false);
        check("oidc-1", false, true);
        check("oidc--1", false, false);
        check("-oidc", false, false);
        check("oidc-", false, false);
        check("$web", false, false);
        check("oidc.1", false, false);
    }
}
