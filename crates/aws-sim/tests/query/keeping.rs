//! What the simulator keeps from one exchange to the next, and what it must not.

use serde_json::json;
use trust::{Jwks, SigningKey};

use crate::world::{Served, World};

const NO_KEY: &str = "400 InvalidIdentityToken: Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";
const NOT_TRUSTED: &str = "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";

fn published(keys: &[&SigningKey]) -> Served {
    let keys = keys.iter().map(|key| key.public_jwk().clone()).collect();
    Served::Json(serde_json::to_value(Jwks { keys }).expect("keys must serialise"))
}

#[tokio::test]
async fn keys_are_good_for_as_long_as_they_are_kept() {
    let world = World::keeping(60).await;
    let token = world.token(json!({}));
    assert_eq!(world.exchange(&token, &[]).await.outcome(), "200");
    world.issuer.serve_keys(Served::Status(503));
    world.wait(59);
    assert_eq!(world.exchange(&token, &[]).await.outcome(), "200");
    world.wait(1);
    assert_eq!(world.exchange(&token, &[]).await.outcome(), NO_KEY);
    world.issuer.serve_keys(published(&[&world.issuer.key]));
    assert_eq!(world.exchange(&token, &[]).await.outcome(), "200");
}

#[tokio::test]
async fn a_key_that_is_not_kept_has_the_set_fetched_anew() {
    let world = World::keeping(3600).await;
    let next = SigningKey::generate().expect("key must generate");
    let (old, new) = (world.token(json!({})), next.sign(&world.claims()).expect("token must be signed"));
    assert_eq!(world.exchange(&old, &[]).await.outcome(), "200");
    assert_eq!(world.exchange(&new, &[]).await.outcome(), NO_KEY);
    world.issuer.serve_keys(published(&[&next]));
    assert_eq!(world.exchange(&new, &[]).await.outcome(), "200");
    // With the new set came that the old key is withdrawn.
    assert_eq!(world.exchange(&old, &[]).await.outcome(), NO_KEY);
}

#[tokio::test]
async fn a_kept_key_still_refuses_what_it_did_not_sign() {
    let world = World::keeping(3600).await;
    let stranger = SigningKey::generate().expect("key must generate");
    let forged = stranger.sign_as(world.issuer.key.kid(), &world.claims()).expect("token must be signed");
    for _ in 0..2 {
        assert_eq!(world.exchange(&world.token(json!({})), &[]).await.outcome(), "200");
        let refused = world.exchange(&forged, &[]).await;
        assert_eq!((refused.status, refused.text("Code").as_deref()), (400, Some("InvalidIdentityToken")));
    }
}

#[tokio::test]
async fn nothing_of_roles_and_providers_is_kept() {
    let world = World::keeping(3600).await;
    let token = world.token(json!({}));
    let check = async |expected: &str| assert_eq!(world.exchange(&token, &[]).await.outcome(), expected);
    check("200").await;
    let good = world.trust_policy();
    world.set_trust(&good.replace(":reader", ":writer")).await;
    check(NOT_TRUSTED).await;
    world.set_trust(&good).await;
    check("200").await;

    let provider = world.issuer.provider_arn();
    let arn = ("OpenIDConnectProviderArn", provider.as_str());
    let audience = ("ClientID", "sts.amazonaws.com");
    world.iam("RemoveClientIDFromOpenIDConnectProvider", &[arn, audience]).await;
    check("400 InvalidIdentityToken: Incorrect token audience").await;
    world.iam("AddClientIDToOpenIDConnectProvider", &[arn, audience]).await;
    check("200").await;
    world.iam("DeleteOpenIDConnectProvider", &[arn]).await;
    let url = &world.issuer.url;
    check(&format!("400 InvalidIdentityToken: No OpenIDConnect provider found in your account for {url}")).await;
}

/// The debug text counts what is held under a key.
#[tokio::test]
async fn nothing_is_held_of_a_session_while_it_lives_or_after() {
    let world = World::keeping(3600).await;
    let held = || {
        let text = format!("{:?}", world.sim);
        let (_, rest) = text.split_once("keys: ").expect("keys must be counted");
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    let before = held();
    assert_eq!(before, "2", "one key for the administrator of each account");
    let session = world.exchange(&world.token(json!({})), &[]).await.credentials();
    assert_eq!(world.identity_of(&session).await.outcome(), "200");
    assert_eq!(held(), before);
    world.wait(3601);
    let refused = world.identity_of(&session).await;
    assert_eq!(refused.text("Code").as_deref(), Some("ExpiredToken"));
    assert_eq!(held(), before);
}
