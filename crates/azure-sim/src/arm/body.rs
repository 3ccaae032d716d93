//! Reading request bodies and query strings, and what every resource has: a location and tags.
//! Must not know any resource type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::ArmError;
use super::locations;

const MAX_TAGS: usize = 50;
const MAX_TAG_NAME: usize = 512;
const MAX_TAG_VALUE: usize = 256;

/// A body that is read when a handler needs it: most requests have none.
pub(super) struct Body(Vec<u8>);

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A body may hold a secret's value.
        write!(formatter, "Body({} bytes)", self.0.len())
    }
}

impl Body {
    pub(super) fn new(bytes: &[u8]) -> Body {
        Body(bytes.to_vec())
    }

    pub(super) fn object(&self) -> Result<Map<String, Value>, ArmError> {
        match serde_json::from_slice(&self.0) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(ArmError::content("The content is not a JSON object")),
            Err(_) => Err(ArmError::content("The content is not JSON")),
        }
    }
}

/// The parameters of a query string, by lower-case name.
pub(super) fn query(text: Option<&str>) -> BTreeMap<String, String> {
    let uri = format!("/?{}", text.unwrap_or_default()).parse();
    let pairs = uri.ok().and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    let pairs = pairs.map(|pairs| pairs.0).unwrap_or_default();
    pairs.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// `properties`, which the resources of providers must have.
pub(super) fn properties(body: &Map<String, Value>) -> Result<&Map<String, Value>, ArmError> {
    body.get("properties")
        .and_then(Value::as_object)
        .ok_or_else(|| ArmError::content("The property 'properties' is required"))
}

/// The text under a name; null counts as absent.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ArmError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ArmError::content(&format!("The property '{name}' is not a string"))),
    }
}

pub(super) fn flag(object: &Map<String, Value>, name: &str) -> Result<Option<bool>, ArmError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(ArmError::content(&format!("The property '{name}' is not a boolean"))),
    }
}

/// The canonical name of the required location.
pub(super) fn location(body: &Map<String, Value>, kind: &str) -> Result<String, ArmError> {
    let written = text(body, "location")?.filter(|location| !location.is_empty());
    let written = written.ok_or_else(|| {
        ArmError::invalid("LocationRequired", "The location property is required for this definition.")
    })?;
    locations::canonical(written).map(str::to_owned).ok_or_else(|| {
        let known = locations::all();
        if kind.is_empty() {
            ArmError::invalid(
                "LocationNotAvailableForResourceGroup",
                format!("The provided location '{written}' is not available for resource group. List of available regions is '{known}'."),
            )
        } else {
            ArmError::invalid(
                "LocationNotAvailableForResourceType",
                format!("The provided location '{written}' is not available for resource type '{kind}'. List of available regions for the resource type is '{known}'."),
            )
        }
    })
}

/// The tags of a body, or none if it says nothing of them.
pub(super) fn tags(body: &Map<String, Value>) -> Result<Option<BTreeMap<String, String>>, ArmError> {
    let object = match body.get("tags") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(object)) => object,
        Some(_) => return Err(ArmError::content("The property 'tags' is not an object")),
    };
    let mut tags = BTreeMap::new();
    for (name, value) in object {
        let value = value.as_str().ok_or_else(|| ArmError::content(&format!("The tag '{name}' is not a string")))?;
        let is_reserved = |c: char| "<>%&\\?/".contains(c) || c.is_control();
        if name.chars().any(is_reserved) {
            return Err(ArmError::invalid(
                "InvalidTagNameCharacters",
                format!("The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters."),
            ));
        }
        if name.chars().count() > MAX_TAG_NAME || value.chars().count() > MAX_TAG_VALUE {
            return Err(ArmError::bad_request(format!(
                "A tag's name has at most {MAX_TAG_NAME} characters, its value at most {MAX_TAG_VALUE}."
            )));
        }
        tags.insert(name.clone(), value.to_owned());
    }
    if tags.len() > MAX_TAGS {
        return Err(ArmError::bad_request(format!("A resource has at most {MAX_TAGS} tags.")));
    }
    Ok(Some(tags))
}

/// Whether tags fit a filter `tagName eq 'a' and tagValue eq 'b'`; none fits everything. Any other
/// filter is refused, rather than taken for one that lets everything pass.
pub(super) fn fits(filter: Option<&str>, tags: &BTreeMap<String, String>) -> Result<bool, ArmError> {
    let Some(filter) = filter else {
        return Ok(true);
    };
    let unknown = || {
        ArmError::invalid(
            "InvalidFilterInQueryString",
            format!("Invalid $filter '{filter}' specified in the query string."),
        )
    };
    let operand = |text: &str, name: &str| {
        let (left, right) = text.split_once(" eq ")?;
        let quoted = right.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        left.trim().eq_ignore_ascii_case(name).then(|| quoted.replace("''", "'"))
    };
    let (name, value) = match filter.split_once(" and ") {
        Some((name, value)) => (name, Some(value)),
        None => (filter, None),
    };
    let name = operand(name, "tagName").ok_or_else(unknown)?;
    let value = value.map(|value| operand(value, "tagValue").ok_or_else(unknown)).transpose()?;
    let mut held = tags.iter().filter(|(held, _)| held.eq_ignore_ascii_case(&name));
    Ok(held.any(|(_, held)| value.as_ref().is_none_or(|value| value == held)))
}

/// As [`fits`], and `resourceType eq 'kind'` and `name eq 'name'` besides.
pub(super) fn fits_resource(
    filter: Option<&str>,
    kind: &str,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Result<bool, ArmError> {
    let mut rest = Vec::new();
    for part in filter.unwrap_or_default().split(" and ").filter(|part| !part.is_empty()) {
        let quoted = |field: &str| part.trim().strip_prefix(field)?.strip_prefix(" eq '")?.strip_suffix('\'');
        match (quoted("resourceType"), quoted("name")) {
            (Some(asked), _) if !asked.eq_ignore_ascii_case(kind) => return Ok(false),
            (_, Some(asked)) if !asked.eq_ignore_ascii_case(name) => return Ok(false),
            (None, None) => rest.push(part),
            _ => {}
        }
    }
    let rest = rest.join(" and ");
    fits(Some(rest.as_str()).filter(|rest| !rest.is_empty()), tags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("value must be an object")
    }

    #[test]
    fn tags_are_strings_within_limits() {
        let check = |tags: Value, expected: Result<usize, &str>| {
            let outcome = super::tags(&object(json!({ "tags": tags })));
            let outcome = outcome.map(|tags| tags.unwrap_or_default().len());
            assert_eq!(outcome.map_err(|error| error.code), expected.map_err(str::to_owned));
        };
        let many = |count: usize| (0..count).map(|n| (n.to_string(), json!("v"))).collect::<Map<_, _>>();
        check(json!(null), Ok(0));
        check(json!({"a": "b", "c": ""}), Ok(2));
        check(Value::Object(many(50)), Ok(50));
        check(Value::Object(many(51)), Err("BadRequest"));
        check(json!({"a": 1}), Err("InvalidRequestContent"));
        check(json!({"a/b": "c"}), Err("InvalidTagNameCharacters"));
        check(json!({"a": "v".repeat(256)}), Ok(1));
        check(json!({"a": "v".repeat(257)}), Err("BadRequest"));
    }

    #[test]
    fn filters_name_a_tag() {
        let tags = [("run".to_owned(), "o'7".to_owned())].into();
        let check = |filter: &str, expected: Option<bool>| {
            assert_eq!(fits(Some(filter), &tags).ok(), expected, "{filter}");
        };
        check("tagName eq 'run' and tagValue eq 'o''7'", Some(true));
        check("tagName eq 'Run'", Some(true));
        check("tagName eq 'run' and tagValue eq 'x'", Some(false));
        check("tagName eq 'other'", Some(false));
        check("resourceType eq 'x'", None);
        check("tagName eq run", None);
        assert_eq!(fits(None, &tags).ok(), Some(true));
        let check = |filter: &str, expected: Option<bool>| {
            let found = fits_resource(Some(filter), "Microsoft.KeyVault/vaults", "v1", &tags);
            assert_eq!(found.ok(), expected, "{filter}");
        };
        check("resourceType eq 'Microsoft.KeyVault/vaults'", Some(true));
        check("resourceType eq 'microsoft.keyvault/vaults' and name eq 'V1'", Some(true));
        check("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'v2'", Some(false));
        check("resourceType eq 'Microsoft.Storage/storageAccounts'", Some(false));
        check("tagName eq 'run'", Some(true));
        check("location eq 'westeurope'", None);
    }
}
