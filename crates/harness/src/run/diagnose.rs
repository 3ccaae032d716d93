//! From what was seen to what it means: which link broke, with evidence for every link.
//!
//! It knows what clouds answer, and nothing of faults: the same code explains a run that nobody broke on purpose.

use base64::Engine;
use egress::{Exchange, Outcome as WireOutcome};
use report::Observed;
use trust::workload::{Outcome, Stage};
use trust::{Chain, Denial, Evidence, Link, LinkState};

use super::evidence::{Held, ROLE_ANNOTATION, Shown};
use super::workload::{End, Observation};

/// Characters of a workload's standard error that a report shows.
const STDERR_TAIL: usize = 1500;

/// What a pod's end amounts to.
pub(crate) fn observed(observation: &Observation, shown: &Shown) -> Observed {
    match observation.line.as_ref().map(|line| &line.outcome) {
        // A workload's word is believed where the wire saw the same.
        Some(Outcome::Read { .. }) if !seen_on_wire(&observation.requests, "s3", 200, None) => {
            crashed(observation, "the workload says that it read, and the wire saw no such answer of S3")
        }
        Some(Outcome::Denied { service, code, status: Some(status), .. })
            if shown.injected.is_some() && !seen_on_wire(&observation.requests, service, *status, Some(code)) =>
        {
            crashed(observation, &format!("the workload says {code} {status}, and the wire saw no such answer"))
        }
        Some(Outcome::Read { content_base64, .. }) => {
            match base64::engine::general_purpose::STANDARD.decode(content_base64) {
                Ok(content) => Observed::Read { bytes: content.len(), sha256: sha256(&content) },
                Err(_) => crashed(observation, "the workload's line holds no base64"),
            }
        }
        _ if shown.injected.is_none() && matches!(observation.end, End::Exited { .. }) => Observed::NotInjected,
        Some(Outcome::Denied { service, code, status, message, .. }) => Observed::Refused(Denial {
            link: link(service, code, message),
            code: code.clone(),
            status: *status,
            message: Some(message.clone()),
        }),
        Some(Outcome::Failed { stage, message }) => match wire_denial(&observation.requests, *stage) {
            Some(denial) => Observed::Refused(denial),
            None => crashed(observation, message),
        },
        None => match &observation.end {
            End::Exited { message, .. } => crashed(observation, message.as_deref().unwrap_or_default()),
            End::Unfinished(last_seen) => Observed::Nothing { last_seen: Some(last_seen.clone()) },
        },
    }
}

fn crashed(observation: &Observation, message: &str) -> Observed {
    let exit_code = match observation.end {
        End::Exited { code, .. } => Some(code),
        End::Unfinished(_) => None,
    };
    let log = observation.log.trim_end();
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
    let of_service = |exchange: &&Exchange| exchange.host.split('.').any(|label| label == service);
    requests.iter().filter(of_service).any(|exchange| match &exchange.outcome {
        WireOutcome::Answered { status, error } => {
            *status == wanted && code.is_none_or(|code| error.as_ref().is_some_and(|body| body.contains(code)))
        }
        _ => false,
    })
}

/// A refusal that the workload could not name and the wire saw.
fn wire_denial(requests: &[Exchange], stage: Stage) -> Option<Denial> {
    let service = match stage {
        Stage::Credentials => "sts",
        Stage::Read => "s3",
        Stage::Configuration => return None,
    };
    let last = requests.iter().rev().find(|exchange| exchange.host.split('.').any(|label| label == service))?;
    let WireOutcome::Answered { status, error: Some(body) } = &last.outcome else {
        return None;
    };
    let element = |name: &str| {
        let start = body.find(&format!("<{name}>"))? + name.len() + 2;
        Some(body[start..].split('<').next().unwrap_or_default().to_owned())
    };
    let (code, message) = (element("Code")?, element("Message").unwrap_or_default());
    Some(Denial { link: link(service, &code, &message), code, status: Some(*status), message: Some(message) })
}

/// The link that an answer of AWS speaks of.
///
/// Codes and texts of AssumeRoleWithWebIdentity: AWS STS API reference, and the answers that users report.
fn link(service: &str, code: &str, message: &str) -> Link {
    if service == "s3" {
        return Link::Permitted;
    }
    match code {
        "AccessDenied" => Link::SubjectAccepted,
        "ExpiredTokenException" => Link::TokenProjected,
        "InvalidIdentityToken" => {
            let has = |part: &str| message.contains(part);
            if has("No OpenIDConnect provider") {
                Link::IssuerTrusted
            } else if has("Incorrect token audience") || has("more than one audience") {
                Link::AudienceAccepted
            } else if has("Couldn't retrieve verification key") || has("thumbprint") {
                Link::IssuerDiscoverable
            } else if has("not a valid JWT") || has("Missing a required claim") {
                Link::TokenProjected
            } else {
                Link::KeyPublished
            }
        }
        _ => Link::CredentialIssued,
    }
}

/// The order in which AWS looks at things, which is not the order of the chain: a link after the broken one in this list was not looked at.
const ORDER: [Link; 11] = [
    Link::OptedIn,
    Link::Injected,
    Link::IssuerTrusted,
    Link::AudienceAccepted,
    Link::IssuerDiscoverable,
    Link::KeyPublished,
    Link::TokenProjected,
    Link::SubjectAccepted,
    Link::CredentialIssued,
    Link::Permitted,
    Link::Read,
];

/// The chain of an access, link by link.
pub(crate) fn chain(observed: &Observed, shown: &Shown, held: &Held, requests: &[Exchange]) -> Chain {
    let broken = match observed {
        Observed::Read { .. } => None,
        Observed::Refused(denial) => Some(denial.link),
        Observed::NotInjected if shown.role_annotation.is_none() => Some(Link::OptedIn),
        Observed::NotInjected => Some(Link::Injected),
        Observed::Crashed { .. } | Observed::Nothing { .. } => {
            let links = Link::ALL.into_iter().map(|link| {
                let known = (link == Link::OptedIn && shown.role_annotation.is_some())
                    || (link == Link::Injected && shown.injected.is_some());
                describe(Evidence::new(link, if known { LinkState::Holds } else { LinkState::NotChecked }), shown, held)
            });
            return Chain { links: links.collect() };
        }
    };
    let place = |link: Link| ORDER.iter().position(|&one| one == link);
    let state = |link: Link| match broken {
        None => LinkState::Holds,
        Some(broken) if link == broken => LinkState::Broken,
        Some(broken) if place(link) < place(broken) => LinkState::Holds,
        // Before it in the chain, after it in AWS's order.
        Some(broken) if link < broken => LinkState::NotChecked,
        Some(_) => LinkState::NotReached,
    };
    let links = Link::ALL.into_iter().map(|link| {
        let mut evidence = Evidence::new(link, state(link));
        if evidence.state != LinkState::NotReached {
            evidence = describe(evidence, shown, held);
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
        (WireOutcome::Answered { status, .. }, Some(expected)) => *status == expected,
        _ => false,
    });
    let status = denial.status.map(|status| format!(" {status}")).unwrap_or_default();
    answered.map_or_else(
        || "the workload's log".to_owned(),
        |exchange| format!("{} answered{status} {}", exchange.host, denial.code),
    )
}

fn describe(evidence: Evidence, shown: &Shown, held: &Held) -> Evidence {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    match evidence.link {
        Link::OptedIn => evidence
            .presented(text(&shown.role_annotation))
            .required(format!("annotation {ROLE_ANNOTATION}"))
            .source("service account"),
        Link::Injected => {
            let presented = shown.injected.as_ref().map(|(role, file)| format!("{role}, {file}"));
            evidence
                .presented(text(&presented))
                .required("AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE")
                .source("admitted pod")
        }
        Link::TokenProjected => {
            evidence.presented(text(&shown.token_source)).required("a token within its lifetime").source("admitted pod")
        }
        Link::IssuerTrusted => {
            evidence.required(format!("provider {}", text(&held.provider))).source("account of the role")
        }
        Link::AudienceAccepted => evidence
            .presented(text(&shown.audience))
            .required(held.client_ids.join(", "))
            .source("client ids of the provider"),
        Link::SubjectAccepted => {
            evidence.presented(shown.subject.clone()).required(text(&held.subject)).source("trust policy of the role")
        }
        Link::Permitted => {
            evidence.presented("s3:GetObject").required(held.actions.join(", ")).source("permission policy")
        }
        Link::IssuerDiscoverable | Link::KeyPublished | Link::CredentialIssued | Link::Read => evidence,
    }
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
    fn names_the_link_that_each_answer_speaks_of() {
        let check = |service: &str, code: &str, message: &str, expected: Link| {
            assert_eq!(link(service, code, message), expected, "{message}")
        };
        check(
            "sts",
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://h/",
            Link::IssuerTrusted,
        );
        check("sts", "InvalidIdentityToken", "Incorrect token audience", Link::AudienceAccepted);
        check(
            "sts",
            "InvalidIdentityToken",
            "Couldn't retrieve verification key from your identity provider",
            Link::IssuerDiscoverable,
        );
        check("sts", "InvalidIdentityToken", "The ID Token provided is not a valid JWT.", Link::TokenProjected);
        check("sts", "InvalidIdentityToken", "something else", Link::KeyPublished);
        check("sts", "ExpiredTokenException", "Token expired", Link::TokenProjected);
        check("sts", "AccessDenied", "Not authorized", Link::SubjectAccepted);
        check("sts", "RegionDisabledException", "", Link::CredentialIssued);
        check("s3", "AccessDenied", "", Link::Permitted);
    }

    fn states(observed: &Observed, shown: &Shown) -> String {
        let chain = chain(observed, shown, &Held::default(), &[]);
        let mark = |state| match state {
            LinkState::Holds => '+',
            LinkState::Broken => 'x',
            LinkState::NotReached => '.',
            LinkState::NotChecked => '?',
        };
        chain.links.iter().map(|evidence| mark(evidence.state)).collect()
    }

    #[test]
    fn what_aws_had_not_looked_at_is_not_claimed() {
        let shown =
            Shown { role_annotation: Some("r".into()), injected: Some(("r".into(), "f".into())), ..Shown::default() };
        let refused = |link| Observed::Refused(Denial { link, code: "c".into(), status: Some(400), message: None });
        let check =
            |observed: Observed, expected: &str| assert_eq!(states(&observed, &shown), expected, "{observed:?}");
        check(Observed::Read { bytes: 1, sha256: String::new() }, "+++++++++++");
        check(refused(Link::IssuerTrusted), "++???x.....");
        check(refused(Link::AudienceAccepted), "++???+x....");
        check(refused(Link::TokenProjected), "++x++++....");
        check(refused(Link::KeyPublished), "++?+x++....");
        check(refused(Link::SubjectAccepted), "+++++++x...");
        check(refused(Link::Permitted), "+++++++++x.");
        check(Observed::Crashed { exit_code: Some(1), stderr_tail: String::new() }, "++?????????");
        assert_eq!(states(&Observed::NotInjected, &Shown::default()), "x..........");
    }
}
