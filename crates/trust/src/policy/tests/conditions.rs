//! Every operator, with and without its key.

use super::*;

/// Whether one condition (`"Operator": {"key": values}`) holds in a context.
pub(super) fn holds(condition: &str, context: &Context) -> bool {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{{condition}}}}}}}"#
    );
    let principal = user();
    let request = Request { principal: &principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", context };
    identity(&text).evaluate(&request).outcome == Outcome::Allowed
}

fn check(condition: &str, presented: &str, expected: bool) {
    let context = Context::new().with("k", presented);
    assert_eq!(holds(condition, &context), expected, "{condition} given {presented}");
}

fn check_absent(condition: &str, expected: bool) {
    assert_eq!(holds(condition, &Context::new()), expected, "{condition} without the key");
}

fn check_many(condition: &str, presented: &[&str], expected: bool) {
    let mut context = Context::new();
    context.set_all("k", presented.iter().copied());
    assert_eq!(holds(condition, &context), expected, "{condition} given {presented:?}");
}

#[test]
fn strings() {
    check(r#""StringEquals":{"k":"a"}"#, "a", true);
    check(r#""StringEquals":{"k":"a"}"#, "A", false);
    check(r#""StringEquals":{"k":["b","a"]}"#, "a", true);
    check(r#""StringEquals":{"k":"a*"}"#, "ab", false);
    check(r#""StringEquals":{"k":"a*"}"#, "a*", true);
    check(r#""StringEquals":{"K":"a"}"#, "a", true);
    check(r#""StringEquals":{"k":7}"#, "7", true);
    check(r#""StringNotEquals":{"k":"a"}"#, "b", true);
    check(r#""StringNotEquals":{"k":["a","b"]}"#, "b", false);
    check(r#""StringEqualsIgnoreCase":{"k":"System"}"#, "sYSTEM", true);
    check(r#""StringNotEqualsIgnoreCase":{"k":"a"}"#, "A", false);
    check(r#""StringLike":{"k":"system:serviceaccount:*:reader"}"#, "system:serviceaccount:ns:reader", true);
    check(r#""StringLike":{"k":"system:serviceaccount:?:reader"}"#, "system:serviceaccount:ns:reader", false);
    check(r#""StringLike":{"k":"*"}"#, "", true);
    check(r#""StringLike":{"k":"a*b*c"}"#, "aXbXbXc", true);
    check(r#""StringLike":{"k":"a*b*c"}"#, "aXbXbX", false);
    check(r#""StringLike":{"k":"A*"}"#, "ab", false);
    check(r#""StringNotLike":{"k":"a*"}"#, "ab", false);
    check(r#""StringNotLike":{"k":"a*"}"#, "ba", true);
}

#[test]
fn numbers_dates_and_bools() {
    check(r#""NumericEquals":{"k":"10"}"#, "10.0", true);
    check(r#""NumericEquals":{"k":10}"#, "11", false);
    check(r#""NumericNotEquals":{"k":10}"#, "11", true);
    check(r#""NumericLessThan":{"k":"10"}"#, "9", true);
    check(r#""NumericLessThan":{"k":"10"}"#, "10", false);
    check(r#""NumericLessThanEquals":{"k":"10"}"#, "10", true);
    check(r#""NumericGreaterThan":{"k":"10"}"#, "10", false);
    check(r#""NumericGreaterThanEquals":{"k":"10"}"#, "10", true);
    check(r#""NumericLessThan":{"k":"10"}"#, "many", false);
    check(r#""DateLessThan":{"k":"2026-11-23T12:00:00Z"}"#, "2026-11-23T11:59:59Z", true);
    check(r#""DateLessThan":{"k":"2026-11-23T12:00:00Z"}"#, "2026-11-23T12:00:00Z", false);
    check(r#""DateLessThanEquals":{"k":"2026-11-23T12:00:00Z"}"#, "2026-11-23T12:00:00Z", true);
    check(r#""DateEquals":{"k":"2026-11-23T13:00:00+01:00"}"#, "2026-11-23T12:00:00Z", true);
    check(r#""DateNotEquals":{"k":"2026-11-23T12:00:00Z"}"#, "2026-11-23T12:00:00Z", false);
    check(r#""DateGreaterThan":{"k":"2026-11-23"}"#, "2026-11-23T00:00:01Z", true);
    check(r#""DateGreaterThanEquals":{"k":"1000"}"#, "1970-01-01T00:16:40Z", true);
    check(r#""Bool":{"k":"true"}"#, "True", true);
    check(r#""Bool":{"k":true}"#, "false", false);
    check(r#""BinaryEquals":{"k":"QmluYXJ5"}"#, "QmluYXJ5", true);
    check(r#""BinaryEquals":{"k":"QmluYXJ5"}"#, "QmluYXJ4", false);
}

#[test]
fn addresses() {
    check(r#""IpAddress":{"k":"203.0.113.0/24"}"#, "203.0.113.9", true);
    check(r#""IpAddress":{"k":"203.0.113.0/24"}"#, "203.0.114.9", false);
    check(r#""IpAddress":{"k":"203.0.113.9"}"#, "203.0.113.9", true);
    check(r#""IpAddress":{"k":"203.0.113.9"}"#, "203.0.113.8", false);
    check(r#""IpAddress":{"k":"0.0.0.0/0"}"#, "8.8.8.8", true);
    check(r#""IpAddress":{"k":"0.0.0.0/0"}"#, "2001:db8::1", false);
    check(r#""IpAddress":{"k":"2001:db8::/32"}"#, "2001:db8:1::5", true);
    check(r#""IpAddress":{"k":"2001:db8::1"}"#, "2001:db8::2", false);
    check(r#""NotIpAddress":{"k":"203.0.113.0/24"}"#, "203.0.113.9", false);
    check(r#""NotIpAddress":{"k":"203.0.113.0/24"}"#, "8.8.8.8", true);
    check(r#""IpAddress":{"k":"203.0.113.0/33"}"#, "203.0.113.0", false);
}

#[test]
fn arns() {
    check(r#""ArnEquals":{"k":"arn:aws:iam::111122223333:role/*"}"#, "arn:aws:iam::111122223333:role/a/b", true);
    check(r#""ArnLike":{"k":"arn:aws:iam::*:role/x"}"#, "arn:aws:iam::111122223333:role/x", true);
    check(r#""ArnLike":{"k":"arn:aws:*:role/x"}"#, "arn:aws:iam::111122223333:role/x", false);
    check(r#""ArnLike":{"k":"arn:aws:iam:*:role/x"}"#, "arn:aws:iam::111122223333:role/x", false);
    check(r#""ArnLike":{"k":"*"}"#, "arn:aws:iam::111122223333:role/x", true);
    check(r#""ArnNotLike":{"k":"arn:aws:iam::*:role/x"}"#, "arn:aws:iam::111122223333:role/y", true);
    check(r#""ArnNotEquals":{"k":"arn:aws:iam::111122223333:role/y"}"#, "arn:aws:iam::111122223333:role/y", false);
}

#[test]
fn absent_keys() {
    check_absent(r#""StringEquals":{"k":"a"}"#, false);
    check_absent(r#""StringLike":{"k":"*"}"#, false);
    check_absent(r#""StringNotEquals":{"k":"a"}"#, true);
    check_absent(r#""NotIpAddress":{"k":"203.0.113.0/24"}"#, true);
    check_absent(r#""Bool":{"k":"false"}"#, false);
    check_absent(r#""StringEqualsIfExists":{"k":"a"}"#, true);
    check_absent(r#""ForAllValues:StringEquals":{"k":"a"}"#, true);
    check_absent(r#""ForAnyValue:StringEquals":{"k":"a"}"#, false);
    check_absent(r#""ForAnyValue:StringNotEquals":{"k":"a"}"#, false);
    check_absent(r#""ForAnyValue:StringEqualsIfExists":{"k":"a"}"#, true);
    check_absent(r#""Null":{"k":"true"}"#, true);
    check_absent(r#""Null":{"k":false}"#, false);
    check(r#""Null":{"k":"true"}"#, "a", false);
    check(r#""Null":{"k":"false"}"#, "a", true);
    check(r#""StringEqualsIfExists":{"k":"a"}"#, "b", false);
}

#[test]
fn keys_with_several_values() {
    check_many(r#""ForAllValues:StringEquals":{"k":["a","b"]}"#, &["a", "b"], true);
    check_many(r#""ForAllValues:StringEquals":{"k":["a","b"]}"#, &["a", "c"], false);
    check_many(r#""ForAllValues:StringNotEquals":{"k":["a","b"]}"#, &["c", "d"], true);
    check_many(r#""ForAllValues:StringNotEquals":{"k":["a","b"]}"#, &["c", "a"], false);
    check_many(r#""ForAnyValue:StringEquals":{"k":["a","b"]}"#, &["c", "a"], true);
    check_many(r#""ForAnyValue:StringEquals":{"k":["a","b"]}"#, &["c", "d"], false);
    check_many(r#""ForAnyValue:StringNotEquals":{"k":["a","b"]}"#, &["a", "d"], true);
    check_many(r#""ForAnyValue:StringNotEquals":{"k":["a","b"]}"#, &["a", "b"], false);
    check_many(r#""ForAnyValue:StringLike":{"k":"a*"}"#, &["b", "ab"], true);
    check_many(r#""Null":{"k":"true"}"#, &[], true);
}

#[test]
fn all_conditions_must_hold() {
    let context = Context::new().with("k", "a").with("l", "b");
    assert!(holds(r#""StringEquals":{"k":"a","l":"b"},"StringLike":{"k":"*"}"#, &context));
    assert!(!holds(r#""StringEquals":{"k":"a","l":"c"}"#, &context));
    assert!(!holds(r#""StringEquals":{"k":"a"},"StringLike":{"l":"c*"}"#, &context));
}

#[test]
fn variables_in_values() {
    let context = Context::new().with("k", "ann").with("aws:username", "ann").with("star", "*");
    assert!(holds(r#""StringEquals":{"k":"${aws:username}"}"#, &context));
    assert!(holds(r#""StringEquals":{"k":"${AWS:UserName}"}"#, &context));
    assert!(holds(r#""StringLike":{"k":"a${missing, 'n'}?"}"#, &context));
    assert!(!holds(r#""StringEquals":{"k":"${missing}"}"#, &context));
    assert!(holds(r#""StringNotEquals":{"k":"${missing}"}"#, &context));
    assert!(!holds(r#""StringLike":{"k":"${star}"}"#, &context), "a value is no wildcard");
    assert!(!holds(r#""StringLike":{"k":"${*}"}"#, &context));
    assert!(holds(r#""StringLike":{"star":"${*}"}"#, &context));
    assert!(!holds(r#""NumericEquals":{"k":"${aws:username}"}"#, &context));
}
