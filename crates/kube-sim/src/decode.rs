//! From bytes to an object: JSON with duplicate members noticed, type members checked against the path, unknown members dropped.
//!
//! It knows what the body should be, not what will be done with it.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::custom::{self, Custom};
use crate::go_json;
use crate::object::{self, Fields};
use crate::schema;
use crate::status::Status;

/// What the client wants done about members that the kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// What a body must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: &'a str,
    /// The schema of a kind that a definition brought.
    pub(crate) custom: Option<&'a Custom>,
}

impl Expected<'_> {
    /// Reads a value as this kind; gives the paths of members that it does not have.
    ///
    /// # Errors
    /// Go's words on a wrong type.
    pub(crate) fn read(&self, value: &mut Value) -> Result<Vec<String>, String> {
        match self.custom {
            Some(custom) => custom::decode(&custom.schema, value),
            None => schema::decode(self.kind, value),
        }
    }

    fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// Decodes a body into an object without `apiVersion` and `kind`. Complaints about members become warnings or an error, as asked.
///
/// # Errors
/// 400 in the real server's words.
pub(crate) fn object(
    body: &[u8],
    expected: Expected<'_>,
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<Value, Status> {
    let (mut value, duplicates) = json(body).map_err(|error| {
        unrecognized(expected.kind, &format!("couldn't get version/kind; json parse error: {error}"), body)
    })?;
    let refuse = |kind: &str, version: &str, why: String| {
        Status::bad_request(format!("{kind} in version {version:?} cannot be handled as a {}: {why}", expected.kind))
    };
    if !value.is_object() {
        let (given, target) = (
            go_json::type_name(&value),
            "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
        );
        let error = format!("json: cannot unmarshal {given} into Go value of type {target}");
        let why = format!("couldn't get version/kind; json parse error: {error}");
        return Err(unrecognized(expected.kind, &why, body));
    }
    let (given_version, given_kind) =
        (object::text(&value, "/apiVersion").to_owned(), object::text(&value, "/kind").to_owned());
    let api_version = if given_version.is_empty() { expected.api_version() } else { given_version };
    let kind = if given_kind.is_empty() { expected.kind } else { &given_kind };
    let version = api_version.rsplit('/').next().unwrap_or_default();
    if api_version != expected.api_version() || kind != expected.kind {
        let known = crate::resources::all().iter().any(|one| one.kind == kind && one.api_version() == api_version);
        let why = if known {
            format!("converting ({version}.{kind}) to ({}.{}): unknown conversion", expected.version, expected.kind)
        } else {
            format!(
                "no kind {kind:?} is registered for version {api_version:?} in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\""
            )
        };
        return Err(refuse(kind, version, why));
    }
    let unknown = expected.read(&mut value).map_err(|why| refuse(expected.kind, expected.version, why))?;
    let complaints = complaints(&unknown, &duplicates);
    match validation {
        FieldValidation::Strict if !complaints.is_empty() => {
            return Err(refuse(
                expected.kind,
                expected.version,
                format!("strict decoding error: {}", complaints.join(", ")),
            ));
        }
        FieldValidation::Warn => warnings.extend(complaints),
        _ => {}
    }
    let fields = object::fields(&mut value);
    fields.shift_remove("kind");
    fields.shift_remove("apiVersion");
    if expected.kind == "Secret" && expected.custom.is_none() {
        schema::fold_string_data(fields);
    }
    Ok(value)
}

/// The refusal of a body that is no object at all.
pub(crate) fn unrecognized(kind: &str, why: &str, body: &[u8]) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({})",
        summary(body)
    ))
}

/// Complaints in the order in which the real server lists them.
pub(crate) fn complaints(unknown: &[String], duplicates: &[String]) -> Vec<String> {
    let duplicate = duplicates.iter().map(|path| format!("duplicate field {path:?}"));
    duplicate.chain(unknown.iter().map(|path| format!("unknown field {path:?}"))).collect()
}

/// Parses JSON and lists the paths of repeated members.
///
/// # Errors
/// Go's words on what is wrong.
pub(crate) fn json(body: &[u8]) -> Result<(Value, Vec<String>), String> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let seed = Seed { path: String::new(), duplicates: &mut duplicates };
    let parsed = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match parsed {
        Ok(value) => Ok((value, duplicates)),
        Err(error) => Err(go_json::explain(body, &error)),
    }
}

/// Thirty bytes of a body that could not be read.
fn summary(body: &[u8]) -> String {
    let cut = &body[..body.len().min(30)];
    let dots = if body.len() > 30 { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(cut)),
        Some(_) => format!("{}{dots}", cut.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

struct Seed<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items
            .next_element_seed(Seed { path: format!("{}[{}]", self.path, list.len()), duplicates: self.duplicates })?
        {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut fields = Fields::new();
        while let Some(key) = members.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if fields.contains_key(&key) {
                self.duplicates.push(path.clone());
            }
            let value = members.next_value_seed(Seed { path, duplicates: self.duplicates })?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Expected<'static> = Expected { group: "", version: "v1", kind: "ServiceAccount", custom: None };

    fn refused(body: &str, validation: FieldValidation) -> String {
        object(body.as_bytes(), ACCOUNT, validation, &mut Vec::new()).expect_err("must be refused").message
    }

    #[test]
    fn kind_and_version_must_be_those_of_the_path_and_may_be_left_out() {
        assert!(object(br#"{"metadata":{"name":"a"}}"#, ACCOUNT, FieldValidation::Strict, &mut Vec::new()).is_ok());
        insta::assert_snapshot!(
            refused(r#"{"apiVersion":"v2","kind":"ServiceAccount"}"#, FieldValidation::Warn),
            @r#"ServiceAccount in version "v2" cannot be handled as a ServiceAccount: no kind "ServiceAccount" is registered for version "v2" in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30""#
        );
        insta::assert_snapshot!(
            refused(r#"{"apiVersion":"v1","kind":"Pod"}"#, FieldValidation::Warn),
            @r#"Pod in version "v1" cannot be handled as a ServiceAccount: converting (v1.Pod) to (v1.ServiceAccount): unknown conversion"#
        );
    }

    #[test]
    fn malformed_bodies_are_shown_in_part() {
        insta::assert_snapshot!(
            refused("{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\"", FieldValidation::Warn),
            @r#"the object provided is unrecognized (must be of type ServiceAccount): couldn't get version/kind; json parse error: unexpected end of JSON input ({"apiVersion":"v1","kind":"Ser ...)"#
        );
        insta::assert_snapshot!(
            refused("hi", FieldValidation::Warn),
            @"the object provided is unrecognized (must be of type ServiceAccount): couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value (6869)"
        );
    }

    #[test]
    fn unknown_and_repeated_members_warn_or_refuse_as_asked() {
        let body = r#"{"metadata":{"name":"a","name":"a"},"nope":1}"#;
        let mut warnings = Vec::new();
        object(body.as_bytes(), ACCOUNT, FieldValidation::Warn, &mut warnings).expect("must be accepted");
        assert_eq!(warnings, [r#"duplicate field "metadata.name""#, r#"unknown field "nope""#]);
        assert!(
            refused(body, FieldValidation::Strict)
                .ends_with(r#"strict decoding error: duplicate field "metadata.name", unknown field "nope""#)
        );
        let mut none = Vec::new();
        object(body.as_bytes(), ACCOUNT, FieldValidation::Ignore, &mut none).expect("must be accepted");
        assert!(none.is_empty());
    }

    #[test]
    fn secrets_keep_clear_text_in_base64() {
        let expected = Expected { group: "", version: "v1", kind: "Secret", custom: None };
        let secret = object(
            br#"{"stringData":{"k":"v"},"data":{"o":"dg=="}}"#,
            expected,
            FieldValidation::Warn,
            &mut Vec::new(),
        );
        assert_eq!(secret.expect("must decode")["data"], serde_json::json!({"o": "dg==", "k": "dg=="}));
    }
}
