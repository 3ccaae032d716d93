//! Role assignments as resources, and what they let a workload do.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{RESOURCES, ROLES, VAULT, World, vault};

const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const READER_OF_VAULTS: &str = "21090545-7ca7-4776-b22c-e363652d74d2";
const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";

fn at(scope: &str, name: Uuid) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

impl World {
    fn wanted(&self, role: &str, principal: Uuid, kind: Option<&str>) -> Value {
        let role = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            self.admin.subscription
        );
        let mut properties = json!({"roleDefinitionId": role, "principalId": principal});
        if let Some(kind) = kind {
            properties["principalType"] = json!(kind);
        }
        json!({ "properties": properties })
    }

    async fn assign(&self, scope: &str, name: Uuid, role: &str, principal: Uuid, kind: Option<&str>) -> String {
        self.put(&at(scope, name), ROLES, &self.wanted(role, principal, kind)).await.outcome()
    }

    async fn with_vault() -> World {
        let world = World::new().await;
        assert_eq!(world.vault("v-one", json!({"enableRbacAuthorization": true})).await.outcome(), "200");
        let secret = json!({"properties": {"value": "canary"}});
        assert_eq!(world.put(&format!("{}/secrets/s", vault("v-one")), VAULT, &secret).await.outcome(), "200");
        world
    }

    /// Status of the workload's read of the secret.
    async fn reads(&self) -> u16 {
        let token = self.exchange(&self.assertion(json!({})), &[]).await.token();
        let path = "/secrets/s?api-version=7.4";
        self.send(Method::GET, "v-one.vault.azure.net", path, Some(&token), String::new()).await.status
    }

    pub(crate) async fn fresh_bearer(&self) -> String {
        let (client, tenant) = (self.admin.client_id.to_string(), self.admin.tenant.to_string());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("client_secret", self.admin.client_secret.expose()),
            ("scope", "https://management.azure.com/.default"),
        ];
        self.post_token(&tenant, &form).await.token()
    }
}

#[tokio::test]
async fn a_role_counts_where_it_was_given_and_below() {
    let world = World::with_vault().await;
    let scope = vault("v-one");
    let name = Uuid::new_v4();
    for place in ["", "/resourceGroups/g", scope.as_str(), &format!("{scope}/secrets/s")] {
        assert_eq!(world.reads().await, 403, "{place}");
        assert_eq!(world.assign(place, name, SECRETS_USER, world.principal_id, None).await, "201", "{place}");
        assert_eq!(world.reads().await, 200, "{place}");
        assert_eq!(world.delete(&at(place, name), ROLES).await.status, 200);
        assert_eq!(world.delete(&at(place, name), ROLES).await.status, 204);
    }
    let other = format!("{scope}/secrets/other");
    assert_eq!(world.assign(&other, name, SECRETS_USER, world.principal_id, None).await, "201");
    assert_eq!(world.reads().await, 403);
    assert_eq!(world.assign(&scope, Uuid::new_v4(), READER_OF_VAULTS, world.principal_id, None).await, "201");
    assert_eq!(world.reads().await, 403, "a reader of vaults reads no value");
    assert_eq!(
        world.assign(&scope, Uuid::new_v4(), SECRETS_USER, world.client_id, Some("ServicePrincipal")).await,
        "201"
    );
    assert_eq!(world.reads().await, 403, "a client id is no principal");
    assert_eq!(world.assign(&scope, Uuid::new_v4(), SECRETS_USER, world.principal_id, None).await, "201");
    assert_eq!(world.reads().await, 200);
}

#[tokio::test]
async fn an_assignment_is_checked_before_it_is_made() {
    let world = World::with_vault().await;
    let (scope, name) = (vault("v-one"), Uuid::new_v4());
    let (principal, client) = (world.principal_id, world.client_id);
    let check = async |scope: &str, name: Uuid, role: &str, principal: Uuid, kind: Option<&str>, expected: &str| {
        assert_eq!(world.assign(scope, name, role, principal, kind).await, expected);
    };
    check(&scope, name, SECRETS_USER, client, None, "400 PrincipalNotFound").await;
    check(&scope, name, SECRETS_USER, principal, Some("User"), "400 UnmatchedPrincipalType").await;
    check(&scope, name, SECRETS_USER, principal, Some("Robot"), "400 InvalidRequestContent").await;
    check(&scope, name, &Uuid::nil().to_string(), principal, None, "400 RoleDefinitionDoesNotExist").await;
    check(&vault("v-two"), name, SECRETS_USER, principal, None, "404 ResourceNotFound").await;
    check("/resourceGroups/x", name, SECRETS_USER, principal, None, "404 ResourceGroupNotFound").await;
    check(&scope, name, SECRETS_USER, principal, None, "201").await;
    check(&scope, name, SECRETS_USER, principal, None, "200").await;
    check(&scope, name, READER_OF_VAULTS, principal, None, "400 RoleAssignmentUpdateNotPermitted").await;
    check(&scope, Uuid::new_v4(), SECRETS_USER, principal, None, "409 RoleAssignmentExists").await;
    check("/resourceGroups/g", Uuid::new_v4(), SECRETS_USER, principal, None, "201").await;
    let unnamed = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/mine");
    let body = world.wanted(SECRETS_USER, principal, None);
    assert_eq!(world.put(&unnamed, ROLES, &body).await.outcome(), "400 InvalidRoleAssignmentId");
    assert_eq!(world.get(&at(&scope, Uuid::new_v4()), ROLES).await.outcome(), "404 RoleAssignmentNotFound");
}

#[tokio::test]
async fn listings_show_what_holds_at_a_scope() {
    let world = World::with_vault().await;
    let scope = vault("v-one");
    assert_eq!(world.assign(&scope, Uuid::new_v4(), SECRETS_USER, world.principal_id, None).await, "201");
    let count = async |scope: &str, filter: &str| {
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments{filter}");
        world.get(&path, ROLES).await.body["value"].as_array().map(Vec::len)
    };
    // The administrator's own on the subscription, and the identity's on the vault.
    assert_eq!(count(&scope, "").await, Some(2));
    assert_eq!(count("", "").await, Some(2));
    assert_eq!(count("", "?$filter=atScope()").await, Some(1));
    let principal = format!("?$filter=principalId%20eq%20'{}'", world.principal_id);
    assert_eq!(count("", &principal).await, Some(1));
    assert_eq!(count("", "?$filter=x").await, None);

    let definitions = "/providers/Microsoft.Authorization/roleDefinitions";
    let found =
        world.get(&format!("{definitions}?$filter=roleName%20eq%20'Key%20Vault%20Secrets%20User'"), ROLES).await;
    assert_eq!(found.body["value"][0]["name"], SECRETS_USER);
    assert_eq!(found.body["value"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.get(&format!("{definitions}/{SECRETS_USER}"), ROLES).await.status, 200);
    assert_eq!(world.get(&format!("{definitions}/{}", Uuid::nil()), ROLES).await.status, 404);
}

#[tokio::test]
async fn the_roles_of_the_caller_decide() {
    let mut world = World::with_vault().await;
    let scope = [("scope", "https://management.azure.com/.default")];
    let admin = world.bearer.clone();
    let workload = world.exchange(&world.assertion(json!({})), &scope).await.token();
    let group = "/resourceGroups/g";
    let name = Uuid::new_v4();
    assert_eq!(world.assign(group, name, CONTRIBUTOR, world.principal_id, None).await, "201");
    world.bearer = workload;
    assert_eq!(world.get(group, RESOURCES).await.status, 200);
    assert_eq!(world.get("/resourcegroups", RESOURCES).await.outcome(), "403 AuthorizationFailed");
    assert_eq!(world.vault("v-two", json!({})).await.outcome(), "200");
    assert_eq!(
        world.assign(group, Uuid::new_v4(), SECRETS_USER, world.principal_id, None).await,
        "403 AuthorizationFailed"
    );
    let refused = world.delete(&at(group, name), ROLES).await;
    assert!(
        refused.message().contains("'Microsoft.Authorization/roleAssignments/delete' over scope"),
        "{}",
        refused.message()
    );
    world.bearer = admin;
    assert_eq!(world.delete(&at(group, name), ROLES).await.status, 200);
}

#[tokio::test]
async fn assignments_go_with_the_vault_and_stay_with_the_identity() {
    let world = World::with_vault().await;
    let scope = vault("v-one");
    assert_eq!(world.assign(&scope, Uuid::new_v4(), SECRETS_USER, world.principal_id, None).await, "201");
    let held = async || {
        let path = "/providers/Microsoft.Authorization/roleAssignments".to_owned();
        world.get(&path, ROLES).await.body["value"].as_array().map(Vec::len)
    };
    let identity = "/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader";
    assert_eq!(world.delete(identity, "2024-11-30").await.status, 200);
    assert_eq!(held().await, Some(2));
    assert_eq!(world.delete(&scope, VAULT).await.status, 200);
    assert_eq!(held().await, Some(1));
}
