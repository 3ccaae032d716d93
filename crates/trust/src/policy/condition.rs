//! Condition operators: their names, and what each makes of presented and required values.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::context::Context;
use super::document::{Condition, Version};
use super::evaluate::ConditionTrace;
use super::pattern::Pattern;

/// A condition operator as written: `ForAnyValue:StringNotLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The set operator in front, if any.
    pub quantifier: Option<Quantifier>,
    /// How two values are compared.
    pub comparison: Comparison,
    /// The negated form of the comparison.
    pub negated: bool,
    /// Holds for requests that do not carry the key.
    pub if_exists: bool,
    /// The name without quantifier and suffix.
    name: &'static str,
}

/// Set operators for keys with several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// Every presented value must fit; none presented is fine, and so are empty texts alone.
    ForAllValues,
    /// At least one presented value must fit; empty texts alone never do.
    ForAnyValue,
}

/// What two values are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    BinaryEquals,
    IpAddress,
    /// `ArnEquals` and `ArnLike` behave the same (IAM user guide, ARN condition operators).
    Arn,
    Null,
}

/// Every operator of the IAM user guide, "Condition operators".
pub(super) const OPERATORS: &[(&str, Comparison, bool)] = &[
    ("StringEquals", Comparison::StringEquals, false),
    ("StringNotEquals", Comparison::StringEquals, true),
    ("StringEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase, true),
    ("StringLike", Comparison::StringLike, false),
    ("StringNotLike", Comparison::StringLike, true),
    ("NumericEquals", Comparison::NumericEquals, false),
    ("NumericNotEquals", Comparison::NumericEquals, true),
    ("NumericLessThan", Comparison::NumericLessThan, false),
    ("NumericLessThanEquals", Comparison::NumericLessThanEquals, false),
    ("NumericGreaterThan", Comparison::NumericGreaterThan, false),
    ("NumericGreaterThanEquals", Comparison::NumericGreaterThanEquals, false),
    ("DateEquals", Comparison::DateEquals, false),
    ("DateNotEquals", Comparison::DateEquals, true),
    ("DateLessThan", Comparison::DateLessThan, false),
    ("DateLessThanEquals", Comparison::DateLessThanEquals, false),
    ("DateGreaterThan", Comparison::DateGreaterThan, false),
    ("DateGreaterThanEquals", Comparison::DateGreaterThanEquals, false),
    ("Bool", Comparison::Bool, false),
    ("BinaryEquals", Comparison::BinaryEquals, false),
    ("IpAddress", Comparison::IpAddress, false),
    ("NotIpAddress", Comparison::IpAddress, true),
    ("ArnEquals", Comparison::Arn, false),
    ("ArnLike", Comparison::Arn, false),
    ("ArnNotEquals", Comparison::Arn, true),
    ("ArnNotLike", Comparison::Arn, true),
    ("Null", Comparison::Null, false),
];

impl Operator {
    /// Reads an operator as it is written in a document; names are case-sensitive.
    pub(super) fn parse(text: &str) -> Option<Operator> {
        let (quantifier, base) = if let Some(base) = text.strip_prefix("ForAllValues:") {
            (Some(Quantifier::ForAllValues), base)
        } else if let Some(base) = text.strip_prefix("ForAnyValue:") {
            (Some(Quantifier::ForAnyValue), base)
        } else {
            (None, text)
        };
        let stripped = base.strip_suffix("IfExists");
        let wanted = stripped.unwrap_or(base);
        let found = OPERATORS.iter().find(|(name, ..)| *name == wanted)?;
        let (name, comparison, negated) = *found;
        let if_exists = stripped.is_some();
        if if_exists && comparison == Comparison::Null {
            return None;
        }
        Some(Operator { quantifier, comparison, negated, if_exists, name })
    }
}

impl std::fmt::Display for Operator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self.quantifier {
            Some(Quantifier::ForAllValues) => "ForAllValues:",
            Some(Quantifier::ForAnyValue) => "ForAnyValue:",
            None => "",
        })?;
        formatter.write_str(self.name)?;
        formatter.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}

impl Comparison {
    /// Whether policy variables are filled in for this family: string and ARN operators (IAM user guide,
    /// "Where you can use policy variables"). The page on operators adds `Bool`, which that one excludes.
    fn takes_variables(self) -> bool {
        matches!(
            self,
            Comparison::StringEquals | Comparison::StringEqualsIgnoreCase | Comparison::StringLike | Comparison::Arn
        )
    }

    fn holds(self, presented: &str, required: &Pattern) -> bool {
        match self {
            Comparison::StringEquals => presented == required.literal(),
            Comparison::StringEqualsIgnoreCase => presented.to_lowercase() == required.literal().to_lowercase(),
            Comparison::StringLike => required.matches(presented),
            Comparison::Arn => required.matches_arn(presented),
            other => other.holds_for_value(presented, &required.literal()),
        }
    }

    fn holds_for_value(self, presented: &str, required: &str) -> bool {
        match self {
            Comparison::NumericEquals => numbers(presented, required, |a, b| a == b),
            Comparison::NumericLessThan => numbers(presented, required, |a, b| a < b),
            Comparison::NumericLessThanEquals => numbers(presented, required, |a, b| a <= b),
            Comparison::NumericGreaterThan => numbers(presented, required, |a, b| a > b),
            Comparison::NumericGreaterThanEquals => numbers(presented, required, |a, b| a >= b),
            Comparison::DateEquals => dates(presented, required, |a, b| a == b),
            Comparison::DateLessThan => dates(presented, required, |a, b| a < b),
            Comparison::DateLessThanEquals => dates(presented, required, |a, b| a <= b),
            Comparison::DateGreaterThan => dates(presented, required, |a, b| a > b),
            Comparison::DateGreaterThanEquals => dates(presented, required, |a, b| a >= b),
            Comparison::Bool => match (boolean(presented), boolean(required)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
            Comparison::BinaryEquals => match (STANDARD.decode(presented), STANDARD.decode(required)) {
                (Ok(a), Ok(b)) => a == b,
                _ => false,
            },
            Comparison::IpAddress => in_network(presented, required),
            Comparison::StringEquals
            | Comparison::StringEqualsIgnoreCase
            | Comparison::StringLike
            | Comparison::Arn
            | Comparison::Null => false,
        }
    }
}

/// Evaluates one condition of a statement.
pub(super) fn evaluate(condition: &Condition, version: Version, context: &Context) -> ConditionTrace {
    let presented = context.get(&condition.key);
    let operator = condition.operator;
    // A value whose variable cannot be filled in is `None` and matches nothing.
    let required: Vec<Option<Pattern>> = condition
        .values
        .iter()
        .map(|value| {
            if version == Version::V2012 && operator.comparison.takes_variables() {
                Pattern::with_variables(value, context)
            } else {
                Some(Pattern::new(value))
            }
        })
        .collect();
    ConditionTrace {
        operator: operator.to_string(),
        key: condition.key.clone(),
        presented: presented.map(<[String]>::to_vec),
        required: required
            .iter()
            .zip(&condition.values)
            .map(|(filled, written)| filled.as_ref().map_or_else(|| written.clone(), Pattern::literal))
            .collect(),
        holds: holds(operator, presented, &required),
    }
}

fn holds(operator: Operator, presented: Option<&[String]>, required: &[Option<Pattern>]) -> bool {
    if operator.comparison == Comparison::Null {
        let wants_absent = |value: &Option<Pattern>| value.as_ref().and_then(|v| boolean(&v.literal()));
        return required.iter().any(|value| wants_absent(value) == Some(presented.is_none()));
    }
    let Some(presented) = presented else {
        return match operator.quantifier {
            _ if operator.if_exists => true,
            Some(Quantifier::ForAllValues) => true,
            Some(Quantifier::ForAnyValue) => false,
            None => operator.negated,
        };
    };
    // "If the key values resolve to an empty data set (for example, an empty string)": IAM user guide,
    // "Creating a condition that tests multiple key values".
    let is_empty = presented.iter().all(String::is_empty);
    match operator.quantifier {
        Some(Quantifier::ForAllValues) if is_empty => return true,
        Some(Quantifier::ForAnyValue) if is_empty => return false,
        _ => {}
    }
    let matches_any =
        |value: &String| required.iter().flatten().any(|pattern| operator.comparison.holds(value, pattern));
    match (operator.quantifier, operator.negated) {
        (Some(Quantifier::ForAllValues), false) => presented.iter().all(matches_any),
        (Some(Quantifier::ForAllValues), true) => !presented.iter().any(matches_any),
        (Some(Quantifier::ForAnyValue), false) => presented.iter().any(matches_any),
        (Some(Quantifier::ForAnyValue), true) => !presented.iter().all(matches_any),
        (None, false) => presented.iter().any(matches_any),
        (None, true) => !presented.iter().any(matches_any),
    }
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn numbers(presented: &str, required: &str, holds: impl Fn(f64, f64) -> bool) -> bool {
    // "An integer or decimal value": what Rust reads besides, infinities and NaN, is neither.
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    match (number(presented), number(required)) {
        (Some(a), Some(b)) => holds(a, b),
        _ => false,
    }
}

fn dates(presented: &str, required: &str, holds: impl Fn(Timestamp, Timestamp) -> bool) -> bool {
    match (date(presented), date(required)) {
        (Some(a), Some(b)) => holds(a, b),
        _ => false,
    }
}

/// A date in the W3C profile of ISO 8601, a date or month alone (its first midnight, UTC), or epoch seconds. A
/// year alone cannot be told from seconds and is taken for them.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    let whole = ["", "T00:00:00Z", "-01T00:00:00Z"];
    whole.iter().find_map(|rest| format!("{text}{rest}").parse().ok())
}

/// Whether an address lies in a network (`203.0.113.0/24`) or is the one named without a prefix length.
fn in_network(address: &str, network: &str) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(address), Ok(base), Some(length)) = (address.parse::<IpAddr>(), base.parse::<IpAddr>(), length) else {
        return false;
    };
    match (address, base) {
        (IpAddr::V4(address), IpAddr::V4(base)) => {
            let length = if network.contains('/') { length } else { 32 };
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            length <= 32 && u32::from(address) & mask == u32::from(base) & mask
        }
        (IpAddr::V6(address), IpAddr::V6(base)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            length <= 128 && u128::from(address) & mask == u128::from(base) & mask
        }
        _ => false,
    }
}
