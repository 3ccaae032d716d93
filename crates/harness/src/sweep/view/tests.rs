//! What people see of a sweep.

use federation::{Marks, aws};
use insta::assert_snapshot;

use super::super::judge::{LeftAlone, State};
use super::super::listing::Kind;
use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + seconds, 0).expect("a moment")
}

fn judged(place: &'static str, kind: Kind, id: &str, run: &str, created: Option<i64>, state: State) -> Judged {
    let marks = Marks { run: run.into(), created: created.map(at), expires: None };
    Judged { thing: Thing { place, account: None, kind, id: id.into(), marks, undo: Vec::new() }, state }
}

fn found() -> Found {
    let mut left_alone = LeftAlone::default();
    left_alone.live.add("r3");
    for run in ["r4", "r5", "r5"] {
        left_alone.may_live.add(run);
    }
    let things = vec![
        judged("cluster", Kind::Namespace, "cf-r1-control", "r1", Some(0), State::Dead),
        judged("aws", Kind::Aws(aws::ItemKind::Role), "arn:aws:iam::1:role/cf-r1", "r1", Some(4000), State::Dead),
        judged(
            "aws",
            Kind::Aws(aws::ItemKind::OidcProvider),
            "arn:aws:iam::1:oidc-provider/x",
            "",
            None,
            State::Unused,
        ),
    ];
    Found { things, left_alone, now: at(90_000) }
}

#[test]
fn a_table_has_what_may_go_its_cost_and_what_is_left_alone() {
    assert_snapshot!(table(&found()), @r"
    CLOUD    KIND           ID                              RUN  STATE   AGE      USD/DAY
    cluster  namespace      cf-r1-control                   r1   dead    1d 1h    unknown
    aws      role           arn:aws:iam::1:role/cf-r1       r1   dead    23h 53m  0.00
    aws      OIDC provider  arn:aws:iam::1:oidc-provider/x  -    unused  unknown  0.00
    cluster: 1 thing, 0.00 USD a day, and what is unknown
    aws: 2 things, 0.00 USD a day
    left alone: 1 thing of 1 run that lives here
    left alone: 3 things of 2 runs that may live elsewhere
    ");
    assert_snapshot!(ended(&[Ended { run: "r1".into(), open: 3 }]), @"run r1 has 3 open in its journal: cargo xtask cleanup r1");
    let nothing = Found { things: Vec::new(), left_alone: LeftAlone::default(), now: at(0) };
    assert_eq!(table(&nothing), "");
}

#[test]
fn the_last_line_says_how_to_delete_or_what_came_of_it() {
    let command = ["cargo", "xtask", "sweep", "--older-than", "6h"].map(str::to_owned);
    let check = |text: String, expected: &str| assert_eq!(text, expected);
    check(
        how_to_delete(2, &command, None),
        "DRY RUN  2 things would be deleted; to delete: cargo xtask sweep --older-than 6h --no-dry-run\n",
    );
    check(how_to_delete(0, &command, None), "NOTHING TO SWEEP\n");
    check(summary(1, 0), "SWEPT  1 thing deleted; a second look finds none of them\n");
    check(summary(3, 1), "LEFT  1 of 3 things left\n");
    check(summary(0, 0), "NOTHING TO SWEEP\n");
}

#[test]
fn an_age_shows_its_two_largest_units() {
    let check = |seconds: i64, expected: &str| assert_eq!(shown(SignedDuration::from_secs(seconds)), expected);
    check(0, "0s");
    check(59, "59s");
    check(60, "1m");
    check(3599, "59m");
    check(3600, "1h 0m");
    check(86_399, "23h 59m");
    check(190_000, "2d 4h");
}
