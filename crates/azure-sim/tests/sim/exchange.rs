//! The token endpoint: every refusal beside the request that differs in one thing and is answered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use trust::UnverifiedToken;
use uuid::Uuid;

use crate::world::{LOGIN, SUBJECT, World};

#[tokio::test]
async fn requests_are_refused_in_the_order_of_the_real_service() {
    let world = World::new().await;
    let assertion = world.assertion(json!({}));
    let check = async |changed: &[(&str, &str)], expected: &str| {
        assert_eq!(world.exchange(&assertion, changed).await.refusal(), expected, "{changed:?}");
    };
    check(&[], "200").await;
    check(&[("grant_type", "")], "400 invalid_request 900144").await;
    check(&[("client_id", "")], "400 invalid_request 900144").await;
    check(&[("scope", "")], "400 invalid_request 900144").await;
    check(&[("grant_type", "password")], "400 unsupported_grant_type 70003").await;
    let principal = world.principal_id.to_string();
    check(&[("client_id", &principal)], "400 unauthorized_client 700016").await;
    check(&[("client_id", "reader")], "400 unauthorized_client 700016").await;
    check(&[("client_assertion", "")], "401 invalid_client 7000218").await;
    check(&[("client_assertion", ""), ("client_secret", "x")], "401 invalid_client 7000215").await;
    check(&[("client_assertion_type", "")], "400 invalid_request 900144").await;
    check(&[("client_assertion", "garbage")], "400 invalid_request 50027").await;
    check(&[("scope", "https://vault.azure.net")], "400 invalid_scope 1002012").await;
    check(&[("scope", "https://vault.azure.net//.default")], "400 invalid_scope 70011").await;
    check(&[("scope", "https://vault.example/.default")], "400 invalid_resource 500011").await;

    // Of two faults, the earlier one is told.
    check(&[("grant_type", "password"), ("client_id", &principal)], "400 unsupported_grant_type 70003").await;
    check(&[("client_id", &principal), ("client_assertion", "garbage")], "400 unauthorized_client 700016").await;
    check(&[("scope", "nothing"), ("client_assertion", "garbage")], "400 invalid_request 50027").await;
}

#[tokio::test]
async fn the_path_names_the_tenant() {
    let world = World::new().await;
    let assertion = world.assertion(json!({}));
    let other = Uuid::new_v4();
    world.sim.create_tenant(other);
    let check = async |tenant: &str, expected: &str| {
        assert_eq!(world.exchange_at(tenant, &assertion, &[]).await.refusal(), expected, "{tenant}");
    };
    check(&world.admin.tenant.to_string(), "200").await;
    check(&world.admin.tenant.to_string().to_uppercase(), "200").await;
    check("t", "400 invalid_request 900023").await;
    check(&Uuid::new_v4().to_string(), "400 invalid_request 90002").await;
    check("contoso.onmicrosoft.com", "400 invalid_request 90002").await;
    check(&other.to_string(), "400 unauthorized_client 700016").await;
    check("common", "400 invalid_request 50059").await;
    let path = format!("/{}/oauth2/v2.0/token", world.admin.tenant);
    let wrong = world.send(Method::GET, LOGIN, &path, None, String::new()).await;
    assert_eq!(wrong.refusal(), "400 invalid_request 900561");
    let spoilt = world.send(Method::POST, LOGIN, &path, None, "grant_type=%zz".to_owned()).await;
    assert_eq!(spoilt.refusal(), "400 invalid_request 9002313");
}

#[tokio::test]
async fn a_client_must_be_there_enabled_and_not_blocked() {
    let world = World::new().await;
    let (tenant, client) = (world.admin.tenant, world.client_id);
    let assertion = world.assertion(json!({}));
    let outcome = async || world.exchange(&assertion, &[]).await.refusal();
    let bare = world.sim.register_application(tenant).to_string();
    let refused = world.exchange(&assertion, &[("client_id", &bare)]).await;
    assert_eq!(refused.refusal(), "401 invalid_client 7000229");

    assert_eq!(outcome().await, "200");
    assert!(world.sim.set_enabled(tenant, client, false));
    assert_eq!(outcome().await, "400 unauthorized_client 7000112");
    assert!(world.sim.set_enabled(tenant, client, true));
    assert!(world.sim.set_blocked(tenant, client, true));
    assert_eq!(outcome().await, "400 access_denied 53003");
    assert!(world.sim.set_blocked(tenant, client, false));
    assert_eq!(outcome().await, "200");
    assert!(!world.sim.set_enabled(tenant, Uuid::nil(), false));
}

#[tokio::test]
async fn claims_are_compared_exactly_and_in_order() {
    let world = World::new().await;
    let url = world.issuer.url.clone();
    let check = async |claims: Value, expected: &str| {
        let assertion = world.assertion(claims.clone());
        assert_eq!(world.exchange(&assertion, &[]).await.refusal(), expected, "{claims}");
    };
    check(json!({}), "200").await;
    check(json!({"aud": "api://AzureADTokenExchange"}), "200").await;
    check(json!({"iss": format!("{url}/")}), "401 invalid_client 700211").await;
    check(json!({"iss": null}), "401 invalid_client 700211").await;
    check(json!({"sub": "system:serviceaccount:other:reader"}), "401 invalid_client 700213").await;
    check(json!({"sub": "system:serviceaccount:shop:Reader"}), "401 invalid_client 7002138").await;
    check(json!({"sub": null}), "401 invalid_client 700213").await;
    check(json!({"aud": "sts.amazonaws.com"}), "401 invalid_client 700212").await;
    check(json!({"aud": "api://azureadtokenexchange"}), "401 invalid_client 700212").await;
    let wrong = json!({"iss": "https://elsewhere", "sub": "x", "aud": "y"});
    check(wrong, "401 invalid_client 700211").await;
    check(json!({"sub": "x", "aud": "y"}), "401 invalid_client 700213").await;
    // A default service-account token: its lifetime is found out before its audience.
    let now = trust::Clock::now(world.clock.as_ref()).as_second();
    check(json!({"aud": "https://kubernetes.default.svc", "exp": now + 31_536_000}), "400 invalid_request 70023").await;
}

#[tokio::test]
async fn lifetime_and_dates_have_limits() {
    let world = World::new().await;
    let now = trust::Clock::now(world.clock.as_ref()).as_second();
    let check = async |claims: Value, expected: &str| {
        let assertion = world.assertion(claims.clone());
        assert_eq!(world.exchange(&assertion, &[]).await.refusal(), expected, "{claims}");
    };
    check(json!({"exp": now + 86_400}), "200").await;
    check(json!({"exp": now + 90_000}), "200").await;
    check(json!({"exp": now + 90_001}), "400 invalid_request 70023").await;
    check(json!({"iat": null}), "400 invalid_request 70023").await;
    check(json!({"iat": now - 7200, "nbf": now - 7200, "exp": now - 301}), "401 invalid_client 700024").await;
    check(json!({"iat": now - 7200, "nbf": now - 7200, "exp": now - 299}), "200").await;
    check(json!({"nbf": now + 301}), "401 invalid_client 700024").await;
    check(json!({"nbf": now + 299}), "200").await;
    check(json!({"nbf": null}), "200").await;

    let kept = world.assertion(json!({}));
    assert_eq!(world.exchange(&kept, &[]).await.refusal(), "200");
    world.clock.advance(SignedDuration::from_hours(2));
    let stale = world.exchange(&kept, &[]).await;
    assert_eq!(stale.refusal(), "401 invalid_client 700024");
    assert!(stale.description().contains("expiry time of assertion"), "{}", stale.description());
}

#[tokio::test]
async fn a_signature_must_be_of_a_published_key() {
    let world = World::new().await;
    let stranger = trust::SigningKey::generate().expect("key must generate");
    let claims = world.claims(json!({}));
    let check = async |assertion: String, expected: &str| {
        assert_eq!(world.exchange(&assertion, &[]).await.refusal(), expected);
    };
    let signed = |sign: Result<String, trust::KeyError>| sign.expect("token must be signed");
    check(signed(world.issuer.key.sign(&claims)), "200").await;
    check(signed(stranger.sign(&claims)), "401 invalid_client 7000272").await;
    check(signed(stranger.sign_as(world.issuer.key.kid(), &claims)), "401 invalid_client 700027").await;

    let unsigned = |header: Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&header), part(&claims))
    };
    let kid = world.issuer.key.kid();
    for algorithm in ["none", "HS256", "ES256"] {
        check(unsigned(json!({"alg": algorithm, "kid": kid})), "401 invalid_client 700027").await;
    }
    check(unsigned(json!({"alg": "RS256"})), "401 invalid_client 7000272").await;
    check(unsigned(json!({"alg": "RS256", "kid": kid, "typ": "at+jwt"})), "400 invalid_request 5002727").await;
    // Of the right type, it comes as far as its signature.
    check(unsigned(json!({"alg": "RS256", "kid": kid, "typ": "JWT"})), "401 invalid_client 700027").await;
    check(
        unsigned(json!({"alg": "RS256", "kid": kid, "typ": "http://openid.net/specs/jwt/1.0"})),
        "401 invalid_client 700027",
    )
    .await;
}

#[tokio::test]
async fn tokens_of_entra_are_no_assertions() {
    let world = World::new().await;
    let own = world.bearer.clone();
    assert_eq!(world.exchange(&own, &[]).await.refusal(), "401 invalid_client 700222");
    let foreign = format!("https://login.microsoftonline.com/{}/v2.0", Uuid::new_v4());
    let foreign = world.assertion(json!({"iss": foreign}));
    assert_eq!(world.exchange(&foreign, &[]).await.refusal(), "401 invalid_client 700236");
}

#[tokio::test]
async fn a_refusal_has_the_shape_of_the_real_one() {
    let world = World::new().await;
    let refused = world.exchange(&world.assertion(json!({"sub": "system:serviceaccount:shop:other"})), &[]).await;
    let text = |name: &str| refused.body[name].as_str().unwrap_or_default();
    let expected = format!(
        "AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:shop:other'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation Trace ID: {} Correlation ID: {} Timestamp: {}",
        text("trace_id"),
        text("correlation_id"),
        text("timestamp")
    );
    assert_eq!(text("error_description"), expected);
    assert_eq!(refused.body["error_codes"], json!([700_213]));
    assert_eq!(text("timestamp").len(), "2024-01-14 20:29:53Z".len());
    assert_eq!(refused.body.get("error_uri"), None);
    assert_eq!(refused.headers["x-ms-request-id"], text("trace_id"));

    let known = world.exchange("x", &[("client_id", "nobody")]).await;
    assert_eq!(known.body["error_uri"], "https://login.microsoftonline.com/error?code=700016");
}

#[tokio::test]
async fn a_token_says_who_it_is_for() {
    let world = World::new().await;
    let answer = world.exchange(&world.assertion(json!({})), &[]).await;
    assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(86399)));
    assert_eq!(answer.body.get("refresh_token"), None);
    let claims = UnverifiedToken::decode(&answer.token()).expect("token must decode").claims;
    let tenant = world.admin.tenant;
    let expected = json!({
        "aud": "https://vault.azure.net",
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "appid": world.client_id,
        "appidacr": "2",
        "oid": world.principal_id,
        "sub": world.principal_id,
        "tid": tenant,
        "idtyp": "app",
        "ver": "1.0",
        "xms_mirid": format!(
            "/subscriptions/{}/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader",
            world.admin.subscription
        ),
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&claims[name], value, "{name}");
    }
    // An application with a secret gets an hour, and is no managed identity.
    let admin = UnverifiedToken::decode(&world.bearer).expect("token must decode").claims;
    assert_eq!((&admin["appidacr"], admin.get("xms_mirid")), (&json!("1"), None));
    let lifetime = |claims: &serde_json::Map<String, Value>| {
        claims["exp"].as_i64().zip(claims["nbf"].as_i64()).map(|(end, begin)| end - begin)
    };
    assert_eq!((lifetime(&admin), lifetime(&claims)), (Some(3899), Some(86_699)));
    assert!(!answer.token().contains(SUBJECT));
}
