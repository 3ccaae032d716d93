//! Identity, boundary, session and resource policies together.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use trust::policy::{Document, Kind, Outcome, Policies, Ruling, combine};

use super::case::{Asked, deny_all, document, with_another};
use super::random::{Random, for_each_case};

/// Policies that own their documents.
#[derive(Clone, Debug)]
struct Held {
    identity: Vec<Arc<Document>>,
    boundary: Option<Document>,
    session: Option<Vec<Arc<Document>>>,
    resource: Option<Document>,
    cross_account: bool,
}

impl Held {
    fn random(random: &mut Random) -> Held {
        let several = |random: &mut Random, most: usize| -> Vec<Arc<Document>> {
            (0..random.below(most + 1)).map(|_| Arc::new(document(random, Kind::Identity))).collect()
        };
        Held {
            identity: several(random, 3),
            boundary: random.once_in(3).then(|| document(random, Kind::Identity)),
            session: random.once_in(3).then(|| several(random, 2)),
            resource: random.once_in(2).then(|| document(random, Kind::Resource)),
            cross_account: random.once_in(4),
        }
    }

    fn ask(&self, asked: &Asked) -> Ruling {
        let policies = Policies {
            identity: &self.identity,
            boundary: self.boundary.as_ref(),
            session: self.session.as_deref(),
            resource: self.resource.as_ref(),
            cross_account: self.cross_account,
        };
        combine(&policies, &asked.request())
    }

    /// Changes one of the documents that there are; false when there is none.
    fn change_one(&mut self, random: &mut Random, change: impl Fn(&Document, &mut Random, Kind) -> Document) -> bool {
        let mut places: Vec<(&mut Document, Kind)> = Vec::new();
        let session = self.session.iter_mut().flatten();
        places.extend(self.identity.iter_mut().chain(session).map(|held| (Arc::make_mut(held), Kind::Identity)));
        places.extend(self.boundary.as_mut().map(|held| (held, Kind::Identity)));
        places.extend(self.resource.as_mut().map(|held| (held, Kind::Resource)));
        if places.is_empty() {
            return false;
        }
        let (document, kind) = places.swap_remove(random.below(places.len()));
        *document = change(document, random, kind);
        true
    }
}

#[test]
fn the_made_up_cases_are_settled_by_every_layer() {
    let seen = RefCell::new(BTreeMap::<String, usize>::new());
    for_each_case(|random| {
        let reason = Held::random(random).ask(&Asked::random(random)).reason;
        *seen.borrow_mut().entry(format!("{reason:?}")).or_default() += 1;
    });
    let seen = seen.into_inner();
    assert!(seen.len() == 10 && seen.values().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn a_denial_in_any_layer_wins() {
    for_each_case(|random| {
        let (mut held, asked) = (Held::random(random), Asked::random(random));
        let ruling = held.ask(&asked);
        let denied = ruling.decisions.iter().any(|(_, decision)| decision.outcome == Outcome::ExplicitDeny);
        assert!(!(denied && ruling.is_allowed()), "{held:?} {asked:?}");
        let changed = held.change_one(random, |document, _, kind| {
            let mut denying = document.clone();
            denying.statements.extend(deny_all(kind).statements);
            denying
        });
        assert!(!(changed && held.ask(&asked).is_allowed()), "{held:?} {asked:?}");
    });
}

#[test]
fn another_allow_in_any_layer_takes_nothing_away() {
    for_each_case(|random| {
        let (held, asked) = (Held::random(random), Asked::random(random));
        let mut grown = held.clone();
        grown.change_one(random, |document, random, kind| with_another(document, random, kind, "Allow"));
        assert!(grown.ask(&asked).is_allowed() || !held.ask(&asked).is_allowed(), "{held:?} {grown:?} {asked:?}");
    });
}

#[test]
fn boundaries_sessions_and_foreign_accounts_give_nothing() {
    for_each_case(|random| {
        let (narrow, asked) = (Held::random(random), Asked::random(random));
        let mut wide = narrow.clone();
        match random.below(3) {
            0 => wide.boundary = None,
            1 => wide.session = None,
            _ => wide.cross_account = false,
        }
        assert!(wide.ask(&asked).is_allowed() || !narrow.ask(&asked).is_allowed(), "{narrow:?} {asked:?}");
    });
}

#[test]
fn across_accounts_each_side_allows_by_itself() {
    for_each_case(|random| {
        let (mut held, asked) = (Held::random(random), Asked::random(random));
        held.cross_account = true;
        let allowed = held.ask(&asked).is_allowed();
        let resource = held.resource.take();
        let theirs = resource.is_some_and(|policy| policy.evaluate(&asked.request()).outcome == Outcome::Allowed);
        held.cross_account = false;
        let ours = held.ask(&asked).is_allowed();
        assert_eq!(allowed, ours && theirs, "{held:?} {asked:?}");
    });
}

#[test]
fn the_order_of_documents_decides_nothing() {
    for_each_case(|random| {
        let (held, asked) = (Held::random(random), Asked::random(random));
        let mut other = held.clone();
        random.shuffle(&mut other.identity);
        other.session.iter_mut().for_each(|session| random.shuffle(session));
        assert_eq!(held.ask(&asked).reason, other.ask(&asked).reason, "{held:?} {other:?} {asked:?}");
    });
}
