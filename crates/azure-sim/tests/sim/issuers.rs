//! How issuers can fail Entra, and which keys it sees.

use std::time::Duration;

use serde_json::{Value, json};
use transport::Authority;
use trust::{Jwk, Jwks, SigningKey, SystemClock};

use crate::world::{AUDIENCE, Issuer, SUBJECT, Served, World, discovery};

const UNREACHABLE: &str = "400 invalid_request 50166";
const NOT_PUBLISHED: &str = "401 invalid_client 7000272";

#[tokio::test]
async fn the_discovery_document_must_name_the_issuer_and_its_keys() {
    let world = World::new().await;
    let token = world.assertion(json!({}));
    let url = world.issuer.url.as_str();
    let check = async |document: Served, expected: &str| {
        world.issuer.serve_discovery(document.clone());
        assert_eq!(world.exchange(&token, &[]).await.refusal(), expected, "{document:?}");
    };
    let with = |member: &str, value: Value| {
        let mut document = discovery(url);
        document[member] = value;
        Served::Json(document)
    };
    check(Served::Json(discovery(url)), "200").await;
    check(with("issuer", json!(format!("{url}/"))), UNREACHABLE).await;
    check(with("issuer", Value::Null), UNREACHABLE).await;
    check(with("jwks_uri", Value::Null), UNREACHABLE).await;
    check(with("jwks_uri", json!(url.replace("https", "http"))), UNREACHABLE).await;
    check(with("jwks_uri", json!("https://127.0.0.1:1/keys")), UNREACHABLE).await;
    check(Served::Json(json!("text")), UNREACHABLE).await;
    check(Served::Status(403), UNREACHABLE).await;
    check(Served::Status(404), UNREACHABLE).await;
}

#[tokio::test]
async fn a_hundred_keys_are_seen() {
    let world = World::new().await;
    let token = world.assertion(json!({}));
    let own = world.issuer.key.public_jwk().clone();
    let set = |before: usize| {
        let filler = |number: usize| Jwk { kid: Some(number.to_string()), ..own.clone() };
        let keys = (0..before).map(filler).chain([own.clone()]).collect();
        Served::Json(json!(Jwks { keys }))
    };
    let check = async |keys: Served, expected: &str| {
        world.issuer.serve_keys(keys);
        assert_eq!(world.exchange(&token, &[]).await.refusal(), expected);
    };
    check(set(99), "200").await;
    check(set(100), NOT_PUBLISHED).await;
    check(Served::Json(json!({"keys": "none"})), UNREACHABLE).await;
    check(Served::Status(500), UNREACHABLE).await;
    // Keys are asked for anew each time: a key that comes back is found.
    check(set(0), "200").await;
}

#[tokio::test]
async fn a_rotated_key_is_named_in_hexadecimal() {
    let world = World::new().await;
    let token = world.assertion(json!({}));
    let fresh = SigningKey::generate().expect("key must generate");
    world.issuer.serve_keys(Served::Json(json!(Jwks { keys: vec![fresh.public_jwk().clone()] })));
    let refused = world.exchange(&token, &[]).await;
    assert_eq!(refused.refusal(), NOT_PUBLISHED);
    let named = refused.description().split_whitespace().find(|word| word.len() == 64);
    let named = named.expect("a key id of 32 bytes must be named");
    assert!(named.chars().all(|c| c.is_ascii_digit() || ('A'..='F').contains(&c)), "{named}");
}

#[tokio::test]
async fn an_issuer_must_answer_in_time() {
    let world = World::within(Duration::from_secs(1)).await.furnished().await;
    let token = world.assertion(json!({}));
    assert_eq!(world.exchange(&token, &[]).await.refusal(), "200");
    world.issuer.serve_keys(Served::Never);
    assert_eq!(world.exchange(&token, &[]).await.refusal(), UNREACHABLE);
}

#[tokio::test]
async fn an_issuer_must_have_a_trusted_certificate() {
    let mut world = World::new().await;
    let private = Authority::generate("private", &SystemClock).expect("authority must be made");
    world.issuer = Issuer::start(&private).await;
    let added = world.credential("reader", "private", &world.issuer.url, SUBJECT, AUDIENCE).await;
    assert_eq!(added.outcome(), "201");
    let token = world.assertion(json!({}));
    assert_eq!(world.exchange(&token, &[]).await.refusal(), UNREACHABLE);

    world.issuer = Issuer::start(&world.authority).await;
    let added = world.credential("reader", "public", &world.issuer.url, SUBJECT, AUDIENCE).await;
    assert_eq!(added.outcome(), "201");
    let token = world.assertion(json!({}));
    assert_eq!(world.exchange(&token, &[]).await.refusal(), "200");
}
