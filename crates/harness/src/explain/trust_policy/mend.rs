//! The smallest change to a trust policy's JSON that lets in what is presented. It must not judge: the evaluator does.

use serde_json::{Value, json};
use trust::policy::{Document, Kind};

use super::super::near::{Miss, miss};
use super::ACTION;
use super::failing::{Failing, Part};

/// A trust policy that is being mended.
#[derive(Debug)]
pub(super) struct Mended {
    json: Value,
    is_changed: bool,
}

impl Mended {
    pub(super) fn new(json: Value) -> Self {
        Self { json, is_changed: false }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// On one line.
    pub(super) fn text(&self) -> String {
        self.json.to_string()
    }

    pub(super) fn document(&self) -> Option<Document> {
        Document::parse(&self.text(), Kind::Trust).ok()
    }

    /// Changes what does not fit. What cannot be mended by one value, such as a negated condition, stays.
    pub(super) fn apply(&mut self, failing: &Failing) {
        let changed = match &failing.part {
            Part::Principal { presented, .. } => {
                // Without the role's account there is no ARN to write.
                (!presented.contains(":ACCOUNT:"))
                    .then(|| self.set(failing.statement, "Principal", json!({"Federated": presented})))
            }
            Part::Action { .. } => Some(self.set(failing.statement, "Action", ACTION.into())),
            Part::Key { operator, written, expected } => {
                Some(self.condition(failing.statement, operator, written, |value| {
                    (operator.clone(), expected.clone(), value)
                }))
            }
            Part::Value { operator, key, presented, required } if is_plain(operator) => {
                let wildcard = operator == "StringEquals"
                    && required.iter().any(|one| miss(presented, one) == Some(Miss::Wildcard));
                Some(self.condition(failing.statement, operator, key, |value| {
                    if wildcard {
                        ("StringLike".to_owned(), key.clone(), value)
                    } else {
                        (operator.clone(), key.clone(), presented.clone().into())
                    }
                }))
            }
            Part::Value { .. } => None,
        };
        self.is_changed |= changed.unwrap_or(false);
    }

    fn statement(&mut self, index: usize) -> Option<&mut Value> {
        match self.json.get_mut("Statement")? {
            Value::Array(statements) => statements.get_mut(index),
            only => Some(only),
        }
    }

    fn set(&mut self, index: usize, member: &str, value: Value) -> bool {
        let Some(place) = self.statement(index).and_then(|statement| statement.get_mut(member)) else {
            return false;
        };
        *place = value;
        true
    }

    /// Moves a condition to what `change` makes of its value: operator, key, value.
    fn condition(
        &mut self,
        index: usize,
        operator: &str,
        key: &str,
        change: impl FnOnce(Value) -> (String, String, Value),
    ) -> bool {
        let conditions = self.statement(index).and_then(|statement| statement.get_mut("Condition"));
        let Some(conditions) = conditions.and_then(Value::as_object_mut) else { return false };
        let Some(keys) = conditions.get_mut(operator).and_then(Value::as_object_mut) else { return false };
        let Some(value) = keys.get(key).cloned() else { return false };
        let (new_operator, new_key, value) = change(value);
        if new_operator == operator && new_key == key {
            keys.insert(new_key, value);
            return true;
        }
        keys.shift_remove(key);
        if keys.is_empty() && new_operator != operator {
            conditions.shift_remove(operator);
        }
        let place = conditions.entry(new_operator).or_insert_with(|| json!({}));
        place.as_object_mut().is_some_and(|keys| keys.insert(new_key, value).is_none())
    }
}

/// Whether one value in place of the condition's makes it hold.
fn is_plain(operator: &str) -> bool {
    matches!(operator.trim_end_matches("IfExists"), "StringEquals" | "StringLike" | "StringEqualsIgnoreCase")
}
