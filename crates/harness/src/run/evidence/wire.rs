//! What the wire saw of an access: the token that was presented, what the cloud fetched of the issuer, who answered.

use egress::{Exchange, Outcome};
use scenario::Cloud;
use trust::workload::Stage;
use trust::{IssuerUrl, Link};

use super::super::diagnose::dialect;
use super::Facts;

/// What was seen is worth more than what the pod's specification promises.
pub(super) fn add(facts: &mut Facts, cloud: Cloud, requests: &[Exchange], fetches: &[Exchange]) {
    let service = dialect::asked(cloud, Stage::Credentials).unwrap_or_default();
    let exchanges = requests.iter().filter(|exchange| dialect::is_host(service, &exchange.host));
    let last = exchanges.filter_map(|exchange| Some((exchange, exchange.assertion.as_ref()?))).next_back();
    let Some((exchange, token)) = last else { return };
    facts.presents(Link::IssuerTrusted, token.iss.clone());
    facts.presents(Link::KeyPublished, token.kid.as_ref().map(|kid| format!("key {kid}")));
    facts.requires(
        Link::KeyPublished,
        "a key of that id in the issuer's key set, and its signature".to_owned(),
        "token",
    );
    facts.presents(Link::AudienceAccepted, Some(token.aud.join(", ")));
    facts.presents(Link::SubjectAccepted, token.sub.clone());
    facts.presents(Link::CredentialIssued, Some(format!("{} answered {}", exchange.host, answer(exchange))));
    if let Some(issuer) = token.iss.as_ref().and_then(|issuer| issuer.parse::<IssuerUrl>().ok()) {
        let fetched = fetched(&issuer, fetches);
        facts.presents(Link::IssuerDiscoverable, (!fetched.is_empty()).then(|| fetched.join(", ")));
        let who = format!("what {} fetched", if cloud == Cloud::Aws { "STS" } else { "Entra ID" });
        facts.requires(Link::IssuerDiscoverable, "discovery document and key set".to_owned(), &who);
    }
}

/// What was fetched below the issuer, each path once with its last answer.
fn fetched(issuer: &IssuerUrl, fetches: &[Exchange]) -> Vec<String> {
    let below = issuer.without_scheme().trim_end_matches('/');
    let mut seen: Vec<(String, String)> = Vec::new();
    for exchange in fetches {
        let url = format!("{}{}", exchange.host, exchange.path);
        let Some(path) = url.strip_prefix(below).filter(|rest| rest.starts_with('/')) else { continue };
        let answer = answer(exchange);
        match seen.iter_mut().find(|(known, _)| known == path) {
            Some((_, known)) => *known = answer,
            None => seen.push((path.to_owned(), answer)),
        }
    }
    seen.into_iter().map(|(path, answer)| format!("{path} {answer}")).collect()
}

fn answer(exchange: &Exchange) -> String {
    match &exchange.outcome {
        Outcome::Answered { status, .. } => status.to_string(),
        Outcome::UnknownHost => "unknown host".to_owned(),
        Outcome::Unauthenticated => "not let out".to_owned(),
        Outcome::Unreachable { .. } => "unreachable".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(host: &str, path: &str, status: u16) -> Exchange {
        Exchange {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            client: "c".into(),
            host: host.into(),
            method: "GET".into(),
            path: path.into(),
            outcome: Outcome::Answered { status, error: None },
            micros: 1,
            assertion: None,
        }
    }

    #[test]
    fn only_what_lies_below_the_issuer_counts_and_the_last_answer_of_each_path() {
        let fetches = [
            fetch("h.example", "/t/one/.well-known/openid-configuration", 404),
            fetch("h.example", "/t/one/.well-known/openid-configuration", 200),
            fetch("h.example", "/t/one/keys", 200),
            fetch("h.example", "/t/oneself/keys", 500),
            fetch("other.example", "/t/one/keys", 500),
        ];
        let check = |issuer: &str, expected: &[&str]| {
            assert_eq!(fetched(&issuer.parse().expect("issuer"), &fetches), expected, "{issuer}");
        };
        check("https://h.example/t/one/", &["/.well-known/openid-configuration 200", "/keys 200"]);
        check("https://h.example/t/one", &["/.well-known/openid-configuration 200", "/keys 200"]);
        check("https://h.example/t/two", &[]);
    }
}
