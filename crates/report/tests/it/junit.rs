//! What CI systems read.

use insta::assert_snapshot;
use quick_xml::events::Event as Xml;
use report::{CheckRecord, Event, Outcome, Phase, junit, junit_runner};
use trust::Verdict;

use crate::sample::*;

/// Element names in order, read by another program's rules; fails if the XML is not well formed.
fn elements(xml: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut names = Vec::new();
    loop {
        match reader.read_event().expect("must be well formed") {
            Xml::Start(tag) | Xml::Empty(tag) => {
                for attribute in tag.attributes() {
                    attribute.expect("must be an attribute");
                }
                names.push(String::from_utf8(tag.name().as_ref().to_vec()).expect("must be UTF-8"));
            }
            Xml::Eof => return names,
            _ => {}
        }
    }
}

fn mixed() -> Vec<Event> {
    let flaky = Verdict::Flaky { reason: "AccessDenied on the first try".into() };
    let infra = Verdict::Infra { reason: "no answer within 20 s".into() };
    let plain = |id: &str, verdict| CheckRecord { id: id.into(), verdict, chain: trust::Chain::default(), ..allowed() };
    let checks = vec![
        allowed(),
        CheckRecord { chain: trust::Chain::default(), ..wrongly_accepted() },
        skipped("other-bucket", "object in another bucket", "the cloud does not enforce permissions"),
        plain("late", flaky),
        plain("lost", infra),
    ];
    run(checks, 7, Verdict::Failed { reason: "1 of 7 checks failed".into() }, 100)
}

#[test]
fn each_verdict_has_its_element() {
    let xml = junit(&report(mixed()), SCENARIO);
    elements(&xml);
    assert_snapshot!(xml, @r#"
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="crossfed" tests="6" failures="1" errors="2" skipped="1" time="0.975">
  <testsuite name="aks-to-aws" tests="6" failures="1" errors="2" skipped="1" time="0.975" timestamp="2026-05-04T10:00:00Z">
    <properties>
      <property name="run-id" value="r-7f3a91"/>
      <property name="version" value="0.1.0"/>
      <property name="cluster" value="embedded"/>
      <property name="clouds" value="simulated"/>
    </properties>
    <testcase classname="aks-to-aws" name="reads" time="0.318"/>
    <testcase classname="aks-to-aws" name="other-namespace" time="0.021">
      <failure message="service account in another namespace: the refusal did not come" type="accepted">ACCEPTED, AND MUST BE REFUSED
expected   refused at 8 subject accepted: AccessDenied, HTTP 403
observed   accepted: read 37 bytes, sha256 9f86d081884c7d65...
reason     the refusal did not come
control    reads, the same access without the fault
source     AWS STS API reference, AssumeRoleWithWebIdentity, Errors
</failure>
    </testcase>
    <testcase classname="aks-to-aws" name="other-bucket" time="0.000">
      <skipped message="the cloud does not enforce permissions"/>
    </testcase>
    <testcase classname="aks-to-aws" name="late" time="0.318">
      <flakyFailure message="reads the object: AccessDenied on the first try" type="flaky">expected   read 37 bytes, sha256 9f86d081884c7d65...
observed   read 37 bytes, sha256 9f86d081884c7d65...
reason     AccessDenied on the first try
</flakyFailure>
    </testcase>
    <testcase classname="aks-to-aws" name="lost" time="0.318">
      <error message="reads the object: no answer within 20 s" type="infra">expected   read 37 bytes, sha256 9f86d081884c7d65...
observed   read 37 bytes, sha256 9f86d081884c7d65...
reason     no answer within 20 s
</error>
    </testcase>
    <testcase classname="aks-to-aws" name="checks-not-run" time="0.000">
      <error message="2 of 7 checks not run: 1 of 7 checks failed" type="not-run"></error>
    </testcase>
  </testsuite>
</testsuites>
"#);
}

#[test]
fn a_failure_carries_the_chain() {
    let events = run(vec![wrongly_refused()], 1, Verdict::Failed { reason: "1 of 1 checks failed".into() }, 100);
    let xml = junit(&report(events), SCENARIO);
    elements(&xml);
    assert_snapshot!(xml, @r#"
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="crossfed" tests="1" failures="1" errors="0" skipped="0" time="0.318">
  <testsuite name="aks-to-aws" tests="1" failures="1" errors="0" skipped="0" time="0.318" timestamp="2026-05-04T10:00:00Z">
    <properties>
      <property name="run-id" value="r-7f3a91"/>
      <property name="version" value="0.1.0"/>
      <property name="cluster" value="embedded"/>
      <property name="clouds" value="simulated"/>
    </properties>
    <testcase classname="aks-to-aws" name="reads" time="0.318">
      <failure message="reads the object: the allowed access was refused" type="failed">expected   read 37 bytes, sha256 9f86d081884c7d65...
observed   refused at 8 subject accepted: AccessDenied, HTTP 403
           Not authorized to perform sts:AssumeRoleWithWebIdentity
reason     the allowed access was refused
chain      +  1 opted in             arn:aws:iam::123456789012:role/shop-orders                service account
           +  2 injected
           +  3 token projected
           +  4 issuer discoverable
           +  5 key published        kid ZmRlOGQ3                                              token, key set
           +  6 issuer trusted
           +  7 audience accepted    sts.amazonaws.com                                         token
           x  8 subject accepted     differs in case only
                presented  system:serviceaccount:shop:orders
                required   system:serviceaccount:shop:Orders
                                                      ^ differs from here
                source     trust policy of arn:aws:iam::123456789012:role/shop-orders, StringEquals
           .  9 credential issued    not reached
           . 10 permitted            not reached
           . 11 read                 not reached
next       cargo xtask explain aks-to-aws --check reads
</failure>
    </testcase>
  </testsuite>
</testsuites>
"#);
}

#[test]
fn the_runner_file_has_the_phases() {
    let mut events = opening(1);
    events.truncate(8);
    events.extend(whole_phase(
        Phase::Federation,
        Outcome::Failed { reason: "the provider exists & is not ours".into() },
        Some("kept"),
        87,
    ));
    events.extend(whole_phase(Phase::Workload, Outcome::Skipped { reason: "federation failed".into() }, None, 0));
    events.push(Event::Leftover {
        scenario: SCENARIO.into(),
        kind: "iam-role".into(),
        id: "shop-orders".into(),
        why: "still there".into(),
    });
    events.push(Event::PhaseStarted { scenario: SCENARIO.into(), phase: Phase::Checks });
    let xml = junit_runner(&report(events));
    elements(&xml);
    assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="crossfed" tests="7" failures="2" errors="1" skipped="1" time="0.343">
          <testsuite name="runner" tests="7" failures="2" errors="1" skipped="1" time="0.343" timestamp="2026-05-04T10:00:00Z">
            <properties>
              <property name="run-id" value="r-7f3a91"/>
              <property name="version" value="0.1.0"/>
              <property name="cluster" value="embedded"/>
              <property name="clouds" value="simulated"/>
            </properties>
            <testcase classname="aks-to-aws" name="preflight" time="0.003"/>
            <testcase classname="aks-to-aws" name="cluster" time="0.212"/>
            <testcase classname="aks-to-aws" name="webhooks" time="0.041"/>
            <testcase classname="aks-to-aws" name="federation" time="0.087">
              <failure message="the provider exists &amp; is not ours" type="failed">kept</failure>
            </testcase>
            <testcase classname="aks-to-aws" name="workload" time="0.000">
              <skipped message="federation failed"/>
            </testcase>
            <testcase classname="aks-to-aws" name="checks" time="0.000">
              <error message="did not finish" type="unfinished"></error>
            </testcase>
            <testcase classname="aks-to-aws" name="teardown" time="0.000">
              <failure message="leaked 1 resource: 1 left behind" type="leaked">left behind: iam-role shop-orders (still there)
        next: cargo xtask cleanup r-7f3a91</failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
}

#[test]
fn says_how_long_a_workload_kept_reading() {
    let short = CheckRecord {
        id: "short".into(),
        observed: report::Observed::KeptReading { reads: 5, tokens: 1, keys: 1 },
        verdict: Verdict::Failed { reason: "its token was never renewed".into() },
        chain: trust::Chain::default(),
        ..kept_reading()
    };
    let xml = junit(&report(run(vec![kept_reading(), short], 2, Verdict::Passed, 100)), SCENARIO);
    let cases: Vec<&str> = xml.lines().skip(9).collect();
    assert_snapshot!(cases.join("\n"), @r#"
            <testcase classname="aks-to-aws" name="rotation" time="0.318"/>
            <testcase classname="aks-to-aws" name="short" time="0.318">
              <failure message="reads through a change of keys: its token was never renewed" type="failed">expected   kept reading while tokens are renewed and keys replaced
        observed   kept reading: 5 reads, 1 token, 1 key
        reason     its token was never renewed
        </failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "</failure>]]>&<x a=\"\u{0}\u{1b}[31m\u{b}\u{fffe}\u{1f600}\"'>\nnext";
    let check = CheckRecord {
        id: hostile.into(),
        title: hostile.into(),
        source: Some(hostile.into()),
        diagnosis: None,
        next: Some(hostile.into()),
        verdict: Verdict::Failed { reason: hostile.into() },
        ..wrongly_refused()
    };
    let xml = junit(&report(run(vec![check], 1, Verdict::Failed { reason: hostile.into() }, 100)), SCENARIO);
    let allowed_in_xml =
        |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed_in_xml), "{xml}");
    assert!(!xml.contains("]]>"), "{xml}");
    let expected = [
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "property",
        "property",
        "property",
        "testcase",
        "failure",
    ];
    assert_eq!(elements(&xml), expected);
}

#[test]
fn an_acceptance_is_a_failure_whatever_its_verdict() {
    for verdict in [Verdict::Passed, Verdict::Flaky { reason: "late".into() }] {
        let check = CheckRecord { verdict, ..wrongly_accepted() };
        let xml = junit(&report(run(vec![check], 1, Verdict::Passed, 0)), SCENARIO);
        assert!(xml.contains(r#"failures="1""#) && xml.contains(r#"type="accepted""#), "{xml}");
    }
}
