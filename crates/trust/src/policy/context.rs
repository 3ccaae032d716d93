//! The condition context of a request: keys with one or several values.

use std::collections::BTreeMap;

/// Condition keys and their values. Key names are compared without regard to case, values are not
/// touched (IAM user guide, "Condition": key names are not case-sensitive).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    keys: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// No keys at all.
    pub fn new() -> Context {
        Context::default()
    }

    /// Sets a key to one value, replacing what it had.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.keys.insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// Sets a key to several values. A key with an empty list counts as present without a value:
    /// `Null` sees it as missing, as IAM does.
    pub fn set_all<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        self.keys.insert(key.to_ascii_lowercase(), values.into_iter().map(Into::into).collect());
    }

    /// Sets `aws:RequestTag/<key>` and `aws:TagKeys` as a request has them that sets tags; one without tags has neither
    /// (IAM user guide, "AWS global condition context keys").
    pub fn set_request_tags(&mut self, tags: &[(String, String)]) {
        for (key, value) in tags {
            self.set(&format!("aws:RequestTag/{key}"), value);
        }
        if !tags.is_empty() {
            self.set_all("aws:TagKeys", tags.iter().map(|(key, _)| key.as_str()));
        }
    }

    /// [`Context::set`] for building in one expression.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Context {
        self.set(key, value);
        self
    }

    /// Takes over every key of `other`, replacing same-named ones.
    pub fn extend(&mut self, other: &Context) {
        for (key, values) in &other.keys {
            self.keys.insert(key.clone(), values.clone());
        }
    }

    /// The values of a key; `None` when the request does not carry it.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        let values = match self.keys.get(key) {
            Some(values) => values,
            None => self.keys.get(&key.to_ascii_lowercase())?,
        };
        (!values.is_empty()).then_some(values.as_slice())
    }

    /// The value of a key that has exactly one.
    pub fn single(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            [only] => Some(only),
            _ => None,
        }
    }

    /// All keys, in lower case, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.keys.iter().map(|(key, values)| (key.as_str(), values.as_slice()))
    }
}
