//! Bodies in Kubernetes' protobuf, which `kubectl create` sends whatever the server offers: turned into JSON by the field numbers of the schema.
//!
//! Read only: answers are JSON, which every client takes. Kinds without numbers are refused as by a server that does not take this format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::Fields;
use crate::schema::{self, Member, Struct, Type};

/// The media type.
pub(crate) const MEDIA: &str = "application/vnd.kubernetes.protobuf";
/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Structs in structs; no kind has as many.
const DEPTH: usize = 64;

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Not of this format, or cut off.
    #[error("the provided data does not appear to be a protobuf message")]
    Malformed,
    /// The numbers of the kind's members are not known here.
    #[error("{0} is not read from protobuf here")]
    Unknown(String),
}

/// One member of a message: its number and what stands behind it.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads a body into an object with `kind` and `apiVersion`.
///
/// # Errors
/// Says what cannot be read.
pub(crate) fn to_json(body: &[u8]) -> Result<Value, Error> {
    let body = body.strip_prefix(MAGIC).ok_or(Error::Malformed)?;
    let (mut kind, mut api_version, mut raw) = (String::new(), String::new(), &body[..0]);
    // runtime.Unknown: typeMeta 1 { apiVersion 1, kind 2 }, raw 2.
    for (number, wire) in message(body)? {
        match (number, wire) {
            (1, Wire::Bytes(meta)) => {
                for (number, wire) in message(meta)? {
                    match (number, wire) {
                        (1, Wire::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let known = schema::find(&kind).filter(|known| known.is_numbered()).ok_or_else(|| Error::Unknown(kind.clone()))?;
    let mut value = structure(known, raw, 0)?;
    value["kind"] = kind.into();
    value["apiVersion"] = api_version.into();
    Ok(value)
}

fn message(mut bytes: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, Error> {
    let mut members = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = u32::try_from(tag >> 3).map_err(|_| Error::Malformed)?;
        let wire = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Bytes(take(&mut bytes, 8)?),
            2 => {
                let size = usize::try_from(varint(&mut bytes)?).map_err(|_| Error::Malformed)?;
                Wire::Bytes(take(&mut bytes, size)?)
            }
            5 => Wire::Bytes(take(&mut bytes, 4)?),
            _ => return Err(Error::Malformed),
        };
        members.push((number, wire));
    }
    Ok(members)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Error::Malformed)
}

fn take<'a>(bytes: &mut &'a [u8], size: usize) -> Result<&'a [u8], Error> {
    let (taken, rest) = bytes.split_at_checked(size).ok_or(Error::Malformed)?;
    *bytes = rest;
    Ok(taken)
}

fn text(bytes: &[u8]) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::Malformed)
}

fn structure(known: &'static Struct, bytes: &[u8], depth: usize) -> Result<Value, Error> {
    if depth > DEPTH {
        return Err(Error::Malformed);
    }
    let mut fields = Fields::new();
    for (number, wire) in message(bytes)? {
        if let Some((name, member)) = known.numbered(number, 0) {
            put(&mut fields, name, member, &wire, depth)?;
        } else if let Wire::Bytes(inner) = wire {
            // An embedded struct of Go is a message of its own here, and its members are the owner's in JSON.
            for (inner, wire) in message(inner)? {
                let (name, member) = known
                    .numbered(inner, number)
                    .ok_or_else(|| Error::Unknown(format!("member {number} of {}", known.go_name())))?;
                put(&mut fields, name, member, &wire, depth)?;
            }
        } else {
            return Err(Error::Unknown(format!("member {number} of {}", known.go_name())));
        }
    }
    Ok(Value::Object(fields))
}

fn put(fields: &mut Fields, name: &str, member: &Member, wire: &Wire<'_>, depth: usize) -> Result<(), Error> {
    let is_map = matches!(member.kind, Type::TextMap | Type::BytesMap | Type::QuantityMap | Type::StructMap(_));
    if is_map {
        let Wire::Bytes(entry) = wire else { return Err(Error::Malformed) };
        let (mut key, mut value) = (String::new(), Value::Null);
        for (number, wire) in message(entry)? {
            match (number, &wire) {
                (1, Wire::Bytes(bytes)) => key = text(bytes)?,
                (2, wire) => value = one(value_kind(member.kind), wire, depth)?,
                _ => return Err(Error::Malformed),
            }
        }
        crate::object::fields(fields.entry(name).or_insert_with(|| json!({}))).insert(key, value);
        return Ok(());
    }
    let value = one(member.kind, wire, depth)?;
    if member.list.is_none() {
        fields.insert(name.to_owned(), value);
    } else if let Value::Array(items) = fields.entry(name).or_insert_with(|| json!([])) {
        items.push(value);
    }
    Ok(())
}

/// The type of a map's values.
fn value_kind(map: Type) -> Type {
    match map {
        Type::BytesMap => Type::Bytes,
        Type::QuantityMap => Type::Quantity,
        Type::StructMap(name) => Type::Struct(name),
        _ => Type::Text,
    }
}

fn one(kind: Type, wire: &Wire<'_>, depth: usize) -> Result<Value, Error> {
    Ok(match (kind, wire) {
        (Type::Text, Wire::Bytes(bytes)) => text(bytes)?.into(),
        (Type::Bool, Wire::Number(number)) => (*number != 0).into(),
        (Type::Int | Type::Long, Wire::Number(number)) => signed(*number).into(),
        (Type::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Type::Struct(name), Wire::Bytes(bytes)) => {
            let known = schema::find(name).ok_or_else(|| Error::Unknown(name.to_owned()))?;
            structure(known, bytes, depth + 1)?
        }
        (Type::Time, Wire::Bytes(bytes)) => time(bytes)?,
        (Type::Quantity, Wire::Bytes(bytes)) => match message(bytes)?.first() {
            Some((1, Wire::Bytes(bytes))) => text(bytes)?.into(),
            _ => Value::Null,
        },
        (Type::IntOrText, Wire::Bytes(bytes)) => int_or_text(bytes)?,
        // Raw JSON in a message, as of managed fields and revisions.
        (Type::Any, Wire::Bytes(bytes)) => match message(bytes)?.first() {
            Some((1, Wire::Bytes(raw))) => serde_json::from_slice(raw).map_err(|_| Error::Malformed)?,
            _ => Value::Null,
        },
        _ => return Err(Error::Malformed),
    })
}

/// Two's complement in 64 bits.
fn signed(number: u64) -> i64 {
    i64::from_ne_bytes(number.to_ne_bytes())
}

/// Seconds 1 and nanoseconds 2; an empty message is no time at all.
fn time(bytes: &[u8]) -> Result<Value, Error> {
    let members = message(bytes)?;
    let part = |wanted: u32| {
        members.iter().find_map(|(number, wire)| match wire {
            Wire::Number(value) if *number == wanted => Some(signed(*value)),
            _ => None,
        })
    };
    let Some(seconds) = part(1) else { return Ok(Value::Null) };
    let nanoseconds = i32::try_from(part(2).unwrap_or(0)).map_err(|_| Error::Malformed)?;
    let at = Timestamp::new(seconds, nanoseconds).map_err(|_| Error::Malformed)?;
    Ok(at.to_string().into())
}

/// Type 1 (0 for a number), number 2, text 3.
fn int_or_text(bytes: &[u8]) -> Result<Value, Error> {
    let (mut is_text, mut number, mut string) = (false, 0, String::new());
    for (member, wire) in message(bytes)? {
        match (member, wire) {
            (1, Wire::Number(kind)) => is_text = kind != 0,
            (2, Wire::Number(value)) => number = signed(value),
            (3, Wire::Bytes(bytes)) => string = text(bytes)?,
            _ => return Err(Error::Malformed),
        }
    }
    Ok(if is_text { string.into() } else { number.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).expect("short")], bytes].concat()
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC, &field(1, &meta), &field(2, raw)].concat()
    }

    #[test]
    fn members_are_found_by_their_numbers() {
        let entry = |key: &str, value: &str| [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
        let metadata =
            [field(1, b"n"), field(11, &entry("a", "b")), field(14, b"x/y"), field(8, &[8, 0x80, 0x01])].concat();
        let read = to_json(&body("ConfigMap", &[field(1, &metadata), field(2, &entry("k", "v"))].concat()));
        assert_eq!(
            read,
            Ok(
                json!({"metadata": {"name": "n", "labels": {"a": "b"}, "finalizers": ["x/y"], "creationTimestamp": "1970-01-01T00:02:08Z"},
                "data": {"k": "v"}, "kind": "ConfigMap", "apiVersion": "v1"})
            )
        );
    }

    #[test]
    fn embedded_structs_are_part_of_their_owner() {
        let volume = [field(1, b"v"), field(2, &field(6, &field(1, b"s")))].concat();
        let read = to_json(&body("Pod", &field(2, &field(1, &volume)))).expect("must be read");
        assert_eq!(read["spec"]["volumes"], json!([{"name": "v", "secret": {"secretName": "s"}}]));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(to_json(b"{}"), Err(Error::Malformed));
        assert_eq!(to_json(&body("ConfigMap", &[0x0a, 0x7f])), Err(Error::Malformed));
        assert_eq!(to_json(&body("Widget", &[])), Err(Error::Unknown("Widget".into())));
        assert_eq!(to_json(&body("ConfigMap", &[0x78, 1])), Err(Error::Unknown("member 15 of ConfigMap".into())));
    }
}
