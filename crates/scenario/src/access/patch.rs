//! Parts of documents: a text or several, and a step of a JSON Patch.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Values::One(text) => std::slice::from_ref(text),
            Values::Many(texts) => texts,
        }
    }
}

/// A step of a JSON Patch (RFC 6902). Values may hold `${variables}`, and so may paths: what is filled in is one segment, slashes and all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Step {
    /// Adds a member, or an element (`/-` at the end).
    Add {
        /// JSON Pointer (RFC 6901).
        path: String,
        /// What is added.
        value: Value,
    },
    /// Takes away what is there.
    Remove {
        /// JSON Pointer.
        path: String,
    },
    /// Puts something in place of what is there.
    Replace {
        /// JSON Pointer.
        path: String,
        /// What is put there.
        value: Value,
    },
}
