//! Whether a bucket policy makes a bucket public (Amazon S3 user guide, "Blocking public access", "The meaning of
//! public"). Must not know the bucket.

use serde_json::Value;

/// Condition keys that, with a fixed value, keep a wildcard principal from being everyone.
const NARROWING: [&str; 11] = [
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:userid",
    "aws:principalorgid",
    "aws:principalarn",
    "aws:principalaccount",
    "s3:dataaccesspointarn",
];

/// Whether any statement allows everyone. `policy` must be a valid policy document.
pub(super) fn is_public(policy: &str) -> bool {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    match &document["Statement"] {
        Value::Array(statements) => statements.iter().any(allows_everyone),
        statement => allows_everyone(statement),
    }
}

fn allows_everyone(statement: &Value) -> bool {
    let principal = &statement["Principal"];
    statement["Effect"] == "Allow"
        && (has_star(principal) || has_star(&principal["AWS"]) || !statement["NotPrincipal"].is_null())
        && !is_narrowed(&statement["Condition"])
}

fn has_star(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "*",
        Value::Array(values) => values.iter().any(has_star),
        _ => false,
    }
}

fn is_narrowed(condition: &Value) -> bool {
    let tests = condition.as_object().into_iter().flatten().filter(|(operator, _)| is_positive(operator));
    tests
        .flat_map(|(_, keys)| keys.as_object().into_iter().flatten())
        .any(|(key, values)| NARROWING.contains(&key.to_ascii_lowercase().as_str()) && is_fixed(values))
}

/// A negated or optional test also lets through who is not named.
fn is_positive(operator: &str) -> bool {
    !operator.contains("Not") && !operator.ends_with("IfExists") && operator != "Null"
}

/// A fixed value has no wildcard, and an address range is not the whole internet.
fn is_fixed(values: &Value) -> bool {
    match values {
        Value::String(text) => !text.contains(['*', '?']) && !text.ends_with("/0"),
        Value::Array(values) => values.iter().all(is_fixed),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(principal: &str, condition: &str, expected: bool) {
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"*"{condition}}}]}}"#
        );
        assert_eq!(is_public(&policy), expected, "{policy}");
    }

    #[test]
    fn sees_who_is_everyone() {
        check(r#""*""#, "", true);
        check(r#"{"AWS":"*"}"#, "", true);
        check(r#"{"AWS":["arn:aws:iam::123456789012:root","*"]}"#, "", true);
        check(r#"{"AWS":"arn:aws:iam::123456789012:root"}"#, "", false);
        check(r#""*""#, r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#, false);
        check(r#""*""#, r#","Condition":{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#, true);
        check(r#""*""#, r#","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}"#, true);
        check(r#""*""#, r#","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]}}"#, false);
        check(r#""*""#, r#","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}}"#, true);
        check(r#""*""#, r#","Condition":{"StringEquals":{"s3:prefix":"public"}}"#, true);
    }

    #[test]
    fn a_denial_to_everyone_is_not_public() {
        assert!(!is_public(r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#));
        assert!(is_public(r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}"#));
    }
}
