//! How late a write to IAM is seen. IAM is eventually consistent: a write reaches each copy of it in its own time, and a reader
//! meets now one copy, now another, so that what was seen once may be gone the next moment (IAM user guide, "Changes that I make
//! are not always immediately visible"). AWS gives no figures. That a new role or provider is of use after 5 to 15 seconds is
//! experience; that IAM itself may not show it at once is why its clients have waiters (`RoleExists`, once a second).
//! Must not know any action.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use trust::AccountId;

use crate::account::{Account, Entity};

/// Copies of IAM that are read.
const COPIES: u64 = 3;
/// A larger factor than this is taken for this one: a day is already more than anybody waits.
const MAX_FACTOR: f64 = 10_000.0;

/// At least and at most.
pub(crate) type Delay = (SignedDuration, SignedDuration);

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
        let factor = if factor.is_finite() { factor.clamp(0.0, MAX_FACTOR) } else { 0.0 };
        // At most 150 million, which an i64 holds.
        let millis = |base: f64| SignedDuration::from_millis((base * factor) as i64);
        Propagation { seed, enforced: (millis(5_000.0), millis(15_000.0)), shown: (millis(0.0), millis(2_000.0)) }
    }
}

/// The copies of all accounts, each as far as the writes have come.
pub(crate) struct Lag {
    seed: u64,
    delay: Delay,
    copies: Mutex<Copies>,
}

#[derive(Default)]
struct Copies {
    writes: u64,
    reads: u64,
    all: [Copy; COPIES as usize],
}

#[derive(Default)]
struct Copy {
    accounts: BTreeMap<AccountId, Account>,
    /// In the order of the writes.
    pending: Vec<Pending>,
}

#[derive(Clone)]
struct Pending {
    due: Timestamp,
    account: AccountId,
    entity: Entity,
}

impl Lag {
    pub(crate) fn new(seed: u64, delay: Delay) -> Lag {
        Lag { seed, delay, copies: Mutex::default() }
    }

    /// An account is everywhere at once, with its users.
    pub(crate) fn open(&self, account: &Account) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        for copy in &mut copies.all {
            copy.accounts.insert(account.id.clone(), account.clone());
        }
    }

    /// Sends one entity of an account, as it is after a write, on its way.
    pub(crate) fn send(&self, account: &AccountId, entity: &Entity, now: Timestamp) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.writes += 1;
        let write = copies.writes;
        for (number, copy) in (0..).zip(&mut copies.all) {
            let earlier = copy.pending.iter().filter(|one| one.account == *account && one.entity.is_same(entity));
            // A later write does not overtake an earlier one to the same entity.
            let due = earlier.map(|one| one.due).max().unwrap_or(now).max(self.due(now, write * COPIES + number));
            copy.pending.push(Pending { due, account: account.clone(), entity: entity.clone() });
        }
    }

    /// Reads an account at one of the copies.
    pub(crate) fn read<T>(&self, account: &AccountId, now: Timestamp, look: impl FnOnce(Option<&Account>) -> T) -> T {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.reads += 1;
        // Less than COPIES.
        let chosen = (mixed(self.seed ^ copies.reads.rotate_left(32)) % COPIES) as usize;
        let copy = &mut copies.all[chosen];
        let accounts = &mut copy.accounts;
        copy.pending.retain(|one| {
            let is_due = one.due <= now;
            if is_due && let Some(account) = accounts.get_mut(&one.account) {
                one.entity.clone().put_into(account);
            }
            !is_due
        });
        look(accounts.get(account))
    }

    fn due(&self, now: Timestamp, draw: u64) -> Timestamp {
        let (least, most) = self.delay;
        // 53 bits fill a float's mantissa.
        let share = (mixed(self.seed ^ draw) >> 11) as f64 / (1_u64 << 53) as f64;
        let spread = (most.saturating_sub(least).as_millis() as f64 * share) as i64;
        let delay = least.saturating_add(SignedDuration::from_millis(spread));
        now.saturating_add(delay).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Debug for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lag").field("seed", &self.seed).field("delay", &self.delay).finish_non_exhaustive()
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn mixed(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Provider;

    const URL: &str = "issuer.example";

    fn provider(client_ids: &[&str]) -> Provider {
        Provider {
            url: URL.to_owned(),
            client_ids: client_ids.iter().map(|id| (*id).to_owned()).collect(),
            thumbprints: Vec::new(),
            created: Timestamp::UNIX_EPOCH,
            tags: Vec::new(),
        }
    }

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    /// Twenty looks at each second after a write: `.` for not there, `#` for there, `~` for both.
    fn watch(seed: u64, factor: f64) -> String {
        let account: AccountId = "111122223333".parse().expect("account must parse");
        let lag = Lag::new(seed, Propagation::scaled(factor, seed).enforced);
        lag.open(&Account::new(account.clone()));
        let entity = Entity::Provider(URL.to_owned(), Some(provider(&["a"])));
        lag.send(&account, &entity, seconds(0));
        let look = |at| lag.read(&account, at, |account| account.is_some_and(|one| one.providers.contains_key(URL)));
        (0..=16)
            .map(|second| {
                let seen = (0..20).filter(|_| look(seconds(second))).count();
                match seen {
                    0 => '.',
                    20 => '#',
                    _ => '~',
                }
            })
            .collect()
    }

    #[test]
    fn a_write_is_seen_late_then_now_and_then_and_at_last_always() {
        insta::assert_snapshot!(watch(1, 1.0), @r#".........~~######"#);
        insta::assert_snapshot!(watch(2, 1.0), @r#".........~~~~####"#);
        assert_eq!(watch(1, 1.0), watch(1, 1.0));
        assert_eq!(watch(1, 0.0), "#".repeat(17));
        assert_eq!(watch(1, -1.0), watch(1, 0.0));
        assert_eq!(watch(1, f64::NAN), watch(1, 0.0));
        assert_eq!(watch(1, 100.0), ".".repeat(17));
    }

    #[test]
    fn a_later_write_to_the_same_entity_stays_the_last() {
        let account: AccountId = "111122223333".parse().expect("account must parse");
        for seed in 0..50 {
            let lag = Lag::new(seed, Propagation::scaled(1.0, seed).enforced);
            lag.open(&Account::new(account.clone()));
            for entity in [Some(provider(&["a"])), Some(provider(&["b"])), None] {
                lag.send(&account, &Entity::Provider(URL.to_owned(), entity), seconds(0));
            }
            for _ in 0..20 {
                let gone = lag.read(&account, seconds(15), |one| one.is_some_and(|one| one.providers.is_empty()));
                assert!(gone, "seed {seed}");
            }
        }
    }
}
