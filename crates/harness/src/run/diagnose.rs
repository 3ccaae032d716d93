//! From what was seen to what it means: which link broke, with evidence for every link.
//!
//! It knows what clouds answer, and nothing of faults: the same code explains a run that nobody broke on purpose.

pub(crate) mod cause;
pub(crate) mod dialect;
pub(crate) mod published;

use std::cmp::Ordering;

use base64::Engine;
use egress::{Exchange, Outcome as WireOutcome};
use report::Observed;
use scenario::Cloud;
use trust::workload::{Outcome, Stage};
use trust::{Chain, Denial, Evidence, Link, LinkState};

use super::evidence::Facts;
use super::workload::{End, Seen};

/// Characters of a workload's standard error that a report shows.
const STDERR_TAIL: usize = 1500;

/// What the end of a pod's container amounts to. `requests` are the pod's.
pub(crate) fn observed(cloud: Cloud, seen: &Seen, requests: &[Exchange], facts: &Facts) -> Observed {
    match seen.line.as_ref().map(|line| &line.outcome) {
        // A workload's word is believed where the wire saw the same.
        Some(Outcome::Read { .. }) if !seen_on_wire(requests, dialect::reads(cloud), 200, None) => {
            let message =
                format!("the workload says that it read, and the wire saw no such answer of {}", cloud.title());
            crashed(seen, &message)
        }
        Some(Outcome::Denied { service, code, status: Some(status), .. })
            if facts.injected && !seen_on_wire(requests, service, *status, Some(code)) =>
        {
            crashed(seen, &format!("the workload says {code} {status}, and the wire saw no such answer"))
        }
        Some(Outcome::Read { content_base64, .. }) => {
            match base64::engine::general_purpose::STANDARD.decode(content_base64) {
                Ok(content) => Observed::Read { bytes: content.len(), sha256: sha256(&content) },
                Err(_) => crashed(seen, "the workload's line holds no base64"),
            }
        }
        _ if !facts.injected && matches!(seen.end, End::Exited { .. }) => Observed::NotInjected,
        Some(Outcome::Denied { service, code, status, message, .. }) => Observed::Refused(Denial {
            link: dialect::link(service, code, message),
            code: code.clone(),
            status: *status,
            message: Some(message.clone()),
        }),
        Some(Outcome::Failed { stage, message }) => match wire_denial(cloud, requests, *stage) {
            Some(denial) => Observed::Refused(denial),
            None => Observed::Failed {
                link: gave_up_at(cloud, requests, *stage, message, facts),
                message: trust::redact(message).into_owned(),
            },
        },
        None => match &seen.end {
            End::Exited { message, .. } => crashed(seen, message.as_deref().unwrap_or_default()),
            End::Unfinished(last_seen) => Observed::Nothing { last_seen: Some(last_seen.clone()) },
        },
    }
}

fn crashed(seen: &Seen, message: &str) -> Observed {
    let exit_code = match seen.end {
        End::Exited { code, .. } => Some(code),
        End::Unfinished(_) => None,
    };
    let log = seen.log.trim_end();
    let start = log.char_indices().rev().nth(STDERR_TAIL - 1).map_or(0, |(at, _)| at);
    let tail = if message.is_empty() {
        log[start..].to_owned()
    } else {
        format!("{message}\n{}", &log[start..]).trim_end().to_owned()
    };
    Observed::Crashed { exit_code, stderr_tail: trust::redact(&tail).into_owned() }
}

/// Whether a service gave this answer to this pod.
fn seen_on_wire(requests: &[Exchange], service: &str, wanted: u16, code: Option<&str>) -> bool {
    let of_service = |exchange: &&Exchange| dialect::is_host(service, &exchange.host);
    requests.iter().filter(of_service).any(|exchange| match &exchange.outcome {
        WireOutcome::Answered { status, error } => {
            // A redirect's body is not kept.
            let is_told = |code: &str| *status < 400 || error.as_ref().is_some_and(|body| body.contains(code));
            *status == wanted && code.is_none_or(is_told)
        }
        _ => false,
    })
}

/// A refusal that the workload could not name and the wire saw.
fn wire_denial(cloud: Cloud, requests: &[Exchange], stage: Stage) -> Option<Denial> {
    let service = dialect::asked(cloud, stage)?;
    let last = requests.iter().rev().find(|exchange| dialect::is_host(service, &exchange.host))?;
    let WireOutcome::Answered { status, error: Some(body) } = &last.outcome else {
        return None;
    };
    let (code, message) = dialect::error(service, body)?;
    let link = dialect::link(service, &code, &message);
    Some(Denial { link, code, status: Some(*status), message: Some(message) })
}

/// The link at which a workload gave up that no cloud has answered.
fn gave_up_at(cloud: Cloud, requests: &[Exchange], stage: Stage, message: &str, facts: &Facts) -> Link {
    let speaks_of_token = facts.token_file.as_ref().is_some_and(|file| message.contains(file.as_str()));
    let asked = |service: &str| requests.iter().any(|exchange| dialect::is_host(service, &exchange.host));
    match stage {
        Stage::Configuration => Link::Injected,
        Stage::Credentials if dialect::asked(cloud, stage).is_some_and(asked) => Link::CredentialIssued,
        Stage::Credentials if facts.complete && (speaks_of_token || !facts.has_token) => Link::TokenProjected,
        // What the container was given does not do.
        Stage::Credentials => Link::Injected,
        Stage::Read => Link::Read,
    }
}

/// The chain of an access that ended before a cloud had answered: of the links between pod and answer nothing is known.
fn unanswered(broken: Link, facts: &Facts) -> Chain {
    let links = Link::ALL.into_iter().map(|link| {
        // To read, a session is needed; whether that may read is not known without an answer.
        let known = link <= Link::TokenProjected || (broken == Link::Read && link <= Link::CredentialIssued);
        let state = match link.cmp(&broken) {
            Ordering::Equal => LinkState::Broken,
            Ordering::Greater => LinkState::NotReached,
            Ordering::Less if known => LinkState::Holds,
            Ordering::Less => LinkState::NotChecked,
        };
        let evidence = Evidence::new(link, state);
        if state == LinkState::NotReached { evidence } else { facts.describe(evidence) }
    });
    Chain { links: links.collect() }
}

/// The chain of an access, link by link.
pub(crate) fn chain(cloud: Cloud, observed: &Observed, facts: &Facts, requests: &[Exchange]) -> Chain {
    let broken = match observed {
        Observed::Rejected { message, .. } => {
            return with_note(unanswered(Link::Injected, facts), "the API server's admission", message);
        }
        Observed::Failed { link, message } => {
            return with_note(unanswered(*link, facts), "the workload's log", message);
        }
        Observed::Read { .. } | Observed::KeptReading { .. } => None,
        Observed::Refused(denial) => Some(denial.link),
        Observed::NotInjected if !facts.opted_in => Some(Link::OptedIn),
        Observed::NotInjected => Some(Link::Injected),
        Observed::Crashed { .. } | Observed::Nothing { .. } | Observed::NotCreated { .. } => {
            let links = Link::ALL.into_iter().map(|link| {
                let known = (link == Link::OptedIn && facts.opted_in) || (link == Link::Injected && facts.injected);
                facts.describe(Evidence::new(link, if known { LinkState::Holds } else { LinkState::NotChecked }))
            });
            return Chain { links: links.collect() };
        }
    };
    let order = dialect::order(cloud);
    let place = |link: Link| order.iter().position(|&one| one == link);
    let state = |link: Link| match broken {
        None => LinkState::Holds,
        Some(broken) if link == broken => LinkState::Broken,
        Some(broken) if place(link) < place(broken) => LinkState::Holds,
        // Before it in the chain, after it in the cloud's order.
        Some(broken) if link < broken => LinkState::NotChecked,
        Some(_) => LinkState::NotReached,
    };
    let links = Link::ALL.into_iter().map(|link| {
        let mut evidence = Evidence::new(link, state(link));
        if evidence.state != LinkState::NotReached {
            evidence = facts.describe(evidence);
        }
        if evidence.state == LinkState::Broken
            && let Observed::Refused(denial) = observed
        {
            evidence.source = Some(answered_by(requests, denial));
            evidence.note = denial.message.clone();
        }
        evidence
    });
    Chain { links: links.collect() }
}

/// Adds to the broken link who said what.
fn with_note(mut chain: Chain, source: &str, message: &str) -> Chain {
    for evidence in chain.links.iter_mut().filter(|evidence| evidence.state == LinkState::Broken) {
        evidence.source = Some(source.to_owned());
        evidence.note = Some(message.to_owned());
    }
    chain
}

/// Who gave the answer, as the wire saw it.
fn answered_by(requests: &[Exchange], denial: &Denial) -> String {
    let answered = requests.iter().rev().find(|exchange| match (&exchange.outcome, denial.status) {
        (WireOutcome::Answered { status, error: Some(error) }, Some(expected)) => {
            *status == expected && error.contains(&denial.code)
        }
        _ => false,
    });
    let status = denial.status.map(|status| format!(" {status}")).unwrap_or_default();
    answered.map_or_else(
        || "the workload's log".to_owned(),
        |exchange| format!("{} answered{status} {}", exchange.host, denial.code),
    )
}

/// Lower-case hex SHA-256.
pub(crate) fn sha256(content: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_gives_up_where_what_it_needs_is_missing() {
        let asked = |host: &str| Exchange {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            client: "pod".into(),
            host: host.into(),
            method: "POST".into(),
            path: "/".into(),
            assertion: None,
            outcome: WireOutcome::UnknownHost,
            micros: 1,
        };
        let whole = Facts {
            opted_in: true,
            injected: true,
            complete: true,
            has_token: true,
            token_file: Some("/t/token".into()),
            ..Facts::default()
        };
        let check = |stage: Stage, facts: &Facts, message: &str, requests: &[Exchange], expected: Link| {
            assert_eq!(gave_up_at(Cloud::Aws, requests, stage, message, facts), expected, "{stage:?} {message}");
        };
        check(Stage::Configuration, &whole, "", &[], Link::Injected);
        check(Stage::Credentials, &Facts { complete: false, ..whole.clone() }, "no client id", &[], Link::Injected);
        check(Stage::Credentials, &Facts { has_token: false, ..whole.clone() }, "", &[], Link::TokenProjected);
        check(Stage::Credentials, &whole, "/t/token: permission denied", &[], Link::TokenProjected);
        check(Stage::Credentials, &whole, "the authority has no HTTPS", &[], Link::Injected);
        let sts = [asked("sts.nowhere-1.amazonaws.com")];
        check(Stage::Credentials, &whole, "", &sts, Link::CredentialIssued);
        check(Stage::Read, &whole, "", &[], Link::Read);
    }

    fn states(cloud: Cloud, observed: &Observed, facts: &Facts) -> String {
        let chain = chain(cloud, observed, facts, &[]);
        let mark = |state| match state {
            LinkState::Holds => '+',
            LinkState::Broken => 'x',
            LinkState::NotReached => '.',
            LinkState::NotChecked => '?',
        };
        chain.links.iter().map(|evidence| mark(evidence.state)).collect()
    }

    #[test]
    fn what_a_cloud_had_not_looked_at_is_not_claimed() {
        let facts = Facts { opted_in: true, injected: true, ..Facts::default() };
        let refused = |link| Observed::Refused(Denial { link, code: "c".into(), status: Some(400), message: None });
        let check = |cloud: Cloud, observed: Observed, expected: &str| {
            assert_eq!(states(cloud, &observed, &facts), expected, "{cloud} {observed:?}")
        };
        let aws = |observed: Observed, expected: &str| check(Cloud::Aws, observed, expected);
        aws(Observed::Read { bytes: 1, sha256: String::new() }, "+++++++++++");
        aws(refused(Link::IssuerTrusted), "++???x.....");
        aws(refused(Link::AudienceAccepted), "++???+x....");
        aws(refused(Link::TokenProjected), "++x++++....");
        aws(refused(Link::KeyPublished), "++?+x++....");
        aws(refused(Link::SubjectAccepted), "+++++++x...");
        aws(refused(Link::Permitted), "+++++++++x.");
        aws(Observed::Crashed { exit_code: Some(1), stderr_tail: String::new() }, "++?????????");
        let azure = |observed: Observed, expected: &str| check(Cloud::Azure, observed, expected);
        azure(refused(Link::IssuerTrusted), "++???x.....");
        azure(refused(Link::SubjectAccepted), "++???+?x...");
        azure(refused(Link::AudienceAccepted), "++???+x+...");
        azure(refused(Link::TokenProjected), "++x..+++...");
        azure(refused(Link::KeyPublished), "++++x+++...");
        azure(refused(Link::Read), "++++++++++x");
        assert_eq!(states(Cloud::Aws, &Observed::NotInjected, &Facts::default()), "x..........");
        let gave_up = |link| Observed::Failed { link, message: "m".into() };
        aws(gave_up(Link::Injected), "+x.........");
        aws(gave_up(Link::TokenProjected), "++x........");
        azure(gave_up(Link::CredentialIssued), "+++?????x..");
        azure(gave_up(Link::Read), "+++++++++?x");
        azure(Observed::Rejected { status: 400, message: "m".into() }, "+x.........");
    }
}
