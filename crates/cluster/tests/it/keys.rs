//! The issuer's keys as others see them: published at the API server and at the issuer's site, rotated in two steps.

use axum::body::Body;
use cluster::{Cluster, IssuerShape, LONGEST_TOKEN};
use http::Request;
use serde_json::{Value, json};
use trust::{IssuerUrl, Jwks, UnverifiedToken, verify_signature};

use crate::support::{NAMESPACE, World};

/// What the issuer's site answers at a path.
async fn published(cluster: &Cluster, path: &str) -> (u16, Value) {
    let request = Request::get(path).body(Body::empty()).expect("must be a request");
    let response = tower::ServiceExt::oneshot(cluster.issuer_site(), request).await.expect("must answer");
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("must be read");
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn key_set(world: &World, path: &str) -> Jwks {
    let (status, keys) = published(&world.cluster, path).await;
    assert_eq!(status, 200, "{path}");
    let own = world.cluster.discovery().await.expect("must be told").1;
    let own: Value = serde_json::from_slice(&own).expect("JSON");
    assert_eq!(own, keys, "the API server and the site must publish the same");
    serde_json::from_value(keys).expect("a key set")
}

async fn token(world: &World) -> String {
    let request = json!({"spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 3600}});
    let path = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/reader/token");
    let issued = world.post(&path, &request).await.expect("must be issued");
    issued["status"]["token"].as_str().expect("a token").to_owned()
}

/// Whether the API server takes a token for what it is.
async fn is_authentic(world: &World, token: &str) -> bool {
    let review = json!({"spec": {"token": token, "audiences": ["sts.amazonaws.com"]}});
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    world.post(path, &review).await.expect("must be reviewed")["status"]["authenticated"] == true
}

fn kid(token: &str) -> String {
    UnverifiedToken::decode(token).expect("must decode").header.kid.expect("a kid")
}

fn kids(keys: &Jwks) -> Vec<String> {
    keys.keys.iter().filter_map(|key| key.kid.clone()).collect()
}

#[tokio::test]
async fn a_rotation_publishes_the_next_key_before_it_signs_and_keeps_the_old_one() {
    let world = World::start().await;
    let path = "/t/c/openid/v1/jwks";
    assert!(world.cluster.rotates_keys());
    let early = token(&world).await;
    let first = key_set(&world, path).await;
    assert_eq!(kids(&first), [kid(&early)]);
    let refused = world.cluster.sign_with_next_key().await.expect_err("there is no next key");
    assert_eq!(refused.to_string(), "the signing keys cannot be rotated: no next key is published");

    world.cluster.publish_next_key().await.expect("must be published");
    let both = key_set(&world, path).await;
    let between = token(&world).await;
    assert_eq!((both.keys.len(), kid(&between)), (2, kid(&early)), "the old key still signs");

    world.cluster.sign_with_next_key().await.expect("must be rotated");
    let late = token(&world).await;
    let rotated = key_set(&world, path).await;
    assert_ne!(kid(&late), kid(&early));
    assert_eq!(kids(&rotated), [kid(&late), kid(&early)]);
    let ring = world.cluster.signing_key().await.expect("a key");
    assert_eq!(ring.active().kid(), kid(&late), "the key that is given is the one that signs");
    for token in [&early, &between, &late] {
        assert_eq!(verify_signature(token, &rotated), Ok(()));
        assert!(is_authentic(&world, token).await);
    }
    // Who has read the keys before the first step knows no key of the late token's; who has read them after it does.
    assert!(verify_signature(&late, &first).is_err());
    assert_eq!(verify_signature(&late, &both), Ok(()));
    world.stop().await;
}

#[tokio::test]
async fn every_shape_of_issuer_publishes_where_its_documents_say() {
    let check = async |issuer: IssuerUrl, shape: IssuerShape, base: &str, jwks: &str| {
        let world = World::with(issuer.clone(), shape, LONGEST_TOKEN).await;
        let (status, document) = published(&world.cluster, &format!("{base}/.well-known/openid-configuration")).await;
        assert_eq!((status, &document["issuer"]), (200, &json!(issuer)));
        assert_eq!(document["jwks_uri"], format!("{}{jwks}", issuer.trimmed()));
        let keys = key_set(&world, &format!("{base}{jwks}")).await;
        let token = token(&world).await;
        assert_eq!(verify_signature(&token, &keys), Ok(()));
        assert_eq!(UnverifiedToken::decode(&token).expect("must decode").issuer(), Some(issuer.as_str()));
        world.stop().await;
    };
    let shaped = |issuer: Result<IssuerUrl, trust::IssuerError>| issuer.expect("must parse");
    let (kubernetes, eks) = ("/openid/v1/jwks", "/keys");
    check(shaped(cluster::issuer::aks("r", "t", "c")), IssuerShape::Aks, "/t/c", kubernetes).await;
    check(shaped(cluster::issuer::eks("r", "ab")), IssuerShape::Eks, "/id/AB", eks).await;
    check(shaped(cluster::issuer::s3_bucket("b", "r")), IssuerShape::SelfManaged, "", kubernetes).await;
    check(shaped(cluster::issuer::blob_container("a", "c")), IssuerShape::SelfManaged, "/c", kubernetes).await;
}

#[tokio::test]
async fn what_an_owner_uploads_leads_to_the_keys_at_the_issuers_own_host() {
    let check = async |issuer: Result<IssuerUrl, trust::IssuerError>, jwks_uri: &str| {
        let issuer = issuer.expect("must parse");
        let world = World::with(issuer.clone(), IssuerShape::SelfManaged, LONGEST_TOKEN).await;
        // At once: the first key may still be in the making.
        let (document, keys) = world.cluster.discovery().await.expect("must be told");
        let document: Value = serde_json::from_slice(&document).expect("JSON");
        assert_eq!((&document["issuer"], &document["jwks_uri"]), (&json!(issuer), &json!(jwks_uri)));
        assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
        let keys: Jwks = serde_json::from_slice(&keys).expect("a key set");
        assert_eq!(verify_signature(&token(&world).await, &keys), Ok(()));
        world.stop().await;
    };
    check(cluster::issuer::s3_bucket("b", "r"), "https://b.s3.r.amazonaws.com/openid/v1/jwks").await;
    check(cluster::issuer::blob_container("a", "c"), "https://a.blob.core.windows.net/c/openid/v1/jwks").await;
}
