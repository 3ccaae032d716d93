//! What a person sees.

use insta::assert_snapshot;
use report::{CheckRecord, Event, Observed, Outcome, Phase, Progress, Style};
use trust::Verdict;

use crate::sample::*;

fn all_passed() -> Vec<Event> {
    let mut checks = vec![allowed()];
    checks.extend(refusals());
    run(checks, 4, Verdict::Passed, 0)
}

#[test]
fn calm_when_all_passed() {
    assert_snapshot!(shown(at_width(100), all_passed()), @r#"
        crossfed 0.1.0  run r-7f3a91 · cluster embedded · clouds simulated

        aks-to-aws  a pod in AKS reads an object in S3
          ✓ preflight                                                                                   3 ms
          ✓ cluster     issuer https://germanywestcentral.oic.prod-aks.azure.com/72f988bf/            212 ms
          ✓ webhooks    amazon-eks-pod-identity-webhook                                                41 ms
          ✓ federation  1 OIDC provider, 3 roles, 1 bucket                                             87 ms
          ✓ workload    s3-reader                                                                       9 ms
            checks
            ✓ reads the object                     11 read                37 bytes                    318 ms
            ✓ token for another audience           7 audience accepted    InvalidIdentityToken  400    21 ms
            ✓ service account in another           8 subject accepted     AccessDenied          403    21 ms
              namespace
            ✓ service account without the          2 injected             not injected                 21 ms
              annotation
          ✓ teardown    6 resources deleted                                                            33 ms

        PASSED  4 of 4 checks passed                                                                  1.03 s
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn keeps_to_eighty_columns() {
    assert_snapshot!(shown(at_width(80), all_passed()), @r#"
        crossfed 0.1.0  run r-7f3a91 · cluster embedded · clouds simulated

        aks-to-aws  a pod in AKS reads an object in S3
          ✓ preflight                                                               3 ms
          ✓ cluster     issuer https://germanywestcentral.oic.prod-aks.azure.     212 ms
                        com/72f988bf/
          ✓ webhooks    amazon-eks-pod-identity-webhook                            41 ms
          ✓ federation  1 OIDC provider, 3 roles, 1 bucket                         87 ms
          ✓ workload    s3-reader                                                   9 ms
            checks
            ✓ reads the object          11 read                37 bytes
            ✓ token for another         7 audience accepted    InvalidIdentityToken  400
              audience
            ✓ service account in        8 subject accepted     AccessDenied          403
              another namespace
            ✓ service account without   2 injected             not injected
              the annotation
          ✓ teardown    6 resources deleted                                        33 ms

        PASSED  4 of 4 checks passed                                              1.03 s
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn takes_two_lines_a_check_where_it_is_narrow() {
    assert_snapshot!(shown(at_width(60), all_passed()), @r#"
crossfed 0.1.0  run r-7f3a91 · cluster embedded · clouds
                simulated

aks-to-aws  a pod in AKS reads an object in S3
  ✓ preflight                                           3 ms
  ✓ cluster     issuer https://germanywestcentral.    212 ms
                oic.prod-aks.azure.com/72f988bf/
  ✓ webhooks    amazon-eks-pod-identity-webhook        41 ms
  ✓ federation  1 OIDC provider, 3 roles, 1 bucket     87 ms
  ✓ workload    s3-reader                               9 ms
    checks
    ✓ reads the object
      11 read · 37 bytes
    ✓ token for another audience
      7 audience accepted · InvalidIdentityToken · 400
    ✓ service account in another namespace
      8 subject accepted · AccessDenied · 403
    ✓ service account without the annotation
      2 injected · not injected
  ✓ teardown    6 resources deleted                    33 ms

PASSED  4 of 4 checks passed                          1.03 s
  artifacts  _artifacts/r-7f3a91
  rerun      cargo xtask e2e aks-to-aws
"#);
}

#[test]
fn explains_a_failure_at_once_and_again_at_the_end() {
    let mut checks = refusals();
    checks.insert(0, wrongly_refused());
    let events = run(checks, 6, Verdict::Failed { reason: "1 of 6 checks failed".into() }, 100);
    assert_snapshot!(shown(at_width(100), events), @r#"
        crossfed 0.1.0  run r-7f3a91 · cluster embedded · clouds simulated

        aks-to-aws  a pod in AKS reads an object in S3
          ✓ preflight                                                                                   3 ms
          ✓ cluster     issuer https://germanywestcentral.oic.prod-aks.azure.com/72f988bf/            212 ms
          ✓ webhooks    amazon-eks-pod-identity-webhook                                                41 ms
          ✓ federation  1 OIDC provider, 3 roles, 1 bucket                                             87 ms
          ✓ workload    s3-reader                                                                       9 ms
            checks
            ✗ reads the object                     8 subject accepted     AccessDenied          403   318 ms

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
            ✓ service account in another           8 subject accepted     AccessDenied          403    21 ms
              namespace
            ✓ service account without the          2 injected             not injected                 21 ms
              annotation
          ✗ checks      1 of 6 checks failed                                                          640 ms
          ✓ teardown    6 resources deleted                                                            33 ms

        aks-to-aws / reads
          reads the object
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

        FAILED  3 of 4 checks passed, 1 failed, 2 not run, exit code 100                              1.03 s
          scenario   aks-to-aws: failed: 1 of 6 checks failed
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn sets_an_unexpected_acceptance_above_all_else() {
    let events = run(
        vec![wrongly_refused(), wrongly_accepted()],
        2,
        Verdict::Failed { reason: "2 of 2 checks failed".into() },
        100,
    );
    let text = shown(Style { ascii: true, ..at_width(100) }, events);
    let (_, ending) = text.split_once("aks-to-aws / ").expect("must come again at the end");
    assert_snapshot!(ending, @r#"
other-namespace
  service account in another namespace
  ACCEPTED, AND MUST BE REFUSED
  expected   refused at 8 subject accepted: AccessDenied, HTTP 403
  observed   accepted: read 37 bytes, sha256 9f86d081884c7d65...
  reason     the refusal did not come
  control    reads, the same access without the fault
  chain      +  1 opted in             arn:aws:iam::123456789012:role/shop-orders    service account
             +  2 injected
             +  3 token projected
             +  4 issuer discoverable
             +  5 key published        kid ZmRlOGQ3                                  token, key set
             +  6 issuer trusted
             +  7 audience accepted    sts.amazonaws.com                             token
             +  8 subject accepted
             +  9 credential issued
             + 10 permitted
             + 11 read
  source     AWS STS API reference, AssumeRoleWithWebIdentity, Errors

aks-to-aws / reads
  reads the object
  expected   read 37 bytes, sha256 9f86d081884c7d65...
  observed   refused at 8 subject accepted: AccessDenied, HTTP 403
             Not authorized to perform sts:AssumeRoleWithWebIdentity
  reason     the allowed access was refused
  chain      +  1 opted in             arn:aws:iam::123456789012:role/shop-orders    service account
             +  2 injected
             +  3 token projected
             +  4 issuer discoverable
             +  5 key published        kid ZmRlOGQ3                                  token, key set
             +  6 issuer trusted
             +  7 audience accepted    sts.amazonaws.com                             token
             x  8 subject accepted     differs in case only
                  presented  system:serviceaccount:shop:orders
                  required   system:serviceaccount:shop:Orders
                                                        ^ differs from here
                  source     trust policy of arn:aws:iam::123456789012:role/shop-orders,
                             StringEquals
             .  9 credential issued    not reached
             . 10 permitted            not reached
             . 11 read                 not reached
  next       cargo xtask explain aks-to-aws --check reads

FAILED  1 ACCEPTED THAT MUST BE REFUSED, 0 of 2 checks passed, 2 failed, exit code 100        1.03 s
  scenario   aks-to-aws: failed: 2 of 2 checks failed
  artifacts  _artifacts/r-7f3a91
  rerun      cargo xtask e2e aks-to-aws
"#);
}

#[test]
fn counts_what_was_skipped_by_reason() {
    let why = "the cloud does not enforce permissions";
    let checks = vec![
        allowed(),
        skipped("other-bucket", "object in another bucket", why),
        skipped("boundary", "permissions boundary forbids the read", why),
        skipped("revoked-key", "key taken out of the key set", "the cluster's keys cannot be changed"),
        CheckRecord {
            id: "late".into(),
            verdict: Verdict::Flaky { reason: "AccessDenied on the first try, 4 s after the role was made".into() },
            ..allowed()
        },
    ];
    assert_snapshot!(shown(at_width(100), run(checks, 5, Verdict::Passed, 0)), @r#"
        crossfed 0.1.0  run r-7f3a91 · cluster embedded · clouds simulated

        aks-to-aws  a pod in AKS reads an object in S3
          ✓ preflight                                                                                   3 ms
          ✓ cluster     issuer https://germanywestcentral.oic.prod-aks.azure.com/72f988bf/            212 ms
          ✓ webhooks    amazon-eks-pod-identity-webhook                                                41 ms
          ✓ federation  1 OIDC provider, 3 roles, 1 bucket                                             87 ms
          ✓ workload    s3-reader                                                                       9 ms
            checks
            ✓ reads the object                     11 read                37 bytes                    318 ms
            – object in another bucket             skipped: the cloud does not enforce permissions      0 ms
            – permissions boundary forbids the     skipped: the cloud does not enforce permissions      0 ms
              read
            – key taken out of the key set         skipped: the cluster's keys cannot be changed        0 ms
            ~ reads the object                     11 read                37 bytes                    318 ms
              flaky: AccessDenied on the first try, 4 s after the role was made
          ✓ teardown    6 resources deleted                                                            33 ms

        PASSED  1 of 2 checks passed, 1 flaky, 3 skipped                                              1.03 s
          skipped    2: the cloud does not enforce permissions (other-bucket, boundary)
          skipped    1: the cluster's keys cannot be changed (revoked-key)
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn says_which_phase_ended_the_run_and_what_never_ran() {
    let mut events = opening(13);
    events.truncate(2);
    events.extend(whole_phase(Phase::Preflight, Outcome::Done, None, 3));
    events.extend(whole_phase(
        Phase::Cluster,
        Outcome::Failed { reason: "no API server answered within 30 s; last seen: connection refused".into() },
        None,
        30_004,
    ));
    events.extend(whole_phase(Phase::Webhooks, Outcome::Skipped { reason: "no cluster".into() }, None, 0));
    events.push(Event::ScenarioFinished {
        scenario: SCENARIO.into(),
        verdict: Verdict::Infra { reason: "no cluster".into() },
        duration_ms: 30_010,
    });
    events.push(Event::RunFinished { exit_code: 101, duration_ms: 30_020 });
    assert_snapshot!(shown(at_width(100), events), @r#"
        crossfed 0.1.0  run r-7f3a91 · cluster embedded · clouds simulated

        aks-to-aws  a pod in AKS reads an object in S3
          ✓ preflight                                                                                   3 ms
          ✗ cluster     no API server answered within 30 s; last seen: connection refused            30.00 s
          – webhooks    no cluster                                                                      0 ms
            infra       no cluster

        FAILED  no check was tried, 13 not run, exit code 101                                        30.02 s
          phase      aks-to-aws: cluster failed: no API server answered within 30 s; last seen: connection
                     refused
          scenario   aks-to-aws: infra: no cluster
          artifacts  _artifacts/r-7f3a91
          rerun      cargo xtask e2e aks-to-aws
        "#);
}

#[test]
fn shows_the_last_words_of_a_crash_and_of_a_time_out() {
    let crashed = CheckRecord {
        observed: Observed::Crashed {
            exit_code: Some(101),
            stderr_tail: "thread 'main' panicked\n\u{1b}[2Jat line 3\n".into(),
        },
        verdict: Verdict::Infra { reason: "the workload did not report".into() },
        ..allowed()
    };
    let silent = CheckRecord {
        observed: Observed::Nothing { last_seen: Some("pod shop/orders Pending, 0 of 1 containers".into()) },
        verdict: Verdict::Infra { reason: "no result within 20 s".into() },
        ..allowed()
    };
    let text = shown(at_width(100), run(vec![crashed, silent], 2, Verdict::Infra { reason: "2 checks".into() }, 101));
    let (_, rest) = text.split_once("    checks\n").expect("must have checks");
    let without_chain: String =
        rest.lines().take(28).filter(|line| !line.contains('✓')).map(|line| format!("{line}\n")).collect();
    assert_snapshot!(without_chain, @r#"
        ! reads the object                     crashed                exit code 101               318 ms

          expected   read 37 bytes, sha256 9f86d081884c7d65...
          observed   the workload crashed, exit code 101
          stderr     thread 'main' panicked
                     \u{1b}[2Jat line 3
          reason     the workload did not report
                                               orders

        ! reads the object                     nothing seen                                       318 ms

          expected   read 37 bytes, sha256 9f86d081884c7d65...
          observed   nothing
          last seen  pod shop/orders Pending, 0 of 1 containers
          reason     no result within 20 s
                                               orders
        "#);
}

#[test]
fn keeps_scenarios_that_run_side_by_side_apart() {
    let check = |scenario: &str| Event::CheckFinished { scenario: scenario.into(), check: allowed() };
    let events = [check("one"), check("two"), check("two"), check("one")];
    assert_snapshot!(shown(at_width(100), events), @r#"

        one
            ✓ reads the object                     11 read                37 bytes                    318 ms

        two
            ✓ reads the object                     11 read                37 bytes                    318 ms
            ✓ reads the object                     11 read                37 bytes                    318 ms

        one
            ✓ reads the object                     11 read                37 bytes                    318 ms
        "#);
}

#[test]
fn counts_checks_when_asked() {
    let style = Style { progress: Progress::Counter, ..at_width(100) };
    let text = shown(style, run(refusals(), 12, Verdict::Passed, 0));
    assert!(text.contains("  · cluster\n"), "each phase must say that it starts: {text}");
    assert!(text.contains(" 1/12 token for another audience"), "{text}");
    assert!(text.contains(" 3/12 service account without"), "{text}");
    let text = shown(Style { progress: Progress::None, ..style }, run(refusals(), 40, Verdict::Passed, 0));
    assert!(!text.contains("/40"), "{text}");
}

#[test]
fn colour_changes_no_character() {
    let events = || run(vec![wrongly_accepted(), wrongly_refused()], 2, Verdict::Failed { reason: "2".into() }, 100);
    let plain = shown(at_width(90), events());
    let colored = shown(Style { color: true, ..at_width(90) }, events());
    assert!(!plain.contains('\u{1b}'));
    assert!(colored.contains("\u{1b}[1;97;41mACCEPTED"));
    assert_eq!(without_colour(&colored), plain);
}

#[test]
fn ascii_means_ascii() {
    let mut checks = vec![allowed(), wrongly_refused(), wrongly_accepted(), skipped("a", "b", "c")];
    checks.extend(refusals());
    let style = Style { ascii: true, progress: Progress::Counter, ..at_width(70) };
    assert!(shown(style, run(checks, 9, Verdict::Failed { reason: "x".into() }, 100)).is_ascii());
}

#[test]
fn no_line_is_wider_than_asked_save_commands() {
    let events = || {
        run(
            vec![wrongly_refused(), wrongly_accepted()],
            2,
            Verdict::Failed { reason: "2 of 2 checks failed".into() },
            100,
        )
    };
    for width in 60..=120 {
        assert_keeps_to(width, &shown(at_width(width), events()));
    }
}

#[test]
fn chains_of_passed_checks_are_shown_where_they_are_asked_for() {
    let events = || run(refusals(), 40, Verdict::Passed, 0);
    let links = |text: &str| text.matches("subject accepted").count();
    let (plain, chains) = (shown(at_width(100), events()), shown(Style { chains: true, ..at_width(100) }, events()));
    assert!(links(&chains) > links(&plain), "{plain}\n---\n{chains}");
}
