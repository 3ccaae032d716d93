//! The properties of a storage account, read from a request and shown in an answer.
//! Must not know which accounts there are.

use serde_json::{Map, Value, json};

use super::body::{flag, text};
use super::error::ArmError;
use super::storage_path::ACCOUNTS;
use crate::origin::Origin;
use crate::storage::StorageAccount;

/// Without a wish, TLS 1.0 is still taken (Storage REST reference, `MinimumTlsVersion`).
pub(super) const LEAST_TLS: &str = "TLS1_0";

const SKUS: [&str; 4] = ["Standard_LRS", "Standard_GRS", "Standard_RAGRS", "Standard_ZRS"];
const KINDS: [&str; 2] = ["StorageV2", "BlobStorage"];
const TLS: [&str; 4] = ["TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"];

/// What a request says; what it does not say is none.
#[derive(Debug)]
pub(super) struct Settings {
    sku: Option<&'static str>,
    kind: Option<&'static str>,
    least_tls: Option<&'static str>,
    /// Accounts forbid public access unless told otherwise, since November 2023.
    allows_public: Option<bool>,
}

impl Settings {
    pub(super) fn read(body: &Map<String, Value>) -> Result<Settings, ArmError> {
        let empty = Map::new();
        let object = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(&empty),
            Some(Value::Object(object)) => Ok(object),
            Some(_) => Err(ArmError::content(&format!("The property '{name}' is not an object"))),
        };
        let properties = object("properties")?;
        Ok(Settings {
            sku: choose(object("sku")?, "name", "sku.name", &SKUS)?,
            kind: choose(body, "kind", "kind", &KINDS)?,
            least_tls: choose(properties, "minimumTlsVersion", "minimumTlsVersion", &TLS)?,
            allows_public: flag(properties, "allowBlobPublicAccess")?,
        })
    }

    /// A PUT must say these (Storage REST reference, `StorageAccountCreateParameters`).
    pub(super) fn check_complete(&self) -> Result<(), ArmError> {
        self.sku.ok_or_else(|| missing("sku.name"))?;
        self.kind.ok_or_else(|| missing("kind")).map(drop)
    }

    pub(super) fn apply(&self, account: &mut StorageAccount) {
        let change = |held: &mut String, wanted: Option<&'static str>| {
            if let Some(wanted) = wanted {
                wanted.clone_into(held);
            }
        };
        change(&mut account.sku, self.sku);
        change(&mut account.kind, self.kind);
        change(&mut account.least_tls, self.least_tls);
        account.allows_public = self.allows_public.unwrap_or(account.allows_public);
    }
}

fn missing(name: &str) -> ArmError {
    ArmError::content(&format!("Required property '{name}' not found in JSON"))
}

/// The one of `words` that is written under `name`. Fewer are known here than in the real service.
fn choose(
    object: &Map<String, Value>,
    name: &str,
    shown: &str,
    words: &[&'static str],
) -> Result<Option<&'static str>, ArmError> {
    let Some(word) = text(object, name)? else {
        return Ok(None);
    };
    let known = words.iter().copied().find(|known| known.eq_ignore_ascii_case(word));
    known.map(Some).ok_or_else(|| {
        ArmError::invalid(
            "InvalidRequestPropertyValue",
            format!("The value '{word}' is not allowed for property {shown}."),
        )
    })
}

pub(super) fn show(origin: &Origin, account: &StorageAccount) -> Value {
    let name = &account.name;
    json!({
        "id": account.id(),
        "name": name,
        "type": ACCOUNTS,
        "location": account.location,
        "tags": account.tags,
        "sku": {"name": account.sku, "tier": "Standard"},
        "kind": account.kind,
        "properties": {
            "allowBlobPublicAccess": account.allows_public,
            "minimumTlsVersion": account.least_tls,
            "supportsHttpsTrafficOnly": true,
            "accessTier": "Hot",
            "primaryEndpoints": {"blob": origin.blobs(name)},
            "primaryLocation": account.location,
            "statusOfPrimary": "available",
            "provisioningState": "Succeeded",
            "creationTime": account.created.to_string(),
        },
    })
}
