//! The bodies of writes, and the limits on what they may hold (Key Vault documentation, "About secrets").
//! Must not know what is stored. A refusal never repeats what was sent: it may be a secret.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use trust::Secret;

use super::refusal::Refusal;

/// 25 KB, counted in bytes of UTF-8.
const VALUE_LIMIT: usize = 25 * 1024;
const CONTENT_TYPE_LIMIT: usize = 255;
const TAGS_LIMIT: usize = 15;
/// Characters of a tag's name, and of its value.
const TAG_LIMIT: usize = 512;

/// A new version of a secret.
#[derive(Debug)]
pub(super) struct NewVersion {
    pub(super) value: Secret,
    pub(super) changes: Changes,
}

/// What a write says of a version apart from its value; what it does not say stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    pub(super) content_type: Option<String>,
    /// All tags: none of the old ones is kept.
    pub(super) tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    attributes: Option<ChangedAttributes>,
}

/// `created`, `updated` and the recovery level are the vault's to write, and are ignored here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ChangedAttributes {
    pub(super) enabled: Option<bool>,
    /// Seconds since 1970.
    pub(super) nbf: Option<i64>,
    pub(super) exp: Option<i64>,
}

impl Changes {
    pub(super) fn attributes(&self) -> ChangedAttributes {
        self.attributes.unwrap_or_default()
    }

    fn checked(self) -> Result<Changes, Refusal> {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        if content_type.chars().count() > CONTENT_TYPE_LIMIT {
            return Err(invalid("contentType", "has at most 255 characters"));
        }
        let tags = self.tags.iter().flatten();
        if tags.clone().count() > TAGS_LIMIT {
            return Err(invalid("tags", "has at most 15 entries"));
        }
        let is_long = |text: &str| text.chars().count() > TAG_LIMIT;
        if tags.clone().any(|(name, value)| is_long(name) || is_long(value)) {
            return Err(invalid("tags", "has names and values of at most 512 characters"));
        }
        Ok(self)
    }
}

pub(super) fn new_version(body: &[u8]) -> Result<NewVersion, Refusal> {
    #[derive(Deserialize)]
    struct Body {
        value: Option<Secret>,
        #[serde(flatten)]
        changes: Changes,
    }
    let body: Body = read(body)?;
    let value = body.value.ok_or_else(|| invalid("value", "is required"))?;
    if value.expose().len() > VALUE_LIMIT {
        return Err(invalid("value", "has at most 25 KB"));
    }
    Ok(NewVersion { value, changes: body.changes.checked()? })
}

pub(super) fn changes(body: &[u8]) -> Result<Changes, Refusal> {
    read::<Changes>(body)?.checked()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // The parser's own words may quote the body.
    serde_json::from_slice(body).map_err(|_| Refusal::bad_parameter("The request body is not the JSON of a secret."))
}

/// "Property x has invalid value" is what users report; the limit is added for them.
fn invalid(property: &str, limit: &str) -> Refusal {
    Refusal::bad_parameter(format!("Property {property} has invalid value: it {limit}."))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(body: &Value, expected: Result<(), &str>) {
        let outcome = new_version(body.to_string().as_bytes());
        let outcome = outcome.map(drop).map_err(|refusal| refusal.reason());
        assert_eq!(outcome, expected);
    }

    #[test]
    fn a_value_has_at_most_25_kilobytes() {
        check(&json!({"value": ""}), Ok(()));
        check(&json!({"value": "a".repeat(25600)}), Ok(()));
        check(&json!({"value": "a".repeat(25601)}), Err("BadParameter"));
        // Bytes count, not characters.
        check(&json!({"value": "é".repeat(12800)}), Ok(()));
        check(&json!({"value": "é".repeat(12801)}), Err("BadParameter"));
        check(&json!({}), Err("BadParameter"));
        check(&json!({"value": null}), Err("BadParameter"));
        check(&json!({"value": 5}), Err("BadParameter"));
    }

    #[test]
    fn tags_and_content_type_have_limits() {
        let tags = |count: usize| {
            let entry = |number| (format!("t{number}"), json!("v"));
            json!({"value": "v", "tags": (0..count).map(entry).collect::<serde_json::Map<_, _>>()})
        };
        check(&tags(15), Ok(()));
        check(&tags(16), Err("BadParameter"));
        let long = |length| "a".repeat(length);
        check(&json!({"value": "v", "tags": {"t": long(512)}}), Ok(()));
        check(&json!({"value": "v", "tags": {"t": long(513)}}), Err("BadParameter"));
        check(&json!({"value": "v", "tags": {"t": 1}}), Err("BadParameter"));
        check(&json!({"value": "v", "contentType": long(255)}), Ok(()));
        check(&json!({"value": "v", "contentType": long(256)}), Err("BadParameter"));
    }

    #[test]
    fn attributes_are_of_their_types() {
        let check = |attributes: Value, expected| {
            check(&json!({"value": "v", "attributes": attributes}), expected);
        };
        check(json!({"enabled": false, "nbf": 1, "exp": 2}), Ok(()));
        check(json!({"created": "ignored"}), Ok(()));
        check(json!(null), Ok(()));
        check(json!({"enabled": "no"}), Err("BadParameter"));
        check(json!({"exp": "2030-01-01"}), Err("BadParameter"));
        check(json!([]), Err("BadParameter"));
    }

    #[test]
    fn a_refusal_does_not_repeat_what_was_sent() {
        for body in [r#"{"value": "canary", "tags": "canary"}"#, r#"{"value": ["canary"]}"#, "canary"] {
            let refusal = new_version(body.as_bytes()).expect_err("body must be refused");
            assert!(!format!("{refusal:?}").contains("canary"), "{refusal:?}");
        }
    }
}
