//! Who asks, and whether a statement means them.

use serde::Serialize;

use super::document::{Effect, PrincipalMatch, PrincipalSet, PrincipalType};

/// The principal of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalFacts {
    /// Nobody signed.
    Anonymous,
    /// The account's root user.
    Root { account: String },
    /// An IAM user.
    User { arn: String, account: String },
    /// A session of a role: `arn:aws:iam::…:role/…` and `arn:aws:sts::…:assumed-role/…/…`.
    AssumedRole { role: String, session: String, account: String },
    /// A bearer of an OpenID Connect token, by the ARN of the IAM provider of its issuer.
    WebIdentity { provider: String },
    /// An AWS service.
    Service { name: String },
}

/// How closely a resource policy names the caller; later ones grant more by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Grant {
    /// The caller's account: leaves the decision to the identity policies of that account.
    Account,
    /// The role behind a session.
    Role,
    /// The caller itself, or everyone.
    Caller,
}

impl PrincipalFacts {
    /// What is shown as presented in a trace.
    pub fn describe(&self) -> &str {
        match self {
            PrincipalFacts::Anonymous => "anonymous",
            PrincipalFacts::Root { account } => account,
            PrincipalFacts::User { arn, .. } => arn,
            PrincipalFacts::AssumedRole { session, .. } => session,
            PrincipalFacts::WebIdentity { provider } => provider,
            PrincipalFacts::Service { name } => name,
        }
    }

    fn account(&self) -> Option<&str> {
        match self {
            PrincipalFacts::Root { account }
            | PrincipalFacts::User { account, .. }
            | PrincipalFacts::AssumedRole { account, .. } => Some(account),
            _ => None,
        }
    }

    /// How closely one entry of a document names this principal.
    fn named_by(&self, kind: PrincipalType, value: &str) -> Option<Grant> {
        match kind {
            PrincipalType::Aws => self.named_by_aws(value),
            PrincipalType::Federated => match self {
                // Exactly, never by prefix: one issuer's provider must not stand for another's.
                PrincipalFacts::WebIdentity { provider } if provider == value => Some(Grant::Caller),
                _ => None,
            },
            PrincipalType::Service => match self {
                PrincipalFacts::Service { name } if name == value => Some(Grant::Caller),
                _ => None,
            },
            // Canonical ids belong to S3, which turns them into account principals before it asks.
            PrincipalType::CanonicalUser => None,
        }
    }

    fn named_by_aws(&self, value: &str) -> Option<Grant> {
        if value == "*" {
            return Some(Grant::Caller);
        }
        if let Some(account) = account_of(value) {
            return (self.account() == Some(account)).then_some(match self {
                PrincipalFacts::Root { .. } => Grant::Caller,
                _ => Grant::Account,
            });
        }
        match self {
            PrincipalFacts::User { arn, .. } if arn == value => Some(Grant::Caller),
            PrincipalFacts::AssumedRole { session, .. } if session == value => Some(Grant::Caller),
            PrincipalFacts::AssumedRole { role, .. } if role == value => Some(Grant::Role),
            _ => None,
        }
    }

    /// The closest naming in a set.
    fn named_in(&self, set: &PrincipalSet) -> Option<Grant> {
        set.entries.iter().filter_map(|(kind, value)| self.named_by(*kind, value)).max()
    }

    /// Whether a set exempts this principal from a `Deny` with `NotPrincipal`: the account, the role
    /// and the session must all be listed (IAM user guide, "NotPrincipal").
    fn exempted_by(&self, set: &PrincipalSet) -> bool {
        let has = |wanted: Grant| {
            set.entries
                .iter()
                .any(|(kind, value)| self.named_by(*kind, value).is_some_and(|grant| grant == wanted || value == "*"))
        };
        match self {
            PrincipalFacts::User { .. } => has(Grant::Account) && has(Grant::Caller),
            PrincipalFacts::AssumedRole { .. } => has(Grant::Account) && has(Grant::Role) && has(Grant::Caller),
            _ => has(Grant::Caller),
        }
    }
}

/// How a statement's principal element names the caller; `None` when it does not apply.
pub(super) fn applies(element: &PrincipalMatch, effect: Effect, principal: &PrincipalFacts) -> Option<Grant> {
    match (element, effect) {
        (PrincipalMatch::Any(set), _) => principal.named_in(set),
        (PrincipalMatch::Not(set), Effect::Allow) => principal.named_in(set).is_none().then_some(Grant::Caller),
        (PrincipalMatch::Not(set), Effect::Deny) => (!principal.exempted_by(set)).then_some(Grant::Caller),
    }
}

/// The account behind `123456789012` or `arn:aws:iam::123456789012:root`.
pub(super) fn account_of(value: &str) -> Option<&str> {
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(value) {
        return Some(value);
    }
    let mut parts = value.splitn(6, ':');
    let shape = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
    match shape {
        (Some("arn"), Some(_), Some("iam"), Some(""), Some(account), Some("root")) if digits(account) => Some(account),
        _ => None,
    }
}
