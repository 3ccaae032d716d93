//! Azure's side of a scenario.

use std::sync::Arc;

use clouds::azure::Subscription;
use federation::azure::{
    self, Access, ApplyError, Clients, Credential, Desired, Principal, ProvisionError, VaultAccess, VaultNetwork,
    VaultRole,
};
use federation::{Kind, Tags};
use futures::{StreamExt, TryStreamExt};
use scenario::access::{self, Network, PermissionModel};
use scenario::{Cell, Scenario};
use trust::Secret;

use super::super::Settings;
use super::super::issuer_site::{self, Files};
use super::super::kube_objects::Creator;
use super::super::patience::Patience;
use super::super::places::Places;
use super::super::render::{self, AzureNames, RenderedAzure};
use super::refusal::{Refusal, only_for};
use super::{AT_ONCE, LiveCell, failed};
use crate::exit::{Exit, Stop};
use crate::journal::{Journal, Undo, azure_label};

/// What is wanted in the subscription.
#[derive(Debug)]
pub(crate) struct AzureSide {
    clients: Clients,
    /// Object id of the service principal that provisions.
    owner: String,
    /// Each once, with the cells that it is for.
    desired: Vec<(Desired, Vec<usize>)>,
    /// What stands before everything else: the issuer's container, with group and account.
    site: Vec<Desired>,
    tags: Tags,
}

impl AzureSide {
    pub(super) fn new(
        settings: &Settings,
        tags: Tags,
        subscription: &Subscription,
        location: &str,
        places: &Places,
    ) -> Result<Self, Stop> {
        let access = Access {
            tenant: subscription.tenant.clone(),
            subscription: subscription.id.clone(),
            location: location.to_owned(),
            credential: Credential::ClientSecret {
                client_id: subscription.client_id.clone(),
                client_secret: subscription.client_secret.clone(),
            },
            consistency: Patience::consistency(Patience::of(settings)),
        };
        let clients =
            Clients::new(&access, &places.azure_stack()?).map_err(|error| Stop::caused(Exit::Internal, error))?;
        let owner = subscription.object_id.clone();
        Ok(Self { clients, owner, desired: Vec::new(), site: Vec::new(), tags })
    }

    /// Adds what a cell wants, where it is not wanted already.
    pub(super) fn add(&mut self, scenario: &Scenario, at: usize, cell: &LiveCell) -> Result<(), Stop> {
        let (Some(names), Some(rendered)) = (&cell.names.azure, &cell.rendered.azure) else { return Ok(()) };
        for desired in wanted(scenario, &cell.cell, names, rendered)? {
            match self.desired.iter_mut().find(|(known, _)| *known == desired) {
                Some((_, cells)) => cells.push(at),
                None => self.desired.push((desired, vec![at])),
            }
        }
        Ok(())
    }

    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    pub(super) fn expect(&mut self, site: Vec<Desired>) {
        self.desired.retain(|(desired, _)| !site.contains(desired));
        self.site = site;
    }

    pub(super) async fn preflight(&self, journal: &Journal) -> Result<(), Stop> {
        let stands = |desired: &Desired| {
            let undo = desired.undo(self.clients.subscription(), self.clients.location());
            journal.may_stand(&azure_label(&desired.label(), &undo))
        };
        // Credentials were looked at when the files were read, save those that Azure itself is to refuse.
        let all = self.all().filter(|one| !matches!(one, Desired::FederatedCredential { .. }));
        // What an earlier process of the run has made has its name already.
        let all: Vec<Desired> = all.filter(|one| !stands(one)).cloned().collect();
        azure::preflight(&self.clients, &all).await.map_err(|error| {
            let exit = if error.kind == Kind::Unavailable { Exit::Infrastructure } else { Exit::Preflight };
            Stop::new(exit, format!("{}: {:#}", self.place(), anyhow::Error::from(error)))
        })
    }

    pub(super) fn intentions(&self) -> impl Iterator<Item = (String, Undo)> {
        self.all().map(|desired| {
            let undo = desired.undo(self.clients.subscription(), self.clients.location());
            (azure_label(&desired.label(), &undo), Undo::Azure(undo))
        })
    }

    fn all(&self) -> impl Iterator<Item = &Desired> {
        self.site.iter().chain(self.desired.iter().map(|(desired, _)| desired))
    }

    /// The cell that something is for, if it is for one alone. Others wait for an identity's ids: without it there is no run.
    fn only_for<'a>(&self, cells: &'a [Arc<LiveCell>], desired: &Desired) -> Option<&'a LiveCell> {
        let (_, owners) = self.desired.iter().find(|(known, _)| known == desired)?;
        only_for(cells, owners).filter(|_| !matches!(desired, Desired::Identity { .. }))
    }

    /// Creates everything. What is refused and was for one cell alone is that cell's end.
    pub(super) async fn apply(&self, creator: &Creator, cells: &[Arc<LiveCell>]) -> Result<(), Stop> {
        for stage in azure::stages(self.desired.iter().map(|(desired, _)| desired.clone()).collect()) {
            self.create(creator, stage, cells).await?;
        }
        Ok(())
    }

    /// Makes the issuer's container with what is in it.
    pub(super) async fn found(&self, creator: &Creator, site: Vec<Desired>) -> Result<(), Stop> {
        for stage in azure::stages(site) {
            self.create(creator, stage, &[]).await?;
        }
        Ok(())
    }

    /// Uploads the issuer's files again.
    pub(super) async fn publish(&self, account: &str, container: &str, files: &Files) -> Result<(), Stop> {
        for (name, body) in files.each() {
            azure::publish(&self.clients, account, container, name, issuer_site::JSON, body)
                .await
                .map_err(|error| self.failed(ApplyError::Provision(error)))?;
        }
        Ok(())
    }

    async fn create(&self, creator: &Creator, stage: Vec<Desired>, cells: &[Arc<LiveCell>]) -> Result<(), Stop> {
        futures::stream::iter(stage)
            .map(|desired| async move {
                let cell = self.only_for(cells, &desired);
                if cell.is_some_and(|cell| cell.refused.get().is_some()) {
                    return Ok(());
                }
                let (clients, tags, journal) = (self.clients.clone(), self.tags.clone(), creator.journal.clone());
                let wanted = desired.clone();
                let creation = async move { azure::create_journaled(&clients, &wanted, &tags, &journal).await };
                let made = match creator.begun.to_the_end(creation).await? {
                    Ok(made) => made,
                    Err(error) => return self.refused(cell, error),
                };
                if let (Desired::Identity { name, .. }, Some(ids)) = (&desired, made.identity) {
                    let owner = cells
                        .iter()
                        .find(|cell| cell.names.azure.as_ref().is_some_and(|azure| azure.identity == *name));
                    if let Some(cell) = owner {
                        let _ = cell.identity.set(ids);
                    }
                }
                Ok(())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await
            .map(drop)
    }

    /// What a refusal amounts to: the end of the cell that it was for, or of the run.
    fn refused(&self, cell: Option<&LiveCell>, error: ApplyError) -> Result<(), Stop> {
        if let (Some(cell), ApplyError::Provision(error)) = (cell, &error)
            && let Some(refusal) = Refusal::of_azure(error)
        {
            let _ = cell.refused.set(refusal);
            return Ok(());
        }
        Err(self.failed(error))
    }

    fn failed(&self, error: ApplyError) -> Stop {
        let kind = match &error {
            ApplyError::Provision(ProvisionError { kind, .. }) => Some(*kind),
            ApplyError::Ledger(_) => None,
        };
        failed(&self.place(), kind, error)
    }

    fn place(&self) -> String {
        format!("subscription {}", self.clients.subscription())
    }

    /// Clients of the subscription.
    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// How many things are created.
    pub(super) fn size(&self) -> usize {
        self.desired.len() + self.site.len()
    }
}

/// What Azure would refuse of a cell, told from the files alone.
///
/// # Errors
/// Exit 2, with the rule.
pub(crate) fn check(
    scenario: &Scenario,
    cell: &Cell,
    names: &AzureNames,
    rendered: &RenderedAzure,
) -> Result<(), Stop> {
    azure::validate(&wanted(scenario, cell, names, rendered)?).map_err(|invalid| {
        let file = scenario.folder.join("scenario.yaml");
        Stop::new(Exit::Usage, format!("{}: {invalid}", file.display()))
    })
}

fn wanted(
    scenario: &Scenario,
    cell: &Cell,
    names: &AzureNames,
    rendered: &RenderedAzure,
) -> Result<Vec<Desired>, Stop> {
    let (Some(resources), Some(access)) = (&scenario.azure, &cell.access.azure) else {
        return Ok(Vec::new());
    };
    let value = String::from_utf8(resources.secret.clone()).map_err(|error| Stop::caused(Exit::Internal, error))?;
    let AzureNames { group, vault, identity, .. } = names;
    let principal = |by: access::Principal| {
        let (group, name) = (group.clone(), identity.clone());
        match by {
            access::Principal::PrincipalId => Principal::Identity { group, name },
            access::Principal::ClientId => Principal::ClientIdOf { group, name },
        }
    };
    let mut wanted = vec![
        Desired::ResourceGroup { name: group.clone() },
        Desired::Vault {
            group: group.clone(),
            name: vault.clone(),
            access: match access.vault.permission_model {
                PermissionModel::Rbac => VaultAccess::Rbac,
                PermissionModel::AccessPolicy => VaultAccess::AccessPolicy,
            },
            network: match access.vault.network {
                Network::Open => VaultNetwork::Open,
                Network::Firewall => VaultNetwork::Firewall,
                Network::Private => VaultNetwork::Private,
            },
        },
        Desired::Identity { group: group.clone(), name: identity.clone() },
    ];
    if access.secret.exists {
        wanted.push(Desired::Secret {
            group: group.clone(),
            vault: vault.clone(),
            name: resources.secret_name.clone(),
            value: Secret::new(value),
            enabled: access.secret.enabled,
        });
    }
    for credential in rendered.credential.iter().chain(&rendered.more) {
        let render::Credential { name, issuer, subject, audiences } = credential.clone();
        let (group, identity) = (group.clone(), identity.clone());
        wanted.push(Desired::FederatedCredential { group, identity, name, issuer, subject, audiences });
    }
    if let Some(assignment) = &access.role_assignment {
        let (group, vault) = (group.clone(), vault.clone());
        let role = role(assignment.role);
        wanted.push(Desired::RoleAssignment { group, vault, role, principal: principal(assignment.principal) });
    }
    if let Some(policy) = &access.access_policy {
        let (group, vault) = (group.clone(), vault.clone());
        let (principal, secrets) = (principal(policy.principal), policy.secrets.clone());
        wanted.push(Desired::AccessPolicy { group, vault, principal, secrets });
    }
    Ok(wanted)
}

/// The role that a scenario's word stands for.
pub(crate) fn role(role: access::VaultRole) -> VaultRole {
    match role {
        access::VaultRole::KeyVaultSecretsUser => VaultRole::SecretsUser,
        access::VaultRole::KeyVaultSecretsOfficer => VaultRole::SecretsOfficer,
        access::VaultRole::KeyVaultAdministrator => VaultRole::Administrator,
        access::VaultRole::KeyVaultReader => VaultRole::Reader,
    }
}
