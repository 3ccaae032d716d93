//! Vaults as resources: names, settings, access policies, soft delete, and secrets that Resource Manager writes.

use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Reply, VAULT, World, vault};

const CHECK: &str = "/providers/Microsoft.KeyVault/checkNameAvailability";
const DELETED: &str = "/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/v-one";

impl World {
    async fn is_free(&self, name: &str) -> Value {
        let body = json!({"name": name, "type": "Microsoft.KeyVault/vaults"});
        let mut answer = self.manage(Method::POST, CHECK, VAULT, &body).await.body;
        if answer["nameAvailable"] == true { json!(true) } else { answer["reason"].take() }
    }

    /// Reads a secret as the workload does.
    async fn read(&self, vault: &str, secret: &str) -> Reply {
        let token = self.exchange(&self.assertion(json!({})), &[]).await.token();
        let path = format!("/secrets/{secret}?api-version=7.4");
        self.send(Method::GET, &format!("{vault}.vault.azure.net"), &path, Some(&token), String::new()).await
    }
}

#[tokio::test]
async fn a_vault_is_what_its_request_says() {
    let world = World::new().await;
    let tenant = world.admin.tenant;
    let made = world.vault("v-One", json!({"enableRbacAuthorization": true, "softDeleteRetentionInDays": 7})).await;
    assert_eq!(made.outcome(), "200");
    let properties = &made.body["properties"];
    assert_eq!(properties["vaultUri"], "https://v-one.vault.azure.net/");
    assert_eq!(
        (&properties["enableRbacAuthorization"], &properties["softDeleteRetentionInDays"]),
        (&json!(true), &json!(7))
    );
    assert_eq!((&properties["tenantId"], &properties["provisioningState"]), (&json!(tenant), &json!("Succeeded")));
    assert_eq!(world.get(&vault("V-ONE"), VAULT).await.body, made.body);

    let check = async |properties: Value, expected: &str| {
        assert_eq!(world.vault("v-two", properties.clone()).await.outcome(), expected, "{properties}");
    };
    check(json!({"tenantId": Uuid::new_v4()}), "400 BadRequest").await;
    check(json!({"tenantId": null}), "400 BadRequest").await;
    check(json!({"sku": {"family": "A", "name": "gold"}}), "400 BadRequest").await;
    check(json!({"accessPolicies": null}), "400 BadRequest").await;
    check(json!({"enableSoftDelete": false}), "400 BadRequest").await;
    check(json!({"softDeleteRetentionInDays": 6}), "400 BadRequest").await;
    check(json!({"networkAcls": {"defaultAction": "Never"}}), "400 BadRequest").await;
    check(
        json!({"accessPolicies": [{"tenantId": tenant, "objectId": "x", "permissions": {"secrets": ["fly"]}}]}),
        "400 BadRequest",
    )
    .await;
    check(
        json!({"accessPolicies": [{"tenantId": tenant, "objectId": "x", "permissions": {"secrets": ["get"]}}]}),
        "200",
    )
    .await;
    check(json!({"softDeleteRetentionInDays": 7}), "400 BadRequest").await;
    check(json!({"networkAcls": {"defaultAction": "Deny"}, "publicNetworkAccess": "Disabled"}), "200").await;
    let shown = world.get(&vault("v-two"), VAULT).await.body;
    let network = json!({"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": []});
    assert_eq!(
        (&shown["properties"]["networkAcls"], &shown["properties"]["publicNetworkAccess"]),
        (&network, &json!("Disabled"))
    );
}

#[tokio::test]
async fn newer_versions_use_roles_unless_told_otherwise() {
    let world = World::new().await;
    let properties =
        json!({"tenantId": world.admin.tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []});
    let body = json!({"location": "westeurope", "properties": properties});
    let mut seen = Vec::new();
    for (name, version) in [("v-old", "2025-05-01"), ("v-new", "2026-02-01")] {
        let made = world.put(&vault(name), version, &body).await;
        seen.push(made.body["properties"]["enableRbacAuthorization"].clone());
    }
    assert_eq!(seen, [json!(false), json!(true)]);
}

#[tokio::test]
async fn names_are_everybodys_and_follow_rules() {
    let world = World::new().await;
    let check = async |name: &str, expected: &str| {
        assert_eq!(world.vault(name, json!({})).await.outcome(), expected, "{name}");
    };
    check("v-1", "200").await;
    check(&"v".repeat(24), "200").await;
    check(&"v".repeat(25), "400 VaultNameNotValid").await;
    check("1v-", "400 VaultNameNotValid").await;
    check("v-1-", "400 VaultNameNotValid").await;
    check("v--1", "400 VaultNameNotValid").await;
    check("v_1", "400 VaultNameNotValid").await;
    assert_eq!(world.is_free("v-1").await, "AlreadyExists");
    assert_eq!(world.is_free("V-1").await, "AlreadyExists");
    assert_eq!(world.is_free("v-2").await, true);
    assert_eq!(world.is_free("v--2").await, "AccountNameInvalid");

    // Another group is as far away as another tenant.
    let place = json!({"location": "westeurope"});
    assert_eq!(world.put("/resourceGroups/h", "2021-04-01", &place).await.outcome(), "201");
    let body = json!({"location": "westeurope", "properties": {
        "tenantId": world.admin.tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [],
    }});
    let path = |name: &str| format!("/resourceGroups/h/providers/Microsoft.KeyVault/vaults/{name}");
    assert_eq!(world.put(&path("v-1"), VAULT, &body).await.outcome(), "409 VaultAlreadyExists");
    assert_eq!(world.put(&path("v-3"), VAULT, &body).await.outcome(), "200");
}

#[tokio::test]
async fn a_deleted_vault_keeps_its_name_until_it_is_purged() {
    let world = World::new().await;
    assert_eq!(world.vault("v-one", json!({})).await.outcome(), "200");
    assert_eq!(world.get(DELETED, VAULT).await.outcome(), "404 DeletedVaultNotFound");
    assert_eq!(world.delete(&vault("v-one"), VAULT).await.status, 200);
    assert_eq!(world.delete(&vault("v-one"), VAULT).await.status, 204);
    assert_eq!(world.get(&vault("v-one"), VAULT).await.outcome(), "404 ResourceNotFound");
    assert_eq!(world.vault("v-one", json!({})).await.outcome(), "409 ConflictError");
    assert_eq!(world.is_free("v-one").await, "AlreadyExists");
    let kept = world.get(DELETED, VAULT).await.body;
    let id = format!("/subscriptions/{}{}", world.admin.subscription, vault("v-one"));
    assert_eq!(kept["properties"]["vaultId"], id);
    let accepted = world.manage(Method::POST, &format!("{DELETED}/purge"), VAULT, &Value::Null).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(world.follow(&accepted).await, [202, 200]);
    assert_eq!(world.get(DELETED, VAULT).await.status, 404);
    assert_eq!(world.vault("v-one", json!({})).await.outcome(), "200");
}

#[tokio::test]
async fn a_deleted_vault_comes_back_with_its_secrets_or_goes_in_time() {
    let world = World::new().await;
    let policy =
        json!([{"tenantId": world.admin.tenant, "objectId": world.principal_id, "permissions": {"secrets": ["get"]}}]);
    let settings = json!({"accessPolicies": policy, "softDeleteRetentionInDays": 7});
    assert_eq!(world.vault("v-one", settings.clone()).await.outcome(), "200");
    let secret = json!({"properties": {"value": "canary"}});
    assert_eq!(world.put(&format!("{}/secrets/s", vault("v-one")), VAULT, &secret).await.outcome(), "200");
    assert_eq!(world.delete(&vault("v-one"), VAULT).await.status, 200);
    assert_eq!(world.read("v-one", "s").await.status, 404);
    let back = world.vault("v-one", json!({"createMode": "recover"})).await;
    assert_eq!(back.outcome(), "200");
    assert_eq!(world.read("v-one", "s").await.body["value"], "canary");
    assert_eq!(world.vault("v-two", json!({"createMode": "recover"})).await.outcome(), "404 DeletedVaultNotFound");

    assert_eq!(world.delete(&vault("v-one"), VAULT).await.status, 200);
    world.clock.advance(SignedDuration::from_hours(7 * 24));
    let world = World { bearer: world.fresh_bearer().await, ..world };
    assert_eq!(world.is_free("v-one").await, true);
    assert_eq!(world.vault("v-one", settings).await.outcome(), "200");
    // The name is the old one, the vault is not.
    assert_eq!(world.read("v-one", "s").await.status, 404);
}

#[tokio::test]
async fn purge_protection_outlives_whoever_wants_the_name() {
    let world = World::new().await;
    assert_eq!(world.vault("v-one", json!({"enablePurgeProtection": true})).await.outcome(), "200");
    assert_eq!(world.vault("v-one", json!({"enablePurgeProtection": false})).await.outcome(), "400 BadRequest");
    assert_eq!(world.delete(&vault("v-one"), VAULT).await.status, 200);
    let refused = world.manage(Method::POST, &format!("{DELETED}/purge"), VAULT, &Value::Null).await;
    assert_eq!(refused.outcome(), "405 MethodNotAllowed");
}

#[tokio::test]
async fn access_policies_are_added_and_taken_away() {
    let world = World::new().await;
    assert_eq!(world.vault("v-one", json!({})).await.outcome(), "200");
    let secret = json!({"properties": {"value": "canary"}});
    assert_eq!(world.put(&format!("{}/secrets/s", vault("v-one")), VAULT, &secret).await.outcome(), "200");
    let change = async |kind: &str, object: Uuid, words: Value| {
        let entry = json!({"tenantId": world.admin.tenant, "objectId": object, "permissions": {"secrets": words}});
        let path = format!("{}/accessPolicies/{kind}", vault("v-one"));
        world.put(&path, VAULT, &json!({"properties": {"accessPolicies": [entry]}})).await
    };
    let reads = async || world.read("v-one", "s").await.status;
    assert_eq!(reads().await, 403);
    assert_eq!(change("add", world.client_id, json!(["get"])).await.status, 200);
    assert_eq!(reads().await, 403, "a client id is no object id");
    assert_eq!(change("add", world.principal_id, json!(["list"])).await.status, 200);
    assert_eq!(reads().await, 403);
    let added = change("add", world.principal_id, json!(["get"])).await;
    assert_eq!(added.body["properties"]["accessPolicies"][1]["permissions"]["secrets"], json!(["list", "get"]));
    assert_eq!(reads().await, 200);
    assert_eq!(change("remove", world.principal_id, json!(["get"])).await.status, 200);
    assert_eq!(reads().await, 403);
    let left = change("remove", world.principal_id, json!(["list"])).await;
    assert_eq!(left.body["properties"]["accessPolicies"].as_array().map(Vec::len), Some(1));
    assert_eq!(change("replace", world.principal_id, json!(["All"])).await.status, 200);
    assert_eq!(reads().await, 200);
    assert_eq!(change("forget", world.principal_id, json!(["get"])).await.outcome(), "400 BadRequest");
}

#[tokio::test]
async fn resource_manager_writes_secrets_and_shows_no_value() {
    let world = World::new().await;
    // No role, no policy and no network rule of the vault's concerns Resource Manager.
    let closed = json!({"enableRbacAuthorization": true, "publicNetworkAccess": "Disabled"});
    assert_eq!(world.vault("v-one", closed).await.outcome(), "200");
    let at = |name: &str| format!("{}/secrets/{name}", vault("v-one"));
    let body = json!({"tags": {"run": "1"}, "properties": {"value": "canary", "contentType": "text/plain"}});
    let made = world.put(&at("s"), VAULT, &body).await;
    assert_eq!(made.outcome(), "200");
    let properties = &made.body["properties"];
    assert_eq!(properties["secretUri"], "https://v-one.vault.azure.net/secrets/s");
    let versioned = properties["secretUriWithVersion"].as_str().unwrap_or_default();
    assert!(versioned.starts_with("https://v-one.vault.azure.net/secrets/s/"), "{versioned}");
    assert_eq!((&made.body["tags"], &properties["contentType"]), (&json!({"run": "1"}), &json!("text/plain")));
    let shown = world.get(&at("S"), VAULT).await;
    assert_eq!((shown.status, &shown.body["name"]), (200, &json!("s")));
    let listed = world.get(&format!("{}/secrets", vault("v-one")), VAULT).await;
    assert_eq!(listed.body["value"].as_array().map(Vec::len), Some(1));
    for reply in [&made, &shown, &listed] {
        assert!(!reply.body.to_string().contains("canary"));
    }
    assert_eq!(world.get(&at("none"), VAULT).await.outcome(), "404 ResourceNotFound");
    assert_eq!(world.put(&at("s_1"), VAULT, &body).await.status, 400);
    assert_eq!(
        world.put(&at("s"), VAULT, &json!({"properties": {"value": "x".repeat(25601)}})).await.outcome(),
        "400 BadParameter"
    );
    assert_eq!(world.delete(&at("s"), VAULT).await.outcome(), "405 HttpMethodNotSupported");
    for number in 0..60 {
        assert_eq!(world.put(&at(&format!("n{number}")), VAULT, &body).await.outcome(), "200");
    }
    let listed = world.get(&format!("{}/secrets", vault("v-one")), VAULT).await;
    assert_eq!(listed.body["value"].as_array().map(Vec::len), Some(61), "all pages");
    // Nobody else comes in by that door.
    let path = "/secrets/s?api-version=7.4";
    let outside = world.send(Method::GET, "v-one.vault.inside", path, Some(&world.bearer), String::new()).await;
    assert_eq!(outside.status, 404);
    assert_eq!(world.read("v-one", "s").await.status, 403);
}
