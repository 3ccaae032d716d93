//! What roles and access policies allow.

use super::*;

/// Every operation, on a secret that exists, and a deleted one that does.
const OPERATIONS: [(&str, &str); 10] = [
    ("GET", "/secrets/db"),
    ("GET", "/secrets"),
    ("GET", "/secrets/db/versions"),
    ("GET", "/deletedsecrets"),
    ("GET", "/deletedsecrets/old"),
    ("PUT", "/secrets/new"),
    ("PATCH", "/secrets/db"),
    ("DELETE", "/secrets/db"),
    ("POST", "/deletedsecrets/old/recover"),
    ("DELETE", "/deletedsecrets/older"),
];

/// The world of `change`, in which the secrets of [`OPERATIONS`] are.
async fn filled(change: impl Fn(&mut Vault)) -> World {
    let world = World::new();
    for name in ["db", "old", "older"] {
        world.put(name, json!({"value": "v"})).await.expect(200);
    }
    for name in ["old", "older"] {
        world.delete(&format!("/secrets/{name}")).await.expect(200);
    }
    let mut directory = world.state.write();
    directory.assignments.retain(|_| false);
    change(directory.vaults.get_mut("team-kv").expect("vault must exist"));
    drop(directory);
    world
}

/// The operations that are allowed; all others must be refused with `refusal`.
async fn allowed(world: &World, refusal: &str) -> Vec<String> {
    let mut allowed = Vec::new();
    for (method, path) in OPERATIONS {
        let call = world.call(method, path).body(&json!({"value": "v"}));
        let answer = call.send().await;
        if answer.status < 300 {
            allowed.push(format!("{method} {path}"));
        } else {
            assert_eq!(answer.verdict(), refusal, "{method} {path}");
        }
    }
    allowed
}

#[tokio::test]
async fn roles_allow_what_they_name() {
    let all: Vec<String> = OPERATIONS.iter().map(|(method, path)| format!("{method} {path}")).collect();
    let check = async |role: Option<Uuid>, expected: &[String]| {
        let world = filled(|_| ()).await;
        if let Some(role) = role {
            world.assign(role, &vault_id("Team-KV"));
        }
        let seen = allowed(&world, "403 Forbidden ForbiddenByRbac").await;
        assert_eq!(seen, expected, "{role:?}");
    };
    check(None, &[]).await;
    check(Some(ADMINISTRATOR), &all).await;
    check(Some(SECRETS_OFFICER), &all).await;
    // Metadata and values; of deleted secrets there is metadata only.
    check(Some(SECRETS_USER), &all[..5]).await;
    check(Some(READER), &all[1..5]).await;
}

#[tokio::test]
async fn access_policies_allow_what_they_name() {
    let check = async |permissions: &[&str], expected: &[&str]| {
        let world = filled(|vault| {
            vault.is_rbac = false;
            vault.access_policies = vec![policy(permissions)];
        })
        .await;
        let seen = allowed(&world, "403 Forbidden AccessDenied").await;
        assert_eq!(seen, expected, "{permissions:?}");
    };
    check(&[], &[]).await;
    check(&["get"], &["GET /secrets/db", "GET /deletedsecrets/old"]).await;
    check(&["List"], &["GET /secrets", "GET /secrets/db/versions", "GET /deletedsecrets"]).await;
    check(&["set"], &["PUT /secrets/new", "PATCH /secrets/db"]).await;
    check(&["delete"], &["DELETE /secrets/db"]).await;
    check(&["recover"], &["POST /deletedsecrets/old/recover"]).await;
    check(&["purge"], &["DELETE /deletedsecrets/older"]).await;
}

#[tokio::test]
async fn a_role_counts_where_it_is_given_and_below() {
    let check = async |scope: String, expected: &str| {
        let world = filled(|_| ()).await;
        world.assign(SECRETS_USER, &scope);
        let answer = world.get("/secrets/db").await;
        assert_eq!(answer.verdict(), expected, "{scope}");
    };
    let denied = "403 Forbidden ForbiddenByRbac";
    check(format!("/subscriptions/{SUBSCRIPTION}"), "200").await;
    check(vault_id("Team-KV").to_lowercase(), "200").await;
    check(format!("{}/secrets/DB", vault_id("Team-KV")), "200").await;
    check(format!("{}/secrets/other", vault_id("Team-KV")), denied).await;
    check(vault_id("Team-KV2"), denied).await;
}

#[tokio::test]
async fn only_the_model_that_the_vault_uses_counts() {
    let both = async |is_rbac: bool, has_role: bool, has_policy: bool| {
        let world = filled(|vault| {
            vault.is_rbac = is_rbac;
            if has_policy {
                vault.access_policies = vec![policy(&["get"])];
            }
        })
        .await;
        if has_role {
            world.assign(SECRETS_USER, &vault_id("Team-KV"));
        }
        world.get("/secrets/db").await.verdict()
    };
    assert_eq!(both(true, true, false).await, "200");
    assert_eq!(both(true, false, true).await, "403 Forbidden ForbiddenByRbac");
    assert_eq!(both(false, false, true).await, "200");
    assert_eq!(both(false, true, false).await, "403 Forbidden AccessDenied");
}

#[tokio::test]
async fn a_policy_for_another_object_or_tenant_matches_nobody() {
    let check = async |change: fn(&mut AccessPolicy), expected: &str| {
        let mut entry = policy(&["get"]);
        change(&mut entry);
        let world = filled(|vault| {
            vault.is_rbac = false;
            vault.access_policies = vec![entry.clone()];
        })
        .await;
        assert_eq!(world.get("/secrets/db").await.verdict(), expected, "{entry:?}");
    };
    let denied = "403 Forbidden AccessDenied";
    check(|_| (), "200").await;
    check(|entry| entry.object_id = CLIENT.to_string(), denied).await;
    check(|entry| entry.tenant = OTHER_TENANT, denied).await;
}

#[tokio::test]
async fn without_permission_a_missing_secret_is_forbidden_and_not_missing() {
    let world = filled(|_| ()).await;
    let path = "/secrets/missing";
    assert_eq!(world.get(path).await.verdict(), "403 Forbidden ForbiddenByRbac");
    world.assign(SECRETS_USER, &vault_id("Team-KV"));
    assert_eq!(world.get(path).await.verdict(), "404 SecretNotFound");
}

#[tokio::test]
async fn a_refusal_by_roles_names_caller_action_and_resource() {
    let world = filled(|_| ()).await;
    let refused = world.get("/secrets/DB").await;
    assert_eq!(refused.message().lines().count(), 9);
    assert!(refused.message().ends_with("westeurope\r\n"));
    insta::assert_snapshot!(refused.message().replace("\r\n", "\n").trim_end(), @r"
    Caller is not authorized to perform action on resource.
    If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.
    Caller: appid=c1000000-0000-4000-8000-000000000001;oid=0b000000-0000-4000-8000-000000000001;iss=https://sts.windows.net/72f988bf-0000-4000-8000-000000000001/
    Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'
    Resource: '/subscriptions/5b000000-0000-4000-8000-000000000001/resourcegroups/team/providers/microsoft.keyvault/vaults/team-kv/secrets/db'
    Assignment: (not found)
    DenyAssignmentId: null
    DecisionReason: 'DeniedWithNoValidRBAC' 
    Vault: Team-KV;location=westeurope
    ");
    let refused = world.get("/secrets").await;
    let resource = "microsoft.keyvault/vaults/team-kv'\r\nAssignment";
    assert!(refused.message().contains(resource), "{}", refused.text);
}

#[tokio::test]
async fn a_refusal_by_access_policies_names_the_permission() {
    let world = filled(|vault| vault.is_rbac = false).await;
    let refused = world.get("/secrets/db").await;
    insta::assert_snapshot!(refused.text, @r#"{"error":{"code":"Forbidden","message":"The user, group or application 'appid=c1000000-0000-4000-8000-000000000001;oid=0b000000-0000-4000-8000-000000000001;iss=https://sts.windows.net/72f988bf-0000-4000-8000-000000000001/' does not have secrets get permission on key vault 'Team-KV;location=westeurope'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287","innererror":{"code":"AccessDenied"}}}"#);
}
