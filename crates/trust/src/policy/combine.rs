//! Several kinds of policy, one answer: IAM user guide, "Policy evaluation logic".
//!
//! Organisation-wide policies (SCP, RCP) are not modelled: an account here belongs to none.

use std::sync::Arc;

use serde::Serialize;

use super::document::Document;
use super::evaluate::{Decision, Outcome, Request};
use super::principal::{Grant, PrincipalFacts};

/// The policies that bear on a request.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// Inline and managed policies of the caller.
    pub identity: &'a [Arc<Document>],
    /// The permissions boundary of the caller.
    pub boundary: Option<&'a Document>,
    /// Session policies, if any were given: an empty list allows nothing.
    pub session: Option<&'a [Arc<Document>]>,
    /// The policy on the resource.
    pub resource: Option<&'a Document>,
    /// The resource belongs to another account than the caller: both sides must allow.
    pub cross_account: bool,
}

/// Where a policy is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// On the user or role.
    Identity,
    /// The permissions boundary of the user or role.
    Boundary,
    /// Given when the session was made.
    Session,
    /// On the resource.
    Resource,
}

/// What settled a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// By an allowance in this layer; for the root user also without one.
    Allowed(Layer),
    /// By a denial in this layer.
    ExplicitDeny(Layer),
    /// This layer had to allow and did not.
    NotAllowed(Layer),
}

/// The answer of all layers together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// What it comes to, and why.
    pub reason: Reason,
    /// Every document that was asked.
    pub decisions: Vec<(Layer, Decision)>,
}

impl Ruling {
    /// Whether the request may go ahead.
    pub fn is_allowed(&self) -> bool {
        matches!(self.reason, Reason::Allowed(_))
    }
}

/// Asks every layer and combines the answers.
pub fn combine(policies: &Policies<'_>, request: &Request<'_>) -> Ruling {
    let mut decisions = Vec::new();
    let mut ask = |layer: Layer, document: &Document| {
        decisions.push((layer, document.evaluate(request)));
    };
    policies.identity.iter().for_each(|document| ask(Layer::Identity, document));
    policies.resource.into_iter().for_each(|document| ask(Layer::Resource, document));
    policies.boundary.into_iter().for_each(|document| ask(Layer::Boundary, document));
    policies.session.into_iter().flatten().for_each(|document| ask(Layer::Session, document));
    let reason = settle(policies, request.principal, &decisions);
    Ruling { reason, decisions }
}

fn settle(policies: &Policies<'_>, caller: &PrincipalFacts, decisions: &[(Layer, Decision)]) -> Reason {
    let denied = decisions.iter().find(|(_, decision)| decision.outcome == Outcome::ExplicitDeny);
    if let Some((layer, _)) = denied {
        return Reason::ExplicitDeny(*layer);
    }
    let allowed_by = |wanted: Layer| {
        decisions.iter().any(|(layer, decision)| *layer == wanted && decision.outcome == Outcome::Allowed)
    };
    let grant = decisions
        .iter()
        .filter(|(layer, _)| *layer == Layer::Resource && allowed_by(Layer::Resource))
        .find_map(|(_, decision)| decision.grant);

    if policies.cross_account && grant.is_none() {
        return Reason::NotAllowed(Layer::Resource);
    }
    // Within one account a resource policy may grant by itself: to the session or user outright, to
    // the role still within the boundary and the session policies.
    let direct = if policies.cross_account { None } else { grant };
    if direct == Some(Grant::Caller) {
        return Reason::Allowed(Layer::Resource);
    }
    let by_role = direct == Some(Grant::Role);
    // The root user has full access to begin with, and no policy can be attached to it.
    let is_root = matches!(caller, PrincipalFacts::Root { .. });
    if !by_role && !is_root && !allowed_by(Layer::Identity) {
        return Reason::NotAllowed(Layer::Identity);
    }
    if policies.boundary.is_some() && !allowed_by(Layer::Boundary) {
        return Reason::NotAllowed(Layer::Boundary);
    }
    if policies.session.is_some() && !allowed_by(Layer::Session) {
        return Reason::NotAllowed(Layer::Session);
    }
    Reason::Allowed(if by_role { Layer::Resource } else { Layer::Identity })
}
