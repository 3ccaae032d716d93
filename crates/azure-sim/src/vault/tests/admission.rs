//! Who is taken for authenticated, and from where.

use super::*;

#[tokio::test]
async fn a_request_without_token_is_told_where_to_get_one() {
    let world = World::new();
    let answer = world.call("GET", "/secrets/db").authorization(None).send().await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer authorization=\"https://login.microsoftonline.com/72f988bf-0000-4000-8000-000000000001\", resource=\"https://vault.azure.net\""
    );
    insta::assert_snapshot!(answer.text, @r#"{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}"#);
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-ms-keyvault-region", "westeurope"),
        ("x-ms-client-request-id", "client-1"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("x-ms-request-id").len(), 36);
}

/// One thing of a good token changed.
async fn check(world: &World, change: impl FnOnce(&mut Value), expected: &str) {
    let mut claims = world.claims();
    change(&mut claims);
    let token = format!("Bearer {}", world.sign(&claims));
    let answer = world.call("GET", "/secrets").authorization(Some(token)).send().await;
    let seen = match answer.status {
        401 => answer.message(),
        _ => "",
    };
    assert_eq!(format!("{} {seen}", answer.status).trim(), expected);
    assert_eq!(answer.header("www-authenticate").is_empty(), answer.status == 200);
}

#[tokio::test]
async fn rejects_tokens_that_are_not_for_this_vault() {
    let world = World::new();
    let now = world.clock.now().as_second();
    check(&world, |_| (), "200").await;
    check(
        &world,
        |claims| claims["aud"] = json!("https://management.azure.com/"),
        "401 AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://management.azure.com/.",
    )
    .await;
    let foreign = format!("https://sts.windows.net/{OTHER_TENANT}/");
    check(
        &world,
        |claims| claims["iss"] = json!(foreign),
        "401 AKV10032: Invalid issuer. Expected one of https://sts.windows.net/72f988bf-0000-4000-8000-000000000001/, found https://sts.windows.net/72f988bf-0000-4000-8000-000000000002/.",
    )
    .await;
    check(&world, |claims| claims["exp"] = json!(now + 1), "200").await;
    check(&world, |claims| claims["exp"] = json!(now), "401 Error validating token: IDX10223").await;
    check(&world, |claims| claims["nbf"] = json!(now + 1), "401 Error validating token: IDX10222").await;
}

#[tokio::test]
async fn rejects_tokens_that_entra_did_not_sign() {
    let world = World::new();
    let good = world.sign(&world.claims());
    let forger = SigningKey::generate().expect("key must generate");
    let kid = world.keys.active().kid().to_owned();
    let forged = forger.sign_as(&kid, &world.claims()).expect("claims must sign");
    let unknown = forger.sign(&world.claims()).expect("claims must sign");
    for (authorization, expected) in [
        (format!("Bearer {good}"), "200"),
        (format!("bearer {good}"), "200"),
        (format!("Bearer {forged}"), "401 Unauthorized"),
        (format!("Bearer {unknown}"), "401 Unauthorized"),
        ("Bearer garbage".to_owned(), "401 Unauthorized"),
        ("Bearer ".to_owned(), "401 Unauthorized"),
        (format!("Basic {good}"), "401 Unauthorized"),
    ] {
        let call = world.call("GET", "/secrets").authorization(Some(authorization));
        let answer = call.send().await;
        assert_eq!(answer.verdict(), expected, "{}", answer.text);
        assert!(!answer.text.contains(&good));
    }
}

#[tokio::test]
async fn the_api_version_is_mandatory_once_the_token_is_good() {
    let world = World::new();
    let call = |target: &str| world.call("GET", "").target(target);
    for (target, expected) in [
        ("/secrets?api-version=2025-07-01", "200"),
        ("/secrets", "400 BadParameter"),
        ("/secrets?api-version=1.0", "400 BadParameter"),
    ] {
        assert_eq!(call(target).send().await.verdict(), expected, "{target}");
    }
    let answer = call("/secrets?api-version=7.9").send().await;
    assert_eq!(
        answer.message(),
        "The specified version (7.9) is not recognized. Consider using the latest supported version (2026-04-01)."
    );
    let anonymous = call("/secrets").authorization(None).send().await;
    assert_eq!(anonymous.status, 401);
}

#[tokio::test]
async fn the_firewall_admits_listed_addresses_only() {
    let world = World::with_vault(|vault| {
        vault.network = NetworkRules {
            allow_by_default: false,
            bypass: "AzureServices".to_owned(),
            ip_rules: vec!["203.0.113.0/24".to_owned()],
            ..NetworkRules::default()
        };
    });
    world.assign(ADMINISTRATOR, &vault_id("Team-KV"));
    let call = world.call("GET", "/secrets");
    assert_eq!(call.clone().from("203.0.113.9").send().await.status, 200);
    assert_eq!(call.clone().from("::ffff:203.0.113.9").send().await.status, 200);
    assert_eq!(call.clone().send().await.verdict(), "403 Forbidden ForbiddenByFirewall");
    let refused = call.clone().from("198.51.100.1").send().await;
    insta::assert_snapshot!(refused.text, @r#"{"error":{"code":"Forbidden","message":"Client address is not authorized and caller is not a trusted service.\r\nClient address: 198.51.100.1\r\nCaller: appid=c1000000-0000-4000-8000-000000000001;oid=0b000000-0000-4000-8000-000000000001;iss=https://sts.windows.net/72f988bf-0000-4000-8000-000000000001/\r\nVault: Team-KV;location=westeurope","innererror":{"code":"ForbiddenByFirewall"}}}"#);
    // Without a token the challenge comes first, or no client could ever learn it.
    let anonymous = call.from("198.51.100.1").authorization(None).send().await;
    assert_eq!(anonymous.status, 401);
}

#[tokio::test]
async fn disabled_public_access_lets_nobody_in() {
    let world = World::new();
    let call = || world.call("GET", "/secrets").from("203.0.113.9").send();
    assert_eq!(call().await.status, 200);
    let mut closed = world.vault("Team-KV");
    closed.network.public_access = false;
    world.open(closed);
    let refused = call().await;
    assert_eq!(refused.verdict(), "403 Forbidden ForbiddenByConnection");
    assert!(refused.message().starts_with("Public network access is disabled"), "{}", refused.text);
}

#[tokio::test]
async fn the_network_decides_before_any_permission() {
    let world = World::with_vault(|vault| vault.network.public_access = false);
    let refused = world.get("/secrets/db").await;
    assert_eq!(refused.verdict(), "403 Forbidden ForbiddenByConnection");
}

#[tokio::test]
async fn only_vaults_that_exist_answer() {
    let world = World::new();
    let call = world.call("GET", "/secrets");
    for (host, status) in
        [("team-kv.vault.azure.net", 200), ("TEAM-KV.vault.azure.net:443", 200), ("other-kv.vault.azure.net", 404)]
    {
        let answer = call.clone().at(host).send().await;
        assert_eq!(answer.status, status, "{host}");
        // Whoever reads the answer as a vault's must not take it for a missing secret.
        assert_eq!(answer.json.is_null(), status == 404, "{host}");
    }
}
