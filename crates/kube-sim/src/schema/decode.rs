//! Reading a value as its kind: unknown members go, empty ones go as Go's `omitempty` lets them, wrong types are refused in Go's words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Member, Struct, Type, find, plain};
use crate::go_json;
use crate::object::Fields;

/// Lists that are written even when they are empty although they are not required: they have no `omitempty`.
const ALWAYS: [&str; 2] = ["sources", "rules"];

/// Reads an object as a built-in kind: unknown members go (their paths are returned), empty ones go, types are checked.
///
/// # Errors
/// Go's message on the first member of a wrong type.
pub(crate) fn decode(kind: &str, value: &mut Value) -> Result<Vec<String>, String> {
    let mut decoder = Decoder { unknown: Vec::new() };
    if let Some(known) = find(kind) {
        decoder.structure(known, value, "", "")?;
    } else if let (Some(known), Some(metadata)) = (find("ObjectMeta"), value.get_mut("metadata")) {
        decoder.structure(known, metadata, "metadata", "metadata")?;
    }
    Ok(decoder.unknown)
}

struct Decoder {
    unknown: Vec<String>,
}

impl Decoder {
    /// `path` has indices (for unknown members), `go_path` has none (for type errors).
    fn structure(&mut self, known: &Struct, value: &mut Value, path: &str, go_path: &str) -> Result<(), String> {
        let Value::Object(fields) = value else {
            return Ok(());
        };
        let keys: Vec<String> = fields.keys().cloned().collect();
        for key in keys {
            if path.is_empty() && (key == "kind" || key == "apiVersion") {
                continue;
            }
            let here = joined(path, &key);
            let Some(member) = known.members.get(key.as_str()) else {
                self.unknown.push(here);
                fields.shift_remove(&key);
                continue;
            };
            let Some(value) = fields.get_mut(&key) else {
                continue;
            };
            let keep =
                !value.is_null() && self.member(known.go_name(), *member, value, &here, &joined(go_path, &key))?;
            let is_always_there = ALWAYS.contains(&key.as_str()) && value.is_array();
            if !keep && !is_always_there {
                fields.shift_remove(&key);
            }
        }
        Ok(())
    }

    /// False when the member is empty and Go would leave it out.
    fn member(
        &mut self,
        owner: &str,
        member: Member,
        value: &mut Value,
        path: &str,
        go_path: &str,
    ) -> Result<bool, String> {
        let wrong = |value: &Value, go_type: String| {
            let given = match value {
                Value::Number(number) if matches!(member.kind, Type::Int | Type::Long) => {
                    format!("number {number}")
                }
                other => go_json::type_name(other).to_owned(),
            };
            format!("json: cannot unmarshal {given} into Go struct field {owner}.{go_path} of type {go_type}")
        };
        if member.list.is_some() {
            let Value::Array(items) = value else {
                return Err(wrong(value, go_name(member)));
            };
            let one = Member { list: None, ..member };
            for (index, item) in items.iter_mut().enumerate() {
                self.member(owner, one, item, &format!("{path}[{index}]"), go_path)?;
            }
            return Ok(member.required || !items.is_empty());
        }
        let fits = match member.kind {
            Type::Text | Type::Time | Type::Bytes => value.is_string(),
            Type::Int => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Type::Long => value.is_i64(),
            Type::Bool => value.is_boolean(),
            Type::TextMap | Type::BytesMap | Type::QuantityMap | Type::StructMap(_) | Type::Struct(_) => {
                value.is_object()
            }
            Type::IntOrText => value.is_string() || value.is_i64(),
            Type::Quantity => value.is_string() || value.is_number(),
            Type::Any => true,
        };
        if !fits {
            return Err(wrong(value, go_name(member)));
        }
        match member.kind {
            Type::Struct(name) => {
                if let Some(known) = find(name) {
                    self.structure(known, value, path, go_path)?;
                }
            }
            Type::StructMap(name) => {
                let one = Member { kind: Type::Struct(name), ..member };
                for (key, item) in value.as_object_mut().into_iter().flatten() {
                    self.member(owner, one, item, &joined(path, key), go_path)?;
                }
            }
            Type::TextMap => each(value, |one| {
                // A null is an empty text in Go.
                if one.is_null() {
                    *one = "".into();
                }
                one.is_string().then_some(()).ok_or_else(|| wrong(one, "string".to_owned()))
            })?,
            Type::BytesMap => {
                each(value, |one| one.as_str().ok_or_else(|| wrong(one, "[]uint8".to_owned())).and_then(base64))?
            }
            Type::QuantityMap => each(value, |one| {
                quantity(one);
                Ok(())
            })?,
            Type::Quantity => quantity(value),
            Type::Bytes => base64(value.as_str().unwrap_or_default())?,
            _ => {}
        }
        Ok(member.pointer || member.required || !is_empty(member.kind, value))
    }
}

/// The type's name in Go, as error messages have it.
fn go_name(member: Member) -> String {
    let name = match member.kind {
        Type::Text => "string".to_owned(),
        Type::Int => "int32".to_owned(),
        Type::Long => "int64".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::TextMap => "map[string]string".to_owned(),
        Type::BytesMap => "map[string][]uint8".to_owned(),
        Type::QuantityMap => "v1.ResourceList".to_owned(),
        Type::StructMap(name) => format!("map[string]v1.{}", plain(name)),
        Type::Bytes => "[]uint8".to_owned(),
        Type::Any | Type::Time => "v1.Time".to_owned(),
        Type::IntOrText => "intstr.IntOrString".to_owned(),
        Type::Quantity => "resource.Quantity".to_owned(),
        Type::Struct(name) => format!("v1.{}", plain(name)),
    };
    if member.list.is_some() { format!("[]{name}") } else { name }
}

fn each(value: &mut Value, mut check: impl FnMut(&mut Value) -> Result<(), String>) -> Result<(), String> {
    value.as_object_mut().into_iter().flatten().try_for_each(|(_, one)| check(one))
}

/// Quantities are written as text.
fn quantity(value: &mut Value) {
    if let Value::Number(number) = value {
        *value = number.to_string().into();
    }
}

fn base64(text: &str) -> Result<(), String> {
    // Go's decoder skips line breaks.
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&text) {
        Ok(_) => Ok(()),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
            Err(format!("illegal base64 data at input byte {at}"))
        }
        Err(_) => Err(format!("illegal base64 data at input byte {}", text.len() / 4 * 4)),
    }
}

fn is_empty(kind: Type, value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(bit) => !bit,
        Value::Object(fields) => {
            fields.is_empty() && matches!(kind, Type::TextMap | Type::BytesMap | Type::QuantityMap | Type::StructMap(_))
        }
        _ => false,
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Secrets: what a client writes in clear is kept in base64.
pub(crate) fn fold_string_data(fields: &mut Fields) {
    let Some(Value::Object(clear)) = fields.shift_remove("stringData") else {
        return;
    };
    if clear.is_empty() {
        return;
    }
    let data = crate::object::fields(fields.entry("data").or_insert(Value::Null));
    for (key, value) in clear {
        data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_members_go_and_are_named_by_path() {
        let mut pod = json!({"kind": "Pod", "metadata": {"name": "p", "nope": 1}, "spec": {"containers": [{"name": "a", "imag": "x"}]}});
        assert_eq!(decode("Pod", &mut pod), Ok(vec!["metadata.nope".to_owned(), "spec.containers[0].imag".to_owned()]));
        assert_eq!(pod, json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}}));
    }

    #[test]
    fn empty_members_go_unless_they_are_pointers() {
        let mut pod = json!({"metadata": {"labels": {}, "generateName": ""}, "spec": {
            "automountServiceAccountToken": false, "hostNetwork": false, "nodeName": "", "volumes": [{"name": "v", "emptyDir": {}}], "containers": []}});
        assert_eq!(decode("Pod", &mut pod), Ok(vec![]));
        let expected = json!({"metadata": {}, "spec": {"automountServiceAccountToken": false, "volumes": [{"name": "v", "emptyDir": {}}], "containers": []}});
        assert_eq!(pod, expected);
    }

    #[test]
    fn wrong_types_are_refused_in_gos_words() {
        let check = |kind: &str, mut value: Value, expected: &str| {
            assert_eq!(decode(kind, &mut value).expect_err("must fail"), expected)
        };
        check(
            "Pod",
            json!({"spec": {"containers": "x"}}),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        );
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": 1}]}}),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string",
        );
        check("Secret", json!({"data": {"k": "***"}}), "illegal base64 data at input byte 0");
        check(
            "Widget",
            json!({"metadata": {"labels": 1}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        );
    }
}
