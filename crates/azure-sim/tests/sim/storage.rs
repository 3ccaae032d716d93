//! Storage accounts and containers as resources, and the host names that come with them.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{RESOURCES, ROLES, STORAGE, World, account, container};

const CHECK: &str = "/providers/Microsoft.Storage/checkNameAvailability";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

impl World {
    async fn has_name(&self, name: &str) -> Value {
        let body = json!({"name": name, "type": "Microsoft.Storage/storageAccounts"});
        let mut answer = self.manage(Method::POST, CHECK, STORAGE, &body).await.body;
        if answer["nameAvailable"] == true { json!(false) } else { answer["reason"].take() }
    }
}

#[tokio::test]
async fn an_account_is_what_its_request_says() {
    let world = World::new().await;
    let made = world.account("oidc1", json!({"allowBlobPublicAccess": true, "minimumTlsVersion": "TLS1_2"})).await;
    assert_eq!(made.outcome(), "200");
    let seen = (
        &made.body["properties"]["allowBlobPublicAccess"],
        &made.body["properties"]["minimumTlsVersion"],
        &made.body["properties"]["primaryEndpoints"]["blob"],
        &made.body["sku"]["name"],
    );
    assert_eq!(
        seen,
        (&json!(true), &json!("TLS1_2"), &json!("https://oidc1.blob.core.windows.net/"), &json!("Standard_LRS"))
    );
    assert_eq!(world.get(&account("oidc1"), STORAGE).await.body, made.body);
    let plain = world.account("oidc2", json!({})).await;
    assert_eq!(plain.body["properties"]["allowBlobPublicAccess"], false, "closed unless told otherwise");
    for path in ["/resourceGroups/g/providers", "/providers"] {
        let listed = world.get(&format!("{path}/Microsoft.Storage/storageAccounts"), STORAGE).await;
        assert_eq!(listed.body["value"], json!([made.body, plain.body]), "{path}");
    }
    let opened = json!({"properties": {"allowBlobPublicAccess": true}});
    let patched = world.manage(Method::PATCH, &account("oidc2"), STORAGE, &opened).await;
    assert_eq!(patched.body["properties"]["allowBlobPublicAccess"], true);

    let check = async |body: Value, expected: &str| {
        assert_eq!(world.put(&account("oidc3"), STORAGE, &body).await.outcome(), expected, "{body}");
    };
    let whole = json!({"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"});
    let without = |name: &str| {
        let mut body = whole.clone();
        body[name] = Value::Null;
        body
    };
    check(without("location"), "400 LocationRequired").await;
    check(without("sku"), "400 InvalidRequestContent").await;
    check(without("kind"), "400 InvalidRequestContent").await;
    let mut odd = whole.clone();
    odd["sku"]["name"] = json!("Gold_LRS");
    check(odd, "400 InvalidRequestPropertyValue").await;
    check(whole.clone(), "200").await;
    let mut moved = whole;
    moved["location"] = json!("northeurope");
    check(moved, "409 InvalidResourceLocation").await;
    assert_eq!(
        world.put(&account("oidc4"), "2015-06-15", &json!({})).await.outcome(),
        "400 InvalidApiVersionParameter"
    );
    assert_eq!(world.delete(&account("oidc3"), STORAGE).await.status, 200);
    assert_eq!(world.delete(&account("oidc3"), STORAGE).await.status, 204);
    assert_eq!(world.get(&account("oidc3"), STORAGE).await.outcome(), "404 ResourceNotFound");
}

#[tokio::test]
async fn account_names_are_everybodys_and_follow_rules() {
    let world = World::new().await;
    assert_eq!(world.account("oidc1", json!({})).await.outcome(), "200");
    assert_eq!(world.account("oidc-1", json!({})).await.outcome(), "400 AccountNameInvalid");
    assert_eq!(world.account("Oidc2", json!({})).await.outcome(), "400 AccountNameInvalid");
    assert_eq!(world.has_name("oidc1").await, "AlreadyExists");
    assert_eq!(world.has_name("oidc2").await, false);
    assert_eq!(world.has_name("oidc-2").await, "AccountNameInvalid");
    let place = json!({"location": "westeurope"});
    assert_eq!(world.put("/resourceGroups/h", RESOURCES, &place).await.outcome(), "201");
    let body = json!({"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"});
    let elsewhere = |name: &str| format!("/resourceGroups/h/providers/Microsoft.Storage/storageAccounts/{name}");
    assert_eq!(world.put(&elsewhere("oidc1"), STORAGE, &body).await.outcome(), "409 StorageAccountAlreadyTaken");
    assert_eq!(world.put(&elsewhere("oidc2"), STORAGE, &body).await.outcome(), "200");
    assert_eq!(world.delete(&account("oidc1"), STORAGE).await.status, 200);
    assert_eq!(world.put(&elsewhere("oidc1"), STORAGE, &body).await.outcome(), "200", "free at once");
}

#[tokio::test]
async fn a_container_is_open_only_where_its_account_allows_it() {
    let world = World::new().await;
    assert_eq!(world.account("closed1", json!({})).await.outcome(), "200");
    assert_eq!(world.account("open1", json!({"allowBlobPublicAccess": true})).await.outcome(), "200");
    let check = async |account: &str, name: &str, access: &str, expected: &str| {
        assert_eq!(world.container(account, name, access).await.outcome(), expected, "{account} {name} {access}");
    };
    check("closed1", "oidc", "Blob", "409 PublicAccessNotPermitted").await;
    check("closed1", "oidc", "Container", "409 PublicAccessNotPermitted").await;
    check("closed1", "oidc", "None", "201").await;
    check("open1", "oidc", "Blob", "201").await;
    check("open1", "oidc", "Blob", "200").await;
    check("open1", "oidc2", "Everybody", "400 InvalidRequestContent").await;
    check("open1", "oi--dc", "Blob", "400 InvalidResourceName").await;
    check("open1", "Oidc", "Blob", "400 InvalidResourceName").await;
    check("absent1", "oidc", "Blob", "404 ResourceNotFound").await;
    let shown = world.get(&container("open1", "oidc"), STORAGE).await;
    assert_eq!(shown.body["properties"]["publicAccess"], "Blob");
    let listed = world.get(&container("open1", "x").replace("/x", ""), STORAGE).await;
    assert_eq!(listed.body["value"], json!([shown.body]));
    let opened = json!({"properties": {"publicAccess": "Blob"}});
    let patched = world.manage(Method::PATCH, &container("closed1", "oidc"), STORAGE, &opened).await;
    assert_eq!(patched.outcome(), "409 PublicAccessNotPermitted");
    assert_eq!(world.delete(&container("open1", "oidc"), STORAGE).await.status, 200);
    assert_eq!(world.delete(&container("open1", "oidc"), STORAGE).await.status, 204);
    assert_eq!(world.get(&container("open1", "oidc"), STORAGE).await.outcome(), "404 ContainerNotFound");
}

#[tokio::test]
async fn a_role_is_held_on_an_account_or_container_and_goes_with_it() {
    let world = World::new().await;
    assert_eq!(world.account("oidc1", json!({})).await.outcome(), "200");
    assert_eq!(world.container("oidc1", "oidc", "None").await.outcome(), "201");
    let definition = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_CONTRIBUTOR}",
        world.admin.subscription
    );
    let body = json!({"properties": {"roleDefinitionId": definition, "principalId": world.admin.object_id}});
    let assign = async |scope: &str| {
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", Uuid::new_v4());
        world.put(&path, ROLES, &body).await.outcome()
    };
    let held = async || {
        let listed = world.get("/providers/Microsoft.Authorization/roleAssignments", ROLES).await;
        listed.body["value"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(assign(&account("absent1")).await, "404 ResourceNotFound");
    assert_eq!(assign(&container("oidc1", "absent")).await, "404 ContainerNotFound");
    assert_eq!(assign(&account("oidc1")).await, "201");
    assert_eq!(assign(&container("oidc1", "oidc")).await, "201");
    assert_eq!(held().await, 3);
    assert_eq!(world.delete(&container("oidc1", "oidc"), STORAGE).await.status, 200);
    assert_eq!(held().await, 2);
    assert_eq!(world.delete(&account("oidc1"), STORAGE).await.status, 200);
    assert_eq!(held().await, 1);
}

#[tokio::test]
async fn host_names_resolve_while_what_they_name_is_there() {
    let world = World::new().await;
    let check = |host: &str, expected: bool| assert_eq!(world.sim.knows_host(host), expected, "{host}");
    check("login.microsoftonline.com", true);
    check("Login.Windows.Net", true);
    check("management.azure.com", true);
    check("management.azure.com:443", false);
    check("graph.microsoft.com", true);
    check("oidc1.blob.core.windows.net", false);
    check("v-one.vault.azure.net", false);
    assert_eq!(world.account("oidc1", json!({})).await.outcome(), "200");
    assert_eq!(world.vault("v-one", json!({})).await.outcome(), "200");
    check("OIDC1.blob.core.windows.net", true);
    check("oidc2.blob.core.windows.net", false);
    check("V-one.vault.azure.net", true);
    check("v-one.vault.azure.net:443", false);
    check("v-one.vault.inside", false);
    let held = world.get("/resourceGroups/g/resources", RESOURCES).await;
    assert_eq!(held.body["value"].as_array().map(Vec::len), Some(3));
    let accepted = world.delete("/resourceGroups/g", RESOURCES).await;
    assert_eq!(world.follow(&accepted).await, [202, 200]);
    check("oidc1.blob.core.windows.net", false);
    check("v-one.vault.azure.net", false);
    assert_eq!(world.has_name("oidc1").await, false);
}
