//! With delays: a write is seen late, then now and now not, and at last always.

use std::time::Duration;

use azure_sim::{AzureSimOptions, Propagation};
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{AUDIENCE, ROLES, SUBJECT, World, vault};

const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

async fn world(factor: f64, seed: u64) -> World {
    let options =
        AzureSimOptions { propagation: Some(Propagation::scaled(factor, seed)), ..AzureSimOptions::default() };
    World::with_options(Duration::from_secs(5), &options).await.furnished().await
}

/// What comes of the exchange at so many looks, one every so many seconds.
async fn watch(world: &World, looks: usize, seconds: i64) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..looks {
        seen.push(world.exchange(&world.assertion(json!({})), &[]).await.refusal());
        world.clock.advance(SignedDuration::from_secs(seconds));
    }
    seen
}

#[tokio::test]
async fn a_federated_credential_flaps_before_it_holds() {
    let check = async |seed| {
        let seen = watch(&world(1.0, seed).await, 80, 2).await;
        let first = seen.iter().position(|one| one == "200").expect("it must come to hold");
        assert!(first > 2 && seen[..first].iter().all(|one| one == "401 invalid_client 70025"), "{seen:?}");
        let last = seen.iter().rposition(|one| one != "200").expect("it must be late");
        assert!(last > first && last <= 60, "no flapping: {seen:?}");
        seen
    };
    assert_eq!(check(1).await, check(1).await);
}

#[tokio::test]
async fn a_changed_credential_is_seen_late_as_well() {
    let world = world(1.0, 1).await;
    world.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(watch(&world, 3, 0).await, ["200"; 3]);
    let changed =
        world.credential("reader", "eks", &world.issuer.url, "system:serviceaccount:shop:other", AUDIENCE).await;
    assert_eq!(changed.outcome(), "200");
    assert_eq!(watch(&world, 3, 0).await, ["200"; 3]);
    world.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(watch(&world, 3, 0).await, ["401 invalid_client 700213"; 3]);
    let back = world.credential("reader", "eks", &world.issuer.url, SUBJECT, AUDIENCE).await;
    assert_eq!(back.outcome(), "200");
}

async fn assign(world: &World, kind: Value) -> String {
    let definition = format!("/providers/Microsoft.Authorization/roleDefinitions/{SECRETS_USER}");
    let mut properties = json!({"roleDefinitionId": definition, "principalId": world.principal_id});
    if !kind.is_null() {
        properties["principalType"] = kind;
    }
    let path = format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", vault("shop-kv"), Uuid::new_v4());
    world.put(&path, ROLES, &json!({"properties": properties})).await.outcome()
}

#[tokio::test]
async fn a_fresh_principal_is_found_late_unless_its_type_is_given() {
    let world = world(1.0, 1).await;
    assert_eq!(world.vault("shop-kv", json!({"enableRbacAuthorization": true})).await.outcome(), "200");
    assert_eq!(assign(&world, Value::Null).await, "400 PrincipalNotFound");
    assert_eq!(assign(&world, json!("ServicePrincipal")).await, "201");
    world.clock.advance(SignedDuration::from_secs(31));
    assert_eq!(assign(&world, Value::Null).await, "409 RoleAssignmentExists");
}

#[tokio::test]
async fn a_role_assignment_counts_late() {
    let world = world(1.0, 1).await;
    assert_eq!(world.vault("shop-kv", json!({"enableRbacAuthorization": true})).await.outcome(), "200");
    assert_eq!(assign(&world, json!("ServicePrincipal")).await, "201");
    world.clock.advance(SignedDuration::from_mins(3));
    let read = async || {
        let token = world.exchange(&world.assertion(json!({})), &[]).await.token();
        let path = "/secrets/absent?api-version=7.4";
        let reply = world.send(Method::GET, "shop-kv.vault.azure.net", path, Some(&token), String::new()).await;
        let code = reply.body["error"]["innererror"]["code"].as_str().or(reply.body["error"]["code"].as_str());
        code.unwrap_or_default().to_owned()
    };
    let mut seen = Vec::new();
    for _ in 0..12 {
        seen.push(read().await);
        world.clock.advance(SignedDuration::from_secs(20));
    }
    assert!(seen.iter().any(|code| code == "ForbiddenByRbac"), "{seen:?}");
    assert!(seen[8..].iter().all(|code| code == "SecretNotFound"), "{seen:?}");
}

#[tokio::test]
async fn without_a_factor_nothing_is_late() {
    let world = world(0.0, 1).await;
    assert_eq!(watch(&world, 3, 0).await, ["200"; 3]);
}
