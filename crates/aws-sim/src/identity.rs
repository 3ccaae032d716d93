//! Who calls: an IAM user or the session of an assumed role, as far as a signature has proved it.
//! Must not know how a caller was authenticated, nor what it may do (that is [`crate::state`]).

use std::sync::Arc;

use jiff::Timestamp;
use trust::policy::{Context, Document, Kind, PolicyError, PrincipalFacts};
use trust::{AccountId, Secret};

/// What stands behind an access key id: stored for a long-lived key, sealed in the token of a session.
#[derive(Clone, Debug)]
pub(crate) struct KeyRecord {
    pub(crate) secret: Secret,
    /// Set for temporary credentials (`ASIA…`): the request must present exactly this token.
    pub(crate) session_token: Option<Secret>,
    /// End of the session; long-lived keys have none.
    pub(crate) expires: Option<Timestamp>,
    pub(crate) caller: Arc<Caller>,
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) account: AccountId,
    /// As `GetCallerIdentity` shows it: `arn:aws:iam::…:user/…` or `arn:aws:sts::…:assumed-role/…/…`.
    pub(crate) arn: String,
    /// `AIDA…` of a user, `AROA…:session` of a session.
    pub(crate) user_id: String,
    pub(crate) kind: CallerKind,
}

/// The kinds of caller that the simulator issues keys to.
#[derive(Clone, Debug)]
pub(crate) enum CallerKind {
    User { name: String },
    AssumedRole(Box<RoleSession>),
}

/// What a session remembers of the exchange that made it.
#[derive(Clone, Debug)]
pub(crate) struct RoleSession {
    pub(crate) role_arn: String,
    pub(crate) role_name: String,
    /// The role's unique id: a role made anew under the same name does not revive old sessions.
    pub(crate) role_id: String,
    /// Session policies given when the role was assumed; `None` when there were none.
    pub(crate) policies: Option<SessionPolicies>,
    /// Keys that every later request of the session carries (`<issuer>:sub`, `aws:FederatedProvider`, …).
    pub(crate) context: Context,
}

/// What narrows a session. A managed policy is looked up when it is needed, and one that is gone allows nothing.
#[derive(Clone, Debug)]
pub(crate) struct SessionPolicies {
    pub(crate) inline: Option<Inline>,
    /// ARNs.
    pub(crate) managed: Vec<String>,
}

/// A policy that came with the request: its text, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Inline {
    pub(crate) text: Arc<str>,
    pub(crate) document: Arc<Document>,
}

impl Inline {
    pub(crate) fn parse(text: &str) -> Result<Inline, PolicyError> {
        Ok(Inline { text: text.into(), document: Arc::new(Document::parse(text, Kind::Identity)?) })
    }
}

impl Caller {
    /// The caller as policy documents see it.
    pub(crate) fn principal(&self) -> PrincipalFacts {
        match &self.kind {
            CallerKind::User { .. } => {
                PrincipalFacts::User { arn: self.arn.clone(), account: self.account.to_string() }
            }
            CallerKind::AssumedRole(session) => PrincipalFacts::AssumedRole {
                role: session.role_arn.clone(),
                session: self.arn.clone(),
                account: self.account.to_string(),
            },
        }
    }

    /// The global condition keys that describe the caller (IAM user guide, "AWS global condition
    /// context keys", properties of the principal). `aws:PrincipalArn` of a session is its role.
    pub(crate) fn describe(&self, context: &mut Context) {
        context.set("aws:PrincipalAccount", self.account.to_string());
        context.set("aws:userid", &self.user_id);
        match &self.kind {
            CallerKind::User { name } => {
                context.set("aws:PrincipalArn", &self.arn);
                context.set("aws:PrincipalType", "User");
                context.set("aws:username", name);
            }
            CallerKind::AssumedRole(session) => {
                context.set("aws:PrincipalArn", &session.role_arn);
                context.set("aws:PrincipalType", "AssumedRole");
                context.extend(&session.context);
            }
        }
    }
}
