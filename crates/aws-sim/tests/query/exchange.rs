//! `AssumeRoleWithWebIdentity`, step by step. Each refusal stands beside a twin that differs in one
//! thing and is accepted.

use serde_json::{Value, json};

use crate::world::{OTHER_ACCOUNT, ROLE_ARN, SUBJECT, World};

const NOT_AUTHORIZED: &str = "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";

#[tokio::test]
async fn a_trusted_token_becomes_a_session() {
    let world = World::new().await;
    let reply = world.exchange(&world.token(json!({})), &[]).await;
    assert_eq!(reply.outcome(), "200", "{}", reply.body);
    let text = |element: &str| reply.text(element).unwrap_or_default();
    assert_eq!(text("SubjectFromWebIdentityToken"), SUBJECT);
    assert_eq!(text("Audience"), "sts.amazonaws.com");
    assert_eq!(text("Provider"), world.issuer.url);
    assert_eq!(text("Arn"), "arn:aws:sts::111122223333:assumed-role/reader/pod");
    let expires: jiff::Timestamp = text("Expiration").parse().expect("expiration must parse");
    assert_eq!(expires.as_second(), world.now() + 3600);
    let credentials = reply.credentials();
    assert!(credentials.access_key_id.starts_with("ASIA") && credentials.access_key_id.len() == 20);

    let identity = world.identity_of(&credentials).await;
    assert_eq!(identity.text("Arn"), reply.text("Arn"));
    assert_eq!(identity.text("UserId"), reply.text("AssumedRoleId"));
    assert_eq!(identity.text("Account").as_deref(), Some("111122223333"));
}

#[tokio::test]
async fn sessions_end_and_their_token_must_be_shown() {
    let world = World::new().await;
    let reply = world.exchange(&world.token(json!({})), &[("DurationSeconds", "900")]).await;
    let credentials = reply.credentials();
    world.wait(899);
    assert_eq!(world.identity_of(&credentials).await.outcome(), "200");

    let mut bare = credentials.clone();
    bare.session_token = None;
    let refused = world.identity_of(&bare).await;
    assert_eq!((refused.status, refused.text("Code").as_deref()), (403, Some("InvalidClientTokenId")));

    world.wait(2);
    let refused = world.identity_of(&credentials).await;
    assert_eq!((refused.status, refused.text("Code").as_deref()), (403, Some("ExpiredToken")));
}

#[tokio::test]
async fn format_comes_first() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let check = async |changed: &[(&str, &str)], expected: &str| {
        let reply = world.exchange(&token, changed).await;
        assert_eq!((reply.status, reply.text("Code").as_deref()), (400, Some("ValidationError")));
        let message = reply.text("Message").unwrap_or_default();
        assert!(message.contains(expected), "{changed:?}: {message}");
    };
    check(
        &[("RoleArn", "")],
        "1 validation error detected: Value at 'roleArn' failed to satisfy constraint: Member must not be null",
    )
    .await;
    check(&[("RoleArn", "arn:aws:iam::1")], "greater than or equal to 20").await;
    check(&[("RoleArn", "arn:aws:s3:::bucket/key/that/is/long")], "Request ARN is invalid").await;
    check(&[("RoleSessionName", SUBJECT)], r"regular expression pattern: [\w+=,.@-]*").await;
    check(&[("RoleSessionName", &"a".repeat(65))], "less than or equal to 64").await;
    check(&[("RoleSessionName", "a")], "greater than or equal to 2").await;
    check(&[("DurationSeconds", "899")], "greater than or equal to 900").await;
    check(&[("DurationSeconds", "43201")], "less than or equal to 43200").await;
    check(&[("RoleArn", ""), ("RoleSessionName", "a")], "2 validation errors detected").await;
    check(&[("WebIdentityToken", &"x".repeat(20_001))], "less than or equal to 20000").await;
    let accepted = world.exchange(&token, &[("RoleSessionName", &"a".repeat(64)), ("DurationSeconds", "900")]).await;
    assert_eq!(accepted.outcome(), "200");

    let unknown = world.exchange(&token, &[("Action", "AssumeRoleWithNothing")]).await;
    assert_eq!(
        unknown.outcome(),
        "400 InvalidAction: Could not find operation AssumeRoleWithNothing for version 2011-06-15"
    );
}

#[tokio::test]
async fn refuses_what_is_no_token() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let expected = "400 InvalidIdentityToken: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
    for damaged in ["opaque-access-token", &format!("{token}\n"), &token[..token.len() / 2]] {
        assert_eq!(world.exchange(damaged, &[]).await.outcome(), expected);
    }
    assert_eq!(world.exchange(&token, &[]).await.outcome(), "200");
    let no_issuer = world.exchange(&world.token(json!({"iss": null})), &[]).await;
    assert_eq!(no_issuer.outcome(), "400 InvalidIdentityToken: Missing a required claim: iss.");
}

#[tokio::test]
async fn looks_for_the_provider_in_the_account_of_the_role() {
    let world = World::new().await;
    let url = world.issuer.url.clone();
    let absent =
        |url: &str| format!("400 InvalidIdentityToken: No OpenIDConnect provider found in your account for {url}");
    let bare = url.trim_end_matches('/');
    let check = async |claims: Value, role: &str, expected: &str| {
        let reply = world.exchange(&world.token(claims), &[("RoleArn", role)]).await;
        assert_eq!(reply.outcome(), expected, "{role}");
    };
    check(json!({}), ROLE_ARN, "200").await;
    check(json!({"iss": bare}), ROLE_ARN, &absent(bare)).await;
    let foreign = format!("arn:aws:iam::{OTHER_ACCOUNT}:role/reader");
    check(json!({}), &foreign, &absent(&url)).await;
    check(json!({}), "arn:aws:iam::999999999999:role/reader", &absent(&url)).await;
    check(json!({}), "arn:aws-cn:iam::111122223333:role/reader", &absent(&url)).await;
    let upper = url.replace("/tenant", "/Tenant");
    check(json!({"iss": upper}), ROLE_ARN, &absent(&upper)).await;
    check(json!({}), "arn:aws:iam::111122223333:role/no-such-role", NOT_AUTHORIZED).await;
}

#[tokio::test]
async fn the_audience_is_azp_or_the_only_aud() {
    let world = World::new().await;
    let wrong = "400 InvalidIdentityToken: Incorrect token audience";
    let check = async |claims: Value, expected: &str| {
        let reply = world.exchange(&world.token(claims.clone()), &[]).await;
        assert_eq!(reply.outcome(), expected, "{claims}");
    };
    check(json!({"aud": "sts.amazonaws.com"}), "200").await;
    check(json!({"aud": ["sts.amazon.com"]}), wrong).await;
    check(json!({"aud": ["api://AzureADTokenExchange"]}), wrong).await;
    check(json!({"aud": ["STS.amazonaws.com"]}), wrong).await;
    check(json!({"aud": ["sts.amazonaws.com", "other"]}), "400 InvalidIdentityToken: Token audience contains more than one audience while authorized party is not present").await;
    check(json!({"aud": ["other", "another"], "azp": "sts.amazonaws.com"}), "200").await;
    check(json!({"azp": "other"}), wrong).await;
    check(json!({"aud": null}), "400 InvalidIdentityToken: Missing a required claim: aud.").await;
    // The audience is looked at before the keys are.
    world.issuer.serve_keys(crate::world::Served::Status(404));
    check(json!({"aud": "other"}), wrong).await;
}

#[tokio::test]
async fn a_signature_must_be_the_published_keys() {
    let world = World::new().await;
    let good = world.token(json!({}));
    let other = world.token(json!({"sub": "system:serviceaccount:shop:admin"}));
    let part = |token: &str, index: usize| token.split('.').nth(index).expect("three parts").to_owned();
    let forged = format!("{}.{}.{}", part(&good, 0), part(&good, 1), part(&other, 2));
    let refused = world.exchange(&forged, &[]).await;
    assert_eq!((refused.status, refused.text("Code").as_deref()), (400, Some("InvalidIdentityToken")));
    assert!(refused.body.contains("could not be validated"), "{}", refused.body);
    assert_eq!(world.exchange(&good, &[]).await.outcome(), "200");
}

#[tokio::test]
async fn dates_have_five_minutes_of_grace_and_a_day_of_age() {
    let world = World::new().await;
    let now = world.now();
    let check = async |claims: Value, expected: String| {
        let reply = world.exchange(&world.token(claims.clone()), &[]).await;
        assert_eq!(reply.outcome(), expected, "{claims}");
    };
    let accepted = || "200".to_owned();
    check(json!({"exp": now - 299}), accepted()).await;
    let expires = now - 301;
    check(json!({"exp": expires}), format!("400 ExpiredTokenException: Token expired: current date/time {now} must be before the expiration date/time {expires}")).await;
    check(json!({"iat": now - 86_400}), accepted()).await;
    check(json!({"iat": now - 86_401}), "400 ExpiredTokenException: Token too old: 86401".to_owned()).await;
    check(json!({"nbf": null}), accepted()).await;
    check(json!({"nbf": now + 299}), accepted()).await;
    let reply = world.exchange(&world.token(json!({"nbf": now + 301})), &[]).await;
    assert_eq!(reply.text("Code").as_deref(), Some("InvalidIdentityToken"));
    let reply = world.exchange(&world.token(json!({"exp": now as f64 + 0.5})), &[]).await;
    assert_eq!(reply.text("Code").as_deref(), Some("InvalidIdentityToken"));
}

#[tokio::test]
async fn claims_that_must_be_there() {
    let world = World::new().await;
    for claim in ["exp", "iat", "sub"] {
        let reply = world.exchange(&world.token(json!({claim: null})), &[]).await;
        let expected = format!("400 InvalidIdentityToken: Missing a required claim: {claim}.");
        assert_eq!(reply.outcome(), expected);
    }
}

#[tokio::test]
async fn the_trust_policy_decides_last() {
    let world = World::new().await;
    let good: Value = serde_json::from_str(&world.trust_policy()).expect("policy is JSON");
    let host = world.issuer.host().to_owned();
    let (sub, aud) = (format!("{host}:sub"), format!("{host}:aud"));
    let bare_sub = format!("{}:sub", host.trim_end_matches('/'));
    let token = world.token(json!({"amr": ["mfa", "pwd"]}));
    let check = async |pointer: &str, value: Value, expected: &str| {
        let mut policy = good.clone();
        *policy.pointer_mut(pointer).expect("pointer must exist") = value;
        world.set_trust(&policy.to_string()).await;
        let reply = world.exchange(&token, &[]).await;
        assert_eq!(reply.outcome(), expected, "{policy}");
    };
    let (condition, equals) = ("/Statement/0/Condition", "/Statement/0/Condition/StringEquals");
    check("/Version", json!("2012-10-17"), "200").await;
    check(equals, json!({sub.clone(): SUBJECT, aud.clone(): "other"}), NOT_AUTHORIZED).await;
    check(equals, json!({sub.clone(): "system:serviceaccount:other:reader"}), NOT_AUTHORIZED).await;
    check(equals, json!({sub.clone(): "system:serviceaccount:shop:Reader"}), NOT_AUTHORIZED).await;
    check(equals, json!({sub.clone(): "system:serviceaccount:shop:*"}), NOT_AUTHORIZED).await;
    check(condition, json!({"StringLike": {sub.clone(): "system:serviceaccount:shop:*"}}), "200").await;
    check(equals, json!({aud.clone(): SUBJECT}), NOT_AUTHORIZED).await;
    check(equals, json!({bare_sub: SUBJECT}), NOT_AUTHORIZED).await;
    check(equals, json!({sub.to_uppercase(): SUBJECT}), "200").await;
    check(equals, json!({"sts:RoleSessionName": "pod"}), "200").await;
    check(equals, json!({"sts:RoleSessionName": "other"}), NOT_AUTHORIZED).await;
    check(condition, json!({"Null": {format!("{host}:oaud"): "true"}}), "200").await;
    check(condition, json!({"ForAnyValue:StringEquals": {format!("{host}:amr"): "mfa"}}), "200").await;
    check(condition, json!({"ForAnyValue:StringEquals": {format!("{host}:amr"): "otp"}}), NOT_AUTHORIZED).await;
    check(condition, json!({"Bool": {"aws:SecureTransport": "true"}}), "200").await;
    check(condition, json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}), NOT_AUTHORIZED).await;
    check("/Statement/0/Action", json!("sts:AssumeRole"), NOT_AUTHORIZED).await;
    check("/Statement/0/Effect", json!("Deny"), NOT_AUTHORIZED).await;
    let arn = world.issuer.provider_arn();
    let principal = "/Statement/0/Principal";
    check(principal, json!({"Federated": arn.trim_end_matches('/')}), NOT_AUTHORIZED).await;
    check(principal, json!({"Federated": arn.replace("1111", "2222")}), NOT_AUTHORIZED).await;
    check(principal, json!({"AWS": "111122223333"}), NOT_AUTHORIZED).await;
}

#[tokio::test]
async fn the_original_audience_is_a_key_when_azp_takes_its_place() {
    let world = World::new().await;
    let host = world.issuer.host();
    let policy =
        world.trust_policy().replace(&format!("{host}:sub\":\"{SUBJECT}"), &format!("{host}:oaud\":\"backend"));
    world.set_trust(&policy).await;
    let both = json!({"aud": "backend", "azp": "sts.amazonaws.com"});
    assert_eq!(world.exchange(&world.token(both), &[]).await.outcome(), "200");
    assert_eq!(world.exchange(&world.token(json!({})), &[]).await.outcome(), NOT_AUTHORIZED);
}

#[tokio::test]
async fn sessions_are_no_longer_than_the_role_allows() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let refused = world.exchange(&token, &[("DurationSeconds", "7200")]).await;
    assert_eq!(
        refused.outcome(),
        "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    let raised = world.iam("UpdateRole", &[("RoleName", "reader"), ("MaxSessionDuration", "7200")]).await;
    assert_eq!(raised.outcome(), "200");
    let accepted = world.exchange(&token, &[("DurationSeconds", "7200")]).await;
    assert_eq!(accepted.outcome(), "200");
}

#[tokio::test]
async fn a_plain_endpoint_serves_sts_by_the_form_version() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let body = crate::world::form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE_ARN),
        ("RoleSessionName", "pod"),
        ("WebIdentityToken", &token),
    ]);
    let reply = world.send("127.0.0.1:4566", vec![("host", "127.0.0.1:4566".to_owned())], body).await;
    assert_eq!(reply.outcome(), "200");
}
