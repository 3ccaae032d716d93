//! What one pod's access is built from: the document that a fault changes one thing of.

mod aws;
mod azure;
mod issuer;
mod patch;
mod token;
mod webhooks;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use aws::{AwsAccess, Object, Probe, Provider, Thumbprints};
pub use azure::{
    AccessPolicy, AzureAccess, FederatedCredential, Network, PermissionModel, Principal, RoleAssignment, Secret, Vault,
    VaultRole,
};
pub use issuer::{Certificate, Issuer, Keys};
pub use patch::{Step, Values};
pub use token::{Signer, Token};
pub use webhooks::{AwsPodIdentity, AzureWorkloadIdentity, Installer, Layout, Webhooks};

/// Members of an access that are merge patches themselves, over what exists only in a run. A fault's own ones are taken as
/// they stand: applying them twice would lose their nulls.
const PATCHES: [&str; 3] = ["/token/claims", "/token/header", "/issuer/discovery"];

/// The parts of an access: what is installed in the cluster, what each cloud holds, what the pod shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Access {
    /// The webhooks that the pod meets.
    pub webhooks: Webhooks,
    /// What AWS holds, if the pod reads there.
    pub aws: Option<AwsAccess>,
    /// What Azure holds, if the pod reads there.
    pub azure: Option<AzureAccess>,
    /// The service account.
    #[serde(default)]
    pub service_account: ServiceAccount,
    /// The issuer of the pod's token, in place of the cluster's; `null` leaves it at that.
    #[serde(default)]
    pub issuer: Option<Issuer>,
    /// Where the pod's token comes from.
    #[serde(default)]
    pub token: Token,
    /// Variables that the containers that read have before any webhook sees the pod. Texts may hold `${variables}`, late ones too.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The pod's manifest. A scenario names its file (`pod`), and a fault may change any of it.
    #[serde(default)]
    pub pod: Value,
}

/// A cloud in which something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
}

impl Cloud {
    /// The word in files, names and check ids.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }

    /// The name in running text.
    pub fn title(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// The service account of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccount {
    /// Its annotations. Texts may hold `${variables}`.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The document of an access with the change of a fault in it.
pub fn changed(document: &Value, change: &Value) -> Value {
    let mut changed = document.clone();
    merge(&mut changed, change);
    for pointer in PATCHES {
        if let (Some(patch), Some(place)) = (change.pointer(pointer), changed.pointer_mut(pointer)) {
            place.clone_from(patch);
        }
    }
    changed
}

/// Applies a JSON merge patch (RFC 7396).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(members) = target {
        for (name, value) in patch {
            if value.is_null() {
                members.remove(name);
            } else {
                merge(members.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// The place of a list in a document that was read as a mapping: serde fills structs from lists, too, by position.
pub(crate) fn list_for_mapping(document: &Value, access: &Access) -> Option<String> {
    fn find(document: &Value, read: &Value) -> Option<String> {
        match (document, read) {
            (Value::Array(_), Value::Object(_)) => Some(String::new()),
            (Value::Object(members), Value::Object(read)) => members.iter().find_map(|(name, value)| {
                let below = find(value, read.get(name)?)?;
                Some(if below.is_empty() { name.clone() } else { format!("{name}.{below}") })
            }),
            (Value::Array(items), Value::Array(read)) => {
                let mut pairs = items.iter().zip(read).enumerate();
                pairs.find_map(|(at, (item, read))| {
                    Some(format!("{at}.{}", find(item, read)?).trim_end_matches('.').to_owned())
                })
            }
            _ => None,
        }
    }
    find(document, &serde_json::to_value(access).ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_as_rfc_7396_says() {
        let check = |target: Value, patch: Value, expected: Value| {
            let mut merged = target;
            merge(&mut merged, &patch);
            assert_eq!(merged, expected);
        };
        check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
        check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}}));
        check(json!({"a": 1}), json!({"b": {"c": null}}), json!({"a": 1, "b": {}}));
    }

    #[test]
    fn a_patch_inside_of_a_change_keeps_its_nulls() {
        let change =
            json!({"token": {"claims": {"iat": null}, "text": null}, "issuer": {"discovery": {"jwks_uri": null}}});
        let expected = json!({"a": 1, "token": {"claims": {"iat": null}}, "issuer": {"discovery": {"jwks_uri": null}}});
        assert_eq!(changed(&json!({"a": 1, "token": {}, "issuer": null}), &change), expected);
    }
}
