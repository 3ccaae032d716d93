//! What holds for every service: the request log, the names at loopback, and limits on what callers send.

use std::time::Duration;

use axum::body::Body;
use azure_sim::AzureSimOptions;
use http::{Method, Request};
use serde_json::json;
use tower::ServiceExt as _;

use crate::world::{LOGIN, World, encode};

/// `service operation error app` of the log's last line.
fn last(world: &World) -> String {
    let log = world.sim.requests_after(0);
    let one = log.last().expect("a request must be in the log");
    assert!(!one.request_id.is_empty() && one.seq == log.len() as u64);
    let who = one.who.map(|who| if who.app_id == world.client_id { "reader" } else { "owner" });
    let (error, who) = (one.error.as_deref().unwrap_or("-"), who.unwrap_or("-"));
    format!("{} {} {} {error} {who}", one.service, one.operation, one.status)
}

#[tokio::test]
async fn the_log_says_who_asked_for_what_and_what_came_of_it() {
    let world = World::new().await;
    assert_eq!(
        last(&world),
        "arm Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write 201 - owner"
    );
    assert_eq!(world.vault("shop-kv", json!({"enableRbacAuthorization": true})).await.outcome(), "200");
    let token = world.exchange(&world.assertion(json!({})), &[]).await.token();
    assert_eq!(last(&world), "entra Token 200 - reader");
    world.exchange(&world.assertion(json!({"sub": "other"})), &[]).await;
    assert_eq!(last(&world), "entra Token 401 AADSTS700213 -");
    let ask = async |host: &str, path: &str, bearer: Option<&str>| {
        world.send(Method::GET, host, path, bearer, String::new()).await;
        last(&world)
    };
    let secret = "/secrets/db?api-version=7.4";
    assert_eq!(
        ask("shop-kv.vault.azure.net", secret, Some(&token)).await,
        "keyvault GetSecret 403 ForbiddenByRbac reader"
    );
    assert_eq!(ask("shop-kv.vault.azure.net", secret, None).await, "keyvault  401 Unauthorized -");
    assert_eq!(
        ask("shop-kv.vault.azure.net", secret, Some(&format!("{token}x"))).await,
        "keyvault  401 Unauthorized -"
    );
    let groups = format!("/subscriptions/{}/resourcegroups?api-version=2021-04-01", world.admin.subscription);
    assert_eq!(
        ask("management.azure.com", &groups, Some(&world.bearer)).await,
        "arm Microsoft.Resources/subscriptions/resourceGroups/read 200 - owner"
    );
    assert_eq!(ask(LOGIN, "/common/discovery/instance", None).await, "entra InstanceDiscovery 400 AADSTS50049 -");
}

#[tokio::test]
async fn no_credential_comes_into_the_log() {
    let world = World::new().await;
    let assertion = world.assertion(json!({}));
    let token = world.exchange(&assertion, &[]).await.token();
    let odd = [
        (LOGIN, "/common/oauth2/v2.0/token?client_secret=canary"),
        ("management.azure.com", "/subscriptions?access_token=canary&api-version=2022-12-01"),
        ("v.vault.azure.net", "/secrets/a?sig=canary"),
        ("a.blob.core.windows.net", "/c/b?sig=canary"),
    ];
    for (host, path) in odd {
        world.send(Method::GET, host, path, Some("canary"), "client_secret=canary".to_owned()).await;
    }
    world.vault("shop-kv", json!({})).await;
    world
        .send(
            Method::PUT,
            "shop-kv.vault.azure.net",
            "/secrets/a?api-version=7.4",
            Some(&token),
            "{\"value\":\"canary\"}".to_owned(),
        )
        .await;
    let log = serde_json::to_string(&world.sim.requests_after(0)).expect("the log must serialise");
    for canary in ["canary", &assertion, &token, &world.bearer, world.admin.client_secret.expose()] {
        assert!(!log.contains(canary), "{canary}");
    }
}

#[tokio::test]
async fn one_port_of_loopback_serves_everything_under_its_own_names() {
    let world = World::new().await;
    assert_eq!(world.vault("shop-kv", json!({"enableRbacAuthorization": true})).await.outcome(), "200");
    let get = async |host: &str, path: &str, bearer: Option<&str>| {
        world.send(Method::GET, host, path, bearer, String::new()).await
    };
    let tenant = world.admin.tenant;
    let found = get("localhost:8443", &format!("/{tenant}/v2.0/.well-known/openid-configuration"), None).await;
    assert_eq!(found.body["token_endpoint"], json!(format!("https://localhost:8443/{tenant}/oauth2/v2.0/token")));
    let found = get("localhost:8443", "/metadata/endpoints?api-version=2022-09-01", None).await;
    assert_eq!(found.body["suffixes"]["keyVaultDns"], "vault.localhost:8443");
    let challenged = get("shop-kv.vault.localhost:8443", "/secrets/a?api-version=7.4", None).await;
    assert_eq!(
        challenged.headers["www-authenticate"],
        format!("Bearer authorization=\"https://localhost:8443/{tenant}\", resource=\"https://vault.localhost:8443\"")
    );
    let assertion = world.assertion(json!({}));
    let token = world.exchange(&assertion, &[("scope", "https://vault.localhost:8443/.default")]).await.token();
    let refused = get("shop-kv.vault.localhost:8443", "/secrets/a?api-version=7.4", Some(&token)).await;
    assert_eq!(refused.body["error"]["innererror"]["code"], "ForbiddenByRbac");
    let wrong = world.exchange(&assertion, &[("scope", "https://management.azure.com/.default")]).await.token();
    let refused = get("shop-kv.vault.localhost:8443", "/secrets/a?api-version=7.4", Some(&wrong)).await;
    assert_eq!((refused.status, refused.outcome()), (401, "401 Unauthorized".to_owned()));
    // From outside, nobody is inside.
    assert_eq!(get("shop-kv.vault.inside", "/secrets/a?api-version=7.4", Some(&token)).await.status, 404);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let options = AzureSimOptions { body_idle: Duration::from_millis(20), ..AzureSimOptions::default() };
    let world = World::with_options(Duration::from_secs(5), &options).await.furnished().await;
    world.vault("shop-kv", json!({})).await;
    let scope = [("scope", "https://vault.azure.net/.default")];
    let token = world.exchange(&world.assertion(json!({})), &scope).await.token();
    let group = format!("/subscriptions/{}/resourcegroups/h?api-version=2021-04-01", world.admin.subscription);
    let login = format!("/{}/oauth2/v2.0/token", world.admin.tenant);
    let check = async |method: Method, host: &str, path: &str, bearer: &str, expected: u16| {
        let silent = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
        let request = Request::builder().method(method).uri(path).header("host", host);
        let request =
            request.header("authorization", format!("Bearer {bearer}")).body(silent).expect("request must be made");
        let response = world.sim.router().oneshot(request).await.expect("router must answer");
        assert_eq!(response.status().as_u16(), expected, "{host}");
    };
    check(Method::PUT, "management.azure.com", &group, &world.bearer, 408).await;
    check(Method::POST, LOGIN, &login, "", 408).await;
    // Who may not write is told so before its body is waited for.
    check(Method::PUT, "shop-kv.vault.azure.net", "/secrets/a?api-version=7.4", &token, 403).await;
    let large = encode(&[("grant_type", &"x".repeat(2 << 20))]);
    assert_eq!(world.send(Method::POST, LOGIN, &login, None, large).await.refusal(), "413 invalid_request 9002313");
    let large = "x".repeat(5 << 20);
    let refused = world.send(Method::PUT, "management.azure.com", &group, Some(&world.bearer), large).await;
    assert_eq!(refused.outcome(), "413 RequestContentTooLarge");
}

#[tokio::test]
async fn what_is_stored_has_an_end() {
    let options = AzureSimOptions { storage_limit: 4096, ..AzureSimOptions::default() };
    let world = World::with_options(Duration::from_secs(5), &options).await.furnished().await;
    world.vault("shop-kv", json!({})).await;
    let write = async |name: &str, size: usize| {
        let path = format!("/resourceGroups/g/providers/Microsoft.KeyVault/vaults/shop-kv/secrets/{name}");
        world.put(&path, crate::world::VAULT, &json!({"properties": {"value": "x".repeat(size)}})).await.outcome()
    };
    assert_eq!(write("a", 1000).await, "200");
    assert_eq!(write("b", 4000).await, "507 InsufficientStorage");
    assert_eq!(write("b", 1000).await, "200");
}
