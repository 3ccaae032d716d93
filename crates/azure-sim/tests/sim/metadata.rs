//! The documents that SDKs ask for before they ask for a token.

use http::Method;
use serde_json::{Value, json};
use trust::{Jwks, verify_signature};
use uuid::Uuid;

use crate::world::{LOGIN, Reply, World};

async fn get(world: &World, path: &str) -> Reply {
    world.send(Method::GET, LOGIN, path, None, String::new()).await
}

#[tokio::test]
async fn discovery_leads_to_the_token_endpoint_and_the_keys() {
    let world = World::bare().await;
    let tenant = world.admin.tenant;
    let found = get(&world, &format!("/{tenant}/v2.0/.well-known/openid-configuration")).await;
    let authority = format!("https://login.microsoftonline.com/{tenant}");
    assert_eq!(found.body["issuer"], format!("{authority}/v2.0"));
    assert_eq!(found.body["token_endpoint"], format!("{authority}/oauth2/v2.0/token"));
    assert_eq!(found.body["authorization_endpoint"], format!("{authority}/oauth2/v2.0/authorize"));
    assert_eq!(found.body["jwks_uri"], format!("{authority}/discovery/v2.0/keys"));
    let keys = get(&world, &format!("/{tenant}/discovery/v2.0/keys")).await;
    let keys: Jwks = serde_json::from_value(keys.body).expect("keys must be a key set");
    assert_eq!(verify_signature(&world.bearer, &keys), Ok(()));

    let check = async |path: &str, expected: &str| assert_eq!(get(&world, path).await.refusal(), expected, "{path}");
    check("/common/v2.0/.well-known/openid-configuration", "200").await;
    check(&format!("/{tenant}/.well-known/openid-configuration"), "200").await;
    let other = Uuid::new_v4();
    check(&format!("/{other}/v2.0/.well-known/openid-configuration"), "400 invalid_tenant 90002").await;
    check("/t/v2.0/.well-known/openid-configuration", "400 invalid_tenant 900023").await;
    check("/t/v2.0/elsewhere", "404").await;
}

#[tokio::test]
async fn instance_discovery_knows_the_public_cloud() {
    let world = World::bare().await;
    let ask = async |host: &str| {
        let endpoint = format!("https%3A%2F%2F{host}%2Ft%2Foauth2%2Fv2.0%2Fauthorize");
        get(&world, &format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}")).await
    };
    let found = ask("login.windows.net").await;
    assert_eq!(found.status, 200);
    let tenant_discovery = "https://login.windows.net/t/v2.0/.well-known/openid-configuration";
    assert_eq!(found.body["tenant_discovery_endpoint"], tenant_discovery);
    let aliases = found.body["metadata"][0]["aliases"].as_array().cloned().unwrap_or_default();
    assert!(aliases.contains(&json!("login.microsoftonline.com")));
    let refused = ask("login.example").await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &Value::from("invalid_instance")));
}
