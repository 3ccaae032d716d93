//! What only Azure can tell, asked before anything is created: whether names that the whole cloud shares are free.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use super::access::Clients;
use super::call::{Request, call};
use super::desired::Desired;
use super::error::ProvisionError;
use super::validate::validate;
use super::{Kind, id};

/// A kind of thing whose names the whole cloud shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Vault,
    StorageAccount,
}

impl Shared {
    fn of(desired: &Desired) -> Option<(Self, &str)> {
        match desired {
            Desired::Vault { name, .. } => Some((Self::Vault, name)),
            Desired::StorageAccount { name, .. } => Some((Self::StorageAccount, name)),
            _ => None,
        }
    }

    /// Operation, what a person calls it, namespace, type and version.
    fn words(self) -> (&'static str, &'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Vault => ("CheckVaultName", "vault", "Microsoft.KeyVault", "vaults", id::VAULTS),
            Self::StorageAccount => {
                ("CheckStorageName", "storage account", "Microsoft.Storage", "storageAccounts", id::STORAGE)
            }
        }
    }
}

/// [`validate`], then asks Azure whether the names of vaults and storage accounts are free. Creates nothing.
///
/// # Errors
/// [`Kind::Invalid`] for what would be refused, [`Kind::Exists`] for a name that is taken or kept by a deleted vault,
/// or what the question ran into.
pub async fn preflight(clients: &Clients, desired: &[Desired]) -> Result<(), ProvisionError> {
    validate(desired)
        .map_err(|invalid| ProvisionError::new(Kind::Invalid, "Validate", &invalid.resource, invalid.problem))?;
    let names: BTreeSet<(Shared, &str)> = desired.iter().filter_map(Shared::of).collect();
    futures::future::try_join_all(names.into_iter().map(|(kind, name)| free(clients, kind, name))).await.map(drop)
}

async fn free(clients: &Clients, kind: Shared, name: &str) -> Result<(), ProvisionError> {
    let (operation, noun, namespace, kind, version) = kind.words();
    let resource = format!("{noun} {name}");
    let path = format!("{}/providers/{namespace}/checkNameAvailability", id::subscription(clients.subscription()));
    let body = json!({"name": name, "type": format!("{namespace}/{kind}")});
    let answer =
        call(clients, Request::new(Method::POST, operation, &resource, &path, version).body(&body)).await?.body;
    if answer["nameAvailable"] == true {
        return Ok(());
    }
    let reason = answer["reason"].as_str();
    let kind = if reason == Some("AlreadyExists") { Kind::Exists } else { Kind::Invalid };
    let message = answer["message"].as_str().unwrap_or("the name cannot be had");
    Err(ProvisionError { code: reason.map(str::to_owned), ..ProvisionError::new(kind, operation, &resource, message) })
}
