//! The judgment on one cell.

use report::{CheckKind, CheckRecord, Expected, Observed};
use scenario::{CONTROL, Cell, Cloud, Expectation, Scenario};
use trust::{Chain, Verdict};

use super::diagnose::sha256;
use super::millis;

/// What a cell must show of its access to a cloud.
pub(crate) fn expected(scenario: &Scenario, cell: &Cell, cloud: Cloud) -> Expected {
    match cell.expectation(cloud) {
        Expectation::Read => {
            let content = scenario.target(cloud).map(|(_, content)| content).unwrap_or_default();
            Expected::Read { bytes: content.len(), sha256: sha256(content) }
        }
        Expectation::Refused { link, code, status } => {
            let mut codes = code.all().iter().cloned();
            let (link, code) = (*link, codes.next().unwrap_or_default());
            Expected::Refused { link, code, also: codes.collect(), status: Some(*status) }
        }
        Expectation::NotInjected => Expected::NotInjected,
        Expectation::Rejected { status, message } => Expected::Rejected { status: *status, message: message.clone() },
        Expectation::NotCreated { code, status } => {
            let codes = code.as_ref().map(|code| code.all().to_vec()).unwrap_or_default();
            Expected::NotCreated { codes, status: *status }
        }
        Expectation::Failed { link, contains } => Expected::Failed { link: *link, contains: contains.clone() },
    }
}

/// Whether what was seen is what had to be seen.
pub(crate) fn verdict(expected: &Expected, observed: &Observed, twin: Option<&Verdict>) -> Verdict {
    let failed = |reason: String| Verdict::Failed { reason };
    let agrees = match (expected, observed) {
        (_, Observed::Nothing { last_seen }) => {
            let reason = last_seen.clone().unwrap_or_else(|| "nothing was seen".to_owned());
            return Verdict::Infra { reason: format!("no end before the deadline: {reason}") };
        }
        (Expected::NotCreated { .. }, Observed::Read { .. }) => {
            return failed("THE CLOUD DID what it must refuse, and the pod read".to_owned());
        }
        (
            Expected::Refused { .. } | Expected::NotInjected | Expected::Rejected { .. } | Expected::Failed { .. },
            Observed::Read { .. } | Observed::KeptReading { .. },
        ) => {
            return failed("ACCESS WAS GRANTED where it must be refused".to_owned());
        }
        (Expected::Read { bytes, sha256 }, Observed::Read { bytes: seen, sha256: digest }) => {
            bytes == seen && sha256 == digest
        }
        (Expected::Refused { link, code, also, status }, Observed::Refused(denial)) => {
            let is_code = *code == denial.code || also.contains(&denial.code);
            *link == denial.link && is_code && *status == denial.status
        }
        (Expected::Rejected { status, message }, Observed::Rejected { status: seen, message: words }) => {
            status == seen && words.contains(message.as_str())
        }
        (Expected::NotCreated { codes, status }, Observed::NotCreated { code, status: seen, .. }) => {
            (codes.is_empty() || codes.contains(code)) && *seen == Some(*status)
        }
        (Expected::Failed { link, contains }, Observed::Failed { link: seen, message }) => {
            link == seen && message.contains(contains.as_str())
        }
        (Expected::NotInjected, Observed::NotInjected) => true,
        (Expected::KeptReading, Observed::KeptReading { tokens, keys, .. }) => *tokens > 1 && *keys > 1,
        _ => false,
    };
    if !agrees {
        return failed(format!("expected {}, saw {}", words_expected(expected), words_observed(observed)));
    }
    match twin {
        Some(verdict) if *verdict != Verdict::Passed => {
            failed("its allowed twin was not allowed, so this refusal proves nothing".to_owned())
        }
        _ => Verdict::Passed,
    }
}

fn words_expected(expected: &Expected) -> String {
    match expected {
        Expected::Read { bytes, .. } => format!("{bytes} bytes read"),
        Expected::Refused { link, code, also, status } => {
            let code = std::iter::once(code).chain(also).map(String::as_str).collect::<Vec<_>>().join(" or ");
            format!("{code} {} at link {} {}", status.unwrap_or_default(), link.number(), link.title())
        }
        Expected::NotInjected => "a pod that the webhook left alone".to_owned(),
        Expected::Rejected { status, message } => format!("a pod that is not admitted: {status} `{message}`"),
        Expected::NotCreated { codes, status } => {
            format!("a cloud that refuses to create it: {} {status}", codes.join(" or "))
        }
        Expected::Failed { link, contains } => {
            format!("the workload fail at link {} {}: `{contains}`", link.number(), link.title())
        }
        Expected::KeptReading => "reads with renewed tokens of both keys".to_owned(),
    }
}

fn words_observed(observed: &Observed) -> String {
    match observed {
        Observed::Read { bytes, .. } => format!("{bytes} bytes with other content"),
        Observed::Refused(denial) => {
            format!(
                "{} {} at link {} {}",
                denial.code,
                denial.status.unwrap_or_default(),
                denial.link.number(),
                denial.link.title()
            )
        }
        Observed::NotInjected => "a pod that the webhook left alone".to_owned(),
        Observed::Rejected { status, message } => format!("a pod that is not admitted: {status} {message}"),
        Observed::NotCreated { resource, code, status, .. } => {
            format!("{resource} refused: {code} {}", status.unwrap_or_default())
        }
        Observed::Failed { link, message } => {
            format!("the workload fail at link {} {}: {message}", link.number(), link.title())
        }
        Observed::KeptReading { reads, tokens, keys } => format!("{reads} reads with {tokens} tokens of {keys} keys"),
        Observed::Crashed { exit_code, .. } => match exit_code {
            Some(code) => format!("the workload end with exit code {code}"),
            None => "the workload end by a signal".to_owned(),
        },
        Observed::Nothing { .. } => "nothing".to_owned(),
    }
}

/// What is told of a check, besides its verdict.
pub(crate) struct Told {
    pub(crate) expected: Expected,
    pub(crate) observed: Observed,
    pub(crate) chain: Chain,
    pub(crate) duration: std::time::Duration,
}

/// The record of a check.
pub(crate) fn record(scenario: &Scenario, cell: &Cell, cloud: Cloud, told: Told, verdict: Verdict) -> CheckRecord {
    let fault = cell.fault.as_ref().filter(|_| cell.concerns(cloud));
    let denies = !matches!(told.expected, Expected::Read { .. } | Expected::KeptReading);
    CheckRecord {
        id: id(scenario, &cell.id, cloud),
        title: match scenario.clouds()[..] {
            [_] => cell.title.clone(),
            _ => format!("{}: {}", cloud.title(), cell.title),
        },
        kind: if denies { CheckKind::Deny } else { CheckKind::Allow },
        twin: denies.then(|| id(scenario, CONTROL, cloud)),
        expected: told.expected,
        observed: told.observed,
        verdict,
        chain: told.chain,
        duration_ms: millis(told.duration),
        source: fault.map(|fault| format!("{} ({})", fault.source, confidence(fault.confidence))),
        diagnosis: None,
        next: None,
    }
}

/// Id of a cell's check: the cell's own, and the cloud where the pod reads in two.
/// The ids of a cell's checks.
pub(crate) fn ids(scenario: &Scenario, cell: &Cell) -> Vec<String> {
    cell.judged(scenario).into_iter().map(|cloud| id(scenario, &cell.id, cloud)).collect()
}

fn id(scenario: &Scenario, cell: &str, cloud: Cloud) -> String {
    match scenario.clouds()[..] {
        [_] => cell.to_owned(),
        _ => format!("{cell}/{cloud}"),
    }
}

fn confidence(confidence: scenario::Confidence) -> &'static str {
    use scenario::Confidence::{Code, Documented, Inferred, Recorded, UserReported};
    match confidence {
        Documented => "documented",
        UserReported => "reported by users",
        Recorded => "seen in recorded traffic",
        Code => "read in code",
        Inferred => "inferred",
    }
}

#[cfg(test)]
mod tests {
    use trust::{Denial, Link};

    use super::*;

    fn refused(link: Link, code: &str, status: u16) -> Observed {
        Observed::Refused(Denial { link, code: code.into(), status: Some(status), message: None })
    }

    #[test]
    fn a_refusal_counts_only_with_link_code_status_and_an_allowed_twin() {
        let expected = Expected::Refused {
            link: Link::SubjectAccepted,
            code: "AccessDenied".into(),
            also: vec!["Documented".into()],
            status: Some(403),
        };
        let good = refused(Link::SubjectAccepted, "AccessDenied", 403);
        let check = |observed: &Observed, twin: &Verdict, word: &str| {
            assert_eq!(verdict(&expected, observed, Some(twin)).word(), word, "{observed:?}");
        };
        check(&good, &Verdict::Passed, "passed");
        check(&refused(Link::SubjectAccepted, "Documented", 403), &Verdict::Passed, "passed");
        check(&good, &Verdict::Failed { reason: String::new() }, "failed");
        check(&refused(Link::Permitted, "AccessDenied", 403), &Verdict::Passed, "failed");
        check(&refused(Link::SubjectAccepted, "InvalidIdentityToken", 403), &Verdict::Passed, "failed");
        check(&refused(Link::SubjectAccepted, "AccessDenied", 400), &Verdict::Passed, "failed");
        check(&Observed::NotInjected, &Verdict::Passed, "failed");
        check(&Observed::Nothing { last_seen: None }, &Verdict::Passed, "infra");
        let granted = verdict(&expected, &Observed::Read { bytes: 1, sha256: String::new() }, Some(&Verdict::Passed));
        assert!(granted.reason().is_some_and(|reason| reason.contains("ACCESS WAS GRANTED")));
    }

    #[test]
    fn an_access_that_ends_before_a_cloud_is_asked_counts_only_in_the_words_that_were_expected() {
        let check = |expected: &Expected, observed: &Observed, word: &str| {
            assert_eq!(verdict(expected, observed, Some(&Verdict::Passed)).word(), word, "{expected:?} {observed:?}");
        };
        let read = Observed::Read { bytes: 1, sha256: String::new() };
        let rejected = Expected::Rejected { status: 400, message: "expiration".into() };
        let seen = |status, message: &str| Observed::Rejected { status, message: message.into() };
        check(&rejected, &seen(400, "token expiration 600"), "passed");
        check(&rejected, &seen(403, "token expiration 600"), "failed");
        check(&rejected, &seen(400, "no"), "failed");
        check(&rejected, &read, "failed");

        let refused = |code: &str, status| {
            let (resource, code, message) = (String::new(), code.to_owned(), String::new());
            Observed::NotCreated { resource, code, status: Some(status), message }
        };
        let coded = Expected::NotCreated { codes: vec!["A".into(), "B".into()], status: 400 };
        check(&coded, &refused("B", 400), "passed");
        check(&coded, &refused("C", 400), "failed");
        check(&coded, &refused("A", 409), "failed");
        check(&coded, &read, "failed");
        check(&Expected::NotCreated { codes: Vec::new(), status: 400 }, &refused("C", 400), "passed");

        let fails = Expected::Failed { link: Link::Injected, contains: "client".into() };
        let gave_up = |link, message: &str| Observed::Failed { link, message: message.into() };
        check(&fails, &gave_up(Link::Injected, "no client id"), "passed");
        check(&fails, &gave_up(Link::Read, "no client id"), "failed");
        check(&fails, &gave_up(Link::Injected, "no token"), "failed");
        check(&fails, &read, "failed");
    }

    #[test]
    fn a_read_counts_only_with_the_same_bytes() {
        let expected = Expected::Read { bytes: 3, sha256: sha256(b"abc") };
        let check = |content: &[u8], word: &str| {
            let observed = Observed::Read { bytes: content.len(), sha256: sha256(content) };
            assert_eq!(verdict(&expected, &observed, None).word(), word);
        };
        check(b"abc", "passed");
        check(b"abd", "failed");
        check(b"", "failed");
    }
}
