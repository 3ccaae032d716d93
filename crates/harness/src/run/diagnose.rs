//! From what was seen to what it means: which link broke, with evidence for every link.
//!
//! It knows what clouds answer, and nothing of faults: the same code explains a run that nobody broke on purpose.

pub(crate) mod dialect;

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
            None => crashed(seen, message),
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
            *status == wanted && code.is_none_or(|code| error.as_ref().is_some_and(|body| body.contains(code)))
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

/// The chain of an access, link by link.
pub(crate) fn chain(cloud: Cloud, observed: &Observed, facts: &Facts, requests: &[Exchange]) -> Chain {
    let broken = match observed {
        Observed::Read { .. } | Observed::KeptReading { .. } => None,
        Observed::Refused(denial) => Some(denial.link),
        Observed::NotInjected if !facts.opted_in => Some(Link::OptedIn),
        Observed::NotInjected => Some(Link::Injected),
        Observed::Crashed { .. } | Observed::Nothing { .. } => {
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
    }
}
