//! What is kept of the simulator where its state is to outlive it. Sessions are not: they end with it, as they would within the hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trust::{AccountId, Secret};

use crate::account::Account;
use crate::identity::{Caller, CallerKind, KeyRecord};
use crate::s3::BucketSnapshot;
use crate::state::State;

/// Accounts with their keys, and buckets with their objects. It holds secrets. Uploads in parts that are under way are not in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    accounts: Vec<Account>,
    keys: BTreeMap<String, KeptKey>,
    buckets: BTreeMap<String, BucketSnapshot>,
}

/// A long-lived key of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptKey {
    secret: Secret,
    account: AccountId,
    user: String,
}

impl Snapshot {
    pub(crate) fn of(state: &State, buckets: BTreeMap<String, BucketSnapshot>) -> Snapshot {
        let directory = state.read();
        let keys = directory.keys.iter().filter_map(|(id, record)| match &record.caller.kind {
            CallerKind::User { name } => {
                let (account, user) = (record.caller.account.clone(), name.clone());
                Some((id.clone(), KeptKey { secret: record.secret.clone(), account, user }))
            }
            CallerKind::AssumedRole(_) => None,
        });
        Snapshot { accounts: directory.accounts.values().cloned().collect(), keys: keys.collect(), buckets }
    }

    /// Puts accounts and keys where there are none yet, and gives the buckets.
    pub(crate) fn put_into(self, state: &State) -> BTreeMap<String, BucketSnapshot> {
        let mut directory = state.write();
        for (id, KeptKey { secret, account, user }) in self.keys {
            let holder = self.accounts.iter().find(|one| one.id == account).and_then(|one| one.users.get(&user));
            let Some(holder) = holder else { continue };
            let caller = Caller {
                arn: format!("arn:aws:iam::{account}:user/{user}"),
                account,
                user_id: holder.id.clone(),
                kind: CallerKind::User { name: user },
            };
            let record = KeyRecord { secret, session_token: None, expires: None, caller: Arc::new(caller) };
            directory.keys.insert(id, record);
        }
        for account in self.accounts {
            state.open_copies(&account);
            directory.accounts.insert(account.id.clone(), account);
        }
        self.buckets
    }
}
