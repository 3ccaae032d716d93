//! How issuers can fail STS, and which certificates it accepts.

use std::time::Duration;

use serde_json::{Value, json};
use transport::Authority;
use trust::{Jwk, Jwks, SigningKey, SystemClock};

use crate::world::{Issuer, Served, World, discovery};

const NO_KEY: &str = "400 InvalidIdentityToken: Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";

#[tokio::test]
async fn the_discovery_document_must_be_whole_and_name_the_issuer() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let check = async |document: Served, expected: &str| {
        world.issuer.serve_discovery(document.clone());
        assert_eq!(world.exchange(&token, &[]).await.outcome(), expected, "{document:?}");
    };
    let url = world.issuer.url.as_str();
    let good = discovery(url);
    let with = |member: &str, value: Value| {
        let mut document = good.clone();
        document[member] = value;
        Served::Json(document)
    };
    check(Served::Json(good.clone()), "200").await;
    check(with("extra", json!("x")), "200").await;
    for member in [
        "issuer",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ] {
        check(with(member, Value::Null), NO_KEY).await;
    }
    check(with("issuer", json!(url.trim_end_matches('/'))), NO_KEY).await;
    check(with("issuer", json!(url.replace("/tenant", "/Tenant"))), NO_KEY).await;
    check(with("jwks_uri", json!(url.replace("https", "http"))), NO_KEY).await;
    check(with("jwks_uri", json!("https://127.0.0.1:1/keys")), NO_KEY).await;
    check(Served::Json(json!("text")), NO_KEY).await;
    check(Served::Status(403), NO_KEY).await;
    check(Served::Status(500), NO_KEY).await;
}

#[tokio::test]
async fn the_key_set_must_hold_the_tokens_key_among_a_hundred() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let key = world.issuer.key.public_jwk().clone();
    let filler = |number: usize| Jwk { kid: Some(number.to_string()), ..key.clone() };
    let set = |others: usize, with_own: bool| {
        let keys = (0..others).map(filler).chain(with_own.then(|| key.clone())).collect();
        Served::Json(serde_json::to_value(Jwks { keys }).expect("keys must serialise"))
    };
    let check = async |keys: Served, expected: &str| {
        world.issuer.serve_keys(keys.clone());
        assert_eq!(world.exchange(&token, &[]).await.outcome(), expected);
    };
    check(set(99, true), "200").await;
    check(set(100, true), NO_KEY).await;
    check(set(1, false), NO_KEY).await;
    check(Served::Json(json!({"keys": "none"})), NO_KEY).await;
    // Keys are asked for anew each time: a key that comes back is found.
    check(set(0, true), "200").await;
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_in_time_has_no_keys() {
    let world = World::within(Duration::from_secs(1)).await;
    let token = world.token(json!({}));
    assert_eq!(world.exchange(&token, &[]).await.outcome(), "200");
    world.issuer.serve_keys(Served::Never);
    assert_eq!(world.exchange(&token, &[]).await.outcome(), NO_KEY);
    world.issuer.serve_discovery(Served::Never);
    assert_eq!(world.exchange(&token, &[]).await.outcome(), NO_KEY);
}

#[tokio::test]
async fn a_rotated_key_is_not_the_old_one() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let fresh = SigningKey::generate().expect("key must generate");
    // The new key under the old key's id: found, and does not fit.
    let posing = Jwk { kid: world.issuer.key.public_jwk().kid.clone(), ..fresh.public_jwk().clone() };
    let keys = serde_json::to_value(Jwks { keys: vec![posing] }).expect("keys must serialise");
    world.issuer.serve_keys(Served::Json(keys));
    let refused = world.exchange(&token, &[]).await;
    assert!(refused.body.contains("could not be validated"), "{}", refused.body);
}

#[tokio::test]
async fn thumbprints_count_only_for_certificates_that_are_not_publicly_trusted() {
    // `World::new` registers its trusted issuer with a wrong thumbprint, and that is accepted.
    let mut world = World::new().await;
    assert_eq!(world.exchange(&world.token(json!({})), &[]).await.outcome(), "200");

    let private = Authority::generate("private", &SystemClock).expect("authority must be made");
    world.issuer = Issuer::start(&private).await;
    let (url, thumbprint) = (world.issuer.url.clone(), world.issuer.thumbprint.clone());
    world.register(&url, "0123456789012345678901234567890123456789").await;
    world.set_trust(&world.trust_policy()).await;
    let token = world.token(json!({}));
    let refused = world.exchange(&token, &[]).await;
    assert_eq!(
        refused.outcome(),
        "400 InvalidIdentityToken: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
    );

    let arn = world.issuer.provider_arn();
    let updated = world
        .iam(
            "UpdateOpenIDConnectProviderThumbprint",
            &[("OpenIDConnectProviderArn", &arn), ("ThumbprintList.member.1", &thumbprint.to_uppercase())],
        )
        .await;
    assert_eq!(updated.outcome(), "200");
    assert_eq!(world.exchange(&token, &[]).await.outcome(), "200");
}

#[tokio::test]
async fn without_a_thumbprint_iam_takes_that_of_the_issuer() {
    let mut world = World::bare().await;
    let create = async |world: &World| {
        let parameters = [("Url", world.issuer.url.as_str()), ("ClientIDList.member.1", "a")];
        world.iam("CreateOpenIDConnectProvider", &parameters).await
    };
    world.issuer.serve_discovery(Served::Status(404));
    let refused = create(&world).await;
    assert_eq!((refused.status, refused.text("Code").as_deref()), (400, Some("OpenIdIdpCommunicationError")));

    world.issuer = Issuer::start(&world.authority).await;
    assert_eq!(create(&world).await.outcome(), "200");
    let arn = world.issuer.provider_arn();
    let shown = world.iam("GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", &arn)]).await;
    let expected = format!("<ThumbprintList><member>{}</member></ThumbprintList>", world.issuer.thumbprint);
    assert!(shown.body.contains(&expected), "{}", shown.body);
}
