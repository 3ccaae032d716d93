//! What an earlier life of the run created, or may have created, and how this life goes on from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use federation::Known;
use federation::aws::{ApplyError, Desired, Kind, Tags, create_journaled};
use trust::Secret;

use super::notes::Notes;
use super::place::{ACCOUNT, Place, refusing_while, seen, tags};
use super::{apply, is_put, wanted};

#[tokio::test]
async fn what_an_earlier_life_created_is_not_sent_again() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let notes = Notes::after(Known::Stands);
    assert!(apply(&clients, &notes).await.iter().all(Result::is_ok));
    assert_eq!(seen(&clients).await, Vec::<String>::new());
    place.server.stop().await;
}

#[tokio::test]
async fn what_an_earlier_life_may_have_created_is_made_or_taken_if_it_is_the_run_s() {
    for region in ["eu-central-1", "us-east-1"] {
        let place = Place::up().await;
        let clients = place.clients(ACCOUNT, region);
        for _ in 0..2 {
            let notes = Notes::after(Known::MayStand);
            for result in apply(&clients, &notes).await {
                result.expect("creation must succeed");
            }
            assert!(notes.ends().iter().all(|end| *end == "done"));
        }
        let before = seen(&clients).await;
        for one in wanted().iter().filter(|one| !is_put(one) && !matches!(one, Desired::OidcProvider { .. })) {
            let notes = Notes::after(Known::MayStand);
            let other = Tags::new("r-2", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
            match create_journaled(&clients, one, &other, &notes).await {
                Err(ApplyError::Provision(error)) => assert_eq!(error.kind, Kind::Exists, "{error}"),
                other => panic!("{one:?} must be refused, gave {other:?}"),
            }
            assert_eq!(notes.ends(), ["failed"]);
        }
        assert_eq!(seen(&clients).await, before);
        place.server.stop().await;
    }
}

#[tokio::test]
async fn a_bucket_that_was_only_half_opened_is_opened() {
    for setting in ["publicAccessBlock", "policy"] {
        let refuse = Arc::new(AtomicBool::new(true));
        let place = Place::behind(refusing_while(setting, refuse.clone())).await;
        let clients = place.clients(ACCOUNT, "eu-central-1");
        let public = Desired::PublicBucket { name: "crossfed-r-1-issuer".into() };
        let keys = Desired::Object {
            bucket: "crossfed-r-1-issuer".into(),
            key: "jwks".into(),
            body: b"{}".to_vec(),
            content_type: None,
        };
        let first = Notes::default();
        create_journaled(&clients, &public, &tags(), &first).await.expect_err("the setting must be refused");
        refuse.store(false, Ordering::SeqCst);
        let second = Notes::after(Known::MayStand);
        for one in [&public, &keys] {
            create_journaled(&clients, one, &tags(), &second).await.expect("what is missing must be done");
        }
        assert_eq!((first.ends(), second.ends()), (vec!["open"], vec!["done", "done"]), "{setting}");
        let url = format!("https://{}/crossfed-r-1-issuer/jwks", place.server.addr());
        assert_eq!(place.public.get(&url).await.expect("an answer must come").status, 200, "{setting}");
        place.server.stop().await;
    }
}

#[tokio::test]
async fn a_refusal_tells_nothing_about_the_attempt_of_an_earlier_life() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let account = clients.account().clone();
    let stranger = place.clients_with(account, "eu-central-1", "AKIANOBODYKNOWSTHIS1".into(), Secret::new("s"));
    let role = wanted().into_iter().find(|one| matches!(one, Desired::Role { .. }));
    let role = role.expect("a role is wanted");
    for (known, end) in [(Known::New, "failed"), (Known::MayStand, "open")] {
        let notes = Notes::after(known);
        create_journaled(&stranger, &role, &tags(), &notes).await.expect_err("must be refused");
        assert_eq!(notes.ends(), [end], "{known:?}");
    }
    place.server.stop().await;
}
