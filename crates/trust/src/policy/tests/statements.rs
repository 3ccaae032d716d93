//! Principals, actions, resources, and the trace.

use super::*;

/// What a trust policy with one statement says to a token of [`PROVIDER`].
fn trust(statement: &str, context: &Context) -> Outcome {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let document = Document::parse(&text, Kind::Trust).expect("trust policy must parse");
    let principal = web_identity();
    let action = "sts:AssumeRoleWithWebIdentity";
    document.evaluate(&Request { principal: &principal, action, resource: ROLE, context }).outcome
}

#[test]
fn trust_policies_mean_exactly_one_provider() {
    let check = |principal: &str, action: &str, expected: Outcome| {
        let statement = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"{action}"}}"#);
        assert_eq!(trust(&statement, &Context::new()), expected, "{statement}");
    };
    let federated = |arn: &str| format!(r#"{{"Federated":"{arn}"}}"#);
    let action = "sts:AssumeRoleWithWebIdentity";
    check(&federated(PROVIDER), action, Outcome::Allowed);
    check(&federated(PROVIDER), "sts:assumerolewithwebidentity", Outcome::Allowed);
    check(&federated(PROVIDER), "sts:AssumeRole*", Outcome::Allowed);
    check(&federated(PROVIDER), "sts:AssumeRole", Outcome::ImplicitDeny);
    check(&federated(PROVIDER.trim_end_matches('/')), action, Outcome::ImplicitDeny);
    check(&federated(&PROVIDER.replace("h.example", "H.example")), action, Outcome::ImplicitDeny);
    check(&federated("arn:aws:iam::111122223333:oidc-provider/h.example"), action, Outcome::ImplicitDeny);
    check(&federated("cognito-identity.amazonaws.com"), action, Outcome::ImplicitDeny);
    check(r#"{"AWS":"111122223333"}"#, action, Outcome::ImplicitDeny);
    check(r#"{"Service":"ec2.amazonaws.com"}"#, action, Outcome::ImplicitDeny);
    check(r#""*""#, action, Outcome::Allowed);
}

#[test]
fn a_deny_beats_every_allow() {
    let allow = format!(
        r#"{{"Effect":"Allow","Principal":{{"Federated":"{PROVIDER}"}},"Action":"sts:AssumeRoleWithWebIdentity"}}"#
    );
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{"StringEquals":{"h.example/t/g/:sub":"bad"}}}"#;
    let both = format!("{deny},{allow}");
    let context = Context::new().with("h.example/t/g/:sub", "bad");
    assert_eq!(trust(&both, &context), Outcome::ExplicitDeny);
    let context = Context::new().with("h.example/t/g/:sub", "good");
    assert_eq!(trust(&both, &context), Outcome::Allowed);
}

#[test]
fn the_condition_key_of_an_aks_issuer_has_its_slash() {
    let statement = |key: &str| {
        format!(
            r#"{{"Effect":"Allow","Principal":{{"Federated":"{PROVIDER}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{"{key}":"s"}}}}}}"#
        )
    };
    let context = Context::new().with("h.example/t/g/:sub", "s");
    assert_eq!(trust(&statement("h.example/t/g/:sub"), &context), Outcome::Allowed);
    assert_eq!(trust(&statement("H.EXAMPLE/t/g/:SUB"), &context), Outcome::Allowed);
    assert_eq!(trust(&statement("h.example/t/g:sub"), &context), Outcome::ImplicitDeny);
    assert_eq!(trust(&statement("h.example/t/g/:aud"), &context), Outcome::ImplicitDeny);
}

#[test]
fn actions_and_resources() {
    let check = |elements: &str, action: &str, resource: &str, expected: bool| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{elements}}}}}"#);
        let context = Context::new().with("aws:username", "ann");
        let principal = user();
        let request = Request { principal: &principal, action, resource, context: &context };
        let allowed = identity(&text).evaluate(&request).outcome == Outcome::Allowed;
        assert_eq!(allowed, expected, "{elements} for {action} on {resource}");
    };
    let object = "arn:aws:s3:::bucket/dir/key";
    check(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*""#, "s3:GetObject", object, true);
    check(r#""Action":"s3:getobject","Resource":"arn:aws:s3:::bucket/*""#, "s3:GetObject", object, true);
    check(r#""Action":"s3:Get*","Resource":"*""#, "s3:GetObject", object, true);
    check(r#""Action":"s3:Get?bject","Resource":"*""#, "s3:GetObject", object, true);
    check(r#""Action":["s3:PutObject","s3:List*"],"Resource":"*""#, "s3:GetObject", object, false);
    check(r#""Action":"s3:*","Resource":"arn:aws:s3:::bucket""#, "s3:GetObject", object, false);
    check(r#""Action":"s3:*","Resource":"arn:aws:s3:::bucket/*""#, "s3:ListBucket", "arn:aws:s3:::bucket", false);
    check(r#""Action":"s3:*","Resource":"arn:aws:s3:::Bucket/*""#, "s3:GetObject", object, false);
    check(r#""Action":"s3:*","Resource":"arn:aws:s3:::bucket/d?r/*""#, "s3:GetObject", object, true);
    check(
        r#""Action":"s3:*","Resource":"arn:aws:s3:::bucket/${aws:username}/*""#,
        "s3:GetObject",
        "arn:aws:s3:::bucket/ann/k",
        true,
    );
    check(r#""Action":"s3:*","Resource":"arn:aws:s3:::bucket/${aws:username}/*""#, "s3:GetObject", object, false);
    check(r#""Action":"s3:*","Resource":"arn:aws:s3:::bucket/${missing}*""#, "s3:GetObject", object, false);
    check(r#""NotAction":"iam:*","Resource":"*""#, "s3:GetObject", object, true);
    check(r#""NotAction":"s3:*","Resource":"*""#, "s3:GetObject", object, false);
    check(r#""Action":"*","NotResource":"arn:aws:s3:::bucket/*""#, "s3:GetObject", object, false);
    check(r#""Action":"*","NotResource":"arn:aws:s3:::other/*""#, "s3:GetObject", object, true);
}

#[test]
fn variables_are_plain_text_before_2012() {
    let check = |version: &str, resource: &str, expected: Outcome| {
        let text = format!(
            r#"{{{version}"Statement":{{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${{aws:username}}"}}}}"#
        );
        let context = Context::new().with("aws:username", "ann");
        let principal = user();
        let request = Request { principal: &principal, action: "s3:GetObject", resource, context: &context };
        assert_eq!(identity(&text).evaluate(&request).outcome, expected, "{version} {resource}");
    };
    check(r#""Version":"2012-10-17","#, "arn:aws:s3:::b/ann", Outcome::Allowed);
    check(r#""Version":"2008-10-17","#, "arn:aws:s3:::b/ann", Outcome::ImplicitDeny);
    check("", "arn:aws:s3:::b/ann", Outcome::ImplicitDeny);
    check("", "arn:aws:s3:::b/${aws:username}", Outcome::Allowed);
}

#[test]
fn aws_principals() {
    let check = |element: &str, effect: &str, principal: &PrincipalFacts, expected: bool| {
        let text = format!(r#"{{"Statement":{{"Effect":"{effect}",{element},"Action":"*","Resource":"*"}}}}"#);
        let context = Context::new();
        let request = Request { principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", context: &context };
        let decision = bucket(&text).evaluate(&request);
        assert_eq!(decision.deciding().next().is_some(), expected, "{element} {principal:?}");
    };
    let aws = |value: &str| format!(r#""Principal":{{"AWS":"{value}"}}"#);
    for principal in [&session(), &user()] {
        check(&aws("*"), "Allow", principal, true);
        check(r#""Principal":"*""#, "Allow", principal, true);
        check(&aws("111122223333"), "Allow", principal, true);
        check(&aws("arn:aws:iam::111122223333:root"), "Allow", principal, true);
        check(&aws("444455556666"), "Allow", principal, false);
    }
    check(r#""Principal":"*""#, "Allow", &PrincipalFacts::Anonymous, true);
    check(&aws("111122223333"), "Allow", &PrincipalFacts::Anonymous, false);
    check(&aws(ROLE), "Allow", &session(), true);
    check(&aws(SESSION), "Allow", &session(), true);
    check(&aws("arn:aws:sts::111122223333:assumed-role/reader/other"), "Allow", &session(), false);
    check(&aws(USER), "Allow", &user(), true);
    check(&aws(USER), "Allow", &session(), false);

    let service = PrincipalFacts::Service { name: "ec2.amazonaws.com".to_owned() };
    check(r#""Principal":{"Service":"ec2.amazonaws.com"}"#, "Allow", &service, true);
    check(r#""Principal":{"Service":"s3.amazonaws.com"}"#, "Allow", &service, false);

    let all_but = |values: &str| format!(r#""NotPrincipal":{{"AWS":[{values}]}}"#);
    check(&all_but(r#""444455556666""#), "Deny", &session(), true);
    check(&all_but(&format!(r#""{ROLE}","{ACCOUNT}""#)), "Deny", &session(), true);
    check(&all_but(&format!(r#""{SESSION}","{ROLE}","{ACCOUNT}""#)), "Deny", &session(), false);
    check(&all_but(&format!(r#""{USER}","{ACCOUNT}""#)), "Deny", &user(), false);
}

#[test]
fn the_trace_names_the_condition_that_failed() {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Pods","Effect":"Allow","Principal":{{"Federated":"{PROVIDER}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{"h.example/t/g/:aud":"sts.amazonaws.com","h.example/t/g/:sub":"system:serviceaccount:shop:reader"}}}}}}]}}"#
    );
    let document = Document::parse(&text, Kind::Trust).expect("trust policy must parse");
    let context = Context::new()
        .with("h.example/t/g/:aud", "sts.amazonaws.com")
        .with("h.example/t/g/:sub", "system:serviceaccount:shop:Reader");
    let principal = web_identity();
    let action = "sts:AssumeRoleWithWebIdentity";
    let decision = document.evaluate(&Request { principal: &principal, action, resource: ROLE, context: &context });
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&decision).expect("decision must serialise"),
        @r#"
    {
      "outcome": "ImplicitDeny",
      "grant": null,
      "statements": [
        {
          "index": 0,
          "sid": "Pods",
          "effect": "Allow",
          "applies": false,
          "principal": {
            "presented": "arn:aws:iam::111122223333:oidc-provider/h.example/t/g/",
            "required": [
              "Federated: arn:aws:iam::111122223333:oidc-provider/h.example/t/g/"
            ],
            "negated": false,
            "holds": true
          },
          "action": {
            "presented": "sts:AssumeRoleWithWebIdentity",
            "required": [
              "sts:AssumeRoleWithWebIdentity"
            ],
            "negated": false,
            "holds": true
          },
          "resource": null,
          "conditions": [
            {
              "operator": "StringEquals",
              "key": "h.example/t/g/:aud",
              "presented": [
                "sts.amazonaws.com"
              ],
              "required": [
                "sts.amazonaws.com"
              ],
              "holds": true
            },
            {
              "operator": "StringEquals",
              "key": "h.example/t/g/:sub",
              "presented": [
                "system:serviceaccount:shop:Reader"
              ],
              "required": [
                "system:serviceaccount:shop:reader"
              ],
              "holds": false
            }
          ]
        }
      ]
    }
    "#
    );
}
