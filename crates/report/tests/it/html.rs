//! What a person reads who opens the page of a run.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use quick_xml::events::Event as Xml;
use report::{CheckKind, CheckRecord, Event, Expected, Observed, Outcome, Phase, Report, html};
use trust::{Chain, Denial, Evidence, Link, LinkState, Verdict};

use crate::sample::*;

/// One tag of a page, as another program's rules read it.
struct Tag {
    depth: usize,
    name: String,
    attributes: Vec<(String, String)>,
    /// Of its own and of all that it holds.
    text: String,
}

impl Tag {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All tags in order; fails if the page is not well formed.
fn tags(page: &str) -> Vec<Tag> {
    let mut reader = quick_xml::Reader::from_str(page);
    let mut tags: Vec<Tag> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        let event = reader.read_event().expect("must be well formed");
        match &event {
            Xml::Start(tag) | Xml::Empty(tag) => {
                let pair = |attribute: quick_xml::events::attributes::Attribute| {
                    let key = String::from_utf8(attribute.key.as_ref().to_vec()).expect("must be UTF-8");
                    (
                        key,
                        attribute
                            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                            .expect("must be escaped")
                            .into_owned(),
                    )
                };
                let attributes = tag.attributes().map(|one| pair(one.expect("must be an attribute"))).collect();
                let name = String::from_utf8(tag.name().as_ref().to_vec()).expect("must be UTF-8");
                tags.push(Tag { depth: open.len(), name, attributes, text: String::new() });
                if matches!(event, Xml::Start(_)) {
                    open.push(tags.len() - 1);
                }
            }
            Xml::End(_) => drop(open.pop()),
            Xml::Text(text) => {
                let text = text.decode().expect("must be UTF-8");
                open.iter().for_each(|at| tags[*at].text.push_str(&text));
            }
            Xml::GeneralRef(name) => {
                let name = name.decode().expect("must be UTF-8");
                let text = quick_xml::escape::unescape(&format!("&{name};")).expect("must be known").into_owned();
                open.iter().for_each(|at| tags[*at].text.push_str(&text));
            }
            Xml::Eof => return tags,
            _ => {}
        }
    }
}

/// What a reader sees of a page: a line for each heading, row, term, summary and so on.
pub(crate) fn outline(page: &str) -> String {
    let told = ["h1", "h2", "h3", "p", "tr", "dt", "dd", "summary", "caption", "li"];
    let mut out = String::new();
    for tag in tags(page).iter().filter(|tag| told.contains(&tag.name.as_str())) {
        let text = tag.text.split_whitespace().collect::<Vec<_>>().join(" ");
        out.push_str(&format!("{}{}: {text}\n", "  ".repeat(tag.depth.saturating_sub(3)), tag.name));
    }
    out
}

fn failed() -> Verdict {
    Verdict::Failed { reason: "2 of 6 checks failed".into() }
}

/// Every group has a member.
fn mixed() -> Vec<Event> {
    let flaky = Verdict::Flaky { reason: "AccessDenied on the first try".into() };
    let checks = vec![
        CheckRecord { id: "late".into(), verdict: flaky, chain: Chain::default(), ..allowed() },
        skipped("other-bucket", "object in another bucket", "the cloud does not enforce permissions"),
        CheckRecord { chain: Chain::default(), ..refusals().remove(0) },
        wrongly_refused(),
        CheckRecord { chain: Chain::default(), ..wrongly_accepted() },
    ];
    let mut events = run(checks, 6, failed(), 100);
    let note = |scenario, text: &str| Event::Note { scenario, text: text.into() };
    let notes = [note(Some(SCENARIO.into()), "kept for you"), note(None, "of the whole run")];
    let end = events.len() - 2;
    events.splice(end..end, notes);
    let at = teardown_of(&events);
    events.insert(at, left("s3-bucket", "r-7f3a91-shop", "still there"));
    events
}

#[test]
fn a_page_tells_the_whole_run_the_gravest_first() {
    assert_snapshot!(outline(&html(&report(mixed()))), @r#"
        h1: crossfed r-7f3a91
        p: ✗ FAILED 1 of 4 checks passed, 2 failed, 1 flaky, 1 skipped, 1 not run, 1 leaked
          dt: run
          dd: r-7f3a91
          dt: version
          dd: 0.1.0
          dt: cluster
          dd: embedded
          dt: clouds
          dd: simulated
          dt: command
          dd: cargo xtask e2e aks-to-aws
          dt: started
          dd: 2026-05-04 10:00:00 UTC, took 1.03 s
          dt: finished
          dd: 2026-05-04 10:00:02 UTC
          dt: exit code
          dd: 100
          h2: ACCEPTED, AND MUST BE REFUSED: 1 check
            li: aks-to-aws / other-namespace: service account in another namespace
          h2: Scenarios
              tr: scenario place verdict passed failed skipped flaky leaked not run time
              tr: aks-to-aws embedded · simulated ✗ ACCEPTED ~ leaked 1 2 1 1 1 1 1.02 s
          h2: Leaked: 1 resource (1 left behind)
              tr: scenario kind name why
              tr: aks-to-aws s3-bucket r-7f3a91-shop still there
          p: next: cargo xtask cleanup r-7f3a91
          h2: Skipped: 1 check
              tr: reason checks which
              tr: the cloud does not enforce permissions 1 aks-to-aws / other-bucket
                    li: aks-to-aws / other-bucket
          h2: Notes
            li: of the whole run
          h2: aks-to-aws
          p: a pod in AKS reads an object in S3
          p: ✗ ACCEPTED ~ leaked 2 of 6 checks failed, 1 of 6 checks not run, 1.02 s
          p: kept for you
            caption: Phases
              tr: phase outcome time detail
              tr: preflight ✓ done 3 ms
              tr: cluster ✓ done 212 ms issuer https://germanywestcentral.oic.prod-aks.azure.com/72f988bf/
              tr: webhooks ✓ done 41 ms amazon-eks-pod-identity-webhook
              tr: federation ✓ done 87 ms 1 OIDC provider, 3 roles, 1 bucket
              tr: workload ✓ done 9 ms s3-reader
              tr: checks ✗ failed 640 ms 2 of 6 checks failed
              tr: teardown ✓ done 33 ms 6 resources deleted
            h3: Accepted, and must be refused (1)
              summary: ✗ ACCEPTED service account in another namespace accepted: read 37 bytes, sha256 9f86d081884c7d65... 21 ms
                p: ACCEPTED, AND MUST BE REFUSED
                  dt: id
                  dd: other-namespace
                  dt: kind
                  dd: deny: this access must be refused
                  dt: control
                  dd: reads, the same access without the fault
                  dt: expected
                  dd: refused at 8 subject accepted: AccessDenied, HTTP 403
                  dt: observed
                  dd: accepted: read 37 bytes, sha256 9f86d081884c7d65...
                  dt: verdict
                  dd: ✗ ACCEPTED the refusal did not come
                  dt: source
                  dd: AWS STS API reference, AssumeRoleWithWebIdentity, Errors
            h3: Not passed (1)
              summary: ✗ failed reads the object refused at 8 subject accepted: AccessDenied, HTTP 403 318 ms
                  dt: id
                  dd: reads
                  dt: kind
                  dd: allow: this access must work
                  dt: expected
                  dd: read 37 bytes, sha256 9f86d081884c7d65...
                  dt: observed
                  dd: refused at 8 subject accepted: AccessDenied, HTTP 403 Not authorized to perform sts:AssumeRoleWithWebIdentity
                  dt: verdict
                  dd: ✗ failed the allowed access was refused
                  dt: next
                  dd: cargo xtask explain aks-to-aws --check reads
                  caption: The chain, which ends at 8 subject accepted
                    tr: # link state presented required source note
                    tr: 1 opted in ✓ holds arn:aws:iam::123456789012:role/shop-orders service account
                    tr: 2 injected ✓ holds
                    tr: 3 token projected ✓ holds
                    tr: 4 issuer discoverable ✓ holds
                    tr: 5 key published ✓ holds kid ZmRlOGQ3 token, key set
                    tr: 6 issuer trusted ✓ holds
                    tr: 7 audience accepted ✓ holds sts.amazonaws.com sts.amazonaws.com token
                    tr: 8 subject accepted ✗ broken system:serviceaccount:shop:orders system:serviceaccount:shop:Orders trust policy of arn:aws:iam::123456789012:role/shop-orders, StringEquals differs in case only
                    tr: 9 credential issued · not reached
                    tr: 10 permitted · not reached
                    tr: 11 read · not reached
            h3: Passed after a retry (1)
              summary: ~ flaky reads the object read 37 bytes, sha256 9f86d081884c7d65... 318 ms
                  dt: id
                  dd: late
                  dt: kind
                  dd: allow: this access must work
                  dt: expected
                  dd: read 37 bytes, sha256 9f86d081884c7d65...
                  dt: observed
                  dd: read 37 bytes, sha256 9f86d081884c7d65...
                  dt: verdict
                  dd: ~ flaky AccessDenied on the first try
            h3: Passed (1)
              summary: ✓ passed token for another audience refused at 7 audience accepted: InvalidIdentityToken, HTTP 400 21 ms
                  dt: id
                  dd: wrong-audience
                  dt: kind
                  dd: deny: this access must be refused
                  dt: control
                  dd: reads, the same access without the fault
                  dt: expected
                  dd: refused at 7 audience accepted: InvalidIdentityToken, HTTP 400
                  dt: observed
                  dd: refused at 7 audience accepted: InvalidIdentityToken, HTTP 400 Not authorized to perform sts:AssumeRoleWithWebIdentity
                  dt: verdict
                  dd: ✓ passed
                  dt: source
                  dd: AWS STS API reference, AssumeRoleWithWebIdentity, Errors
            h3: Skipped (1)
              summary: – skipped object in another bucket the cloud does not enforce permissions
                  dt: id
                  dd: other-bucket
                  dt: kind
                  dd: deny: this access must be refused
                  dt: control
                  dd: reads, the same access without the fault
                  dt: expected
                  dd: refused at 10 permitted: AccessDenied, HTTP 403
                  dt: observed
                  dd: nothing
                  dt: verdict
                  dd: – skipped the cloud does not enforce permissions
                  dt: source
                  dd: AWS STS API reference, AssumeRoleWithWebIdentity, Errors
        "#);
}

#[test]
fn a_page_of_several_scenarios_counts_them_and_what_was_skipped() {
    let outline = outline(&html(&report(seven())));
    let (overview, _) = outline.split_once("\n  h2: aks-to-aws\n").expect("must come to the first scenario");
    assert_snapshot!(overview, @r#"
        h1: crossfed r-7f3a91
        p: ✗ FAILED 19 of 20 checks passed, 1 failed, 5 skipped
          dt: run
          dd: r-7f3a91
          dt: version
          dd: 0.1.0
          dt: cluster
          dd: embedded
          dt: clouds
          dd: simulated
          dt: command
          dd: cargo xtask e2e all
          dt: started
          dd: 2026-05-04 10:00:00 UTC, took 9.12 s
          dt: finished
          dd: 2026-05-04 10:00:07 UTC
          dt: exit code
          dd: 100
          h2: Scenarios
              tr: scenario place verdict passed failed skipped time
              tr: aks-to-aws embedded · simulated ✓ passed 4 0 0 1.02 s
              tr: aks-to-azure embedded · simulated ✓ passed 4 0 0 1.31 s
              tr: both-clouds embedded · simulated ✗ failed 2 1 0 2.20 s
              tr: eks-to-aws embedded · simulated – skipped 0 0 4 2 ms
              tr: eks-to-azure embedded · simulated ✓ passed 4 0 0 998 ms
              tr: long-lived embedded · simulated ✓ passed 1 0 0 9.00 s
              tr: self-managed-to-azure embedded · simulated ✓ passed 4 0 1 4.31 s
              tr: all 19 1 5
          h2: Skipped: 5 checks
              tr: reason checks which
              tr: there is no second cluster 4 eks-to-aws
                    li: eks-to-aws
              tr: the cluster's keys cannot be changed 1 self-managed-to-azure / expired
                    li: self-managed-to-azure / expired
        "#);
}

#[test]
fn what_did_not_pass_is_open_and_the_rest_is_closed() {
    let page = tags(&html(&report(mixed())));
    let folds: Vec<String> = page
        .iter()
        .filter(|tag| tag.name == "details")
        .map(|tag| format!("{} {}", tag.attribute("class").unwrap_or_default(), tag.attribute("open").is_some()))
        .collect();
    assert_eq!(
        folds,
        ["check grave true", "check bad true", "check warn false", "check good false", "check warn false"]
    );
}

#[test]
fn an_acceptance_is_no_success_whatever_the_verdicts_say() {
    let check = |observed: Observed| {
        let accepted = CheckRecord { observed, verdict: Verdict::Passed, ..wrongly_accepted() };
        let page = html(&report(run(vec![accepted], 1, Verdict::Passed, 0)));
        assert!(page.contains("✗ FAILED") && !page.contains("✓ PASSED"), "{page}");
        assert!(page.contains("<section class=\"alarm\">"), "{page}");
        assert!(page.contains("<details class=\"check grave\" open=\"open\">"), "{page}");
    };
    check(Observed::Read { bytes: 37, sha256: SHA256.into() });
    check(Observed::KeptReading { reads: 2, tokens: 1, keys: 1 });
    let page = html(&report(run(refusals(), 3, Verdict::Passed, 0)));
    assert!(page.contains("✓ PASSED") && !page.contains("class=\"alarm\"") && !page.contains("class=\"check grave\""));
}

#[test]
fn each_run_has_its_word() {
    let check = |exit_code, expected: &str| {
        let page = html(&report(run(vec![allowed()], 1, Verdict::Passed, exit_code)));
        assert!(page.contains(&format!("<title>{expected}: crossfed r-7f3a91</title>")), "{page}");
    };
    check(0, "✓ PASSED");
    check(100, "✗ FAILED");
    check(102, "✗ FAILED");
    check(130, "! INTERRUPTED");
    check(143, "! INTERRUPTED");
    assert!(html(&report(opening(3))).contains("<title>! NOT FINISHED: crossfed r-7f3a91</title>"));
    assert!(html(&Report::default()).contains("<title>! NOT FINISHED: crossfed</title>"));
}

#[test]
fn every_link_within_the_page_leads_somewhere_and_every_check_can_be_linked() {
    for events in [mixed(), seven()] {
        let report = report(events);
        let page = tags(&html(&report));
        let ids: Vec<&str> = page.iter().filter_map(|tag| tag.attribute("id")).collect();
        let known: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(known.len(), ids.len(), "{ids:?}");
        for entry in &report.scenarios {
            assert!(known.contains(entry.scenario.as_str()), "{ids:?}");
            for check in &entry.checks {
                assert!(known.contains(format!("{}/{}", entry.scenario, check.id).as_str()), "{ids:?}");
            }
        }
        for target in page.iter().filter_map(|tag| tag.attribute("href")?.strip_prefix('#')) {
            assert!(known.contains(target), "{target} in {ids:?}");
        }
    }
}

#[test]
fn a_target_stands_inside_what_unfolds_for_it() {
    let page = tags(&html(&report(mixed())));
    for (at, tag) in page.iter().enumerate().filter(|(_, tag)| tag.attribute("id").is_some_and(|id| id.contains('/'))) {
        let parent = page[..at].iter().rev().find(|other| other.depth < tag.depth).expect("must have a parent");
        assert_eq!((tag.name.as_str(), parent.name.as_str()), ("div", "details"));
    }
}

#[test]
fn headings_follow_each_other_and_heads_of_tables_say_what_they_head() {
    for events in [mixed(), seven()] {
        let mut last = 0;
        for tag in tags(&html(&report(events))) {
            let level = tag.name.strip_prefix('h').and_then(|level| level.parse::<usize>().ok());
            if let Some(level) = level {
                assert!(level <= last + 1, "h{level} after h{last}: {}", tag.text);
                last = level;
            }
            if tag.name == "th" {
                assert!(matches!(tag.attribute("scope"), Some("col" | "row")), "{}", tag.text);
            }
        }
    }
}

/// A run in which every text is `t`.
fn of_text(t: &str) -> Vec<Event> {
    let t = || t.to_owned();
    let observed = [
        Observed::Read { bytes: 1, sha256: t() },
        Observed::Refused(Denial { link: Link::Read, code: t(), status: None, message: Some(t()) }),
        Observed::Crashed { exit_code: None, stderr_tail: t() },
        Observed::Nothing { last_seen: Some(t()) },
    ];
    let verdicts = [
        Verdict::Failed { reason: t() },
        Verdict::Skipped { reason: t() },
        Verdict::Flaky { reason: t() },
        Verdict::Passed,
    ];
    let evidence = |state| Evidence::new(Link::Read, state).presented(t()).required(t() + "x").source(t()).note(t());
    let links = vec![evidence(LinkState::Holds), evidence(LinkState::Broken)];
    let mut events = vec![
        Event::RunStarted { run_id: t(), command: vec![t()], version: t(), cluster: t(), clouds: t(), scenarios: 1 },
        Event::RunResumed { command: vec![t()], version: t() },
        Event::RunCleaned { command: vec![t()], version: t() },
        Event::ScenarioStarted { scenario: t(), title: t() + " ", checks: 9 },
    ];
    let outcomes = [(Phase::Cluster, Outcome::Failed { reason: t() }), (Phase::Webhooks, Outcome::Done)];
    for (phase, outcome) in outcomes {
        let (scenario, detail) = (t(), Some(t()));
        events.push(Event::PhaseFinished { scenario, phase, outcome, detail, duration_ms: 1 });
    }
    for (at, (observed, verdict)) in observed.into_iter().zip(verdicts).enumerate() {
        let check = CheckRecord {
            id: format!("{}{at}", t()),
            title: t(),
            kind: CheckKind::Allow,
            twin: Some(t()),
            expected: Expected::Read { bytes: 1, sha256: t() },
            observed,
            verdict,
            chain: Chain { links: links.clone() },
            duration_ms: 1,
            source: Some(t()),
            diagnosis: None,
            next: Some(t()),
        };
        events.push(Event::CheckFinished { scenario: t(), check });
    }
    events.extend([
        Event::Leftover { scenario: t(), kind: t(), id: t(), why: t() },
        Event::Vanished { scenario: t(), kind: t(), id: t() },
        Event::Kept { scenario: t(), resources: 1 },
        Event::Note { scenario: Some(t()), text: t() },
        Event::Note { scenario: None, text: t() },
        Event::ScenarioFinished { scenario: t(), verdict: Verdict::Failed { reason: t() }, duration_ms: 1 },
        Event::RunFinished { exit_code: 100, duration_ms: 1 },
    ]);
    events
}

#[test]
fn no_text_becomes_markup() {
    let plain = |page: &str| {
        let shape = |tag: &Tag| {
            let names: Vec<&str> = tag.attributes.iter().map(|(name, _)| name.as_str()).collect();
            format!("{} {} {names:?}", tag.depth, tag.name)
        };
        tags(page).iter().map(shape).collect::<Vec<_>>()
    };
    let harmless = plain(&html(&report(of_text("harmless"))));
    for hostile in [
        "</td></style><script>alert(1)</script>",
        "\" onclick=\"alert(1)",
        "' onclick='alert(1)",
        "<!-- ",
        "]]>",
        "&lt;&amp;&#60;",
        "javascript:alert(1)",
        "\u{0}\u{1b}[31m\u{202e}",
    ] {
        let page = html(&report(of_text(hostile)));
        assert_eq!(plain(&page), harmless, "{hostile}");
        assert!(!page.contains("<script") && !page.contains("href=\"javascript"), "{hostile}");
        assert!(!page.contains(|c: char| c != '\n' && c.is_control()), "{hostile}");
    }
}

#[test]
fn a_page_needs_nothing_beside_it() {
    let page = html(&report(seven()));
    for tag in tags(&page) {
        assert!(!["script", "link", "img", "iframe", "base", "form"].contains(&tag.name.as_str()), "{}", tag.name);
        assert!(tag.attribute("src").is_none() && tag.attribute("style").is_none());
        assert!(!tag.attributes.iter().any(|(name, _)| name.starts_with("on")));
        if tag.name == "style" {
            assert!(!tag.text.contains("url(") && !tag.text.contains("@import"));
        }
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_same_report_is_the_same_page() {
    let report = report(seven());
    let text = serde_json::to_string(&report).expect("must print");
    let again: Report = serde_json::from_str(&text).expect("must read back");
    assert_eq!(html(&report), html(&again));
}

#[test]
fn no_signature_gets_into_a_page() {
    let signature = "Q2FuYXJ5U2lnbmF0dXJlVGhhdE11c3ROb3RMZWF2ZQ";
    let token = format!("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.{signature}");
    let page = html(&report(of_text(&token)));
    assert!(!page.contains(signature) && page.contains("eyJhbGciOiJSUzI1NiJ9"), "{page}");
}
