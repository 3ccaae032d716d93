//! Links 6 to 8 in AWS: the role's trust policy against issuer, audience and subject. It must not know how a document is mended.

mod failing;
mod mend;

use scenario::Cloud;
use serde_json::Value;
use trust::policy::{
    Context, Decision, Document, Effect, Kind, PrincipalFacts, PrincipalType, Request, StatementTrace,
};
use trust::{Arn, Cause, Evidence, IssuerUrl, Link, LinkState};

use super::files::shell_word;
use super::links::{Links, compared};
use super::material::{Material, Policy, Shown};
use super::pod;
use failing::{Failing, is_unknown};
use mend::Mended;

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
const PROVIDER: &str = ":oidc-provider/";

/// What is presented to STS.
#[derive(Clone, Debug)]
struct Asked {
    issuer: Option<Shown>,
    subject: Option<Shown>,
    audience: Option<Shown>,
    /// The issuer as IAM writes it: that of the token, or else the one that the policy itself names.
    path: String,
    /// ARN of the issuer's provider in the role's account.
    provider: String,
}

/// Explains the trust policy.
pub(crate) fn explain(material: &Material, links: &mut Links) {
    several_audiences(material, links);
    let Some(policy) = &material.trust else {
        for link in [Link::IssuerTrusted, Link::AudienceAccepted, Link::SubjectAccepted] {
            links.unchecked(link, "needs --trust-policy FILE");
        }
        return;
    };
    let asked = Asked::of(material, &policy.document);
    let decision = asked.decide(&policy.document);
    let denying = decision.statements.iter().find(|trace| trace.effect == Effect::Deny && trace.applies);
    if let Some(trace) = denying.filter(|trace| !trace.conditions.iter().any(|one| is_unknown(one, &asked))) {
        let subject = asked.subject.as_ref().map_or(ACTION, |subject| &subject.value);
        let number = trace.index + 1;
        let evidence = compared(Link::SubjectAccepted, false, subject, format!("no Deny; statement {number} denies"));
        links.found(evidence.source(&policy.name).note("the trust policy denies it"));
        links.hint(
            Link::SubjectAccepted,
            format!("statement {number} is a Deny, and a Deny wins over every Allow"),
            None,
        );
    } else if let Some(trace) = nearest(&decision, &asked) {
        match failing::of(trace, &asked) {
            failing if failing.is_empty() => {}
            failing => broken(material, policy, &asked, failing, links),
        }
        rest(trace, &asked, policy, links);
    } else {
        let evidence = compared(Link::SubjectAccepted, false, ACTION, "a statement that allows it");
        links.found(evidence.source(&policy.name).note("no statement allows anything"));
    }
    if asked.issuer.is_some() {
        let provider = shell_word(&asked.provider);
        links.unchecked(
            Link::IssuerTrusted,
            format!("whether the account has this provider: aws iam get-open-id-connect-provider --open-id-connect-provider-arn {provider}"),
        );
    }
}

/// What keeps a token out of a role, and the trust policy that would let it in where one can be written. `provider` is the ARN of
/// the issuer's provider. `None` where the policy lets it in, or is no policy.
pub(crate) fn mended(
    policy: &str,
    provider: &str,
    subject: &str,
    audience: &str,
    issuer: &str,
) -> Option<(Cause, Option<String>)> {
    let document = Document::parse(policy, Kind::Trust).ok()?;
    let json: Value = serde_json::from_str(policy).ok()?;
    let shown = |value: &str| Some(Shown { value: value.to_owned(), source: "token".to_owned() });
    let asked = Asked {
        issuer: shown(issuer),
        subject: shown(subject),
        audience: shown(audience),
        path: provider_path(provider)?.to_owned(),
        provider: provider.to_owned(),
    };
    let decision = asked.decide(&document);
    if let Some(trace) = decision.statements.iter().find(|trace| trace.effect == Effect::Deny && trace.applies) {
        let mut json = json;
        json.get_mut("Statement")?.as_array_mut()?.remove(trace.index);
        return Some((Cause::TrustPolicyDenies, Some(json.to_string())));
    }
    let trace = nearest(&decision, &asked)?;
    let mut failing = failing::of(trace, &asked);
    // STS gives a token no key but its claims': a condition on another never holds.
    let unknown = trace.conditions.iter().filter(|condition| !condition.holds && is_unknown(condition, &asked));
    failing.extend(unknown.filter_map(|condition| Failing::unknown_key(trace.index, condition, &asked)));
    let cause = failing.first()?.cause(&asked);
    let mut mended = Mended::new(json);
    failing.iter().for_each(|one| mended.apply(one));
    let lets_in = mended.document().is_some_and(|document| {
        let decision = asked.decide(&document);
        nearest(&decision, &asked).is_some_and(|trace| trace.applies)
    });
    Some((cause, lets_in.then(|| mended.text())))
}

/// STS takes a token with several audiences only if it names the party that it was issued to.
fn several_audiences(material: &Material, links: &mut Links) {
    let Some(token) = material.token_for(Some(Cloud::Aws)) else { return };
    let audiences = token.parts.audiences();
    if audiences.len() > 1 && token.parts.authorized_party().is_none() {
        let evidence = compared(Link::AudienceAccepted, false, audiences.join(", "), "one audience");
        links.found(evidence.source("token, aud").note("STS refuses a token with several audiences and no azp"));
        links.hint(Link::AudienceAccepted, "ask for one audience", Some(super::audience::fresh(material, Cloud::Aws)));
    }
}

impl Asked {
    fn of(material: &Material, document: &Document) -> Self {
        let issuer = material.issuer();
        let written = written_provider(document);
        let role: Option<Arn> = pod::role(material).and_then(|role| role.parse().ok());
        let of_written = written.as_deref().and_then(|arn| arn.parse::<Arn>().ok());
        let account = role.as_ref().or(of_written.as_ref());
        let (partition, account) = account.map_or(("aws", "ACCOUNT"), |arn| (&arn.partition, &arn.account));
        let of_issuer = issuer.as_ref().and_then(|issuer| issuer.value.parse::<IssuerUrl>().ok());
        let path = of_issuer.map(|issuer| issuer.without_scheme().to_owned());
        let path = path.or_else(|| written.as_deref().and_then(provider_path).map(str::to_owned)).unwrap_or_default();
        let provider = format!("arn:{partition}:iam::{account}{PROVIDER}{path}");
        let (subject, audience) = (material.subject(), material.audience(Cloud::Aws));
        Self { issuer, subject, audience, path, provider }
    }

    fn decide(&self, document: &Document) -> Decision {
        let mut context = Context::new();
        let claims = [("sub", &self.subject), ("aud", &self.audience)];
        for (claim, shown) in claims {
            if let Some(shown) = shown {
                context.set(&format!("{}:{claim}", self.path), &shown.value);
            }
        }
        let principal = PrincipalFacts::WebIdentity { provider: self.provider.clone() };
        document.evaluate(&Request { principal: &principal, action: ACTION, resource: "", context: &context })
    }
}

/// The first OIDC provider that a document trusts.
fn written_provider(document: &Document) -> Option<String> {
    let allowing = document.statements.iter().filter(|statement| statement.effect == Effect::Allow);
    let entries =
        allowing.filter_map(|statement| statement.principal.as_ref()).flat_map(|principal| &principal.set().entries);
    let mut federated = entries.filter(|(kind, _)| *kind == PrincipalType::Federated).map(|(_, value)| value);
    federated.find(|value| value.contains(PROVIDER)).cloned()
}

/// The issuer in a provider's ARN.
fn provider_path(arn: &str) -> Option<&str> {
    arn.split_once(PROVIDER).map(|(_, path)| path)
}

/// The allowing statement that fits best; of equals the first.
fn nearest<'a>(decision: &'a Decision, asked: &Asked) -> Option<&'a StatementTrace> {
    let allowing = decision.statements.iter().filter(|trace| trace.effect == Effect::Allow);
    allowing.min_by_key(|trace| failing::of(trace, asked).len())
}

/// Tells what fails and mends the document, as often as something new shows.
fn broken(material: &Material, policy: &Policy, asked: &Asked, failing: Vec<Failing>, links: &mut Links) {
    let mut hints: Vec<(Link, String)> = Vec::new();
    let mut asked = asked.clone();
    let mut mended = Mended::new(policy.json.clone());
    let mut failing = failing;
    for round in 0..4 {
        for one in &failing {
            if round == 0 || !links.is_checked(one.link) {
                links.found(one.evidence(&policy.name));
            }
            if one.is_of_token() {
                links.hint(one.link, one.hint(&asked), Some(super::audience::fresh(material, Cloud::Aws)));
                asked.audience =
                    Some(Shown { value: super::material::audience(Cloud::Aws).to_owned(), source: String::new() });
            } else {
                hints.push((one.link, one.hint(&asked)));
                mended.apply(one);
            }
        }
        let Some(document) = mended.document() else { break };
        let decision = asked.decide(&document);
        failing = nearest(&decision, &asked).map(|trace| failing::of(trace, &asked)).unwrap_or_default();
        if failing.is_empty() {
            break;
        }
    }
    let fix = (failing.is_empty() && mended.is_changed()).then(|| {
        let document = shell_word(&mended.text());
        format!("aws iam update-assume-role-policy --role-name {} --policy-document {document}", role_name(material))
    });
    let last = hints.len().saturating_sub(1);
    for (at, (link, what)) in hints.into_iter().enumerate() {
        // One command mends all of it.
        links.hint(link, what, fix.clone().filter(|_| at == last));
    }
}

/// What a statement says of the links at which nothing fails.
fn rest(trace: &StatementTrace, asked: &Asked, policy: &Policy, links: &mut Links) {
    match &asked.issuer {
        Some(issuer) => {
            let source = format!("{} and {}", issuer.source, policy.name);
            links.found(Evidence::new(Link::IssuerTrusted, LinkState::Holds).presented(&issuer.value).source(source));
        }
        None => links.unchecked(Link::IssuerTrusted, "needs --token or --issuer"),
    }
    let claims = [
        (Link::AudienceAccepted, "aud", &asked.audience, "needs --token, or --pod as admitted"),
        (Link::SubjectAccepted, "sub", &asked.subject, "needs --token, or --service-account with its namespace"),
    ];
    for (link, claim, shown, why) in claims {
        let Some(shown) = shown else {
            links.unchecked(link, why);
            continue;
        };
        let suffix = format!(":{claim}");
        let conditions: Vec<String> = trace
            .conditions
            .iter()
            .filter(|condition| condition.key.to_ascii_lowercase().ends_with(&suffix))
            .map(|condition| format!("{} {}", condition.operator, condition.required.join(", ")))
            .collect();
        let evidence = Evidence::new(link, LinkState::Holds).presented(&shown.value);
        let evidence = evidence.source(format!("{} and {}", shown.source, policy.name));
        if conditions.is_empty() {
            links.found(evidence.note(format!("the trust policy asks nothing of {claim}")));
            if claim == "sub" {
                links.hint(link, "every service account of the cluster gets this role: add a condition on :sub", None);
            }
        } else {
            links.found(evidence.required(conditions.join("; ")));
        }
    }
    links.unchecked(Link::AudienceAccepted, "the provider's client ids are not looked at");
    for condition in trace.conditions.iter().filter(|condition| is_unknown(condition, asked)) {
        let (operator, key) = (&condition.operator, &condition.key);
        let why = format!("{operator} on {key}, which nothing given says");
        links.unchecked(failing::link_of(key), why);
    }
}

/// The role's name for commands.
pub(super) fn role_name(material: &Material) -> String {
    let role = pod::role(material).and_then(|role| role.parse::<Arn>().ok());
    role.map_or_else(|| "ROLE_NAME".to_owned(), |role| shell_word(role.name()))
}
