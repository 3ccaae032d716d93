//! What the simulated AWS remembers, and the one place that says yes or no to a request.
//! Must not know any wire format. The lock is held for look-ups only, never across an await.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use thiserror::Error;
use trust::policy::{Context, Document, Kind, Layer, Policies, PrincipalFacts, Reason, Request, Ruling, combine};
use trust::{AccountId, Secret, SharedClock};

use crate::account::{Account, User};
use crate::identity::{Caller, CallerKind, KeyRecord};
use crate::managed::{self, ADMINISTRATOR_ACCESS};
use crate::random;

/// Shared by every service of the simulator; clones are cheap and see the same accounts.
#[derive(Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

struct Inner {
    clock: SharedClock,
    issuers: transport::Client,
    directory: RwLock<Directory>,
}

#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) keys: HashMap<String, KeyRecord>,
}

/// A request was refused for want of permission.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct AccessDenied {
    pub(crate) message: String,
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.read();
        formatter
            .debug_struct("State")
            .field("accounts", &directory.accounts.keys().collect::<Vec<_>>())
            .field("keys", &directory.keys.len())
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(clock: SharedClock, issuers: transport::Client) -> State {
        State { inner: Arc::new(Inner { clock, issuers, directory: RwLock::default() }) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The client that fetches discovery documents and key sets of token issuers.
    pub(crate) fn issuers(&self) -> &transport::Client {
        &self.inner.issuers
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Directory> {
        // Every write leaves the maps whole, so a panic elsewhere under the lock harms nothing.
        self.inner.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.inner.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an account with one administrator and returns a fresh key of that user.
    pub(crate) fn create_account(&self, id: &AccountId) -> (String, Secret) {
        let access_key_id = random::id("AKIA", 20);
        let secret = Secret::new(random::secret(30));
        let mut directory = self.write();
        let account = directory.accounts.entry(id.clone()).or_insert_with(|| Account::new(id.clone()));
        let user = account
            .users
            .entry("admin".to_owned())
            .or_insert_with(|| User { id: random::id("AIDA", 21), attached: [ADMINISTRATOR_ACCESS.to_owned()].into() });
        let caller = Caller {
            account: id.clone(),
            arn: format!("arn:aws:iam::{id}:user/admin"),
            user_id: user.id.clone(),
            kind: CallerKind::User { name: "admin".to_owned() },
        };
        let record = KeyRecord { secret: secret.clone(), session_token: None, expires: None, caller };
        directory.keys.insert(access_key_id.clone(), record);
        (access_key_id, secret)
    }

    /// The record behind an access key id, expired or not.
    pub(crate) fn secret_for(&self, access_key_id: &str) -> Option<KeyRecord> {
        self.read().keys.get(access_key_id).cloned()
    }

    /// Whether `caller` may do `action` (`s3:GetObject`) on `resource_arn`; `None` is a request that nobody signed, which
    /// only the policy on the resource can allow.
    ///
    /// `context` holds the keys that the service knows (`s3:prefix`, `aws:SourceIp`); those of the
    /// caller and the clock are added here. `resource_policy` is the text of the policy on the
    /// resource itself, which lives in `resource_account`.
    ///
    /// # Errors
    /// The message is the one that AWS gives: the full sentence within one account, the bare
    /// `Access Denied` across accounts and to who has none.
    pub(crate) fn authorize(
        &self,
        caller: Option<&Caller>,
        action: &str,
        resource_arn: &str,
        context: &Context,
        resource_policy: Option<&str>,
        resource_account: &AccountId,
    ) -> Result<(), AccessDenied> {
        let held = caller.map(|caller| self.held_policies(caller)).unwrap_or_default();
        let refused = |reason| match caller {
            Some(caller) if caller.account == *resource_account => denied(caller, action, resource_arn, reason),
            _ => AccessDenied { message: "Access Denied".to_owned() },
        };
        let resource = match resource_policy.map(|text| Document::parse(text, Kind::Resource)) {
            None => None,
            Some(Ok(document)) => Some(document),
            // A stored policy was checked when it was put; refuse rather than ignore its denials.
            Some(Err(_)) => {
                return Err(refused(Reason::ExplicitDeny(Layer::Resource)));
            }
        };

        let mut facts = Context::new();
        match caller {
            Some(caller) => caller.describe(&mut facts),
            // IAM user guide, "IAM policy elements: Variables and tags", principal key values.
            None => {
                facts.extend(&Context::new().with("aws:userid", "anonymous").with("aws:PrincipalType", "Anonymous"))
            }
        }
        let now = self.now();
        facts.set("aws:CurrentTime", now.to_string());
        facts.set("aws:EpochTime", now.as_second().to_string());
        facts.set("aws:SecureTransport", "true");
        facts.set("aws:ResourceAccount", resource_account.to_string());
        facts.extend(context);

        let principal = caller.map_or(PrincipalFacts::Anonymous, Caller::principal);
        let request = Request { principal: &principal, action, resource: resource_arn, context: &facts };
        let ruling: Ruling = combine(
            &Policies {
                identity: &held.identity,
                boundary: held.boundary.as_deref(),
                session: held.session.as_deref(),
                resource: resource.as_ref(),
                cross_account: caller.is_some_and(|caller| caller.account != *resource_account),
            },
            &request,
        );
        match ruling.reason {
            Reason::Allowed(_) => Ok(()),
            reason => {
                tracing::debug!(caller = principal.describe(), action, resource = resource_arn, ?reason, "denied");
                Err(refused(reason))
            }
        }
    }

    /// The policies that `caller` holds at this moment.
    fn held_policies(&self, caller: &Caller) -> Held {
        let directory = self.read();
        let mut held = Held::default();
        let Some(account) = directory.accounts.get(&caller.account) else {
            return held;
        };
        match &caller.kind {
            CallerKind::User { name } => {
                if let Some(user) = account.users.get(name) {
                    held.identity.extend(user.attached.iter().filter_map(|arn| managed::document(account, arn)));
                }
            }
            CallerKind::AssumedRole(session) => {
                held.session.clone_from(&session.policies);
                let role = account.role(&session.role_name).filter(|role| role.id == session.role_id);
                let Some(role) = role else { return held };
                held.identity.extend(role.attached.iter().filter_map(|arn| managed::document(account, arn)));
                held.identity.extend(role.inline.values().map(|policy| policy.document.clone()));
                held.boundary = role.boundary.as_ref().map(|arn| {
                    // A boundary that is gone allows nothing (IAM user guide, permissions boundaries).
                    managed::document(account, arn).unwrap_or_default()
                });
            }
        }
        held
    }
}

#[derive(Default)]
struct Held {
    identity: Vec<Arc<Document>>,
    boundary: Option<Arc<Document>>,
    session: Option<Vec<Arc<Document>>>,
}

/// The sentence of an access denied error (IAM user guide, "Troubleshoot access denied error messages").
fn denied(caller: &Caller, action: &str, resource: &str, reason: Reason) -> AccessDenied {
    let because = match reason {
        Reason::ExplicitDeny(layer) => format!("with an explicit deny in {}", article(layer)),
        Reason::NotAllowed(layer) => {
            format!("because no {} allows the {action} action", noun(layer))
        }
        Reason::Allowed(_) => String::new(),
    };
    // S3 puts the resource into quotes, IAM does not.
    let quote = if action.starts_with("s3:") { "\"" } else { "" };
    AccessDenied {
        message: format!(
            "User: {} is not authorized to perform: {action} on resource: {quote}{resource}{quote} {because}",
            caller.arn
        ),
    }
}

fn noun(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity-based policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
        Layer::Resource => "resource-based policy",
    }
}

fn article(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "an identity-based policy",
        Layer::Boundary => "a permissions boundary",
        Layer::Session => "a session policy",
        Layer::Resource => "a resource-based policy",
    }
}
