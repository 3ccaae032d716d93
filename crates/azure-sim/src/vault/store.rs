//! The secrets of every vault, live and soft-deleted, and what each operation does to them.
//! Must not know who asks: by now the caller may.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::body::{self, Changes, NewVersion};
use super::listing;
use super::operation::{Name, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::respond::Answer;
use super::secret::{DeletedEntry, Entry};
use crate::space::Taken;
use crate::state::State;
use crate::vaults::VaultView;

/// What a version takes besides its text, about.
const VERSION_SIZE: usize = 512;

/// By a vault's incarnation: a new vault under an old name has nothing of the old one's.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    vaults: Mutex<HashMap<Uuid, Store>>,
}

/// One vault's secrets, by lower-case name. A name is in one of the two maps only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Store {
    live: BTreeMap<String, Entry>,
    deleted: BTreeMap<String, DeletedEntry>,
}

impl Stores {
    /// All of them, as they are now.
    pub(crate) fn snapshot(&self) -> HashMap<Uuid, Store> {
        self.vaults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn restore(&self, vaults: HashMap<Uuid, Store>) {
        *self.vaults.lock().unwrap_or_else(PoisonError::into_inner) = vaults;
    }

    pub(super) fn run(
        &self,
        state: &State,
        vault: &VaultView,
        operation: &Operation,
        query: &Query,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        let now = state.now();
        // An operation either changes one entry at its end or nothing, so a panic elsewhere harms nothing.
        let mut vaults = self.vaults.lock().unwrap_or_else(PoisonError::into_inner);
        let store = vaults.entry(vault.incarnation).or_default();
        store.deleted.retain(|_, deleted| deleted.purges > now);
        match operation {
            Operation::Set(name) => {
                let space = state.space().take(VERSION_SIZE + body.len()).ok_or_else(Refusal::no_space)?;
                store.set(vault, name, body::new_version(body)?, space, now)
            }
            Operation::Get(name, version) => store.get(vault, name, version.as_deref()),
            Operation::Update(name, version) => {
                store.update(vault, name, version.as_deref(), body::changes(body)?, now)
            }
            Operation::Delete(name) => store.delete(vault, name, now),
            Operation::List => store.list(vault, query),
            Operation::ListVersions(name) => store.list_versions(vault, name, query),
            Operation::ListDeleted => store.list_deleted(vault, query),
            Operation::GetDeleted(name) => store.get_deleted(vault, name),
            Operation::Recover(name) => store.recover(vault, name),
            Operation::Purge(name) => store.purge(vault, name),
        }
    }
}

impl Store {
    fn set(
        &mut self,
        vault: &VaultView,
        name: &Name,
        new: NewVersion,
        space: Arc<Taken>,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let key = name.key();
        if let Some(deleted) = self.deleted.get(&key) {
            return Err(Refusal::deleted_but_recoverable(&deleted.entry.name));
        }
        match self.live.get_mut(&key) {
            Some(entry) => entry.push(new, space, now),
            None => {
                let entry = Entry::new(name.as_str(), new, space, now);
                self.live.insert(key.clone(), entry);
            }
        }
        let entry = self.live(name)?;
        Answer::of(&entry.bundle(vault, entry.newest(), true))
    }

    /// Neither `nbf` nor `exp` keeps a value from being read: they are for the reader's information
    /// (Key Vault documentation, "About secrets", date-time controlled operations).
    fn get(&self, vault: &VaultView, name: &Name, version: Option<&str>) -> Result<Answer, Refusal> {
        let entry = self.live(name)?;
        let version = entry.version(version).ok_or_else(|| Refusal::secret_not_found(name.as_str(), version))?;
        if !version.enabled {
            return Err(Refusal::secret_disabled());
        }
        Answer::of(&entry.bundle(vault, version, true))
    }

    fn update(
        &mut self,
        vault: &VaultView,
        name: &Name,
        version: Option<&str>,
        changes: Changes,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let missing = || Refusal::secret_not_found(name.as_str(), version);
        let entry = self.live.get_mut(&name.key()).ok_or_else(missing)?;
        let changed = entry.version_mut(version).ok_or_else(missing)?;
        changed.change(changes, now);
        let id = changed.id.clone();
        let changed = entry.version(Some(&id)).ok_or_else(missing)?;
        Answer::of(&entry.bundle(vault, changed, false))
    }

    /// The real service takes some seconds, during which the name is neither here nor there; this one none.
    fn delete(&mut self, vault: &VaultView, name: &Name, now: Timestamp) -> Result<Answer, Refusal> {
        let key = name.key();
        let entry = self.live.remove(&key).ok_or_else(|| Refusal::secret_not_found(name.as_str(), None))?;
        let kept = SignedDuration::from_hours(24 * i64::from(vault.retention_days));
        let deleted = DeletedEntry { entry, deleted: now, purges: now.saturating_add(kept).unwrap_or(Timestamp::MAX) };
        let answer = Answer::of(&deleted.bundle(vault));
        self.deleted.insert(key, deleted);
        answer
    }

    fn list(&self, vault: &VaultView, query: &Query) -> Result<Answer, Refusal> {
        listing::page(vault, "secrets", query, &self.live, |entry| entry.item(vault))
    }

    /// In the order of their ids, which are random: the service promises none.
    fn list_versions(&self, vault: &VaultView, name: &Name, query: &Query) -> Result<Answer, Refusal> {
        let entry = self.live(name)?;
        let versions = entry.versions();
        let versions: BTreeMap<String, _> = versions.map(|version| (version.id.clone(), version)).collect();
        let path = format!("secrets/{}/versions", entry.name);
        listing::page(vault, &path, query, &versions, |version| entry.bundle(vault, version, false))
    }

    fn list_deleted(&self, vault: &VaultView, query: &Query) -> Result<Answer, Refusal> {
        listing::page(vault, "deletedsecrets", query, &self.deleted, |deleted| deleted.item(vault))
    }

    /// Recordings of the service show that a disabled secret is not shown here either.
    fn get_deleted(&self, vault: &VaultView, name: &Name) -> Result<Answer, Refusal> {
        let deleted = self.deleted.get(&name.key()).ok_or_else(|| Refusal::deleted_secret_not_found(name.as_str()))?;
        if !deleted.entry.newest().enabled {
            return Err(Refusal::secret_disabled());
        }
        Answer::of(&deleted.bundle(vault))
    }

    fn recover(&mut self, vault: &VaultView, name: &Name) -> Result<Answer, Refusal> {
        let key = name.key();
        let deleted = self.deleted.remove(&key).ok_or_else(|| Refusal::secret_not_found(name.as_str(), None))?;
        self.live.insert(key, deleted.entry);
        let entry = self.live(name)?;
        Answer::of(&entry.bundle(vault, entry.newest(), false))
    }

    fn purge(&mut self, vault: &VaultView, name: &Name) -> Result<Answer, Refusal> {
        let key = name.key();
        if !self.deleted.contains_key(&key) {
            return Err(Refusal::secret_not_found(name.as_str(), None));
        }
        if vault.purge_protection {
            return Err(Refusal::purge_protected(vault));
        }
        self.deleted.remove(&key);
        Ok(Answer::Nothing)
    }

    fn live(&self, name: &Name) -> Result<&Entry, Refusal> {
        self.live.get(&name.key()).ok_or_else(|| Refusal::secret_not_found(name.as_str(), None))
    }
}
