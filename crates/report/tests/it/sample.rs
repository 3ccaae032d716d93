//! Runs to report on: the shapes that a run can take, in the names of the AKS to S3 walk.

use jiff::{SignedDuration, Timestamp};
use report::{
    CheckKind, CheckRecord, Event, Expected, Observed, Outcome, Phase, Record, Report, Sink, Style, Terminal,
};
use trust::{Chain, Denial, Evidence, Link, LinkState, Verdict};

pub(crate) const SCENARIO: &str = "aks-to-aws";
pub(crate) const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

pub(crate) fn records(events: impl IntoIterator<Item = Event>) -> Vec<Record> {
    let start: Timestamp = "2026-05-04T10:00:00Z".parse().expect("must parse");
    let stamped = |(seq, event)| {
        let seq = u64::try_from(seq).expect("must fit");
        let at = start + SignedDuration::from_millis(i64::try_from(seq).expect("must fit") * 100);
        Record::new(at, seq, event)
    };
    events.into_iter().enumerate().map(stamped).collect()
}

pub(crate) fn report(events: impl IntoIterator<Item = Event>) -> Report {
    let mut report = Report::default();
    records(events).iter().for_each(|record| report.apply(record));
    report
}

pub(crate) fn shown(style: Style, events: impl IntoIterator<Item = Event>) -> String {
    let mut terminal = Terminal::new(Vec::new(), style).artifacts("_artifacts/r-7f3a91");
    for record in records(events) {
        terminal.accept(&record).expect("must write to memory");
    }
    String::from_utf8(terminal.into_inner()).expect("must be UTF-8")
}

/// A run of one scenario with these checks, and what follows them.
pub(crate) fn run(checks: Vec<CheckRecord>, planned: usize, verdict: Verdict, exit_code: u8) -> Vec<Event> {
    let mut events = opening(planned);
    events.extend(checks.into_iter().map(|check| Event::CheckFinished { scenario: SCENARIO.into(), check }));
    events.extend(closing(verdict, exit_code));
    events
}

pub(crate) fn opening(planned: usize) -> Vec<Event> {
    let mut events = vec![
        Event::RunStarted {
            run_id: "r-7f3a91".into(),
            command: ["cargo", "xtask", "e2e", SCENARIO].map(str::to_owned).into(),
            version: "0.1.0".into(),
            cluster: "embedded".into(),
            clouds: "simulated".into(),
        },
        Event::ScenarioStarted {
            scenario: SCENARIO.into(),
            title: "a pod in AKS reads an object in S3".into(),
            checks: planned,
        },
    ];
    let details = [
        (Phase::Preflight, None, 3),
        (Phase::Cluster, Some("issuer https://germanywestcentral.oic.prod-aks.azure.com/72f988bf/"), 212),
        (Phase::Webhooks, Some("amazon-eks-pod-identity-webhook"), 41),
        (Phase::Federation, Some("1 OIDC provider, 3 roles, 1 bucket"), 87),
        (Phase::Workload, Some("s3-reader"), 9),
    ];
    for (phase, detail, duration_ms) in details {
        events.extend(whole_phase(phase, Outcome::Done, detail, duration_ms));
    }
    events.push(Event::PhaseStarted { scenario: SCENARIO.into(), phase: Phase::Checks });
    events
}

pub(crate) fn closing(verdict: Verdict, exit_code: u8) -> Vec<Event> {
    let outcome = match &verdict {
        Verdict::Failed { reason } => Outcome::Failed { reason: reason.clone() },
        _ => Outcome::Done,
    };
    let mut events = vec![finished(Phase::Checks, outcome, None, 640)];
    events.extend(whole_phase(Phase::Teardown, Outcome::Done, Some("6 resources deleted"), 33));
    events.push(Event::ScenarioFinished { scenario: SCENARIO.into(), verdict, duration_ms: 1_025 });
    events.push(Event::RunFinished { exit_code, duration_ms: 1_031 });
    events
}

pub(crate) fn whole_phase(phase: Phase, outcome: Outcome, detail: Option<&str>, duration_ms: u64) -> [Event; 2] {
    [Event::PhaseStarted { scenario: SCENARIO.into(), phase }, finished(phase, outcome, detail, duration_ms)]
}

fn finished(phase: Phase, outcome: Outcome, detail: Option<&str>, duration_ms: u64) -> Event {
    Event::PhaseFinished { scenario: SCENARIO.into(), phase, outcome, detail: detail.map(str::to_owned), duration_ms }
}

pub(crate) fn allowed() -> CheckRecord {
    CheckRecord {
        id: "reads".into(),
        title: "reads the object".into(),
        kind: CheckKind::Allow,
        twin: None,
        expected: Expected::Read { bytes: 37, sha256: SHA256.into() },
        observed: Observed::Read { bytes: 37, sha256: SHA256.into() },
        verdict: Verdict::Passed,
        chain: chain(Link::Read, LinkState::Holds),
        duration_ms: 318,
        source: None,
        next: None,
    }
}

pub(crate) fn refused(id: &str, title: &str, link: Link, code: &str, status: u16) -> CheckRecord {
    CheckRecord {
        id: id.into(),
        title: title.into(),
        kind: CheckKind::Deny,
        twin: Some("reads".into()),
        expected: Expected::Refused { link, code: code.into(), status: Some(status) },
        observed: denied(link, code, status, "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        verdict: Verdict::Passed,
        chain: chain(link, LinkState::Broken),
        duration_ms: 21,
        source: Some("AWS STS API reference, AssumeRoleWithWebIdentity, Errors".into()),
        next: None,
    }
}

pub(crate) fn refusals() -> Vec<CheckRecord> {
    vec![
        refused("wrong-audience", "token for another audience", Link::AudienceAccepted, "InvalidIdentityToken", 400),
        refused("other-namespace", "service account in another namespace", Link::SubjectAccepted, "AccessDenied", 403),
        CheckRecord {
            expected: Expected::NotInjected,
            observed: Observed::NotInjected,
            ..refused("not-annotated", "service account without the annotation", Link::Injected, "", 0)
        },
    ]
}

/// The allowed access, refused because of one capital letter.
pub(crate) fn wrongly_refused() -> CheckRecord {
    let mut chain = chain(Link::SubjectAccepted, LinkState::Broken);
    chain.links[7] = Evidence::new(Link::SubjectAccepted, LinkState::Broken)
        .presented("system:serviceaccount:shop:orders")
        .required("system:serviceaccount:shop:Orders")
        .source("trust policy of arn:aws:iam::123456789012:role/shop-orders, StringEquals")
        .note("differs in case only");
    CheckRecord {
        observed: denied(
            Link::SubjectAccepted,
            "AccessDenied",
            403,
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
        verdict: Verdict::Failed { reason: "the allowed access was refused".into() },
        chain,
        next: Some("cargo xtask explain aks-to-aws --check reads".into()),
        ..allowed()
    }
}

/// The gravest: a subject of another namespace got in.
pub(crate) fn wrongly_accepted() -> CheckRecord {
    CheckRecord {
        observed: Observed::Read { bytes: 37, sha256: SHA256.into() },
        verdict: Verdict::Failed { reason: "the refusal did not come".into() },
        chain: chain(Link::Read, LinkState::Holds),
        ..refused("other-namespace", "service account in another namespace", Link::SubjectAccepted, "AccessDenied", 403)
    }
}

pub(crate) fn skipped(id: &str, title: &str, reason: &str) -> CheckRecord {
    CheckRecord {
        observed: Observed::Nothing { last_seen: None },
        verdict: Verdict::Skipped { reason: reason.into() },
        chain: Chain::default(),
        duration_ms: 0,
        ..refused(id, title, Link::Permitted, "AccessDenied", 403)
    }
}

fn denied(link: Link, code: &str, status: u16, message: &str) -> Observed {
    Observed::Refused(Denial { link, code: code.into(), status: Some(status), message: Some(message.into()) })
}

/// A chain that holds up to `end`, which is in `state`.
fn chain(end: Link, state: LinkState) -> Chain {
    let of = |link: Link| match link.cmp(&end) {
        std::cmp::Ordering::Less => LinkState::Holds,
        std::cmp::Ordering::Equal => state,
        std::cmp::Ordering::Greater => LinkState::NotReached,
    };
    let mut links: Vec<Evidence> = Link::ALL.into_iter().map(|link| Evidence::new(link, of(link))).collect();
    links[0] = links[0].clone().presented("arn:aws:iam::123456789012:role/shop-orders").source("service account");
    links[4] = links[4].clone().presented("kid ZmRlOGQ3").source("token, key set");
    links[6] = links[6].clone().presented("sts.amazonaws.com").required("sts.amazonaws.com").source("token");
    Chain { links }
}
