//! Azure's names and texts of a cell.

use scenario::Cell;
use scenario::access::{AzureAccess, FederatedCredential};
use trust::{Audience, IssuerUrl, Subject};

use super::Texts;
use crate::exit::Stop;
use crate::naming::RunId;

/// Longest name of a vault.
const LONGEST_VAULT: usize = 24;
/// Name of an identity's federated credential; those besides it are numbered.
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
    /// The identity's federated credential, if it has one.
    pub credential: Option<Credential>,
    /// Those besides it.
    pub more: Vec<Credential>,
}

/// A federated credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// Whose tokens.
    pub issuer: IssuerUrl,
    /// For whom.
    pub subject: Subject,
    /// What they must be made for; Azure takes exactly one.
    pub audiences: Vec<Audience>,
}

pub(super) fn render(access: &AzureAccess, names: &AzureNames, texts: &Texts) -> Result<RenderedAzure, Stop> {
    let one = &access.federated_credential;
    let credential = one.as_ref().map(|one| credential("azure.federatedCredential", &names.credential, one, texts));
    let more = access.more_credentials.iter().enumerate().map(|(at, one)| {
        let name = format!("{}-{}", names.credential, at + 2);
        self::credential(&format!("azure.moreCredentials[{at}]"), &name, one, texts)
    });
    Ok(RenderedAzure { credential: credential.transpose()?, more: more.collect::<Result<_, _>>()? })
}

fn credential(member: &str, name: &str, one: &FederatedCredential, texts: &Texts) -> Result<Credential, Stop> {
    let member = |name: &str| format!("{member}.{name}");
    let audiences = one.audience.all().iter();
    let audiences = audiences.map(|text| texts.fill(&member("audience"), text).map(Audience::new));
    Ok(Credential {
        name: one.name.clone().unwrap_or_else(|| name.to_owned()),
        issuer: texts.parse(&member("issuer"), &one.issuer)?,
        subject: Subject::new(texts.fill(&member("subject"), &one.subject)?),
        audiences: audiences.collect::<Result<_, _>>()?,
    })
}
