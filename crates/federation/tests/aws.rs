//! The whole of it against the simulated AWS over TLS: create, look, create again, take away, look again.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

#[path = "aws/again.rs"]
mod again;
#[path = "aws/holdings.rs"]
mod holdings;
#[path = "common/notes.rs"]
mod notes;
#[path = "aws/place.rs"]
mod place;
#[path = "aws/shared.rs"]
mod shared;
#[path = "aws/site.rs"]
mod site;
#[path = "aws/strangers.rs"]
mod strangers;

use federation::aws::{
    ApplyError, Clients, Desired, Kind, Tags, Undo, Undone, create, create_journaled, stages, undo, undo_unconfirmed,
};
use futures::future::join_all;
use notes::Notes;
use place::{ACCOUNT, Place, losing_answers, seen, tags};
use trust::Secret;

fn object(bucket: &str, key: &str) -> Desired {
    Desired::Object { bucket: bucket.into(), key: key.into(), body: b"hello".to_vec(), content_type: None }
}

fn wanted() -> Vec<Desired> {
    let of_bucket = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:role/crossfed-r-1"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::crossfed-r-1/*"}]}"#;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::crossfed-r-1/*"}]}"#;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/h.example/t/g/"},
        "Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"h.example/t/g/:sub":"system:serviceaccount:demo:reader"}}}]}"#;
    vec![
        Desired::Attachment {
            role: "crossfed-r-1".into(),
            policy_arn: format!("arn:aws:iam::{ACCOUNT}:policy/crossfed-r-1-read"),
        },
        object("crossfed-r-1", "dir/test file.txt"),
        Desired::Bucket { name: "crossfed-r-1".into() },
        Desired::PublicBucket { name: "crossfed-r-1-issuer".into() },
        Desired::OidcProvider {
            url: "https://h.example/t/g/".parse().expect("issuer must parse"),
            client_ids: vec!["sts.amazonaws.com".into()],
            thumbprints: vec!["a9993e364706816aba3e25717850c26c9cd0d89d".parse().expect("thumbprint must parse")],
        },
        Desired::Policy { name: "crossfed-r-1-read".into(), document: policy.into() },
        Desired::Role {
            name: "crossfed-r-1".into(),
            trust_policy: trust.into(),
            max_session_seconds: Some(3600),
            boundary: Some(format!("arn:aws:iam::{ACCOUNT}:policy/crossfed-r-1-read")),
        },
        Desired::InlinePolicy { role: "crossfed-r-1".into(), name: "own".into(), document: policy.into() },
        Desired::BucketPolicy { bucket: "crossfed-r-1".into(), document: of_bucket.into() },
    ]
}

/// Whether making it again is no error: these calls put what is wanted over what is there.
fn is_put(one: &Desired) -> bool {
    matches!(one, Desired::Attachment { .. } | Desired::InlinePolicy { .. } | Desired::BucketPolicy { .. })
}

/// Creates everything, round by round, each round at once.
async fn apply(clients: &Clients, notes: &Notes<Undo>) -> Vec<Result<u64, ApplyError>> {
    let mut results = Vec::new();
    for round in stages(wanted()) {
        let tags = tags();
        results.extend(join_all(round.iter().map(|one| create_journaled(clients, one, &tags, notes))).await);
    }
    results
}

#[tokio::test]
async fn what_was_created_is_seen_and_taking_it_away_leaves_the_account_as_it_was() {
    let place = Place::up().await;
    for region in ["eu-central-1", "us-east-1"] {
        let clients = place.clients(ACCOUNT, region);
        let notes = Notes::default();
        let before = seen(&clients).await;
        for result in apply(&clients, &notes).await {
            result.expect("creation must succeed");
        }
        let after = seen(&clients).await;
        let new: Vec<_> = after.iter().filter(|item| !before.contains(item)).cloned().collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(new.join("\n"), @r"
            OIDC provider arn:aws:iam::123456789012:oidc-provider/h.example/t/g/
            role arn:aws:iam::123456789012:role/crossfed-r-1
            policy arn:aws:iam::123456789012:policy/crossfed-r-1-read
            attachment crossfed-r-1 arn:aws:iam::123456789012:policy/crossfed-r-1-read
            bucket crossfed-r-1
            bucket crossfed-r-1-issuer
            object crossfed-r-1/dir/test file.txt
            ");
        }
        assert!(notes.entries().iter().all(|(_, end)| *end == "done"));

        for (entry, _) in notes.entries().iter().rev() {
            assert_eq!(undo(&clients, entry).await.expect("undo must succeed"), Undone::Deleted, "{entry}");
        }
        assert_eq!(seen(&clients).await, before);
        for (entry, _) in notes.entries().iter().rev() {
            let again = undo(&clients, entry).await.expect("a second undo must succeed");
            assert_eq!(again, Undone::AlreadyGone, "{entry}");
        }
    }
    place.server.stop().await;
}

#[tokio::test]
async fn what_is_there_is_neither_adopted_nor_deleted() {
    let place = Place::up().await;
    for region in ["eu-central-1", "us-east-1"] {
        let clients = place.clients(ACCOUNT, region);
        let first = Notes::default();
        assert!(apply(&clients, &first).await.iter().all(Result::is_ok));
        let before = seen(&clients).await;

        for one in wanted().iter().filter(|one| !is_put(one)) {
            let second = Notes::default();
            match create_journaled(&clients, one, &tags(), &second).await {
                Err(ApplyError::Provision(error)) => {
                    assert_eq!((error.kind, error.retryable), (Kind::Exists, false), "{error}");
                    assert!(error.to_string().contains("not this run's"), "{error}");
                }
                other => panic!("{one:?} must be refused, gave {other:?}"),
            }
            assert_eq!(second.entries()[0].1, "failed", "nothing is left to undo");
        }
        assert_eq!(seen(&clients).await, before);
        for (entry, _) in first.entries().iter().rev() {
            undo(&clients, entry).await.expect("undo must succeed");
        }
    }
    place.server.stop().await;
}

#[tokio::test]
async fn an_open_entry_is_undone_only_for_the_run_that_made_the_thing() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let notes = Notes::default();
    assert!(apply(&clients, &notes).await.iter().all(Result::is_ok));
    let before = seen(&clients).await;

    for (entry, _) in notes.entries().iter().rev() {
        let other = undo_unconfirmed(&clients, entry, "r-2").await.expect("owner must be read");
        assert_eq!(other, Undone::NotOurs, "{entry}");
    }
    assert_eq!(seen(&clients).await, before);
    for (entry, _) in notes.entries().iter().rev() {
        let ours = undo_unconfirmed(&clients, entry, "r-1").await.expect("undo must succeed");
        assert_eq!(ours, Undone::Deleted, "{entry}");
    }
    for (entry, _) in notes.entries().iter().rev() {
        let gone = undo_unconfirmed(&clients, entry, "r-1").await.expect("undo must succeed");
        assert_eq!(gone, Undone::AlreadyGone, "{entry}");
    }
    place.server.stop().await;
}

#[tokio::test]
async fn what_a_lost_answer_created_is_known_again_and_another_run_s_is_not_taken() {
    let place = Place::behind(losing_answers).await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    // Each stands alone: a role without the policy that bounds it.
    let lone = wanted().into_iter().filter(|one| {
        // Runs share a provider.
        !is_put(one) && !matches!(one, Desired::Object { .. } | Desired::OidcProvider { .. })
    });
    let lone = lone.map(|one| match one {
        Desired::Role { name, trust_policy, max_session_seconds, .. } => {
            Desired::Role { name, trust_policy, max_session_seconds, boundary: None }
        }
        other => other,
    });
    for one in &lone.collect::<Vec<_>>() {
        create(&clients, one, &tags()).await.expect("the second attempt must find the first one's work");
        let other = Tags::new("r-2", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
        let error = create(&clients, one, &other).await.expect_err("another run must be refused");
        assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false), "{error}");
        let entry = one.undo(clients.account(), clients.region(), "r-1");
        undo_unconfirmed(&clients, &entry, "r-1").await.expect("undo must succeed");
    }
    assert_eq!(seen(&clients).await, Vec::<String>::new());
    place.server.stop().await;
}

#[tokio::test]
async fn a_bucket_that_holds_something_is_not_deleted() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let bucket = Desired::Bucket { name: "crossfed-full".into() };
    let object = object("crossfed-full", "k");
    let undo_of = |one: &Desired| one.undo(clients.account(), clients.region(), "r-1");
    create(&clients, &bucket, &tags()).await.expect("bucket must be created");
    create(&clients, &object, &tags()).await.expect("object must be created");
    let error = undo(&clients, &undo_of(&bucket)).await.expect_err("a full bucket must be refused");
    assert_eq!((error.code.as_deref(), error.kind), (Some("BucketNotEmpty"), Kind::Invalid));
    assert!(seen(&clients).await.contains(&"object crossfed-full/k".to_owned()));
    undo(&clients, &undo_of(&object)).await.expect("object must be deleted");
    assert_eq!(undo(&clients, &undo_of(&bucket)).await, Ok(Undone::Deleted));
    place.server.stop().await;
}

#[tokio::test]
async fn a_bucket_is_deleted_from_another_region_s_clients() {
    let place = Place::up().await;
    let (near, far) = (place.clients(ACCOUNT, "eu-central-1"), place.clients(ACCOUNT, "eu-west-1"));
    let bucket = Desired::Bucket { name: "crossfed-far".into() };
    create(&far, &bucket, &tags()).await.expect("bucket must be created");
    assert_eq!(undo(&near, &bucket.undo(far.account(), far.region(), "r-1")).await, Ok(Undone::Deleted));
    place.server.stop().await;
}

#[tokio::test]
async fn clients_of_another_account_are_refused() {
    let place = Place::up().await;
    let (ours, other) = (place.clients(ACCOUNT, "eu-central-1"), place.clients("210987654321", "eu-central-1"));
    let bucket = Desired::Bucket { name: "crossfed-mine".into() };
    create(&ours, &bucket, &tags()).await.expect("bucket must be created");
    let entry = bucket.undo(ours.account(), ours.region(), "r-1");
    assert_eq!(undo(&other, &entry).await.expect_err("must be refused").kind, Kind::Bug);
    let taken = create(&other, &bucket, &tags()).await.expect_err("the name is taken");
    assert_eq!((taken.kind, taken.maybe_done), (Kind::Exists, false));
    assert_eq!(undo(&ours, &entry).await, Ok(Undone::Deleted));
    place.server.stop().await;
}

#[tokio::test]
async fn refusals_say_who_must_act() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let stranger = place.clients_with(
        clients.account().clone(),
        "eu-central-1",
        "AKIANOBODYKNOWSTHIS1".into(),
        Secret::new("canary"),
    );
    let role = |trust: &str| Desired::Role {
        name: "crossfed-x".into(),
        trust_policy: trust.into(),
        max_session_seconds: None,
        boundary: None,
    };
    let broken = create(&clients, &role("{"), &tags()).await.expect_err("must be refused");
    assert_eq!(
        (broken.kind, broken.code.as_deref(), broken.maybe_done),
        (Kind::Invalid, Some("MalformedPolicyDocument"), false)
    );
    let denied = create(&stranger, &role("{}"), &tags()).await.expect_err("must be refused");
    assert_eq!((denied.kind, denied.status, denied.maybe_done), (Kind::Denied, Some(403), false));
    assert!(!format!("{denied} {denied:?}").contains("canary"));
    let orphan = object("crossfed-nowhere", "k");
    let missing = create(&clients, &orphan, &tags()).await.expect_err("must be refused");
    assert_eq!((missing.kind, missing.code.as_deref()), (Kind::Invalid, Some("NoSuchBucket")));
    place.server.stop().await;
    let lost = create(&clients, &role("{}"), &tags()).await.expect_err("nobody answers");
    assert_eq!((lost.kind, lost.retryable, lost.maybe_done), (Kind::Unavailable, true, true));
}
