//! Tokens that live shorter than was asked for: what the API server grants, and when the node brings new ones.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use cluster::{IssuerShape, LONGEST_TOKEN};
use http::Method;
use serde_json::{Value, json};
use trust::UnverifiedToken;

use crate::support::{NAMESPACE, World};

const SHORT: Duration = Duration::from_secs(2);
/// How often it is looked again.
const PACE: Duration = Duration::from_millis(2);

async fn world(longest_token: Duration) -> World {
    let issuer = cluster::issuer::blob_container("a", "c").expect("must parse");
    World::with(issuer, IssuerShape::SelfManaged, longest_token).await
}

/// Issue and expiry, in seconds.
fn dates(token: &str) -> (i64, i64) {
    let token = UnverifiedToken::decode(token).expect("a whole token");
    (token.numeric_date("iat").expect("a date"), token.numeric_date("exp").expect("a date"))
}

async fn asked(world: &World, seconds: i64) -> Result<Value, crate::support::Refused> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/reader/token");
    world.post(&path, &json!({"spec": {"audiences": ["x"], "expirationSeconds": seconds}})).await
}

#[tokio::test]
async fn a_longer_lifetime_is_shortened_in_the_token_and_in_the_answer() {
    let check = async |longest: Duration, seconds: i64, granted: i64| {
        let world = world(longest).await;
        let answer = asked(&world, seconds).await.expect("must be issued");
        let (issued, expires) = dates(answer["status"]["token"].as_str().expect("a token"));
        assert_eq!((expires - issued, answer["spec"]["expirationSeconds"].as_i64()), (granted, Some(granted)));
        let told: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time =
            serde_json::from_value(answer["status"]["expirationTimestamp"].clone()).expect("a time");
        assert_eq!(told.0.as_second(), expires);
        // What is too short to ask for stays so, however short the longest is.
        let refused = asked(&world, 599).await.expect_err("must be refused");
        assert_eq!(refused.code, 422);
        assert!(refused.message.contains("may not specify a duration less than 10 minutes"), "{}", refused.message);
        world.stop().await;
    };
    check(SHORT, 3600, 2).await;
    check(SHORT, 600, 2).await;
    check(LONGEST_TOKEN, 3600, 3600).await;
    check(LONGEST_TOKEN, 172_800, 86_400).await;
}

/// Distinct tokens, in the order in which they were read; every read must give a whole one.
async fn read_until(file: &Path, wanted: usize) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let reading = async {
        while seen.len() < wanted {
            let token = std::fs::read_to_string(file).expect("the file must be there at any time");
            dates(&token);
            if seen.last() != Some(&token) {
                seen.push(token);
            }
            tokio::time::sleep(PACE).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), reading).await.expect("tokens must be replaced");
    seen
}

#[tokio::test]
async fn a_token_is_renewed_by_what_was_granted_and_can_be_read_at_any_time() {
    let world = world(SHORT).await;
    // As the AWS webhook asks, for a day.
    let pod = json!({"metadata": {"name": "p"}, "spec": {
        "serviceAccountName": "reader", "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "t", "projected": {"sources": [
            {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 86_400, "path": "token"}},
        ]}}],
        "containers": [{
            "name": "app", "image": "sh:1", "args": ["-c", "while cat $0 > /dev/null; do sleep 0.01; done; exit 1", "/t/token"],
            "volumeMounts": [{"name": "t", "mountPath": "/t"}],
        }],
    }});
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let created = world.post(&path, &pod).await.expect("must be admitted");
    let uid = created["metadata"]["uid"].as_str().expect("a uid");
    let path = format!("{path}/p");
    let running = async {
        loop {
            let pod = world.send(Method::GET, &path, &json!({})).await.expect("must be there");
            if pod["status"]["phase"] == "Running" {
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), running).await.expect("the pod must run");

    let file = world.folder.path().join("pods").join(uid).join("volumes/t/token");
    let tokens = read_until(&file, 3).await;
    let dates: Vec<(i64, i64)> = tokens.iter().map(|token| dates(token)).collect();
    for (issued, expires) in &dates {
        assert_eq!(expires - issued, 2);
    }
    for pair in dates.windows(2) {
        assert!(pair[1].0 <= pair[0].1, "the next one must come before the last one is over: {dates:?}");
    }
    let folders: BTreeSet<_> = std::fs::read_dir(file.parent().expect("a folder"))
        .expect("must be read")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(folders.len() <= 5, "what is old goes: {folders:?}");
    // Each `cat` is a new process that opens the file anew; one that does not find it ends the container.
    let pod = world.send(Method::GET, &path, &json!({})).await.expect("must be there");
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!((&pod["status"]["phase"], &status["restartCount"]), (&json!("Running"), &json!(0)), "{status}");
    world.stop().await;
}
