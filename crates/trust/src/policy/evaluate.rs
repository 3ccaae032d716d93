//! One document, one request: the decision and the trace that explains it.

use serde::Serialize;

use super::condition;
use super::context::Context;
use super::document::{Document, Effect, Match, Statement, Version};
use super::pattern::Pattern;
use super::principal::{self, Grant, PrincipalFacts};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a PrincipalFacts,
    /// `sts:AssumeRoleWithWebIdentity`; compared without regard to case.
    pub action: &'a str,
    /// The ARN of the resource; not looked at by trust policies.
    pub resource: &'a str,
    /// The condition keys of the request.
    pub context: &'a Context,
}

/// What one document, or several of the same kind, say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// A statement allows and none denies.
    Allowed,
    /// A statement denies.
    ExplicitDeny,
    /// No statement says anything.
    ImplicitDeny,
}

/// The answer of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What the statements come to.
    pub outcome: Outcome,
    /// How closely the allowing statements name the caller, for documents with principals.
    pub grant: Option<Grant>,
    /// Every statement in order, applicable or not.
    pub statements: Vec<StatementTrace>,
}

impl Decision {
    /// The statements that decided: the denying ones, or else the allowing ones.
    pub fn deciding(&self) -> impl Iterator<Item = &StatementTrace> {
        let effect = match self.outcome {
            Outcome::Allowed => Some(Effect::Allow),
            Outcome::ExplicitDeny => Some(Effect::Deny),
            Outcome::ImplicitDeny => None,
        };
        self.statements.iter().filter(move |statement| statement.applies && Some(statement.effect) == effect)
    }
}

/// What became of one statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementTrace {
    /// Position in the document, from 0.
    pub index: usize,
    /// As written.
    pub sid: Option<String>,
    /// What it does when it applies.
    pub effect: Effect,
    /// All parts below hold.
    pub applies: bool,
    /// `None` in documents without principals.
    pub principal: Option<Check>,
    /// `Action` or `NotAction`.
    pub action: Check,
    /// `None` in documents without resources.
    pub resource: Option<Check>,
    /// Every condition, also after one that fails.
    pub conditions: Vec<ConditionTrace>,
}

/// One element of a statement held against the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What the request has.
    pub presented: String,
    /// What the statement lists, as written.
    pub required: Vec<String>,
    /// The element is `NotAction`, `NotResource` or `NotPrincipal`.
    pub negated: bool,
    /// Whether the element fits the request.
    pub holds: bool,
}

/// One condition held against the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// As written, quantifier and `IfExists` included.
    pub operator: String,
    /// As written in the document.
    pub key: String,
    /// `None` when the request does not carry the key.
    pub presented: Option<Vec<String>>,
    /// After policy variables were filled in.
    pub required: Vec<String>,
    /// Whether the condition is met.
    pub holds: bool,
}

impl Document {
    /// Decides one request: an applicable `Deny` wins, then an applicable `Allow`, else nothing is allowed.
    pub fn evaluate(&self, request: &Request<'_>) -> Decision {
        let mut grant = None;
        let mut outcome = Outcome::ImplicitDeny;
        let mut statements = Vec::with_capacity(self.statements.len());
        for (index, statement) in self.statements.iter().enumerate() {
            let (trace, named) = evaluate_statement(index, statement, self.version, request);
            if trace.applies {
                match trace.effect {
                    Effect::Deny => outcome = Outcome::ExplicitDeny,
                    Effect::Allow => {
                        grant = grant.max(named);
                        if outcome == Outcome::ImplicitDeny {
                            outcome = Outcome::Allowed;
                        }
                    }
                }
            }
            statements.push(trace);
        }
        Decision { outcome, grant, statements }
    }
}

fn evaluate_statement(
    index: usize,
    statement: &Statement,
    version: Version,
    request: &Request<'_>,
) -> (StatementTrace, Option<Grant>) {
    let mut grant = None;
    let principal = statement.principal.as_ref().map(|element| {
        grant = principal::applies(element, statement.effect, request.principal);
        Check {
            presented: request.principal.describe().to_owned(),
            required: element.set().entries.iter().map(|(kind, value)| format!("{}: {value}", kind.as_str())).collect(),
            negated: matches!(element, super::PrincipalMatch::Not(_)),
            holds: grant.is_some(),
        }
    });
    let action_name = request.action.to_ascii_lowercase();
    let action = check(&statement.action, request.action, |pattern| {
        Pattern::new(&pattern.to_ascii_lowercase()).matches(&action_name)
    });
    let resource = statement.resource.as_ref().map(|element| {
        check(element, request.resource, |pattern| {
            let pattern = match version {
                Version::V2012 => Pattern::with_variables(pattern, request.context),
                Version::V2008 => Some(Pattern::new(pattern)),
            };
            pattern.is_some_and(|pattern| pattern.matches_arn(request.resource))
        })
    });
    let conditions: Vec<ConditionTrace> =
        statement.conditions.iter().map(|condition| condition::evaluate(condition, version, request.context)).collect();
    let applies = principal.as_ref().is_none_or(|check| check.holds)
        && action.holds
        && resource.as_ref().is_none_or(|check| check.holds)
        && conditions.iter().all(|condition| condition.holds);
    let trace = StatementTrace {
        index,
        sid: statement.sid.clone(),
        effect: statement.effect,
        applies,
        principal,
        action,
        resource,
        conditions,
    };
    (trace, grant)
}

fn check(element: &Match, presented: &str, matches: impl Fn(&str) -> bool) -> Check {
    let any = element.patterns().iter().any(|pattern| matches(pattern));
    let negated = matches!(element, Match::Not(_));
    Check { presented: presented.to_owned(), required: element.patterns().to_vec(), negated, holds: any != negated }
}
