//! Azure's names and texts of a cell.

use scenario::Cell;
use scenario::access::AzureAccess;
use trust::{Audience, IssuerUrl, Subject};

use super::Texts;
use crate::exit::Stop;
use crate::naming::RunId;

/// Longest name of a vault.
const LONGEST_VAULT: usize = 24;
/// Name of an identity's only federated credential.
const CREDENTIAL: &str = "crossfed";

/// Names of one cell on Azure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureNames {
    /// The directory.
    pub tenant: String,
    /// The subscription.
    pub subscription: String,
    /// The resource group, one for all cells.
    pub group: String,
    /// Its vault.
    pub vault: String,
    /// Its identity.
    pub identity: String,
    /// The identity's federated credential.
    pub credential: String,
}

impl AzureNames {
    /// Cells share the vault unless the fault changes it; each has an identity of its own.
    pub(super) fn new(run: &RunId, cell: &Cell, tenant: String, subscription: String) -> Self {
        Self {
            tenant,
            subscription,
            group: group(run),
            vault: run.name_within(if cell.own_vault { &cell.id } else { "shared" }, LONGEST_VAULT),
            identity: run.name(&cell.id),
            credential: CREDENTIAL.to_owned(),
        }
    }

    /// Where the vault answers.
    pub fn vault_url(&self) -> String {
        format!("https://{}.vault.azure.net", self.vault)
    }
}

/// The resource group of a run.
pub(in crate::run) fn group(run: &RunId) -> String {
    run.name("group")
}

/// A cell's texts on Azure, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedAzure {
    /// Issuer, subject and audience of the identity's federated credential, if it has one.
    pub credential: Option<(IssuerUrl, Subject, Audience)>,
}

pub(super) fn render(access: &AzureAccess, texts: &Texts) -> Result<RenderedAzure, Stop> {
    let credential = match &access.federated_credential {
        None => None,
        Some(credential) => Some((
            texts.parse("azure.federatedCredential.issuer", &credential.issuer)?,
            Subject::new(texts.fill("azure.federatedCredential.subject", &credential.subject)?),
            Audience::new(texts.fill("azure.federatedCredential.audience", &credential.audience)?),
        )),
    };
    Ok(RenderedAzure { credential })
}
