//! The parts of a statement that do not fit what is presented, and what each nearly is. It must not know the document's JSON.

use trust::policy::{ConditionTrace, StatementTrace};
use trust::{Audience, Cause, Evidence, Link};

use super::super::links::compared;
use super::super::near::{self, Miss, miss};
use super::{ACTION, Asked, PROVIDER, provider_path};

/// One part that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failing {
    /// Where it shows.
    pub(super) link: Link,
    /// Which statement, from 0.
    pub(super) statement: usize,
    pub(super) part: Part,
}

/// Which part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The principal names another provider, or none.
    Principal { presented: String, required: Vec<String> },
    /// The action is another one.
    Action { required: Vec<String> },
    /// A condition whose key is not one of this issuer's tokens.
    Key { operator: String, written: String, expected: String },
    /// A condition on a claim that has another value.
    Value { operator: String, key: String, presented: String, required: Vec<String> },
}

/// The issuer and the claim in a condition key such as `host/path:sub`.
fn claim(key: &str) -> Option<(&str, &str)> {
    key.rsplit_once(':').filter(|(issuer, _)| issuer.contains('.') || issuer.contains('/'))
}

/// Where a condition on this key shows.
pub(super) fn link_of(key: &str) -> Link {
    match claim(key) {
        Some((_, claim)) if claim.eq_ignore_ascii_case("aud") => Link::AudienceAccepted,
        _ => Link::SubjectAccepted,
    }
}

/// Whether a condition is about something that nothing given says.
pub(super) fn is_unknown(condition: &ConditionTrace, asked: &Asked) -> bool {
    let Some((issuer, claim)) = claim(&condition.key) else {
        return condition.presented.is_none();
    };
    let is_ours = issuer.eq_ignore_ascii_case(&asked.path);
    let is_known = match claim.to_ascii_lowercase().as_str() {
        "sub" => asked.subject.is_some(),
        "aud" => asked.audience.is_some(),
        _ => false,
    };
    is_ours && !is_known
}

/// The parts of a statement that do not fit.
pub(super) fn of(trace: &StatementTrace, asked: &Asked) -> Vec<Failing> {
    let failing = |link, part| Failing { link, statement: trace.index, part };
    let principal = trace.principal.as_ref().filter(|check| !check.holds).map(|check| {
        let required = check.required.iter().map(|entry| entry.trim_start_matches("Federated: ").to_owned()).collect();
        failing(Link::IssuerTrusted, Part::Principal { presented: asked.provider.clone(), required })
    });
    let action = (!trace.action.holds)
        .then(|| failing(Link::SubjectAccepted, Part::Action { required: trace.action.required.clone() }));
    let conditions = trace.conditions.iter().filter(|condition| !condition.holds && !is_unknown(condition, asked));
    let conditions = conditions.map(|condition| {
        let operator = condition.operator.clone();
        let part = match (&condition.presented, claim(&condition.key)) {
            (None, Some((_, claim))) => {
                Part::Key { operator, written: condition.key.clone(), expected: format!("{}:{claim}", asked.path) }
            }
            (presented, _) => Part::Value {
                operator,
                key: condition.key.clone(),
                presented: presented.as_ref().map(|values| values.join(", ")).unwrap_or_default(),
                required: condition.required.clone(),
            },
        };
        failing(link_of(&condition.key), part)
    });
    principal.into_iter().chain(action).chain(conditions).collect()
}

impl Failing {
    /// A condition on a claim of this issuer that no token has: meant is the subject, or the audience where it nearly says so.
    pub(super) fn unknown_key(statement: usize, condition: &ConditionTrace, asked: &Asked) -> Option<Self> {
        let (_, written) = claim(&condition.key)?;
        let meant = if written.to_ascii_lowercase().starts_with("aud") { "aud" } else { "sub" };
        let expected = format!("{}:{meant}", asked.path);
        let part = Part::Key { operator: condition.operator.clone(), written: condition.key.clone(), expected };
        Some(Self { link: Link::SubjectAccepted, statement, part })
    }

    /// What the chain shows of it.
    pub(super) fn evidence(&self, source: &str) -> Evidence {
        let source = format!("{source}, statement {}", self.statement + 1);
        let evidence = match &self.part {
            Part::Principal { presented, required } => {
                let note = "the trust policy names another provider";
                let (one, other) = issuers(presented, required);
                compared(self.link, false, one, other).note(note)
            }
            Part::Action { required } => {
                compared(self.link, false, ACTION, required.join(", ")).note("the trust policy allows another action")
            }
            Part::Key { operator, written, expected } => compared(self.link, false, expected, written)
                .note(format!("{operator} asks for a key that this issuer's tokens do not have")),
            Part::Value { operator, presented, required, key } => {
                compared(self.link, false, presented, required.join(", "))
                    .note(format!("{operator} on {key} does not hold"))
            }
        };
        evidence.source(source)
    }

    /// Whether the token is what should change: the policy asks for the usual audience.
    pub(super) fn is_of_token(&self) -> bool {
        self.link == Link::AudienceAccepted
            && matches!(&self.part, Part::Value { required, .. } if required.iter().any(|one| one == Audience::AWS_STS))
    }

    /// What is wrong, in one word.
    pub(super) fn cause(&self, asked: &Asked) -> Cause {
        match &self.part {
            Part::Action { .. } => Cause::TrustPolicyAction,
            Part::Principal { presented, required } => {
                let issuer = provider_path(presented).unwrap_or_default();
                let slash = required
                    .iter()
                    .filter_map(|arn| provider_path(arn))
                    .any(|path| miss(issuer, path) == Some(Miss::Slash));
                if slash { Cause::TrustPolicyProviderSlash } else { Cause::TrustPolicyProvider }
            }
            Part::Key { written, expected, .. } => match miss(key_issuer(expected), key_issuer(written)) {
                Some(Miss::Slash) => Cause::TrustPolicyKeySlash,
                _ => Cause::TrustPolicyKey,
            },
            Part::Value { key, required, .. } if is_swapped(key, required, asked) => Cause::ClaimsSwapped,
            Part::Value { key, .. } if link_of(key) == Link::AudienceAccepted => Cause::TrustPolicyAudience,
            Part::Value { presented, required, .. } => {
                let mut near = required.iter().filter_map(|one| miss(presented, one));
                match near.next() {
                    Some(Miss::Wildcard) => Cause::WildcardIsPlain,
                    Some(Miss::Case) => Cause::SubjectCase,
                    Some(Miss::Name) => Cause::SubjectAccount,
                    _ if required.iter().any(|one| near::subject(one).is_some()) => Cause::SubjectNamespace,
                    _ => Cause::SubjectMalformed,
                }
            }
        }
    }

    /// What is probably wrong.
    pub(super) fn hint(&self, asked: &Asked) -> String {
        match &self.part {
            Part::Principal { presented, required } => principal_hint(presented, required),
            Part::Action { required } => {
                format!("pods with a token need {ACTION}; {} is for other callers", required.join(", "))
            }
            Part::Key { written, expected, .. } => {
                let near = near::sentence("the condition's key", key_issuer(expected), key_issuer(written));
                near.unwrap_or_else(|| format!("the condition's key names another issuer: {written}"))
            }
            Part::Value { operator, key, presented, required } => value_hint(operator, key, presented, required, asked),
        }
    }
}

/// What stands before `:sub`.
fn key_issuer(key: &str) -> &str {
    claim(key).map_or(key, |(issuer, _)| issuer)
}

/// Both sides as issuers where the ARNs differ in that alone, which is easier to read.
fn issuers(presented: &str, required: &[String]) -> (String, String) {
    let [required] = required else { return (presented.to_owned(), required.join(", ")) };
    let (left, right) = (presented.split_once(PROVIDER), required.split_once(PROVIDER));
    match (left, right) {
        (Some((account, issuer)), Some((other, wanted))) if account == other => {
            (format!("https://{issuer}"), format!("https://{wanted}"))
        }
        _ => (presented.to_owned(), required.clone()),
    }
}

fn principal_hint(presented: &str, required: &[String]) -> String {
    let paths = required.iter().filter_map(|arn| provider_path(arn));
    let issuer = provider_path(presented).unwrap_or_default();
    if required.iter().filter_map(|arn| provider_path(arn)).any(|path| path == issuer) {
        return "the provider is of another account than the role: STS looks for it in the role's account".to_owned();
    }
    let mut near = paths.filter_map(|path| near::sentence("the issuer", issuer, path));
    near.next().unwrap_or_else(|| {
        if required.iter().any(|arn| provider_path(arn).is_some()) {
            "the trust policy is for another issuer: a cluster that is made anew has a new one".to_owned()
        } else {
            format!("no OIDC provider is trusted: the principal is {}", required.join(", "))
        }
    })
}

/// Whether a condition on one claim asks for what belongs to the other.
fn is_swapped(key: &str, required: &[String], asked: &Asked) -> bool {
    let is_audience = link_of(key) == Link::AudienceAccepted;
    let other = if is_audience { &asked.subject } else { &asked.audience };
    let other = other.as_ref().map(|shown| shown.value.as_str());
    required.iter().any(|one| {
        Some(one.as_str()) == other
            || (is_audience && one.starts_with("system:serviceaccount:"))
            || (!is_audience && (one == Audience::AWS_STS || one == Audience::AZURE_TOKEN_EXCHANGE))
    })
}

fn value_hint(operator: &str, key: &str, presented: &str, required: &[String], asked: &Asked) -> String {
    let is_audience = link_of(key) == Link::AudienceAccepted;
    let name = if is_audience { "the audience" } else { "the subject" };
    if is_swapped(key, required, asked) {
        return ":aud and :sub are swapped: the subject begins with system:serviceaccount:".to_owned();
    }
    if is_audience && required.iter().any(|one| one == Audience::AWS_STS) {
        return super::super::audience::misused(presented, asked.issuer.as_ref());
    }
    let wildcard = required.iter().any(|one| miss(presented, one) == Some(Miss::Wildcard));
    if wildcard && operator.contains("StringEquals") {
        return format!("a wildcard under {operator} is a plain character: use StringLike");
    }
    let mut near = required.iter().filter_map(|one| near::sentence(name, presented, one));
    near.next().unwrap_or_else(|| format!("{name} is another one"))
}
