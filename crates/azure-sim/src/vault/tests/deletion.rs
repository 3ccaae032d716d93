//! Soft delete: what is deleted can be recovered, and keeps its name until it is purged.

use super::*;

async fn with_deleted() -> World {
    let world = World::new();
    world.put("db", json!({"value": "one"})).await.expect(200);
    let body = json!({"value": "two", "tags": {"team": "blue"}});
    world.put("db", body).await.expect(200);
    world.delete("/secrets/db").await.expect(200);
    world
}

async fn recover(world: &World) -> Answer {
    world.call("POST", "/deletedsecrets/db/recover").send().await
}

#[tokio::test]
async fn a_deleted_secret_is_shown_without_its_value_among_the_deleted() {
    let world = with_deleted().await;
    assert_eq!(world.get("/secrets/db").await.verdict(), "404 SecretNotFound");
    assert!(world.get("/secrets").await.expect(200).listed().is_empty());
    let deleted = world.get("/deletedsecrets/db").await.expect(200);
    insta::assert_snapshot!(steady(&deleted.json), @r#"
    {
      "id": "https://team-kv.vault.azure.net/secrets/db/<version>",
      "attributes": {
        "enabled": true,
        "created": 1777888800,
        "updated": 1777888800,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90
      },
      "tags": {
        "team": "blue"
      },
      "recoveryId": "https://team-kv.vault.azure.net/deletedsecrets/db",
      "deletedDate": 1777888800,
      "scheduledPurgeDate": 1785664800
    }
    "#);
    let listed = world.get("/deletedsecrets").await.expect(200);
    assert_eq!(listed.listed(), ["db"]);
    assert_eq!(listed.json["value"][0]["recoveryId"], deleted.json["recoveryId"]);
}

#[tokio::test]
async fn the_name_of_a_deleted_secret_stays_taken() {
    let world = with_deleted().await;
    let put = async |name| world.put(name, json!({"value": "three"})).await;
    assert_eq!(put("other").await.verdict(), "200");
    let refused = put("DB").await;
    assert_eq!(refused.status, 409);
    insta::assert_snapshot!(refused.text, @r#"{"error":{"code":"Conflict","message":"Secret db is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.","innererror":{"code":"ObjectIsDeletedButRecoverable"}}}"#);
    world.delete("/deletedsecrets/db").await.expect(204);
    assert_eq!(put("DB").await.verdict(), "200");
}

#[tokio::test]
async fn a_recovered_secret_has_all_its_versions() {
    let world = with_deleted().await;
    let recovered = recover(&world).await.expect(200);
    assert_eq!(recovered.json["value"], Value::Null);
    assert_eq!(world.get("/secrets/db").await.json["value"], "two");
    let versions = world.get("/secrets/db/versions").await.expect(200);
    assert_eq!(versions.listed().len(), 2);
    assert_eq!(world.get("/deletedsecrets/db").await.message(), "Deleted Secret not found: db");
}

#[tokio::test]
async fn a_purged_secret_is_gone() {
    let world = with_deleted().await;
    let purged = world.delete("/deletedsecrets/db").await.expect(204);
    assert!(purged.text.is_empty());
    assert_eq!(recover(&world).await.verdict(), "404 SecretNotFound");
    assert_eq!(world.delete("/deletedsecrets/db").await.verdict(), "404 SecretNotFound");
    assert_eq!(world.get("/deletedsecrets/db").await.verdict(), "404 SecretNotFound");
}

#[tokio::test]
async fn purge_protection_forbids_to_purge() {
    let world = World::new();
    let protect = |is_protected: bool| {
        let mut directory = world.state.write();
        let vault = directory.vaults.get_mut("team-kv");
        vault.expect("vault must exist").purge_protection = is_protected;
    };
    world.put("db", json!({"value": "v"})).await.expect(200);
    world.delete("/secrets/db").await.expect(200);
    protect(true);
    let refused = world.delete("/deletedsecrets/db").await;
    assert_eq!(refused.verdict(), "403 Forbidden");
    let said = "Operation \"purge\" is not allowed because purge protection is enabled";
    assert!(refused.message().starts_with(said), "{}", refused.text);
    protect(false);
    world.delete("/deletedsecrets/db").await.expect(204);
}

#[tokio::test]
async fn what_is_kept_long_enough_is_purged() {
    let world = World::with_vault(|vault| vault.retention_days = 7);
    world.assign(ADMINISTRATOR, &vault_id("Team-KV"));
    let put = world.put("db", json!({"value": "v"})).await.expect(200);
    assert_eq!(put.json["attributes"]["recoveryLevel"], "CustomizedRecoverable+Purgeable");
    world.delete("/secrets/db").await.expect(200);
    world.wait(7 * 24 * 3600 - 1);
    world.get("/deletedsecrets/db").await.expect(200);
    world.wait(1);
    assert_eq!(world.get("/deletedsecrets/db").await.verdict(), "404 SecretNotFound");
    world.put("db", json!({"value": "v"})).await.expect(200);
}

#[tokio::test]
async fn a_disabled_secret_is_not_shown_once_deleted() {
    let world = World::new();
    let body = json!({"value": "v", "attributes": {"enabled": false}});
    world.put("off", body).await.expect(200);
    world.put("on", json!({"value": "v"})).await.expect(200);
    for (name, expected) in [("on", "200"), ("off", "403 Forbidden SecretDisabled")] {
        world.delete(&format!("/secrets/{name}")).await.expect(200);
        let seen = world.get(&format!("/deletedsecrets/{name}")).await;
        assert_eq!(seen.verdict(), expected, "{name}");
    }
}
