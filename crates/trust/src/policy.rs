//! AWS policy documents: what they say, and what they decide for one request.
//!
//! Pure: a document comes in as JSON text, a request as facts, and the answer is a [`Decision`] that
//! carries, statement by statement and condition by condition, what was required and what was
//! presented. It knows no account, no role and no wire format. Sources: IAM user guide, "IAM JSON
//! policy elements reference", "Policy evaluation logic" and "IAM policy elements: variables and tags".

mod combine;
mod condition;
mod context;
mod document;
mod error;
mod evaluate;
mod json;
mod parse;
mod pattern;
mod principal;

#[cfg(test)]
mod tests;

pub use combine::{Layer, Policies, Reason, Ruling, combine};
pub use condition::{Comparison, Operator, Quantifier};
pub use context::Context;
pub use document::{
    Condition, Document, Effect, Match, PrincipalMatch, PrincipalSet, PrincipalType, Statement, Version,
};
pub use error::{Fault, PolicyError};
pub use evaluate::{Check, ConditionTrace, Decision, Outcome, Request, StatementTrace};
pub use parse::Kind;
pub use principal::{Grant, PrincipalFacts};
