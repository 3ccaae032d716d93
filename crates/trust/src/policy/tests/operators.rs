//! Each operator of the IAM user guide: a value that fits, one that does not, and no value.

use super::conditions::holds;
use super::*;
use crate::policy::condition::OPERATORS;

/// Operator, required, presented and fits, presented and does not fit, whether it holds without the key.
type Row = (&'static str, &'static str, &'static str, &'static str, bool);

const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/a";
const OTHER_ARN: &str = "arn:aws:iam::111122223333:role/b";

const TABLE: &[Row] = &[
    ("StringEquals", "a", "a", "A", false),
    ("StringNotEquals", "a", "A", "a", true),
    ("StringEqualsIgnoreCase", "a", "A", "b", false),
    ("StringNotEqualsIgnoreCase", "a", "b", "A", true),
    ("StringLike", "a*c?", "abbcd", "abbc", false),
    ("StringNotLike", "a*c?", "abbc", "abbcd", true),
    ("NumericEquals", "7", "7.0", "8", false),
    ("NumericNotEquals", "7", "8", "7.0", true),
    ("NumericLessThan", "7", "6.9", "7", false),
    ("NumericLessThanEquals", "7", "7", "7.1", false),
    ("NumericGreaterThan", "-7", "-6", "-7", false),
    ("NumericGreaterThanEquals", "7", "7", "6", false),
    ("DateEquals", "2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23", false),
    ("DateNotEquals", "2026-11-23", "2026-11-24", "2026-11-23T00:00:00Z", true),
    ("DateLessThan", "2026-11-23", "2026-11-22T23:59:59Z", "2026-11-23", false),
    ("DateLessThanEquals", "2026-11", "2026-11-01T00:00:00Z", "2026-11-01T00:00:01Z", false),
    ("DateGreaterThan", "1000", "1970-01-01T00:16:41Z", "1970-01-01T00:16:40Z", false),
    ("DateGreaterThanEquals", "1000", "1000", "999", false),
    ("Bool", "true", "True", "false", false),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "QmluYXJ4", false),
    ("IpAddress", "203.0.113.0/24", "203.0.113.255", "203.0.114.0", false),
    ("NotIpAddress", "2001:db8::/32", "2001:db9::1", "2001:db8::1", true),
    ("ArnEquals", "arn:aws:iam::*:role/a", ROLE_ARN, OTHER_ARN, false),
    ("ArnLike", "arn:aws:iam::*:role/a", ROLE_ARN, OTHER_ARN, false),
    ("ArnNotEquals", "arn:aws:iam::*:role/a", OTHER_ARN, ROLE_ARN, true),
    ("ArnNotLike", "arn:aws:iam::*:role/a", OTHER_ARN, ROLE_ARN, true),
];

fn in_context(operator: &str, required: &str, context: &Context) -> bool {
    holds(&format!(r#""{operator}":{{"k":"{required}"}}"#), context)
}

#[test]
fn the_table_names_every_operator() {
    let known: Vec<&str> = OPERATORS.iter().map(|(name, ..)| *name).filter(|name| *name != "Null").collect();
    let named: Vec<&str> = TABLE.iter().map(|(name, ..)| *name).collect();
    assert_eq!(named, known);
}

#[test]
fn every_operator_fits_fails_and_answers_without_its_key() {
    for (operator, required, fits, fails, without) in TABLE {
        let check = |operator: &str, context: &Context, expected: bool| {
            assert_eq!(in_context(operator, required, context), expected, "{operator} {required} in {context:?}");
        };
        let with = |value: &str| Context::new().with("k", value);
        let absent = Context::new();
        check(operator, &with(fits), true);
        check(operator, &with(fails), false);
        check(operator, &absent, *without);

        let if_exists = format!("{operator}IfExists");
        check(&if_exists, &with(fits), true);
        check(&if_exists, &with(fails), false);
        check(&if_exists, &absent, true);
    }
}

#[test]
fn every_operator_takes_both_quantifiers() {
    for (operator, required, fits, fails, _) in TABLE {
        let check = |quantifier: &str, presented: &[&str], expected: bool| {
            let mut context = Context::new();
            if !presented.is_empty() {
                context.set_all("k", presented.iter().copied());
            }
            let operator = format!("{quantifier}:{operator}");
            assert_eq!(in_context(&operator, required, &context), expected, "{operator} {required} in {context:?}");
        };
        check("ForAllValues", &[fits, fits], true);
        check("ForAllValues", &[fits, fails], false);
        check("ForAllValues", &[fails], false);
        check("ForAllValues", &[], true);
        check("ForAllValues", &[""], true);
        check("ForAnyValue", &[fits, fails], true);
        check("ForAnyValue", &[fails, fails], false);
        check("ForAnyValue", &[], false);
        check("ForAnyValue", &[""], false);
    }
}

#[test]
fn null_asks_for_the_key_alone() {
    let (absent, present) = (Context::new(), Context::new().with("k", "v"));
    let check = |required: &str, context: &Context, expected: bool| {
        assert_eq!(in_context("Null", required, context), expected, "{required} in {context:?}");
    };
    check("true", &absent, true);
    check("true", &present, false);
    check("false", &absent, false);
    check("false", &present, true);
    check("maybe", &absent, false);
    check("maybe", &present, false);
}

#[test]
fn values_that_cannot_be_compared_are_different() {
    let check = |operator: &str, required: &str, presented: &str, expected: bool| {
        let context = Context::new().with("k", presented);
        assert_eq!(in_context(operator, required, &context), expected, "{operator} {required} given {presented}");
    };
    check("NumericEquals", "7", "seven", false);
    check("NumericNotEquals", "7", "seven", true);
    check("NumericLessThan", "7", "-inf", false);
    check("NumericGreaterThan", "7", "infinity", false);
    check("NumericEquals", "nan", "nan", false);
    check("DateLessThan", "2026-11-23", "yesterday", false);
    check("DateNotEquals", "2026-11-23", "yesterday", true);
    check("Bool", "true", "1", false);
    check("BinaryEquals", "QmluYXJ5", "no base64!", false);
    check("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.1", false);
    check("NotIpAddress", "203.0.113.0/24", "nowhere", true);
    check("IpAddress", "203.0.113.0/", "203.0.113.0", false);
    check("ArnLike", "arn:aws:iam::*:role/a", "role/a", false);
    check("ArnNotLike", "arn:aws:iam::*:role/a", "role/a", true);
}

#[test]
fn only_known_operators_are_read() {
    let check = |operator: &str, known: bool| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{"{operator}":{{"k":"1"}}}}}}}}"#
        );
        assert_eq!(Document::parse(&text, Kind::Identity).is_ok(), known, "{operator}");
    };
    check("ForAnyValue:StringLikeIfExists", true);
    check("NullIfExists", false);
    check("stringequals", false);
    check("StringEqualsIfexists", false);
    check("StringMatches", false);
    check("ForSomeValue:StringEquals", false);
    check("ForAllValues:", false);
    check("", false);
}
