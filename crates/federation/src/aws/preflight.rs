//! What only the account can tell, asked before anything is created: whether it has providers for the wanted issuers.

use futures::future::try_join_all;
use trust::IssuerUrl;

use super::access::Clients;
use super::desired::Desired;
use super::error::ProvisionError;
use super::provider::{Entry, find};
use crate::Marks;

/// A wanted OIDC provider that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub arn: String,
    /// The issuer, slash and all.
    pub url: IssuerUrl,
    /// The tool made it, so that runs share it. Of any other, [`super::create`] keeps its hands off.
    pub is_ours: bool,
    /// The runs that are on it, or did not come to an end of going from it.
    pub runs: Vec<Marks>,
    /// Wanted client ids that it does not accept.
    pub lacks: Vec<String>,
}

/// Looks for each wanted provider. Creates nothing.
///
/// # Errors
/// When the account refuses or does not answer.
pub async fn preflight(clients: &Clients, desired: &[Desired]) -> Result<Vec<Standing>, ProvisionError> {
    let found = try_join_all(desired.iter().map(|one| standing(clients, one))).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn standing(clients: &Clients, desired: &Desired) -> Result<Option<Standing>, ProvisionError> {
    let (Desired::OidcProvider { url, client_ids, .. }, Some(arn)) =
        (desired, desired.arn(clients.account(), clients.region()))
    else {
        return Ok(None);
    };
    let arn = arn.to_string();
    let found = find(clients, &arn).await?;
    Ok(found.map(|found| Standing {
        arn,
        url: url.clone(),
        is_ours: found.is_ours,
        runs: found.entries.iter().map(Entry::marks).collect(),
        lacks: client_ids.iter().filter(|id| !found.client_ids.contains(*id)).cloned().collect(),
    }))
}
