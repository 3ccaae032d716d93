//! What the simulated AWS remembers, and the one place that says yes or no to a request.
//! Must not know any wire format. The lock is held for look-ups only, never across an await.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use thiserror::Error;
use trust::policy::{Context, Document, Layer, Policies, PrincipalFacts, Reason, Request, Ruling, combine};
use trust::{AccountId, Secret, SharedClock};

use crate::AwsSimOptions;
use crate::account::{Account, Touched, User};
use crate::identity::{Caller, CallerKind, KeyRecord};
use crate::managed::{self, ADMINISTRATOR_ACCESS};
use crate::propagation::{Lag, Propagation, Sent};
use crate::random;
use crate::sessions::{Sessions, is_temporary};
use crate::sts::issuer::IssuerKeys;

/// The one user that an account is opened with.
const ADMIN: &str = "admin";

/// Shared by every service of the simulator; clones are cheap and see the same accounts.
#[derive(Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

struct Inner {
    clock: SharedClock,
    keys: IssuerKeys,
    sessions: Sessions,
    directory: RwLock<Directory>,
    /// As STS and S3 see the accounts.
    enforced: Option<Lag>,
    /// As IAM itself shows them.
    shown: Option<Lag>,
}

#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    /// Long-lived keys. Sessions are not stored.
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
            .field("enforced", &self.inner.enforced)
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(clock: SharedClock, issuers: transport::Client, options: &AwsSimOptions) -> State {
        let propagation = options.propagation.as_ref();
        // The two must not go in step.
        let lag = |delay: fn(&Propagation) -> trust::lag::Delay, salt: u64| {
            propagation.map(|given| Lag::new(given.seed.wrapping_add(salt), delay(given)))
        };
        State {
            inner: Arc::new(Inner {
                clock,
                keys: IssuerKeys::new(issuers, options.issuer_keys_kept),
                sessions: Sessions::new(),
                directory: RwLock::default(),
                enforced: lag(|given| given.enforced, 0),
                shown: lag(|given| given.shown, 1),
            }),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Discovery documents and key sets of token issuers.
    pub(crate) fn issuer_keys(&self) -> &IssuerKeys {
        &self.inner.keys
    }

    /// Temporary credentials.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Directory> {
        // Every write leaves the maps whole, so a panic elsewhere under the lock harms nothing.
        self.inner.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.inner.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an account as the services see it that rely on IAM: STS, S3, and IAM's own check of permissions.
    pub(crate) fn enforced<T>(&self, account: &AccountId, look: impl FnOnce(Option<&Account>) -> T) -> T {
        self.seen(self.inner.enforced.as_ref(), account, look)
    }

    /// Reads an account as IAM shows it.
    pub(crate) fn shown<T>(&self, account: &AccountId, look: impl FnOnce(Option<&Account>) -> T) -> T {
        self.seen(self.inner.shown.as_ref(), account, look)
    }

    fn seen<T>(&self, lag: Option<&Lag>, account: &AccountId, look: impl FnOnce(Option<&Account>) -> T) -> T {
        match lag {
            Some(lag) => lag.read(self.now(), |accounts| look(accounts.get(account))),
            None => look(self.read().accounts.get(account)),
        }
    }

    /// Changes one thing in an account that is open; an error changes nothing.
    pub(crate) fn change<T, E>(
        &self,
        account: &AccountId,
        touched: Touched<'_>,
        change: impl FnOnce(&mut Account) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let mut directory = self.write();
        let found = directory.accounts.get_mut(account)?;
        let changed = change(found);
        if changed.is_ok() {
            let lags = [&self.inner.enforced, &self.inner.shown];
            for lag in lags.into_iter().flatten() {
                lag.send(&Sent::Entity(account.clone(), Box::new(found.entity(touched))), self.now());
            }
        }
        Some(changed)
    }

    /// Shows an account everywhere at once.
    pub(crate) fn open_copies(&self, account: &Account) {
        let opened = Sent::Account(Box::new(account.clone()));
        [&self.inner.enforced, &self.inner.shown].into_iter().flatten().for_each(|lag| lag.open(&opened));
    }

    /// Opens an account with one administrator and returns a fresh key of that user.
    pub(crate) fn create_account(&self, id: &AccountId) -> (String, Secret) {
        let access_key_id = random::id("AKIA", 20);
        let secret = Secret::new(random::secret(30));
        let mut directory = self.write();
        let is_new = !directory.accounts.contains_key(id);
        let account = directory.accounts.entry(id.clone()).or_insert_with(|| Account::new(id.clone()));
        let now = self.now();
        let user = account.users.entry(ADMIN.to_owned()).or_insert_with(|| User {
            id: random::id("AIDA", 21),
            created: now,
            attached: [ADMINISTRATOR_ACCESS.to_owned()].into(),
        });
        let caller = Caller {
            account: id.clone(),
            arn: format!("arn:aws:iam::{id}:user/{ADMIN}"),
            user_id: user.id.clone(),
            kind: CallerKind::User { name: ADMIN.to_owned() },
        };
        if is_new {
            self.open_copies(account);
        }
        let record = KeyRecord { secret: secret.clone(), session_token: None, expires: None, caller: Arc::new(caller) };
        directory.keys.insert(access_key_id.clone(), record);
        (access_key_id, secret)
    }

    /// What stands behind an access key id and the token that came with it, expired or not.
    pub(crate) fn key(&self, access_key_id: &str, token: Option<&Secret>) -> Option<KeyRecord> {
        match token {
            Some(token) if is_temporary(access_key_id) => self.inner.sessions.open(access_key_id, token),
            _ => self.read().keys.get(access_key_id).cloned(),
        }
    }

    /// The secret that belongs to an access key id, whoever has it.
    pub(crate) fn secret_of(&self, access_key_id: &str) -> Option<Secret> {
        let stored = self.read().keys.get(access_key_id).map(|record| record.secret.clone());
        stored.or_else(|| self.inner.sessions.secret_of(access_key_id))
    }

    /// Whether `caller` may do `action` (`s3:GetObject`) on `resource_arn`; `None` is a request that nobody signed, which
    /// only the policy on the resource can allow.
    ///
    /// `context` holds the keys that the service knows (`s3:prefix`, `aws:SourceIp`); those of the
    /// caller and the clock are added here. `resource_policy` is the policy on the resource itself, which lives in
    /// `resource_account`.
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
        resource_policy: Option<&Document>,
        resource_account: &AccountId,
    ) -> Result<(), AccessDenied> {
        let held = caller.map(|caller| self.held_policies(caller)).unwrap_or_default();
        let refused = |reason| match caller {
            Some(caller) if caller.account == *resource_account => denied(caller, action, resource_arn, reason),
            _ => AccessDenied { message: "Access Denied".to_owned() },
        };
        let mut facts = self.facts(caller, resource_account.as_str());
        facts.extend(context);

        let principal = caller.map_or(PrincipalFacts::Anonymous, Caller::principal);
        let request = Request { principal: &principal, action, resource: resource_arn, context: &facts };
        let ruling: Ruling = combine(
            &Policies {
                identity: &held.identity,
                boundary: held.boundary.as_deref(),
                session: held.session.as_deref(),
                resource: resource_policy,
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

    /// The condition keys of the caller and of the moment.
    pub(crate) fn facts(&self, caller: Option<&Caller>, resource_account: &str) -> Context {
        let mut facts = Context::new();
        match caller {
            Some(caller) => caller.describe(&mut facts),
            // IAM user guide, "IAM policy elements: Variables and tags", principal key values.
            None => {
                facts.set("aws:userid", "anonymous");
                facts.set("aws:PrincipalType", "Anonymous");
            }
        }
        let now = self.now();
        facts.set("aws:CurrentTime", now.to_string());
        facts.set("aws:EpochTime", now.as_second().to_string());
        facts.set("aws:SecureTransport", "true");
        facts.set("aws:ResourceAccount", resource_account);
        facts
    }

    /// The policies that `caller` holds at this moment.
    fn held_policies(&self, caller: &Caller) -> Held {
        self.enforced(&caller.account, |account| account.map(|account| held_in(account, caller)).unwrap_or_default())
    }
}

/// The policies of `caller`, whose account is `account`.
fn held_in(account: &Account, caller: &Caller) -> Held {
    let mut held = Held::default();
    match &caller.kind {
        CallerKind::User { name } => {
            if let Some(user) = account.users.get(name) {
                held.identity.extend(user.attached.iter().filter_map(|arn| managed::document(account, arn)));
            }
        }
        CallerKind::AssumedRole(session) => {
            held.session = session.policies.as_ref().map(|policies| {
                let inline = policies.inline.iter().map(|inline| inline.document.clone());
                inline.chain(policies.managed.iter().filter_map(|arn| managed::document(account, arn))).collect()
            });
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
