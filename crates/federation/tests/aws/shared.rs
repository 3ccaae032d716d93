//! One OIDC provider an account and issuer, and several runs of the tool that need it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sim::Propagation;
use federation::aws::{
    Clients, Desired, Kind, Scope, Standing, Tags, Undone, create, inventory, preflight, undo, undo_unconfirmed,
};
use futures::future::join_all;
use tokio::sync::Notify;

use super::place::{ACCOUNT, Place, losing_answers, seen, stalling};
use super::strangers::Stranger;

const ARN: &str = "arn:aws:iam::123456789012:oidc-provider/h.example/t/g/";

fn provider(client_ids: &[&str]) -> Desired {
    Desired::OidcProvider {
        url: "https://h.example/t/g/".parse().expect("issuer must parse"),
        client_ids: client_ids.iter().map(|id| (*id).to_owned()).collect(),
        thumbprints: vec!["a9993e364706816aba3e25717850c26c9cd0d89d".parse().expect("thumbprint must parse")],
    }
}

fn tags(run: &str) -> Tags {
    Tags::new(run, "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
}

async fn come(clients: &Clients, run: &str, client_ids: &[&str]) {
    create(clients, &provider(client_ids), &tags(run)).await.expect("the run must come on it");
}

async fn go(clients: &Clients, run: &str) -> Undone {
    let entry = provider(&[]).undo(clients.account(), clients.region(), run);
    undo(clients, &entry).await.expect("the run must go from it")
}

/// What a run would find before it comes.
async fn standing(clients: &Clients, client_ids: &[&str]) -> Option<Standing> {
    preflight(clients, &[provider(client_ids)]).await.expect("must be looked up").pop()
}

fn runs(standing: &Standing) -> Vec<&str> {
    standing.runs.iter().map(|marks| marks.run.as_str()).collect()
}

async fn accepts(clients: &Clients) -> Vec<&'static str> {
    let all = ["sts.amazonaws.com", "one", "two"];
    let lacks = standing(clients, &all).await.expect("it must be there").lacks;
    all.into_iter().filter(|id| !lacks.iter().any(|lacking| lacking == id)).collect()
}

#[tokio::test]
async fn client_ids_come_and_go_one_by_one_with_the_runs_that_need_them() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    assert_eq!(standing(&clients, &["one"]).await, None);
    come(&clients, "r-1", &["sts.amazonaws.com", "one"]).await;
    come(&clients, "r-2", &["sts.amazonaws.com", "two"]).await;
    let found = standing(&clients, &["three", "two"]).await.expect("it must be there");
    assert_eq!((found.arn.as_str(), found.is_ours), (ARN, true));
    assert_eq!((runs(&found), &found.lacks), (vec!["r-1", "r-2"], &vec!["three".to_owned()]));
    assert_eq!(found.runs[0].expires.map(|at| at.to_string()).as_deref(), Some("2099-01-01T00:00:00Z"));
    assert_eq!(accepts(&clients).await, ["sts.amazonaws.com", "one", "two"]);

    let of = |run: &str| Scope::Run { run: run.to_owned(), prefix: "cf-".to_owned(), providers: vec![ARN.to_owned()] };
    for (run, expected) in [("r-1", 1), ("r-2", 1), ("r-3", 0)] {
        let items = inventory(&clients, &of(run)).await.expect("inventory must be taken");
        assert_eq!(items.len(), expected, "{run}");
    }
    assert_eq!(go(&clients, "r-3").await, Undone::NotOurs);
    assert_eq!(go(&clients, "r-1").await, Undone::Left);
    assert_eq!(accepts(&clients).await, ["sts.amazonaws.com", "two"]);
    assert!(inventory(&clients, &of("r-1")).await.expect("inventory must be taken").is_empty());
    assert_eq!(go(&clients, "r-1").await, Undone::NotOurs);
    assert_eq!(go(&clients, "r-2").await, Undone::Deleted);
    assert_eq!(go(&clients, "r-2").await, Undone::AlreadyGone);
    assert!(seen(&clients).await.is_empty());
    place.server.stop().await;
}

#[tokio::test]
async fn a_run_that_is_on_it_does_not_make_it_twice() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    come(&clients, "r-1", &["one"]).await;
    let error = create(&clients, &provider(&["two"]), &tags("r-1")).await.expect_err("must be refused");
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Exists, Some("EntityAlreadyExists")));
    assert_eq!(accepts(&clients).await, ["one"]);
    place.server.stop().await;
}

/// Runs come and go at once. While one is on the provider, it must be there with all that the run needs.
/// Each run has keys of its own.
async fn crowd(place: &Place, clients: impl Fn() -> Clients, runs: usize, turns: usize) {
    let tasks = (0..runs).map(|number| {
        let (sim, clients) = (place.sim.clone(), clients());
        tokio::spawn(async move {
            let run = format!("r-{number}");
            let needs = ["sts.amazonaws.com", ["one", "two"][number % 2]];
            for turn in 0..turns {
                come(&clients, &run, &needs).await;
                for _ in 0..10 {
                    let all = sim.inventory();
                    for id in needs {
                        let line = format!("{ACCOUNT} {ARN} client id {id}");
                        assert!(all.contains(&line), "{run} in turn {turn}: {all:?}");
                    }
                    // Lets the others do something.
                    standing(&clients, &needs).await;
                }
                let end = go(&clients, &run).await;
                // The last one may take it away as soon as this one says that it goes.
                assert_ne!(end, Undone::NotOurs, "{run} in turn {turn}");
            }
        })
    });
    for end in join_all(tasks.collect::<Vec<_>>()).await {
        end.expect("a run must not be disturbed by another");
    }
    assert_eq!(place.sim.inventory(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_that_come_and_go_at_once_do_not_disturb_each_other() {
    let place = Place::up().await;
    crowd(&place, || place.clients(ACCOUNT, "eu-central-1"), 8, 30).await;
    place.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_do_they_where_answers_are_lost() {
    let place = Place::behind(losing_answers).await;
    crowd(&place, || place.clients(ACCOUNT, "eu-central-1"), 4, 3).await;
    place.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_where_writes_are_shown_late() {
    let place = Place::lagging(Propagation::scaled(0.02, 7)).await;
    crowd(&place, || place.clients_waiting(Duration::from_secs(60)), 4, 4).await;
    place.server.stop().await;
}

#[tokio::test]
async fn a_provider_of_another_is_found_and_not_touched() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    Stranger::at(&place).make_provider("https://h.example/t/g/").await;
    let before = standing(&clients, &["one"]).await.expect("it must be there");
    assert_eq!((before.is_ours, before.lacks.len()), (false, 1));
    let error = create(&clients, &provider(&["one"]), &tags("r-1")).await.expect_err("must be refused");
    assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false), "{error}");
    assert_eq!(go(&clients, "r-1").await, Undone::NotOurs);
    assert_eq!(standing(&clients, &["one"]).await, Some(before));
    place.server.stop().await;
}

#[tokio::test]
async fn who_was_killed_while_closing_is_named_and_finishes_later() {
    let (stall, stalled) = (Arc::new(AtomicBool::new(true)), Arc::new(Notify::new()));
    let place = Place::behind(stalling("DeleteOpenIDConnectProvider", stall.clone(), stalled.clone())).await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    come(&clients, "r-1", &["one"]).await;
    tokio::select! {
        end = go(&clients, "r-1") => panic!("it must be killed first, and came to {end:?}"),
        () = stalled.notified() => {}
    }
    stall.store(false, Ordering::SeqCst);

    let brief = place.clients_waiting(Duration::from_millis(50));
    let error = create(&brief, &provider(&["two"]), &tags("r-2")).await.expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        "CreateOpenIDConnectProvider of OIDC provider for https://h.example/t/g/ failed: run r-1 began to take it away and has not finished: clean up run r-1; try again later"
    );
    assert!(!error.maybe_done, "nothing is left of the second run");
    assert_eq!(runs(&standing(&clients, &[]).await.expect("it must be there")), ["r-1"]);

    let entry = provider(&[]).undo(clients.account(), clients.region(), "r-1");
    assert_eq!(undo_unconfirmed(&clients, &entry, "r-1").await, Ok(Undone::Deleted));
    come(&clients, "r-2", &["two"]).await;
    assert_eq!(go(&clients, "r-2").await, Undone::Deleted);
    place.server.stop().await;
}

#[tokio::test]
async fn a_full_provider_says_what_fills_it() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    // The tool's own tag is the fiftieth.
    for number in 0..49 {
        come(&clients, &format!("r-{number}"), &["one"]).await;
    }
    let error = create(&clients, &provider(&["one"]), &tags("r-49")).await.expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        "TagOpenIDConnectProvider of OIDC provider for https://h.example/t/g/ failed: LimitExceeded (409): 49 runs are on it, and each has one of its fifty tags; sweep the account for leftovers or ask for a higher quota"
    );
    assert!(!error.maybe_done);
    assert_eq!(go(&clients, "r-7").await, Undone::Left);
    come(&clients, "r-49", &["one"]).await;
    place.server.stop().await;
}
