//! AWS's part of an access: provider, trust policy, permission policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What AWS holds for one pod. Texts may hold `${variables}`; they are filled in when names are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsAccess {
    /// The IAM OIDC provider; `null` means that the account has none.
    pub provider: Option<Provider>,
    /// Variables of the trust policy's template.
    pub trust_policy: BTreeMap<String, String>,
    /// Variables of the permission policy's template; lists become JSON arrays.
    pub permission_policy: BTreeMap<String, Values>,
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
