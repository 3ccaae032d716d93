//! What one pod's access is built from: the document that a fault changes one thing of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The parts of an access from AWS's side and the cluster's. Texts may hold `${variables}`; they are filled in when names are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Access {
    /// The IAM OIDC provider; `null` means that the account has none.
    pub provider: Option<Provider>,
    /// Variables of the trust policy's template.
    pub trust_policy: BTreeMap<String, String>,
    /// Variables of the permission policy's template; lists become JSON arrays.
    pub permission_policy: BTreeMap<String, Values>,
    /// The service account.
    #[serde(default)]
    pub service_account: ServiceAccount,
    /// Where the pod's token comes from.
    #[serde(default)]
    pub token: Token,
}

/// An IAM OIDC provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider {
    /// Its URL: the issuer, byte by byte.
    pub url: String,
    /// Its client id list.
    pub audiences: Vec<String>,
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// A text.
    One(String),
    /// A list, which a template receives as a JSON array.
    Many(Vec<String>),
}

impl Values {
    /// As it is put into a JSON template: a list as an array, a text as it is.
    pub fn template_text(&self) -> String {
        match self {
            Values::One(text) => text.clone(),
            Values::Many(texts) => Value::from(texts.clone()).to_string(),
        }
    }
}

/// The service account of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccount {
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Where the token in the pod comes from. Without any of these the kubelet projects it, as always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// A copy of the pod's token, signed with the issuer's own key, that expired this many seconds ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_for_seconds: Option<u32>,
    /// A copy of the pod's token with its own `kid` under a signature that the issuer's key did not make.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forged: bool,
}

impl Token {
    /// Whether the kubelet's own token is used.
    pub fn is_projected(&self) -> bool {
        *self == Token::default()
    }
}

fn is_false(value: &bool) -> bool {
    !value
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
}
