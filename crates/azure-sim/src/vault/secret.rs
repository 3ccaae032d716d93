//! A secret with its versions, and how it is shown (Key Vault secrets REST reference, `SecretBundle`,
//! `SecretItem` and their deleted kinds).
//! Must not know who asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::Secret;
use uuid::Uuid;

use super::body::{Changes, NewVersion};
use crate::space::Taken;
use crate::vaults::VaultView;

/// One value of a secret; all but the value and the id can be changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    /// 32 hexadecimal digits.
    pub(super) id: String,
    value: Secret,
    /// The room that it takes; none where it was restored.
    #[serde(skip)]
    _space: Option<Arc<Taken>>,
    content_type: Option<String>,
    tags: BTreeMap<String, String>,
    pub(super) enabled: bool,
    nbf: Option<i64>,
    exp: Option<i64>,
    created: i64,
    updated: i64,
}

/// A name with at least one version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// In the case in which it was first written.
    pub(super) name: String,
    older: Vec<Version>,
    newest: Version,
}

/// A secret under soft delete.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DeletedEntry {
    pub(super) entry: Entry,
    pub(super) deleted: Timestamp,
    pub(super) purges: Timestamp,
}

/// Any of the shapes; what is absent is not written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    id: String,
    attributes: Attributes,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    deletion: Option<Deletion>,
}

/// `Debug` is not at risk: none of these is secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    created: i64,
    updated: i64,
    recovery_level: &'static str,
    recoverable_days: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Deletion {
    recovery_id: String,
    deleted_date: i64,
    scheduled_purge_date: i64,
}

impl Version {
    fn new(new: NewVersion, space: Arc<Taken>, now: Timestamp) -> Version {
        let attributes = new.changes.attributes();
        Version {
            id: Uuid::new_v4().simple().to_string(),
            value: new.value,
            _space: Some(space),
            content_type: new.changes.content_type,
            tags: new.changes.tags.unwrap_or_default(),
            enabled: attributes.enabled.unwrap_or(true),
            nbf: attributes.nbf,
            exp: attributes.exp,
            created: now.as_second(),
            updated: now.as_second(),
        }
    }

    pub(super) fn change(&mut self, changes: Changes, now: Timestamp) {
        let attributes = changes.attributes();
        self.enabled = attributes.enabled.unwrap_or(self.enabled);
        self.nbf = attributes.nbf.or(self.nbf);
        self.exp = attributes.exp.or(self.exp);
        self.content_type = changes.content_type.or(self.content_type.take());
        if let Some(tags) = changes.tags {
            self.tags = tags;
        }
        self.updated = now.as_second();
    }

    fn shown(&self, vault: &VaultView, id: String) -> Shown<'_> {
        Shown {
            value: None,
            content_type: self.content_type.as_deref(),
            id,
            attributes: Attributes {
                enabled: self.enabled,
                nbf: self.nbf,
                exp: self.exp,
                created: self.created,
                updated: self.updated,
                recovery_level: recovery_level(vault),
                recoverable_days: vault.retention_days,
            },
            tags: &self.tags,
            deletion: None,
        }
    }
}

impl Entry {
    pub(super) fn new(name: &str, first: NewVersion, space: Arc<Taken>, now: Timestamp) -> Entry {
        Entry { name: name.to_owned(), older: Vec::new(), newest: Version::new(first, space, now) }
    }

    pub(super) fn push(&mut self, next: NewVersion, space: Arc<Taken>, now: Timestamp) {
        let before = std::mem::replace(&mut self.newest, Version::new(next, space, now));
        self.older.push(before);
    }

    pub(super) fn newest(&self) -> &Version {
        &self.newest
    }

    /// The version with that id, or the newest.
    pub(super) fn version(&self, id: Option<&str>) -> Option<&Version> {
        match id {
            None => Some(&self.newest),
            Some(id) => self.versions().find(|version| version.id == id),
        }
    }

    pub(super) fn version_mut(&mut self, id: Option<&str>) -> Option<&mut Version> {
        match id {
            None => Some(&mut self.newest),
            Some(id) => {
                let mut all = self.older.iter_mut().chain([&mut self.newest]);
                all.find(|version| version.id == id)
            }
        }
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.older.iter().chain([&self.newest])
    }

    /// A version as a read or a write shows it; the value only to a read of the value or its writer.
    pub(super) fn bundle<'a>(&self, vault: &VaultView, version: &'a Version, with_value: bool) -> Shown<'a> {
        let id = format!("{}/{}", self.item_id(vault), version.id);
        Shown { value: with_value.then(|| version.value.expose()), ..version.shown(vault, id) }
    }

    /// The secret as a list shows it: with the attributes of its newest version, under the id without one.
    pub(super) fn item(&self, vault: &VaultView) -> Shown<'_> {
        self.newest.shown(vault, self.item_id(vault))
    }

    fn item_id(&self, vault: &VaultView) -> String {
        format!("{}/secrets/{}", address(vault), self.name)
    }
}

impl DeletedEntry {
    pub(super) fn bundle(&self, vault: &VaultView) -> Shown<'_> {
        Shown { deletion: Some(self.deletion(vault)), ..self.entry.bundle(vault, &self.entry.newest, false) }
    }

    pub(super) fn item(&self, vault: &VaultView) -> Shown<'_> {
        Shown { deletion: Some(self.deletion(vault)), ..self.entry.item(vault) }
    }

    fn deletion(&self, vault: &VaultView) -> Deletion {
        Deletion {
            recovery_id: format!("{}/deletedsecrets/{}", address(vault), self.entry.name),
            deleted_date: self.deleted.as_second(),
            scheduled_purge_date: self.purges.as_second(),
        }
    }
}

/// The vault's URL, without a slash at its end.
pub(super) fn address(vault: &VaultView) -> String {
    vault.origin.vault(&vault.name)
}

/// `DeletionRecoveryLevel`: "customized" where fewer than the default of 90 days are kept.
fn recovery_level(vault: &VaultView) -> &'static str {
    match (vault.retention_days < 90, vault.purge_protection) {
        (false, false) => "Recoverable+Purgeable",
        (false, true) => "Recoverable",
        (true, false) => "CustomizedRecoverable+Purgeable",
        (true, true) => "CustomizedRecoverable",
    }
}
