//! What may be swept, and what may not: by the marks of a thing and the journals that lie here.

use federation::aws;

use super::*;

const ROLE: Kind = Kind::Aws(aws::ItemKind::Role);
const PROVIDER: Kind = Kind::Aws(aws::ItemKind::OidcProvider);

/// Seconds of a day on which everything happens.
fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + seconds, 0).expect("a moment")
}

fn marks(run: &str, created: Option<i64>, expires: Option<i64>) -> Marks {
    Marks { run: run.to_owned(), created: created.map(at), expires: expires.map(at) }
}

/// The journals: one that is held, and one that was written from 1000 to 2000.
fn runs() -> Runs {
    let mut runs = Runs::default();
    runs.add("live", Life { from: at(1000), until: at(2000), is_held: true });
    runs.add("dead", Life { from: at(1000), until: at(2000), is_held: false });
    // The same id was used twice here, and is in use.
    runs.add("again", Life { from: at(1000), until: at(2000), is_held: false });
    runs.add("again", Life { from: at(3000), until: at(3500), is_held: true });
    runs
}

fn thing(kind: Kind, marks: Marks) -> Thing {
    Thing { place: "aws", account: None, kind, id: "x".into(), marks, undo: Vec::new() }
}

#[test]
fn only_what_has_expired_or_is_known_to_be_of_a_dead_run_may_go() {
    let check = |marks: Marks, expected: Result<State, Stays>| {
        assert_eq!(runs().decide(ROLE, &marks, at(10_000)), expected, "{marks:?}");
    };
    check(marks("dead", Some(1500), Some(20_000)), Ok(State::Dead));
    check(marks("dead", Some(1500), Some(9_999)), Ok(State::Dead));
    check(marks("dead", Some(1500), None), Ok(State::Dead));
    check(marks("elsewhere", Some(1500), Some(9_999)), Ok(State::Expired));
    check(marks("elsewhere", Some(1500), Some(10_000)), Err(Stays::MayLive));
    check(marks("elsewhere", Some(1500), None), Err(Stays::MayLive));
    check(marks("elsewhere", None, Some(9_999)), Ok(State::Expired));
    check(marks("", Some(1500), Some(9_999)), Err(Stays::MayLive));
}

#[test]
fn what_is_of_a_live_run_stays_whatever_its_marks_say() {
    let check = |run: &str, created: Option<i64>, expires: Option<i64>| {
        let decided = runs().decide(ROLE, &marks(run, created, expires), at(10_000));
        assert_eq!(decided, Err(Stays::Lives), "{run} {created:?} {expires:?}");
    };
    check("live", Some(1500), Some(20_000));
    check("live", Some(1500), Some(9_999));
    check("live", None, None);
    check("again", Some(1500), Some(9_999));
}

#[test]
fn a_journal_speaks_only_for_what_was_made_while_it_was_written() {
    let check = |created: Option<i64>, expected: Result<State, Stays>| {
        let marks = marks("dead", created, Some(20_000));
        assert_eq!(runs().decide(ROLE, &marks, at(10_000)), expected, "{created:?}");
    };
    check(Some(1000), Ok(State::Dead));
    check(Some(2000), Ok(State::Dead));
    // Clocks differ a little.
    check(Some(996), Ok(State::Dead));
    check(Some(2004), Ok(State::Dead));
    // A run of the same id on another machine.
    check(Some(900), Err(Stays::MayLive));
    check(Some(5000), Err(Stays::MayLive));
    check(None, Err(Stays::MayLive));
}

#[test]
fn a_shared_provider_that_no_run_is_on_may_go() {
    let nobody = marks("", None, None);
    assert_eq!(runs().decide(PROVIDER, &nobody, at(10_000)), Ok(State::Unused));
    assert_eq!(runs().decide(ROLE, &nobody, at(10_000)), Err(Stays::MayLive));
}

#[test]
fn what_is_left_alone_is_counted_and_age_filters_what_may_go() {
    let things = vec![
        thing(ROLE, marks("dead", Some(1500), None)),
        thing(ROLE, marks("elsewhere", Some(9_000), Some(9_500))),
        thing(ROLE, marks("live", Some(1500), None)),
        thing(ROLE, marks("live", Some(1600), None)),
        thing(ROLE, marks("other", Some(1500), Some(20_000))),
        thing(PROVIDER, marks("", None, None)),
    ];
    let check = |older_than: Option<i64>, expected: &[(&str, State)], younger: usize| {
        let sorted = sort(things.clone(), &runs(), at(10_000), older_than.map(SignedDuration::from_secs));
        let found: Vec<(&str, State)> =
            sorted.things.iter().map(|judged| (judged.thing.marks.run.as_str(), judged.state)).collect();
        assert_eq!(found, expected, "{older_than:?}");
        let LeftAlone { live, may_live, younger: young } = sorted.left_alone;
        assert_eq!((live.things, live.runs(), may_live.things, may_live.runs()), (2, 1, 1, 1));
        assert_eq!(young.things, younger, "{older_than:?}");
    };
    check(None, &[("dead", State::Dead), ("elsewhere", State::Expired), ("", State::Unused)], 0);
    check(Some(1000), &[("dead", State::Dead), ("elsewhere", State::Expired)], 1);
    check(Some(1001), &[("dead", State::Dead)], 2);
    check(Some(8501), &[], 3);
}

#[test]
fn a_folder_of_a_process_that_is_gone_may_go_unless_its_run_goes_on() {
    let check = |run: &str, expected: Result<State, Stays>| {
        assert_eq!(runs().decide(Kind::Folder, &marks(run, Some(9_900), None), at(10_000)), expected, "{run}");
    };
    check("elsewhere", Ok(State::Dead));
    check("dead", Ok(State::Dead));
    check("live", Err(Stays::Lives));
}
