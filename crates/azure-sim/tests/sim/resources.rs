//! Resource Manager's gates, resource groups and identities.

use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{IDENTITY, MANAGER, RESOURCES, VAULT, World, identity, vault};

#[tokio::test]
async fn every_request_passes_the_gates() {
    let world = World::new().await;
    let group = format!("/subscriptions/{}/resourceGroups/g", world.admin.subscription);
    let check = async |path: &str, bearer: Option<&str>, expected: &str| {
        let reply = world.send(Method::GET, MANAGER, path, bearer, String::new()).await;
        assert_eq!(reply.outcome(), expected, "{path}");
        let challenge = reply.headers.get("www-authenticate").is_some();
        assert_eq!(challenge, reply.status == 401, "{path}");
    };
    let whole = format!("{group}?api-version={RESOURCES}");
    let bearer = Some(world.bearer.as_str());
    check(&whole, bearer, "200").await;
    check(&whole, None, "401 AuthenticationFailed").await;
    check(&whole, Some("x"), "401 InvalidAuthenticationToken").await;
    let assertion = world.assertion(json!({}));
    check(&whole, Some(&assertion), "401 InvalidAuthenticationToken").await;
    let for_vaults = world.exchange(&assertion, &[]).await.token();
    check(&whole, Some(&for_vaults), "401 InvalidAuthenticationTokenAudience").await;
    let scope = [("scope", "https://management.core.windows.net//.default")];
    let poor = world.exchange(&assertion, &scope).await.token();
    check(&whole, Some(&poor), "403 AuthorizationFailed").await;
    check(&group, bearer, "400 MissingApiVersionParameter").await;
    check(&format!("{group}?api-version=2021-04-02"), bearer, "400 InvalidApiVersionParameter").await;
    check(
        &format!("/subscriptions/{}/resourceGroups/g?api-version={RESOURCES}", Uuid::new_v4()),
        bearer,
        "404 SubscriptionNotFound",
    )
    .await;
    check(&format!("/subscriptions/mine?api-version={RESOURCES}"), bearer, "400 InvalidSubscriptionId").await;

    let foreign = world.sim.create_subscription(Uuid::new_v4(), Uuid::new_v4()).subscription;
    check(&format!("/subscriptions/{foreign}?api-version={RESOURCES}"), bearer, "401 InvalidAuthenticationTokenTenant")
        .await;
    world.clock.advance(SignedDuration::from_mins(61));
    check(&whole, bearer, "401 ExpiredAuthenticationToken").await;
}

#[tokio::test]
async fn groups_are_made_changed_and_found() {
    let world = World::bare().await;
    let check = async |name: &str, body: Value, expected: &str| {
        let reply = world.put(&format!("/resourcegroups/{name}"), RESOURCES, &body).await;
        assert_eq!(reply.outcome(), expected, "{name} {body}");
    };
    check("g", json!({"location": "West Europe", "tags": {"run": "1"}}), "201").await;
    check("G", json!({"location": "westeurope", "tags": {"run": "2"}}), "200").await;
    check("g", json!({"location": "northeurope"}), "409 InvalidResourceGroupLocation").await;
    check("h", json!({}), "400 LocationRequired").await;
    check("h", json!({"location": "mars"}), "400 LocationNotAvailableForResourceGroup").await;
    check("h", json!([]), "400 InvalidRequestContent").await;
    check("h.", json!({"location": "westeurope"}), "400 InvalidResourceName").await;
    check("(h.1)_-", json!({"location": "westeurope"}), "201").await;

    let found = world.get("/resourceGroups/G", RESOURCES).await;
    let id = format!("/subscriptions/{}/resourceGroups/g", world.admin.subscription);
    let expected = json!({
        "id": id, "name": "g", "type": "Microsoft.Resources/resourceGroups", "location": "westeurope",
        "tags": {"run": "2"}, "properties": {"provisioningState": "Succeeded"},
    });
    assert_eq!(found.body, expected);
    let names = async |filter: &str| {
        let listed = world.get(&format!("/resourcegroups{filter}"), RESOURCES).await;
        let names = listed.body["value"].as_array().cloned().unwrap_or_default();
        names.iter().map(|group| group["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["(h.1)_-", "g"]);
    assert_eq!(names("?$filter=tagName%20eq%20'run'%20and%20tagValue%20eq%20'2'").await, ["g"]);
    let unknown = world.get("/resourcegroups?$filter=name%20eq%20'g'", RESOURCES).await;
    assert_eq!(unknown.outcome(), "400 InvalidFilterInQueryString");
    let patched = world.manage(Method::PATCH, "/resourceGroups/g", RESOURCES, &json!({"tags": {"a": "b"}})).await;
    assert_eq!(patched.body["tags"], json!({"a": "b"}));
    assert_eq!(world.manage(Method::HEAD, "/resourceGroups/g", RESOURCES, &Value::Null).await.status, 204);
    assert_eq!(world.manage(Method::HEAD, "/resourceGroups/x", RESOURCES, &Value::Null).await.status, 404);
    assert_eq!(world.get("/resourceGroups/x", RESOURCES).await.outcome(), "404 ResourceGroupNotFound");
}

#[tokio::test]
async fn a_group_goes_later_and_with_all_that_is_in_it() {
    let world = World::new().await;
    assert_eq!(world.vault("v-g", json!({"enableRbacAuthorization": true})).await.outcome(), "200");
    let held = world.get("/resourceGroups/g/resources", RESOURCES).await;
    assert_eq!(held.body["value"].as_array().map(Vec::len), Some(2));
    let accepted = world.delete("/resourceGroups/g", RESOURCES).await;
    assert_eq!(accepted.status, 202);
    let refused = world.put(&identity("late"), IDENTITY, &json!({"location": "westeurope"})).await;
    assert_eq!(refused.outcome(), "409 ResourceGroupBeingDeleted");
    // Under way, then done, and done for whoever asks again.
    assert_eq!(world.follow(&accepted).await, [202, 200]);
    assert_eq!(world.follow(&accepted).await, [200]);
    assert_eq!(world.get("/resourceGroups/g", RESOURCES).await.outcome(), "404 ResourceGroupNotFound");
    assert_eq!(world.get("/resources", RESOURCES).await.body["value"], json!([]));
    let gone = world.exchange(&world.assertion(json!({})), &[]).await;
    assert_eq!(gone.refusal(), "400 unauthorized_client 700016");
    let kept = world.get("/providers/Microsoft.KeyVault/deletedVaults", VAULT).await;
    assert_eq!(kept.body["value"][0]["name"], "v-g");
    assert_eq!(world.delete("/resourceGroups/g", RESOURCES).await.outcome(), "404 ResourceGroupNotFound");
}

#[tokio::test]
async fn a_group_that_is_going_is_seen_to_go() {
    let world = World::new().await;
    assert_eq!(world.delete("/resourceGroups/g", RESOURCES).await.status, 202);
    let seen = world.get("/resourceGroups/g", RESOURCES).await;
    assert_eq!(seen.body["properties"]["provisioningState"], "Deleting");
    assert_eq!(world.get("/resourceGroups/g", RESOURCES).await.status, 404);
}

#[tokio::test]
async fn identities_have_ids_of_their_own() {
    let world = World::new().await;
    let place = json!({"location": "westeurope", "tags": {"run": "1"}});
    let made = world.put(&identity("second"), IDENTITY, &place).await;
    assert_eq!(made.outcome(), "201");
    let again = world.put(&identity("SECOND"), IDENTITY, &place).await;
    assert_eq!((again.outcome().as_str(), &again.body), ("200", &made.body));
    let properties = &made.body["properties"];
    assert_eq!(properties["tenantId"], json!(world.admin.tenant));
    assert_ne!(properties["clientId"], properties["principalId"]);
    assert_ne!(properties["clientId"], json!(world.client_id));
    assert_eq!(made.body["tags"], json!({"run": "1"}));

    let check = async |name: &str, body: Value, expected: &str| {
        assert_eq!(world.put(&identity(name), IDENTITY, &body).await.outcome(), expected, "{name}");
    };
    check("second", json!({"location": "northeurope"}), "409 InvalidResourceLocation").await;
    check("-x1", json!({"location": "westeurope"}), "400 BadRequest").await;
    check("ab", json!({"location": "westeurope"}), "400 BadRequest").await;
    check("third", json!({}), "400 LocationRequired").await;
    let elsewhere = "/resourceGroups/x/providers/Microsoft.ManagedIdentity/userAssignedIdentities/abc";
    assert_eq!(world.put(elsewhere, IDENTITY, &place).await.outcome(), "404 ResourceGroupNotFound");
    let all = world.get("/providers/Microsoft.ManagedIdentity/userAssignedIdentities", IDENTITY).await;
    assert_eq!(all.body["value"].as_array().map(Vec::len), Some(2));

    assert_eq!(world.delete(&identity("second"), IDENTITY).await.status, 200);
    assert_eq!(world.delete(&identity("second"), IDENTITY).await.status, 204);
    assert_eq!(world.get(&identity("second"), IDENTITY).await.outcome(), "404 ResourceNotFound");
    assert_eq!(
        world.manage(Method::POST, &vault("v"), VAULT, &Value::Null).await.outcome(),
        "405 HttpMethodNotSupported"
    );
}
