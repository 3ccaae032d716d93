//! STS: tokens in, sessions out. Must not know HTTP or how policies are stored in detail.

mod answer;
mod assume;
mod claims;
mod exchange;
pub(crate) mod issuer;
mod session;

pub(crate) use assume::assume;
pub(crate) use exchange::exchange;

use crate::identity::Caller;
use crate::query::Answer;

/// The action that exchanges a web identity token; it carries no signature.
pub(crate) const EXCHANGE: &str = "AssumeRoleWithWebIdentity";

/// Every action that is answered.
pub(crate) const ACTIONS: &[&str] = &[EXCHANGE, "AssumeRole", "GetCallerIdentity"];

/// Needs no permission (STS API reference): who has a valid signature may know its own name.
pub(crate) fn caller_identity(caller: &Caller) -> Answer {
    Answer::of(|xml| {
        xml.text("Arn", &caller.arn);
        xml.text("UserId", &caller.user_id);
        xml.text("Account", caller.account.as_str());
    })
}
