//! One document, one request.

use std::cell::Cell;

use trust::policy::{Decision, Effect, Outcome};

use super::case::{Asked, deny_all, document, kind, with_another};
use super::random::for_each_case;

/// What the traces come to, said in another way than the evaluator does.
fn settled(decision: &Decision) -> Outcome {
    let any = |effect: Effect| decision.statements.iter().any(|trace| trace.applies && trace.effect == effect);
    match (any(Effect::Deny), any(Effect::Allow)) {
        (true, _) => Outcome::ExplicitDeny,
        (false, true) => Outcome::Allowed,
        (false, false) => Outcome::ImplicitDeny,
    }
}

#[test]
fn the_made_up_cases_reach_every_outcome_often() {
    let counts = Cell::new([0; 3]);
    for_each_case(|random| {
        let kind = kind(random);
        let (policy, asked) = (document(random, kind), Asked::random(random));
        let mut now = counts.get();
        now[match policy.evaluate(&asked.request()).outcome {
            Outcome::Allowed => 0,
            Outcome::ExplicitDeny => 1,
            Outcome::ImplicitDeny => 2,
        }] += 1;
        counts.set(now);
    });
    assert!(counts.get().iter().all(|count| *count > 1000), "{counts:?}");
}

#[test]
fn the_outcome_is_what_the_trace_says_and_deny_always_wins() {
    for_each_case(|random| {
        let kind = kind(random);
        let (policy, asked) = (document(random, kind), Asked::random(random));
        let decision = policy.evaluate(&asked.request());
        assert_eq!(decision.outcome, settled(&decision), "{policy:?} {asked:?}");
        assert_eq!(decision.statements.len(), policy.statements.len());
        for trace in decision.statements.iter().filter(|trace| trace.applies) {
            let parts = [trace.principal.as_ref(), Some(&trace.action), trace.resource.as_ref()];
            assert!(parts.into_iter().flatten().all(|check| check.holds), "{trace:?}");
            assert!(trace.conditions.iter().all(|condition| condition.holds), "{trace:?}");
        }
    });
}

#[test]
fn one_denial_of_everything_outweighs_all_the_rest() {
    for_each_case(|random| {
        let kind = kind(random);
        let (mut policy, mut asked) = (document(random, kind), Asked::random(random));
        if kind == trust::policy::Kind::Trust {
            asked = asked.for_sts();
        }
        let place = random.below(policy.statements.len() + 1);
        policy.statements.splice(place..place, deny_all(kind).statements);
        assert_eq!(policy.evaluate(&asked.request()).outcome, Outcome::ExplicitDeny, "{policy:?} {asked:?}");
    });
}

#[test]
fn another_allow_takes_nothing_away() {
    for_each_case(|random| {
        let kind = kind(random);
        let (policy, asked) = (document(random, kind), Asked::random(random));
        let grown = with_another(&policy, random, kind, "Allow");
        let (before, after) = (policy.evaluate(&asked.request()), grown.evaluate(&asked.request()));
        match before.outcome {
            Outcome::Allowed => assert_eq!(after.outcome, Outcome::Allowed, "{policy:?} {grown:?} {asked:?}"),
            Outcome::ExplicitDeny => assert_eq!(after.outcome, Outcome::ExplicitDeny, "{grown:?} {asked:?}"),
            Outcome::ImplicitDeny => assert_ne!(after.outcome, Outcome::ExplicitDeny, "{grown:?} {asked:?}"),
        }
        assert!(after.grant >= before.grant, "{policy:?} {grown:?} {asked:?}");
    });
}

#[test]
fn another_deny_gives_nothing() {
    for_each_case(|random| {
        let kind = kind(random);
        let (policy, asked) = (document(random, kind), Asked::random(random));
        let grown = with_another(&policy, random, kind, "Deny");
        let (before, after) = (policy.evaluate(&asked.request()).outcome, grown.evaluate(&asked.request()).outcome);
        assert!(after == before || after == Outcome::ExplicitDeny, "{policy:?} {grown:?} {asked:?}");
    });
}

#[test]
fn the_order_of_statements_conditions_and_values_decides_nothing() {
    for_each_case(|random| {
        let kind = kind(random);
        let (policy, asked) = (document(random, kind), Asked::random(random));
        let mut other = policy.clone();
        random.shuffle(&mut other.statements);
        for statement in &mut other.statements {
            random.shuffle(&mut statement.conditions);
            statement.conditions.iter_mut().for_each(|condition| random.shuffle(&mut condition.values));
        }
        let (before, after) = (policy.evaluate(&asked.request()), other.evaluate(&asked.request()));
        assert_eq!((before.outcome, before.grant), (after.outcome, after.grant), "{policy:?} {other:?} {asked:?}");
    });
}
