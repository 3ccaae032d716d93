//! Listings, page after page. Does not know what for.

use serde_json::Value;

use super::access::Clients;
use super::call::{Request, call};
use super::error::ProvisionError;
use super::{Kind, id};

pub(super) const STORAGE_ACCOUNTS: &str = "providers/Microsoft.Storage/storageAccounts";

/// The storage account of this name, in whichever group it is.
pub(super) async fn storage_account(
    clients: &Clients,
    operation: &'static str,
    account: &str,
) -> Result<Option<Value>, ProvisionError> {
    let path = format!("{}/{STORAGE_ACCOUNTS}", id::subscription(clients.subscription()));
    let all = all(clients, operation, "the subscription", &path, id::STORAGE).await?;
    Ok(all.into_iter().find(|one| one["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(account))))
}

/// All pages of a listing.
pub(super) async fn all(
    clients: &Clients,
    operation: &'static str,
    resource: &str,
    path: &str,
    version: &str,
) -> Result<Vec<Value>, ProvisionError> {
    let mut all = Vec::new();
    let mut request = Request::get(operation, resource, path, version);
    loop {
        let mut body = call(clients, request).await?.body;
        if let Value::Array(page) = body["value"].take() {
            all.extend(page);
        }
        // An empty link is written by some for the last page.
        let Some(link) = body["nextLink"].as_str().filter(|link| !link.is_empty()) else {
            return Ok(all);
        };
        request = Request::follow(operation, resource, link).ok_or_else(|| {
            ProvisionError::new(
                Kind::Unavailable,
                operation,
                resource,
                format!("the next page is said to be at {link}, which is not Resource Manager"),
            )
        })?;
    }
}
