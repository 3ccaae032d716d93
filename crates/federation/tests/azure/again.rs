//! What an earlier life of the run created, or may have created, and how this life goes on from there.

use federation::Known;
use federation::azure::{
    ApplyError, Clients, Desired, IdentityIds, Journaled, Kind, Tags, Undo, VaultAccess, create_journaled, stages,
};

use super::notes::Notes;
use super::{GROUP, Place, seen, site, wanted};

fn everything(owner: &str) -> Vec<Desired> {
    let mut all = wanted(VaultAccess::Rbac);
    let theirs = site(owner).into_iter().filter(|one| !matches!(one, Desired::ResourceGroup { .. }));
    all.extend(theirs);
    all
}

async fn apply(
    clients: &Clients,
    desired: Vec<Desired>,
    run: &str,
    notes: &Notes<Undo>,
) -> Vec<Result<Journaled, ApplyError>> {
    let tags = Tags::new(run, "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    let mut results = Vec::new();
    for one in stages(desired).concat() {
        results.push(create_journaled(clients, &one, &tags, notes).await);
    }
    results
}

fn ids(results: Vec<Result<Journaled, ApplyError>>) -> Vec<IdentityIds> {
    let made = results.into_iter().map(|result| result.expect("creation must succeed"));
    made.filter_map(|made| made.identity).collect()
}

#[tokio::test]
async fn what_an_earlier_life_may_have_created_is_made_or_taken_if_it_is_the_run_s() {
    let policy = wanted(VaultAccess::AccessPolicy);
    let place = Place::up().await;
    let mut known = Vec::new();
    for round in 0..2 {
        // Another process: it remembers no ids.
        let clients = place.clients();
        let notes = Notes::after(Known::MayStand);
        known.extend(ids(apply(&clients, everything(&place.owner), "r-1", &notes).await));
        assert!(notes.ends().iter().all(|end| *end == "done"), "{round}");
    }
    assert_eq!((known.len(), &known[0]), (2, &known[1]));
    let before = seen(&place.clients).await;
    let notes = Notes::after(Known::MayStand);
    for result in apply(&place.clients, everything(&place.owner), "r-2", &notes).await {
        let Err(ApplyError::Provision(error)) = result else { panic!("must be refused: {result:?}") };
        assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false), "{error}");
    }
    assert!(notes.ends().iter().all(|end| *end == "failed"));
    assert_eq!(seen(&place.clients).await, before);
    place.server.stop().await;

    let place = Place::up().await;
    for _ in 0..2 {
        let notes = Notes::after(Known::MayStand);
        ids(apply(&place.clients, policy.clone(), "r-1", &notes).await);
    }
    place.server.stop().await;
}

#[tokio::test]
async fn of_what_an_earlier_life_created_only_an_identity_is_asked_about() {
    let place = Place::up().await;
    let notes = Notes::after(Known::Stands);
    let group = vec![Desired::ResourceGroup { name: GROUP.into() }];
    let identity = vec![Desired::Identity { group: GROUP.into(), name: "reader".into() }];
    ids(apply(&place.clients, group.clone(), "r-1", &notes).await);
    assert!(seen(&place.clients).await.is_empty());
    let gone = apply(&place.clients, identity.clone(), "r-1", &notes).await.remove(0).expect_err("it is gone");
    assert_eq!(
        gone.to_string(),
        "CreateIdentity of identity reader failed: the run has made it, and it is gone: clean up the run and begin anew; correct the request"
    );

    let first = Notes::default();
    ids(apply(&place.clients, group, "r-1", &first).await);
    let made = ids(apply(&place.clients, identity.clone(), "r-1", &first).await);
    assert_eq!(ids(apply(&place.clients(), identity.clone(), "r-1", &notes).await), made);
    let theirs = apply(&place.clients(), identity, "r-2", &notes).await.remove(0).expect_err("it is another's");
    assert!(matches!(theirs, ApplyError::Provision(error) if error.kind == Kind::Exists));
    place.server.stop().await;
}
