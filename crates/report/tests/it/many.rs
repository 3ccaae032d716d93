//! What a person sees of several scenarios that run at the same time.

use insta::assert_snapshot;
use report::{CheckKind, CheckRecord, Event, Expected, Outcome, Phase, Progress, Style};
use trust::{Link, Verdict};

use crate::sample::*;

/// The last lines, from the table on.
fn ending(text: &str) -> &str {
    let at = text.rfind("\n\n  scenario ").expect("must have a table");
    &text[at + 2..]
}

fn started(scenarios: usize) -> Event {
    let text = || "x".to_owned();
    Event::RunStarted { run_id: text(), command: vec![], version: text(), cluster: text(), clouds: text(), scenarios }
}

#[test]
fn tells_each_scenario_as_a_whole() {
    assert_snapshot!(shown(at_width(100), seven()), @r#"
        crossfed 0.1.0  run r-7f3a91 · cluster embedded · clouds simulated · 7 scenarios
        – 1/7 eks-to-aws                no check was tried, 4 skipped                                   2 ms
                                        skipped: there is no second cluster
        ✗ both-clouds / wrong-namespace/azure  8 subject accepted · AccessDenied · 403
        ✓ 2/7 long-lived                1 of 1 check passed                                           9.00 s
        ✗ 3/7 both-clouds               2 of 3 checks passed, 1 failed                                2.20 s

        both-clouds  what must hold: both-clouds
          ✓ federation  1 OIDC provider, 3 roles                                                       87 ms
            checks
            ✓ reads the object                     11 read                37 bytes                    318 ms
            ✗ reads in Azure all the same          8 subject accepted     AccessDenied          403   318 ms

              expected   read 37 bytes, sha256 9f86d081884c7d65...
              observed   refused at 8 subject accepted: AccessDenied, HTTP 403
                         Not authorized to perform sts:AssumeRoleWithWebIdentity
              reason     the allowed access was refused
              chain      ✓  1 opted in             arn:aws:iam::123456789012:role/shop-      service account
                                                   orders
                         ✓  2 injected
                         ✓  3 token projected
                         ✓  4 issuer discoverable
                         ✓  5 key published        kid ZmRlOGQ3                              token, key set
                         ✓  6 issuer trusted
                         ✓  7 audience accepted    sts.amazonaws.com                         token
                         ✗  8 subject accepted     differs in case only
                              presented  system:serviceaccount:shop:orders
                              required   system:serviceaccount:shop:Orders
                                                                    ↑ differs from here
                              source     trust policy of arn:aws:iam::123456789012:role/shop-orders,
                                         StringEquals
                         ·  9 credential issued    not reached
                         · 10 permitted            not reached
                         · 11 read                 not reached
              next       cargo xtask explain aks-to-aws --check reads

            ✓ token for another audience           7 audience accepted    InvalidIdentityToken  400    21 ms
          ✓ teardown    6 resources deleted                                                            33 ms
            failed      1 of 3 checks failed

        ✓ 4/7 aks-to-aws                4 of 4 checks passed                                          1.02 s
        ✓ 5/7 eks-to-azure              4 of 4 checks passed                                          998 ms
        ✓ 6/7 aks-to-azure              4 of 4 checks passed                                          1.31 s
        ✓ 7/7 self-managed-to-azure     4 of 4 checks passed, 1 skipped                               4.31 s

        both-clouds / wrong-namespace/azure
          reads in Azure all the same
          expected   read 37 bytes, sha256 9f86d081884c7d65...
          observed   refused at 8 subject accepted: AccessDenied, HTTP 403
                     Not authorized to perform sts:AssumeRoleWithWebIdentity
          reason     the allowed access was refused
          chain      ✓  1 opted in             arn:aws:iam::123456789012:role/shop-orders    service account
                     ✓  2 injected
                     ✓  3 token projected
                     ✓  4 issuer discoverable
                     ✓  5 key published        kid ZmRlOGQ3                                  token, key set
                     ✓  6 issuer trusted
                     ✓  7 audience accepted    sts.amazonaws.com                             token
                     ✗  8 subject accepted     differs in case only
                          presented  system:serviceaccount:shop:orders
                          required   system:serviceaccount:shop:Orders
                                                                ↑ differs from here
                          source     trust policy of arn:aws:iam::123456789012:role/shop-orders,
                                     StringEquals
                     ·  9 credential issued    not reached
                     · 10 permitted            not reached
                     · 11 read                 not reached
          next       cargo xtask explain aks-to-aws --check reads

          scenario               place                 verdict  pass fail skip    time
        ✓ aks-to-aws             embedded · simulated  passed      4    0    0  1.02 s
        ✓ aks-to-azure           embedded · simulated  passed      4    0    0  1.31 s
        ✗ both-clouds            embedded · simulated  failed      2    1    0  2.20 s
        – eks-to-aws             embedded · simulated  skipped     0    0    4    2 ms
        ✓ eks-to-azure           embedded · simulated  passed      4    0    0  998 ms
        ✓ long-lived             embedded · simulated  passed      1    0    0  9.00 s
        ✓ self-managed-to-azure  embedded · simulated  passed      4    0    1  4.31 s

        FAILED  5 of 6 scenarios passed, 1 scenario skipped, 19 of 20 checks passed, 1 failed, 5      9.12 s
                skipped, exit code 100
          scenario   both-clouds: failed: 1 of 3 checks failed
          skipped    1 scenario: there is no second cluster (eks-to-aws)
          skipped    1 check: the cluster's keys cannot be changed (1 in self-managed-to-azure)
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e all
        "#);
}

#[test]
fn the_table_keeps_to_eighty_columns() {
    assert_snapshot!(ending(&shown(at_width(80), seven())), @r#"
          scenario               place                 verdict  pass fail skip    time
        ✓ aks-to-aws             embedded · simulated  passed      4    0    0  1.02 s
        ✓ aks-to-azure           embedded · simulated  passed      4    0    0  1.31 s
        ✗ both-clouds            embedded · simulated  failed      2    1    0  2.20 s
        – eks-to-aws             embedded · simulated  skipped     0    0    4    2 ms
        ✓ eks-to-azure           embedded · simulated  passed      4    0    0  998 ms
        ✓ long-lived             embedded · simulated  passed      1    0    0  9.00 s
        ✓ self-managed-to-azure  embedded · simulated  passed      4    0    1  4.31 s

        FAILED  5 of 6 scenarios passed, 1 scenario skipped, 19 of 20 checks      9.12 s
                passed, 1 failed, 5 skipped, exit code 100
          scenario   both-clouds: failed: 1 of 3 checks failed
          skipped    1 scenario: there is no second cluster (eks-to-aws)
          skipped    1 check: the cluster's keys cannot be changed (1 in
                     self-managed-to-azure)
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e all
        "#);
}

#[test]
fn the_table_takes_two_lines_a_row_where_it_is_narrow() {
    let text = shown(at_width(60), seven());
    let (_, ending) = text.rsplit_once("not reached\n").expect("must explain the failure");
    assert_snapshot!(ending, @r#"
          next       cargo xtask explain aks-to-aws --check reads

        ✓ aks-to-aws                                 passed   1.02 s
          embedded · simulated · 4 of 4 checks passed
        ✓ aks-to-azure                               passed   1.31 s
          embedded · simulated · 4 of 4 checks passed
        ✗ both-clouds                                failed   2.20 s
          embedded · simulated · 2 of 3 checks passed, 1 failed
        – eks-to-aws                                 skipped    2 ms
          embedded · simulated · no check was tried, 4 skipped
        ✓ eks-to-azure                               passed   998 ms
          embedded · simulated · 4 of 4 checks passed
        ✓ long-lived                                 passed   9.00 s
          embedded · simulated · 1 of 1 check passed
        ✓ self-managed-to-azure                      passed   4.31 s
          embedded · simulated · 4 of 4 checks passed, 1 skipped

        FAILED  5 of 6 scenarios passed, 1 scenario           9.12 s
                skipped, 19 of 20 checks passed, 1 failed,
                5 skipped, exit code 100
          scenario   both-clouds: failed: 1 of 3 checks failed
          skipped    1 scenario: there is no second cluster
                     (eks-to-aws)
          skipped    1 check: the cluster's keys cannot be changed
                     (1 in self-managed-to-azure)
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e all
        "#);
}

#[test]
fn counts_only_what_there_is_and_shows_an_acceptance_as_one() {
    let finished =
        |scenario: &str, verdict| Event::ScenarioFinished { scenario: scenario.into(), verdict, duration_ms: 9 };
    let check = |scenario: &str, check| Event::CheckFinished { scenario: scenario.into(), check };
    let begun =
        |scenario: &str, checks| Event::ScenarioStarted { scenario: scenario.into(), title: "t".into(), checks };
    let late = CheckRecord { verdict: Verdict::Flaky { reason: "late".into() }, ..allowed() };
    let events = [
        started(5),
        begun("granted", 1),
        begun("late", 1),
        begun("stopped", 3),
        begun("left", 1),
        check("granted", CheckRecord { verdict: Verdict::Passed, ..wrongly_accepted() }),
        check("late", late),
        check("stopped", allowed()),
        check("left", allowed()),
        Event::Leftover { scenario: "left".into(), kind: "iam-role".into(), id: "r".into(), why: "still there".into() },
        finished("granted", Verdict::Passed),
        finished("late", Verdict::Passed),
        finished("left", Verdict::Leaked { reason: "1 left".into() }),
        Event::RunFinished { exit_code: 130, duration_ms: 10 },
    ];
    assert_snapshot!(ending(&shown(at_width(100), events)), @r#"
          scenario  place  verdict     pass fail skip flaky leaked not run  time
        ✗ granted   x · x  ACCEPTED       1    0    0     0      0       0  9 ms
        ✓ late      x · x  passed         0    0    0     1      0       0  9 ms
        ~ left      x · x  leaked         1    0    0     0      1       0  9 ms
        ! stopped   x · x  unfinished     1    0    0     0      0       2

        INTERRUPTED  1 ACCEPTED THAT MUST BE REFUSED, 1 of 4 scenarios passed, 1 scenario never        10 ms
                     started, 3 of 4 checks passed, 1 flaky, 2 not run, 1 leaked, exit code 130
          scenario   left: leaked: 1 left
          scenario   stopped: did not finish
          flaky      late / reads: late
          leaked     1 resource: 1 left behind
          left over  left: iam-role r (still there)
          artifacts  _artifacts/r-7f3a91
          next       cargo xtask cleanup x
        "#);
}

#[test]
fn what_was_cut_off_is_told_before_the_end() {
    let mut events = seven();
    let last = events.pop().expect("must end");
    events.truncate(24);
    events.push(last);
    let text = shown(at_width(100), events);
    let (told, _) = text.split_once("\n\n  scenario ").expect("must have a table");
    let headers = told.lines().filter(|line| line.contains("what must hold: ")).count();
    assert_eq!(headers, 6, "each that began and did not end has its block: {told}");
    assert!(text.contains("0 of 6 scenarios passed, 1 scenario skipped"), "{text}");
}

#[test]
fn what_failed_is_told_at_once_with_its_scenario() {
    let check = |scenario: &str, check| Event::CheckFinished { scenario: scenario.into(), check };
    let events = [
        started(3),
        check("one", allowed()),
        check("two", wrongly_refused()),
        check("one", wrongly_accepted()),
        Event::PhaseFinished {
            scenario: "three".into(),
            phase: Phase::Federation,
            outcome: Outcome::Failed { reason: "the provider exists and is not ours".into() },
            detail: None,
            duration_ms: 3,
        },
        Event::Note { scenario: Some("two".into()), text: "a hint".into() },
        Event::Note { scenario: None, text: "interrupted".into() },
    ];
    assert_snapshot!(shown(at_width(100), events), @r#"
        crossfed x  run x · cluster x · clouds x · 3 scenarios
        ✗ two / reads  8 subject accepted · AccessDenied · 403
        ✗ one / other-namespace  ACCEPTED · 37 bytes
        ✗ three / federation  the provider exists and is not ours
            note        two: a hint
            note        interrupted
        "#);
}

#[test]
fn says_what_begins_and_how_many_are_done_as_asked() {
    let shown = |progress| shown(Style { progress, ..at_width(100) }, seven());
    let (auto, counter, none) = (shown(Progress::Auto), shown(Progress::Counter), shown(Progress::None));
    assert!(counter.contains("\n· eks-to-azure\n"), "each scenario must say that it starts: {counter}");
    assert!(!counter.contains("· federation"), "a block has no phases that only start: {counter}");
    assert!(!auto.contains("· eks-to-azure\n") && auto.contains("✓ 7/7 "), "{auto}");
    assert!(!none.contains("7/7"), "{none}");
}

#[test]
fn a_run_of_one_is_told_as_it_goes() {
    let text = shown(at_width(100), run(vec![allowed()], 1, Verdict::Passed, 0));
    assert!(text.contains("\n\naks-to-aws  a pod in AKS reads an object in S3\n  ✓ preflight"), "{text}");
    assert!(!text.contains("verdict") && !text.contains("scenarios"), "{text}");
}

#[test]
fn colour_changes_no_character() {
    let events = || {
        let mut events = seven();
        events.insert(9, Event::CheckFinished { scenario: "aks-to-aws".into(), check: wrongly_accepted() });
        events
    };
    for width in [60, 90] {
        let plain = shown(at_width(width), events());
        let colored = shown(Style { color: true, ..at_width(width) }, events());
        assert!(colored.contains("\u{1b}[1;97;41mACCEPTED") && !plain.contains('\u{1b}'));
        assert_eq!(without_colour(&colored), plain, "{width}");
    }
}

#[test]
fn ascii_means_ascii() {
    for (width, progress) in [(60, Progress::Counter), (100, Progress::Auto)] {
        assert!(shown(Style { ascii: true, progress, ..at_width(width) }, seven()).is_ascii());
    }
}

#[test]
fn no_line_is_wider_than_asked_save_commands() {
    for width in 60..=120 {
        assert_keeps_to(width, &shown(at_width(width), seven()));
    }
}

#[test]
fn an_access_that_a_fault_must_not_touch_is_told_as_an_access() {
    let untouched =
        CheckRecord { id: "wrong-namespace/azure".into(), title: "reads in Azure all the same".into(), ..allowed() };
    let refused = refused("wrong-namespace/aws", "refused in AWS", Link::SubjectAccepted, "AccessDenied", 403);
    let text = shown(at_width(100), run(vec![refused, untouched], 2, Verdict::Passed, 0));
    let (_, rest) = text.split_once("    checks\n").expect("must have checks");
    assert_snapshot!(rest, @r#"
            ✓ refused in AWS                       8 subject accepted     AccessDenied          403    21 ms
            ✓ reads in Azure all the same          11 read                37 bytes                    318 ms
          ✓ teardown    6 resources deleted                                                            33 ms

        PASSED  2 of 2 checks passed                                                                  1.03 s
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
    let text = shown(at_width(100), run(vec![wrongly_refused_beside_another_cloud()], 1, Verdict::Passed, 100));
    assert!(!text.contains("control"), "it is the twin of nothing: {text}");
}

#[test]
fn says_how_a_workload_that_lives_long_kept_reading() {
    let lost = CheckRecord {
        id: "lost".into(),
        observed: wrongly_refused().observed,
        verdict: Verdict::Failed { reason: "refused after 9 reads".into() },
        chain: trust::Chain::default(),
        ..kept_reading()
    };
    let granted = CheckRecord {
        id: "granted".into(),
        kind: CheckKind::Deny,
        expected: Expected::NotInjected,
        chain: trust::Chain::default(),
        verdict: Verdict::Failed { reason: "it was not refused".into() },
        ..kept_reading()
    };
    let check = |width: usize| {
        let events = run(vec![kept_reading(), lost.clone(), granted.clone()], 3, Verdict::Passed, 100);
        let text = shown(at_width(width), events);
        let (_, rest) = text.split_once("    checks\n").expect("must have checks");
        rest.split_once("\n  ✓ teardown").expect("must be torn down").0.to_owned()
    };
    assert_snapshot!(check(100), @r#"
        ✓ reads through a change of keys       kept reading: 14 reads, 3 tokens, 2 keys           318 ms
        ✗ reads through a change of keys       8 subject accepted     AccessDenied          403   318 ms

          expected   kept reading while tokens are renewed and keys replaced
          observed   refused at 8 subject accepted: AccessDenied, HTTP 403
                     Not authorized to perform sts:AssumeRoleWithWebIdentity
          reason     refused after 9 reads

        ✗ reads through a change of keys       ACCEPTED               14 reads, 3 tokens, 2       318 ms
                                                                      keys

          ACCEPTED, AND MUST BE REFUSED
          expected   not injected: the webhook leaves the pod alone
          observed   accepted: kept reading: 14 reads, 3 tokens, 2 keys
          reason     it was not refused
        "#);
    assert_snapshot!(check(60), @r#"
        ✓ reads through a change of keys
          kept reading: 14 reads, 3 tokens, 2 keys
        ✗ reads through a change of keys
          8 subject accepted · AccessDenied · 403

          expected   kept reading while tokens are renewed and
                     keys replaced
          observed   refused at 8 subject accepted:
                     AccessDenied, HTTP 403
                     Not authorized to perform
                     sts:AssumeRoleWithWebIdentity
          reason     refused after 9 reads

        ✗ reads through a change of keys
          ACCEPTED · 14 reads, 3 tokens, 2 keys

          ACCEPTED, AND MUST BE REFUSED
          expected   not injected: the webhook leaves the pod
                     alone
          observed   accepted: kept reading: 14 reads, 3 tokens,
                     2 keys
          reason     it was not refused
        "#);
}
