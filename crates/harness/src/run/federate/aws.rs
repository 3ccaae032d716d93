//! AWS's side of a scenario.

mod probe;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Settings;
use super::super::issuer_site::Files;
use super::super::kube_objects::Creator;
use super::super::patience::Patience;
use super::super::places::Places;
use super::refusal::{Refusal, only_for};
use super::{AT_ONCE, LiveCell, failed};
use crate::exit::{Exit, Stop};
use crate::journal::{Undo, aws_label};
use clouds::aws::Account;
use federation::aws::{self, Access, ApplyError, Clients, Desired, HttpStack};
use federation::thumbprint::{self, Thumbprint};
use federation::{Consistency, Tags};
use futures::{StreamExt, TryStreamExt};

pub(crate) use wanted::INLINE;
pub(super) use wanted::wanted;

/// What is wanted in which account.
#[derive(Debug)]
pub(crate) struct AwsSide {
    http: HttpStack,
    consistency: Consistency,
    /// One set of clients an account, the first account's first.
    accounts: BTreeMap<String, Clients>,
    /// The account in which the issuer's bucket stands.
    first: Option<String>,
    /// Each thing once.
    desired: Vec<Wanted>,
    /// What stands before everything else: the issuer's bucket.
    site: Vec<Desired>,
    tags: Tags,
}

/// A thing, where, and for which cells.
#[derive(Debug)]
struct Wanted {
    account: String,
    desired: Desired,
    cells: Vec<usize>,
}

/// What the hosts of issuers show.
#[derive(Debug)]
pub(super) struct Thumbprints {
    /// The cluster's.
    pub(super) cluster: Vec<Thumbprint>,
    /// Those that cells have to themselves, by host.
    pub(super) own: Vec<(String, Thumbprint)>,
}

impl AwsSide {
    pub(super) fn new(settings: &Settings, tags: Tags, places: &Places) -> Result<Self, Stop> {
        let (http, consistency) = (places.aws_stack()?, Patience::consistency(Patience::of(settings)));
        Ok(Self {
            http,
            consistency,
            accounts: BTreeMap::new(),
            first: None,
            desired: Vec::new(),
            site: Vec::new(),
            tags,
        })
    }

    /// Adds what a cell wants, where it is not wanted already. All accounts are used in one region.
    pub(super) fn add(&mut self, cell: usize, account: &Account, (region, wanted): (String, Vec<Desired>)) {
        let id = account.id.to_string();
        self.first.get_or_insert_with(|| id.clone());
        let (http, consistency) = (&self.http, &self.consistency);
        self.accounts.entry(id.clone()).or_insert_with(|| Clients::new(&access(region, account, *consistency), http));
        for desired in wanted {
            match self.desired.iter_mut().find(|one| one.account == id && one.desired == desired) {
                Some(one) => one.cells.push(cell),
                None => self.desired.push(Wanted { account: id.clone(), desired, cells: vec![cell] }),
            }
        }
    }

    pub(super) fn expect(&mut self, site: Vec<Desired>) {
        self.site = site;
    }

    /// Looks for OIDC providers that stand already: a run shares one that this program made, and never touches any other.
    pub(super) async fn settle_providers(&mut self, may_reuse: bool) -> Result<Vec<String>, Stop> {
        let mut reused = Vec::new();
        for (account, clients) in &self.accounts {
            let here: Vec<Desired> =
                self.desired.iter().filter(|one| one.account == *account).map(|one| one.desired.clone()).collect();
            let standing = aws::preflight(clients, &here)
                .await
                .map_err(|error| failed(&format!("account {account}"), Some(error.kind), error))?;
            for provider in standing.into_iter().filter(|provider| !provider.is_ours) {
                may_use(&provider, may_reuse)?;
                self.desired.retain(|one| {
                    one.account != *account
                        || !matches!(&one.desired, Desired::OidcProvider { url, .. } if *url == provider.url)
                });
                reused.push(provider.arn);
            }
        }
        Ok(reused)
    }

    pub(super) fn intentions(&self) -> impl Iterator<Item = (String, Undo)> {
        let first = self.first.iter();
        let site = first.flat_map(|account| self.site.iter().map(move |desired| (account, desired)));
        let rest = self.desired.iter().map(|one| (&one.account, &one.desired));
        site.chain(rest).filter_map(|(account, desired)| {
            let clients = self.accounts.get(account)?;
            let undo = desired.undo(clients.account(), clients.region(), self.tags.run());
            Some((aws_label(&desired.label(), &undo), Undo::Aws(undo)))
        })
    }

    /// Creates everything. What is refused and was for one cell alone is that cell's end.
    pub(super) async fn apply(
        &self,
        creator: &Creator,
        thumbprints: &Thumbprints,
        cells: &[Arc<LiveCell>],
    ) -> Result<(), Stop> {
        for stage in self.stages() {
            let stage = stage.into_iter().map(|(account, desired)| {
                let owner = self.desired.iter().find(|one| one.account == account && one.desired == desired);
                let owner = owner.and_then(|one| only_for(cells, &one.cells));
                (account, with_thumbprints(desired, thumbprints), owner)
            });
            self.create(creator, stage.collect()).await?;
        }
        for cell in cells.iter().filter(|cell| cell.refused.get().is_none()) {
            self.probe(cell).await?;
        }
        Ok(())
    }

    /// Makes the issuer's bucket with what is in it.
    pub(super) async fn found(&self, creator: &Creator, site: Vec<Desired>) -> Result<(), Stop> {
        let Some(account) = &self.first else { return Ok(()) };
        for stage in aws::stages(site) {
            self.create(creator, stage.into_iter().map(|desired| (account.clone(), desired, None)).collect()).await?;
        }
        Ok(())
    }

    /// Uploads the issuer's files again.
    pub(super) async fn publish(&self, bucket: &str, files: &Files) -> Result<(), Stop> {
        let Some(clients) = self.first.as_ref().and_then(|account| self.accounts.get(account)) else { return Ok(()) };
        for (key, body) in files.each() {
            aws::publish(clients, bucket, key, super::issuer_site::JSON, body)
                .await
                .map_err(|error| failed(&format!("account {}", clients.account()), Some(error.kind), error))?;
        }
        Ok(())
    }

    /// Creates what stands in one round, each with the cell that it is for, if it is for one alone.
    async fn create(&self, creator: &Creator, stage: Vec<(String, Desired, Option<&LiveCell>)>) -> Result<(), Stop> {
        futures::stream::iter(stage)
            .map(|(account, desired, cell)| async move {
                if cell.is_some_and(|cell| cell.refused.get().is_some()) {
                    return Ok(());
                }
                let (clients, tags, journal) =
                    (self.clients(&account)?.clone(), self.tags.clone(), creator.journal.clone());
                let creation =
                    async move { aws::create_journaled(&clients, &desired, &tags, &journal).await.map(drop) };
                creator.begun.to_the_end(creation).await?.or_else(|error| refused(&account, cell, error))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await
            .map(drop)
    }

    fn stages(&self) -> Vec<Vec<(String, Desired)>> {
        let mut rounds: Vec<Vec<(String, Desired)>> = Vec::new();
        for account in self.accounts.keys() {
            let ours = self.desired.iter().filter(|one| one.account == *account);
            let ours = ours.map(|one| one.desired.clone()).collect();
            for (at, round) in aws::stages(ours).into_iter().enumerate() {
                if rounds.len() == at {
                    rounds.push(Vec::new());
                }
                rounds[at].extend(round.into_iter().map(|desired| (account.clone(), desired)));
            }
        }
        rounds
    }

    /// Clients of an account.
    pub(crate) fn clients(&self, account: &str) -> Result<&Clients, Stop> {
        self.accounts.get(account).ok_or_else(|| Stop::new(Exit::Internal, format!("no keys for account {account}")))
    }

    /// All accounts in use, with the clients of each.
    pub(crate) fn accounts(&self) -> &BTreeMap<String, Clients> {
        &self.accounts
    }

    /// How many things are created, in how many accounts.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.desired.len() + self.site.len(), self.accounts.len())
    }
}

/// Whether a provider that another made can be used as it is.
fn may_use(provider: &aws::Standing, may_reuse: bool) -> Result<(), Stop> {
    let arn = &provider.arn;
    if !may_reuse {
        let message = format!(
            "the account has an OIDC provider for {} that this program did not make ({arn}), and AWS takes one for each issuer: \
             pass --reuse-oidc-provider to use it as it is, or take another account",
            provider.url
        );
        return Err(Stop::new(Exit::Preflight, message));
    }
    match provider.lacks.first() {
        None => Ok(()),
        Some(id) => {
            let message = format!(
                "--reuse-oidc-provider: {arn} does not accept the audience {id}, and what another made is not changed; its owner can add it with \
                 `aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} --client-id {id}`"
            );
            Err(Stop::new(Exit::Preflight, message))
        }
    }
}

/// What a refusal amounts to: the end of the cell that it was for, or of the run.
fn refused(account: &str, cell: Option<&LiveCell>, error: ApplyError) -> Result<(), Stop> {
    let kind = match &error {
        ApplyError::Ledger(_) => None,
        ApplyError::Provision(error) => {
            if let (Some(cell), Some(refusal)) = (cell, Refusal::of_aws(error)) {
                let _ = cell.refused.set(refusal);
                return Ok(());
            }
            Some(error.kind)
        }
    };
    Err(failed(&format!("account {account}"), kind, error))
}

fn access(region: String, account: &Account, consistency: Consistency) -> Access {
    Access {
        account: account.id.clone(),
        region,
        access_key_id: account.access_key_id.clone(),
        secret_access_key: account.secret_access_key.clone(),
        session_token: account.session_token.clone(),
        endpoint: None,
        consistency,
    }
}

/// A provider without thumbprints gets those that its issuer's host shows.
fn with_thumbprints(desired: Desired, seen: &Thumbprints) -> Desired {
    match desired {
        Desired::OidcProvider { url, client_ids, thumbprints } if thumbprints.is_empty() => {
            let own = seen.own.iter().find(|(host, _)| host == url.host()).map(|(_, shown)| vec![shown.clone()]);
            let thumbprints = own.unwrap_or_else(|| seen.cluster.clone());
            Desired::OidcProvider { url, client_ids, thumbprints }
        }
        other => other,
    }
}

/// The thumbprints of the chains that the issuer really serves, seen through the wire.
pub(crate) async fn thumbprints(places: &Places) -> Result<Vec<Thumbprint>, Stop> {
    thumbprint::of_issuer(&places.issuer_client(), places.cluster.issuer())
        .await
        .map_err(|error| Stop::caused(Exit::Infrastructure, error))
}

/// The thumbprint of whatever chain a host serves, trusted or not; what it answers does not matter.
pub(super) async fn shown(places: &Places, host: &str) -> Result<Thumbprint, Stop> {
    let fetched = places.issuer_client().recording_untrusted().get(&format!("https://{host}/")).await;
    let fetched = fetched.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
    thumbprint::from_chain(&fetched.chain)
        .ok_or_else(|| Stop::new(Exit::Infrastructure, format!("{host} showed no certificate")))
}
