//! Objects as JSON: reading and writing the members that every kind has, and the bytes that are sent.
//!
//! An object is held without `apiVersion` and `kind`: lists leave them out, single answers and events put them in front.

use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::resources::Resource;

/// Members of a JSON object.
pub(crate) type Fields = Map<String, Value>;

/// A stored object with its serialised form, made once and shared by every answer and watch.
#[derive(Debug)]
pub(crate) struct Object {
    value: Value,
    json: OnceLock<Bytes>,
    weight: usize,
}

/// Bytes that a value takes as text, about.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + weight(value) + 4).sum(),
        _ => 4,
    }
}

impl Object {
    pub(crate) fn new(value: Value) -> Arc<Self> {
        let weight = weight(&value);
        Arc::new(Self { value, json: OnceLock::new(), weight })
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// As it stands in a list.
    pub(crate) fn json(&self) -> &Bytes {
        self.json.get_or_init(|| Bytes::from(self.value.to_string()))
    }

    /// Bytes that it takes as text, about.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn resource_version(&self) -> u64 {
        text(&self.value, "/metadata/resourceVersion").parse().unwrap_or(0)
    }

    /// As it stands alone.
    pub(crate) fn typed_json(&self, resource: &Resource) -> Bytes {
        typed_json(resource, self.json())
    }

    /// As one line of a watch.
    pub(crate) fn event_json(&self, event: &str, resource: &Resource) -> Bytes {
        let object = self.typed_json(resource);
        let mut line = BytesMut::with_capacity(object.len() + 40);
        line.put_slice(format!("{{\"type\":\"{event}\",\"object\":").as_bytes());
        line.put_slice(&object);
        line.put_slice(b"}\n");
        line.freeze()
    }
}

/// Puts `kind` and `apiVersion` in front of a serialised object that has neither.
pub(crate) fn typed_json(resource: &Resource, bare: &[u8]) -> Bytes {
    let mut json = BytesMut::with_capacity(bare.len() + 64);
    json.put_slice(
        format!("{{\"kind\":\"{}\",\"apiVersion\":\"{}\",", resource.kind, resource.api_version()).as_bytes(),
    );
    json.put_slice(bare.get(1..).unwrap_or_default());
    json.freeze()
}

/// A copy with `kind` and `apiVersion`: what webhooks and patches see.
pub(crate) fn typed(resource: &Resource, value: &Value) -> Value {
    let mut fields = Fields::new();
    fields.insert("kind".into(), resource.kind.into());
    fields.insert("apiVersion".into(), resource.api_version().into());
    if let Value::Object(bare) = value {
        fields.extend(bare.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Value::Object(fields)
}

/// The text at a JSON pointer; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a JSON pointer; empty when there is none.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn name(value: &Value) -> &str {
    text(value, "/metadata/name")
}

pub(crate) fn namespace(value: &Value) -> &str {
    text(value, "/metadata/namespace")
}

pub(crate) fn uid(value: &Value) -> &str {
    text(value, "/metadata/uid")
}

pub(crate) fn labels(value: &Value) -> Option<&Fields> {
    value.pointer("/metadata/labels").and_then(Value::as_object)
}

pub(crate) fn is_deleting(value: &Value) -> bool {
    !text(value, "/metadata/deletionTimestamp").is_empty()
}

pub(crate) fn has_finalizers(value: &Value) -> bool {
    !list(value, "/metadata/finalizers").is_empty()
}

/// A member that is made an object when it is none.
pub(crate) fn section<'a>(value: &'a mut Value, key: &str) -> &'a mut Fields {
    fields(member(value, key))
}

pub(crate) fn metadata(value: &mut Value) -> &mut Fields {
    section(value, "metadata")
}

/// The members of a value, which becomes an object when it is none.
pub(crate) fn fields(value: &mut Value) -> &mut Fields {
    if !value.is_object() {
        *value = Value::Object(Fields::new());
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("made an object above"),
    }
}

fn member<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    fields(value).entry(key).or_insert(Value::Null)
}

/// Takes a member over from another object, or away when that has none.
pub(crate) fn carry(to: &mut Value, from: &Value, key: &str) {
    match from.get(key) {
        Some(value) => {
            fields(to).insert(key.to_owned(), value.clone());
        }
        None => {
            fields(to).shift_remove(key);
        }
    }
}

/// Sets a member only where there is none.
pub(crate) fn default(fields: &mut Fields, key: &str, value: impl Into<Value>) {
    if !fields.contains_key(key) {
        fields.insert(key.to_owned(), value.into());
    }
}

/// Kubernetes writes whole seconds in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// A fresh object id.
pub(crate) fn new_uid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Five letters and digits that spell no word, as `generateName` appends them.
pub(crate) fn suffix() -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    uuid::Uuid::new_v4().as_bytes()[..5]
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}
