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

pub(crate) fn at_width(width: usize) -> Style {
    Style { width, ..Style::default() }
}

pub(crate) fn without_colour(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.split_once('m').expect("must end its sequence").1)
}

/// No line is wider, save commands, and none ends in blanks.
pub(crate) fn assert_keeps_to(width: usize, text: &str) {
    for line in text.lines() {
        let is_command = ["next ", "rerun ", "artifacts "].iter().any(|label| line.trim_start().starts_with(label));
        assert!(is_command || line.chars().count() <= width, "{width}: {line}");
        assert_eq!(line, line.trim_end(), "{width}");
    }
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
            scenarios: 1,
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

pub(crate) fn finished(phase: Phase, outcome: Outcome, detail: Option<&str>, duration_ms: u64) -> Event {
    Event::PhaseFinished { scenario: SCENARIO.into(), phase, outcome, detail: detail.map(str::to_owned), duration_ms }
}

/// Seven scenarios at the same time, their events mixed: one fails, one is skipped in part, one as a whole.
pub(crate) fn seven() -> Vec<Event> {
    let no_key = "the cluster's keys cannot be changed";
    let whole = || [allowed()].into_iter().chain(refusals()).collect::<Vec<_>>();
    let failing = vec![allowed(), wrongly_refused_beside_another_cloud(), refusals().remove(0)];
    let in_part = [whole(), vec![skipped("expired", "token that has expired", no_key)]].concat();
    let failed = Verdict::Failed { reason: "1 of 3 checks failed".into() };
    let no_second = Verdict::Skipped { reason: "there is no second cluster".into() };
    let strands = [
        strand("self-managed-to-azure", 5, in_part, Verdict::Passed, 4_310),
        strand("aks-to-aws", 4, whole(), Verdict::Passed, 1_025),
        strand("both-clouds", 3, failing, failed, 2_200),
        strand("eks-to-azure", 4, whole(), Verdict::Passed, 998),
        strand("long-lived", 1, vec![kept_reading()], Verdict::Passed, 9_001),
        strand("eks-to-aws", 4, Vec::new(), no_second, 2),
        strand("aks-to-azure", 4, whole(), Verdict::Passed, 1_311),
    ];
    let command = ["cargo", "xtask", "e2e", "all"].map(str::to_owned).into();
    let mut events = vec![Event::RunStarted {
        run_id: "r-7f3a91".into(),
        command,
        version: "0.1.0".into(),
        cluster: "embedded".into(),
        clouds: "simulated".into(),
        scenarios: strands.len(),
    }];
    events.extend(mixed(strands.into()));
    events.push(Event::RunFinished { exit_code: 100, duration_ms: 9_120 });
    events
}

fn strand(scenario: &str, planned: usize, checks: Vec<CheckRecord>, verdict: Verdict, duration_ms: u64) -> Vec<Event> {
    let scenario = || scenario.to_owned();
    let phase = |phase, detail: &str, duration_ms| {
        let detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
        let finished =
            Event::PhaseFinished { scenario: scenario(), phase, outcome: Outcome::Done, detail, duration_ms };
        [Event::PhaseStarted { scenario: scenario(), phase }, finished]
    };
    let title = format!("what must hold: {}", scenario());
    let mut events = vec![Event::ScenarioStarted { scenario: scenario(), title, checks: planned }];
    if !checks.is_empty() {
        events.extend(phase(Phase::Federation, "1 OIDC provider, 3 roles", 87));
        events.push(Event::PhaseStarted { scenario: scenario(), phase: Phase::Checks });
        events.extend(checks.into_iter().map(|check| Event::CheckFinished { scenario: scenario(), check }));
        events.extend(phase(Phase::Checks, "", 640).into_iter().skip(1));
        events.extend(phase(Phase::Teardown, "6 resources deleted", 33));
    }
    events.push(Event::ScenarioFinished { scenario: scenario(), verdict, duration_ms });
    events
}

/// One event of each in turn.
fn mixed(strands: Vec<Vec<Event>>) -> Vec<Event> {
    let mut strands: Vec<_> = strands.into_iter().map(Vec::into_iter).collect();
    let mut events = Vec::new();
    loop {
        let before = events.len();
        events.extend(strands.iter_mut().filter_map(Iterator::next));
        if events.len() == before {
            return events;
        }
    }
}

/// A fault of one cloud must not touch the access to the other: this one was refused.
pub(crate) fn wrongly_refused_beside_another_cloud() -> CheckRecord {
    CheckRecord { id: "wrong-namespace/azure".into(), title: "reads in Azure all the same".into(), ..wrongly_refused() }
}

pub(crate) fn kept_reading() -> CheckRecord {
    CheckRecord {
        id: "rotation".into(),
        title: "reads through a change of keys".into(),
        expected: Expected::KeptReading,
        observed: Observed::KeptReading { reads: 14, tokens: 3, keys: 2 },
        ..allowed()
    }
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
        diagnosis: None,
        next: None,
    }
}

pub(crate) fn refused(id: &str, title: &str, link: Link, code: &str, status: u16) -> CheckRecord {
    CheckRecord {
        id: id.into(),
        title: title.into(),
        kind: CheckKind::Deny,
        twin: Some("reads".into()),
        expected: Expected::Refused { link, code: code.into(), also: Vec::new(), status: Some(status) },
        observed: denied(link, code, status, "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        verdict: Verdict::Passed,
        chain: chain(link, LinkState::Broken),
        duration_ms: 21,
        source: Some("AWS STS API reference, AssumeRoleWithWebIdentity, Errors".into()),
        diagnosis: None,
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
        diagnosis: None,
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

/// Where what a teardown found has its place: behind the beginning of the first.
pub(crate) fn teardown_of(events: &[Event]) -> usize {
    let is_teardown = |event: &Event| matches!(event, Event::PhaseStarted { phase: Phase::Teardown, .. });
    events.iter().position(is_teardown).expect("must be taken down") + 1
}

pub(crate) fn left(kind: &str, id: &str, why: &str) -> Event {
    Event::Leftover { scenario: SCENARIO.into(), kind: kind.into(), id: id.into(), why: why.into() }
}

/// A run in which a check failed, something was left, and something went that was not the run's.
pub(crate) fn leaky(verdict: Verdict, exit_code: u8) -> Vec<Event> {
    let failed = CheckRecord { chain: Chain::default(), ..wrongly_refused() };
    let refused = CheckRecord { chain: Chain::default(), ..refusals().remove(0) };
    let mut events = run(vec![failed, refused], 2, verdict, exit_code);
    let found = [
        left("role in account 123456789012", "shop-orders", "DeleteConflict: must detach all policies first"),
        left("namespace", "cf-r-7f3a91-reads", "still there after 60 s"),
        Event::Vanished {
            scenario: SCENARIO.into(),
            kind: "bucket in account 123456789012".into(),
            id: "theirs".into(),
        },
    ];
    let at = teardown_of(&events);
    events.splice(at..at, found);
    events
}

/// A run that left everything in place because it was asked to.
pub(crate) fn keeping() -> Vec<Event> {
    let mut events = run(vec![allowed()], 1, Verdict::Passed, 0);
    let at = teardown_of(&events);
    let outcome = Outcome::Skipped { reason: "left in place as --cleanup asks".into() };
    events[at] = finished(Phase::Teardown, outcome, None, 0);
    events.insert(at, Event::Kept { scenario: SCENARIO.into(), resources: 6 });
    events
}

pub(crate) fn resumed() -> Event {
    let command = ["cargo", "xtask", "resume", "r-7f3a91"].map(str::to_owned).into();
    Event::RunResumed { command, version: "0.2.0".into() }
}
