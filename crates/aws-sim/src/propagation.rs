//! How late a write to IAM is seen. IAM is eventually consistent: a write reaches each copy of it in its own time, and a reader
//! meets now one copy, now another, so that what was seen once may be gone the next moment (IAM user guide, "Changes that I make
//! are not always immediately visible"). AWS gives no figures. That a new role or provider is of use after 5 to 15 seconds is
//! experience; that IAM itself may not show it at once is why its clients have waiters (`RoleExists`, once a second).
//! Must not know any action.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use trust::AccountId;
use trust::lag::{self, Write};

use crate::account::{Account, Entity};

/// The delays of IAM. Which write takes how long at which copy, and which copy a read meets, follows from the seed alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Propagation {
    /// Everything random follows from it.
    pub seed: u64,
    /// Until STS and S3 act on a write: at least and at most.
    pub enforced: (SignedDuration, SignedDuration),
    /// Until IAM's own reads show a write: at least and at most.
    pub shown: (SignedDuration, SignedDuration),
}

impl Propagation {
    /// The delays of the field, times `factor`: 5 to 15 seconds until a write is acted on, up to 2 until it is shown. A factor
    /// that is negative or no number is 0.
    pub fn scaled(factor: f64, seed: u64) -> Propagation {
        Propagation { seed, enforced: lag::scaled(factor, (5_000, 15_000)), shown: lag::scaled(factor, (0, 2_000)) }
    }
}

/// The copies of all accounts.
pub(crate) type Lag = trust::Lag<BTreeMap<AccountId, Account>, Sent>;

/// What is on its way.
#[derive(Clone)]
pub(crate) enum Sent {
    /// A new account, with its users.
    Account(Box<Account>),
    /// Something in one that is open.
    Entity(AccountId, Box<Entity>),
}

impl Write<BTreeMap<AccountId, Account>> for Sent {
    fn is_same(&self, other: &Sent) -> bool {
        match (self, other) {
            (Sent::Entity(account, one), Sent::Entity(other_account, other)) => {
                account == other_account && one.is_same(other)
            }
            _ => false,
        }
    }

    fn put_into(self, accounts: &mut BTreeMap<AccountId, Account>) {
        match self {
            Sent::Account(account) => drop(accounts.insert(account.id.clone(), *account)),
            Sent::Entity(account, entity) => {
                if let Some(account) = accounts.get_mut(&account) {
                    entity.put_into(account);
                }
            }
        }
    }
}
