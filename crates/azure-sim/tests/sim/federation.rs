//! Federated credentials as resources.

use serde_json::{Value, json};

use crate::world::{AUDIENCE, IDENTITY, SUBJECT, World, credential, identity};

#[tokio::test]
async fn a_credential_has_one_audience_and_names_within_limits() {
    let world = World::new().await;
    let issuer = world.issuer.url.clone();
    let body = |audiences: Value| json!({"properties": {"issuer": issuer, "subject": "s", "audiences": audiences}});
    let check = async |name: &str, body: Value, expected: &str| {
        let reply = world.put(&credential("reader", name), IDENTITY, &body).await;
        assert_eq!(reply.outcome(), expected, "{name} {body}");
    };
    check("one", body(json!([AUDIENCE])), "201").await;
    check("one", body(json!(["custom"])), "200").await;
    check("one", body(json!([])), "400 BadRequest").await;
    check("one", body(json!([AUDIENCE, "b"])), "400 BadRequest").await;
    check("one", body(json!(["a".repeat(600)])), "200").await;
    check("one", body(json!(["a".repeat(601)])), "400 BadRequest").await;
    check("one", json!({"properties": {}}), "400 BadRequest").await;
    check("one", json!({}), "400 BadRequest").await;
    check("on", body(json!([AUDIENCE])), "400 BadRequest").await;
    check("_one", body(json!([AUDIENCE])), "400 BadRequest").await;
    check("one.two", body(json!([AUDIENCE])), "400 BadRequest").await;
    let with = |field: &str, value: &str| {
        let mut body = body(json!([AUDIENCE]));
        body["properties"][field] = json!(value);
        body
    };
    check("two", with("issuer", "http://plain"), "400 BadRequest").await;
    check("two", with("issuer", ""), "400 BadRequest").await;
    check("two", with("subject", &"s".repeat(601)), "400 BadRequest").await;
    // What fits no token is found out at the exchange.
    check("two", with("subject", "system:serviceaccount:shop:*"), "201").await;
    let subject = json!({"sub": "system:serviceaccount:shop:other"});
    let refused = world.exchange(&world.assertion(subject), &[]).await;
    assert_eq!(refused.refusal(), "401 invalid_client 700213");
}

#[tokio::test]
async fn a_pair_of_issuer_and_subject_stands_once() {
    let world = World::new().await;
    let issuer = world.issuer.url.clone();
    let twin = world.credential("reader", "twin", &issuer, SUBJECT, "other").await;
    assert_eq!(twin.outcome(), "400 BadRequest");
    assert_eq!(twin.message(), "Issuer and subject combination already exists for this Managed Identity.");
    let other = world.credential("reader", "twin", &format!("{issuer}/"), SUBJECT, AUDIENCE).await;
    assert_eq!(other.outcome(), "201");
    let same = world.credential("reader", "EKS", &issuer, SUBJECT, AUDIENCE).await;
    assert_eq!(same.outcome(), "200");
    let listed = world.get(&format!("{}/federatedIdentityCredentials", identity("reader")), IDENTITY).await;
    assert_eq!(listed.body["value"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_identity_has_twenty_credentials() {
    let world = World::new().await;
    for number in 1..20 {
        let made = world
            .credential("reader", &format!("fic-{number}"), &world.issuer.url, &number.to_string(), AUDIENCE)
            .await;
        assert_eq!(made.outcome(), "201", "{number}");
    }
    let more = world.credential("reader", "fic-20", &world.issuer.url, "20", AUDIENCE).await;
    assert_eq!(more.outcome(), "400 BadRequest");
    // One that is there can be changed, and one that goes makes room.
    assert_eq!(world.credential("reader", "fic-19", &world.issuer.url, "20", AUDIENCE).await.outcome(), "200");
    assert_eq!(world.delete(&credential("reader", "fic-1"), IDENTITY).await.status, 200);
    assert_eq!(world.credential("reader", "fic-20", &world.issuer.url, "21", AUDIENCE).await.outcome(), "201");
}

#[tokio::test]
async fn an_identity_takes_one_write_at_a_time() {
    let world = World::new().await;
    let place = json!({"location": "westeurope"});
    assert_eq!(world.put(&identity("second"), IDENTITY, &place).await.outcome(), "201");
    let make = |identity, name| world.credential(identity, name, &world.issuer.url, name, AUDIENCE);
    let (first, same, other) = tokio::join!(make("reader", "aaa"), make("reader", "bbb"), make("second", "ccc"));
    let conflict = "409 ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";
    assert_eq!([first.outcome(), same.outcome(), other.outcome()], ["201", conflict, "201"]);
    assert_eq!(make("reader", "bbb").await.outcome(), "201");
    let (kept, gone) = (credential("reader", "aaa"), credential("reader", "bbb"));
    let (first, second) = tokio::join!(world.delete(&kept, IDENTITY), world.delete(&gone, IDENTITY));
    assert_eq!([first.outcome(), second.outcome()], ["200", conflict]);
}

#[tokio::test]
async fn a_write_that_is_given_up_leaves_no_lock() {
    let world = World::new().await;
    // Asked once how far it is, then dropped.
    tokio::select! {
        biased;
        reply = world.credential("reader", "aaa", &world.issuer.url, "a", AUDIENCE) => {
            panic!("the write must take longer: {reply:?}");
        }
        () = std::future::ready(()) => {}
    }
    assert_eq!(world.credential("reader", "bbb", &world.issuer.url, "b", AUDIENCE).await.outcome(), "201");
}

#[tokio::test]
async fn the_parent_must_be_there() {
    let world = World::new().await;
    let made = world.credential("nobody", "aaa", &world.issuer.url, "a", AUDIENCE).await;
    assert_eq!(made.outcome(), "404 ParentResourceNotFound");
    assert_eq!(world.get(&credential("reader", "none"), IDENTITY).await.outcome(), "404 ResourceNotFound");
    assert_eq!(world.delete(&credential("reader", "none"), IDENTITY).await.status, 204);
    assert_eq!(world.delete(&credential("nobody", "none"), IDENTITY).await.status, 204);
    let shown = world.get(&credential("reader", "eks"), IDENTITY).await;
    let properties = json!({"issuer": world.issuer.url, "subject": SUBJECT, "audiences": [AUDIENCE]});
    assert_eq!(shown.body["properties"], properties);

    let without = world.put(&identity("bare"), IDENTITY, &json!({"location": "westeurope"})).await;
    let client = without.body["properties"]["clientId"].as_str().expect("identity must have a client id");
    let refused = world.exchange(&world.assertion(json!({})), &[("client_id", client)]).await;
    assert_eq!(refused.refusal(), "401 invalid_client 70025");
    assert_eq!(world.credential("bare", "eks", &world.issuer.url, SUBJECT, AUDIENCE).await.outcome(), "201");
    let allowed = world.exchange(&world.assertion(json!({})), &[("client_id", client)]).await;
    assert_eq!(allowed.refusal(), "200");
}
