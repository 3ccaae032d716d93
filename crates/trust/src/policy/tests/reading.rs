//! What each kind of document must and must not hold, and the sentence of its refusal.

use super::*;

fn refusal(text: &str, kind: Kind) -> String {
    Document::parse(text, kind).err().map(|error| error.aws_message()).unwrap_or_default()
}

/// A trust statement with one member replaced (`None` removes it).
fn trust_with(member: &str, value: Option<&str>) -> String {
    let federated = format!(r#"{{"Federated":"{PROVIDER}"}}"#);
    let base =
        [("Effect", r#""Allow""#), ("Principal", federated.as_str()), ("Action", r#""sts:AssumeRoleWithWebIdentity""#)];
    let mut members: Vec<String> =
        base.iter().filter(|(name, _)| *name != member).map(|(name, value)| format!("\"{name}\":{value}")).collect();
    members.extend(value.map(|value| format!("\"{member}\":{value}")));
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{}}}]}}"#, members.join(","))
}

#[test]
fn trust_policies() {
    let check = |text: &str, expected: &str| assert_eq!(refusal(text, Kind::Trust), expected, "{text}");
    let with = |member: &str, value: &str| trust_with(member, Some(value));
    check(&with("Sid", r#""a""#), "");
    check(&with("Condition", r#"{"StringEquals":{"no such key":"x"}}"#), "");
    check(&with("Action", r#"["sts:AssumeRoleWithWebIdentity","sts:TagSession"]"#), "");
    check("{", "This policy contains invalid Json");
    check("[]", "This policy contains invalid Json");
    check(r#"{"Statement":[],"Statement":[]}"#, "This policy contains invalid Json");
    check(r#"{"Version":"2012-10-17"}"#, "Could not parse the policy: Statement is empty!");
    check(r#"{"Statement":[]}"#, "Could not parse the policy: Statement is empty!");
    check(r#"{"Version":"2012-10-18","Statement":[]}"#, "The policy must contain a valid version string");
    check(&with("Resource", r#""*""#), "Has prohibited field Resource");
    check(&with("NotResource", r#""*""#), "AssumeRole policy must not contain resources.");
    check(&trust_with("Principal", None), "Missing required field Principal");
    check(&trust_with("Action", None), "Missing required field Action");
    check(&trust_with("Effect", None), "Missing required field Effect");
    check(&with("Effect", r#""allow""#), "Invalid effect: allow");
    check(&with("Principals", r#""*""#), "Unknown field Principals");
    check(&with("Principal", "{}"), "Missing required field Principal cannot be empty!");
    check(&with("Principal", r#""me""#), "Principal must be a JSON object.");
    check(&with("Action", r#""s3:GetObject""#), "AssumeRole policy may only specify STS AssumeRole actions.");
    check(&with("Action", r#""*""#), "AssumeRole policy may only specify STS AssumeRole actions.");
    check(&with("Condition", r#"{"StringIs":{"k":"x"}}"#), "Syntax error in policy.");
    check(
        &with("Principal", r#"{"AWS":"arn:aws:iam::1:role/x"}"#),
        "Invalid principal in policy: \"AWS\":\"arn:aws:iam::1:role/x\"",
    );
    check(
        &with("Principal", r#"{"AWS":"arn:aws:iam::111122223333:role/*"}"#),
        "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111122223333:role/*\"",
    );
    let domain = "Federated principals must be valid domain names or SAML metadata ARNs";
    check(&with("Principal", r#"{"Federated":"https://h.example/t"}"#), domain);
    check(&with("Principal", r#"{"Federated":""}"#), domain);
    check(&with("Principal", r#"{"Federated":"arn:aws:iam::111122223333:oidc-provider/https://h.example"}"#), domain);
    check(&with("Principal", r#"{"Federated":"arn:aws:iam::11112222333:oidc-provider/h.example"}"#), domain);
    check(&with("Principal", r#"{"Federated":"cognito-identity.amazonaws.com"}"#), "");
    let twice = r#"{"Sid":"a","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}"#;
    check(&format!(r#"{{"Statement":[{twice},{twice}]}}"#), "The Statement Ids in the policy are not unique");
}

#[test]
fn identity_policies() {
    let check = |statement: &str, expected: &str| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        assert_eq!(refusal(&text, Kind::Identity), expected, "{statement}");
    };
    let on = |action: &str, resource: &str| format!(r#"{{"Effect":"Allow","Action":{action},"Resource":{resource}}}"#);
    check(&on(r#""s3:GetObject""#, r#"["arn:aws:s3:::b","arn:aws:s3:::b/*"]"#), "");
    check(&on(r#""*""#, r#""*""#), "");
    check(r#"{"Effect":"Allow","Action":"s3:*"}"#, "Policy statement must contain resources.");
    check(&on(r#""s3:*""#, "[]"), "Policy statement must contain resources.");
    check(r#"{"Effect":"Allow","Resource":"*"}"#, "Policy statement must contain actions.");
    check(
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#,
        "Policy document should not specify a principal.",
    );
    check(
        &on(r#""GetObject""#, r#""*""#),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    );
    check(&on(r#""s3:Get:Object""#, r#""*""#), "Actions/Condition can contain only one colon.");
    check(&on(r#""s 3:GetObject""#, r#""*""#), "Vendor s 3 is not valid");
    check(&on(r#""s3:*""#, r#""bucket/*""#), "Resource bucket/* must be in ARN format or \"*\".");
    check(&on(r#""s3:*""#, r#""arn:aws:s3:bucket""#), "The policy failed legacy parsing");
    check(
        &on(r#""s3:*""#, r#""arn:azure:s3:::bucket""#),
        "Partition \"azure\" is not valid for resource \"arn:azure:s3:::bucket\".",
    );
    check(r#"{"Effect":"Allow","Action":"s3:*","NotAction":"iam:*","Resource":"*"}"#, "Syntax errors in policy.");
    check(
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}}"#,
        "The policy failed legacy parsing",
    );
    check(
        r#"{"Sid":"a-b","Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
    );
    assert_eq!(refusal(r#"{"Statement":{}}"#, Kind::Identity), "Syntax errors in policy.");
    assert_eq!(refusal("nonsense", Kind::Identity), "Syntax errors in policy.");
}

#[test]
fn bucket_policies() {
    let check = |elements: &str, expected: &str| {
        let text = format!(r#"{{"Statement":[{{"Effect":"Allow",{elements}}}]}}"#);
        assert_eq!(refusal(&text, Kind::Resource), expected, "{elements}");
    };
    check(r#""Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#, "");
    check(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#, "Missing required field Principal");
    check(r#""Principal":"*","Action":"s3:GetObject""#, "Missing required field Resource");
    check(r#""Principal":{"AWS":"me"},"Action":"s3:GetObject","Resource":"*""#, "Invalid principal in policy");
    check(
        r#""NotPrincipal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"*""#,
        "Allow with NotPrincipal is not allowed.",
    );
    assert_eq!(refusal("", Kind::Resource), "Policies must be valid JSON and the first byte must be '{'");
}

#[test]
fn one_string_is_a_list_of_one() {
    let one = identity(r#"{"Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#);
    let many = identity(r#"{"Statement":[{"Effect":"Deny","Action":["s3:*"],"Resource":["*"]}]}"#);
    assert_eq!(one, many);
    assert_eq!(one.version, Version::V2008);
}
