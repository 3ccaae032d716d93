//! AWS's side of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use clouds::aws::Account;
use federation::aws::{self, Access, ApplyError, Clients, Desired, HttpStack};
use federation::thumbprint::{self, Thumbprint};
use federation::{Consistency, Tags};
use futures::{StreamExt, TryStreamExt};
use scenario::Scenario;

use super::super::issuer_site::Files;
use super::super::places::Places;
use super::super::render::{Names, Rendered};
use super::{AT_ONCE, failed};
use crate::exit::{Exit, Stop};
use crate::journal::{Journal, Undo, aws_label};

const ISSUER_DEADLINE: Duration = Duration::from_secs(10);

/// What is wanted in which account.
#[derive(Debug)]
pub(crate) struct AwsSide {
    http: HttpStack,
    /// One set of clients an account, the first account's first.
    accounts: BTreeMap<String, Clients>,
    /// The account in which the issuer's bucket stands.
    first: Option<String>,
    /// Account and thing, each once.
    desired: Vec<(String, Desired)>,
    /// What stands before everything else: the issuer's bucket.
    site: Vec<Desired>,
    tags: Tags,
}

impl AwsSide {
    pub(super) fn new(tags: Tags, places: &Places) -> Result<Self, Stop> {
        let http = places.aws_stack()?;
        Ok(Self { http, accounts: BTreeMap::new(), first: None, desired: Vec::new(), site: Vec::new(), tags })
    }

    pub(super) fn add(&mut self, scenario: &Scenario, account: &Account, names: &Names, rendered: &Rendered) {
        let id = account.id.to_string();
        self.first.get_or_insert_with(|| id.clone());
        let http = &self.http;
        self.accounts.entry(id.clone()).or_insert_with(|| Clients::new(&access(scenario, account), http));
        for desired in wanted(scenario, names, rendered) {
            let entry = (id.clone(), desired);
            if !self.desired.contains(&entry) {
                self.desired.push(entry);
            }
        }
    }

    pub(super) fn expect(&mut self, site: Vec<Desired>) {
        self.site = site;
    }

    pub(super) fn intentions(&self) -> impl Iterator<Item = (String, Undo)> {
        let first = self.first.iter();
        let site = first.flat_map(|account| self.site.iter().map(move |desired| (account, desired)));
        let rest = self.desired.iter().map(|(account, desired)| (account, desired));
        site.chain(rest).filter_map(|(account, desired)| {
            let clients = self.accounts.get(account)?;
            let undo = desired.undo(clients.account(), clients.region());
            Some((aws_label(&desired.label(), &undo), Undo::Aws(undo)))
        })
    }

    pub(super) async fn apply(&self, journal: &Journal, thumbprints: &[Thumbprint]) -> Result<(), Stop> {
        for stage in self.stages(thumbprints) {
            self.create(journal, stage).await?;
        }
        Ok(())
    }

    /// Makes the issuer's bucket with what is in it.
    pub(super) async fn found(&self, journal: &Journal, site: Vec<Desired>) -> Result<(), Stop> {
        let Some(account) = &self.first else { return Ok(()) };
        for stage in aws::stages(site) {
            self.create(journal, stage.into_iter().map(|desired| (account.clone(), desired)).collect()).await?;
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

    async fn create(&self, journal: &Journal, stage: Vec<(String, Desired)>) -> Result<(), Stop> {
        futures::stream::iter(stage)
            .map(|(account, desired)| async move {
                let clients = self.clients(&account)?;
                aws::create_journaled(clients, &desired, &self.tags, journal).await.map_err(|error| {
                    let kind = match &error {
                        ApplyError::Provision(error) => Some(error.kind),
                        ApplyError::Ledger(_) => None,
                    };
                    failed(&format!("account {account}"), kind, error)
                })
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await
            .map(drop)
    }

    fn stages(&self, thumbprints: &[Thumbprint]) -> Vec<Vec<(String, Desired)>> {
        let mut rounds: Vec<Vec<(String, Desired)>> = Vec::new();
        for account in self.accounts.keys() {
            let ours = self.desired.iter().filter(|(owner, _)| owner == account);
            let ours = ours.map(|(_, desired)| with_thumbprints(desired, thumbprints)).collect();
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

    /// All accounts in use.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Clients> {
        self.accounts.values()
    }

    /// Whether a provider with this ARN is one of those that the run creates.
    pub(crate) fn made_provider(&self, arn: &str) -> bool {
        self.desired.iter().any(|(account, desired)| match (desired, self.accounts.get(account)) {
            (Desired::OidcProvider { .. }, Some(clients)) => {
                desired.arn(clients.account(), clients.region()).is_some_and(|ours| ours.to_string() == arn)
            }
            _ => false,
        })
    }

    /// How many things are created, in how many accounts.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.desired.len() + self.site.len(), self.accounts.len())
    }
}

fn access(scenario: &Scenario, account: &Account) -> Access {
    Access {
        account: account.id.clone(),
        region: scenario.aws.as_ref().map(|aws| aws.region.clone()).unwrap_or_default(),
        access_key_id: account.access_key_id.clone(),
        secret_access_key: account.secret_access_key.clone(),
        session_token: account.session_token.clone(),
        endpoint: None,
        consistency: Consistency::Immediate,
    }
}

fn wanted(scenario: &Scenario, names: &Names, rendered: &Rendered) -> Vec<Desired> {
    let (Some(resources), Some(names), Some(rendered)) = (&scenario.aws, &names.aws, &rendered.aws) else {
        return Vec::new();
    };
    let mut wanted = vec![
        Desired::Bucket { name: names.bucket.clone() },
        Desired::Object {
            bucket: names.bucket.clone(),
            key: resources.object_key.clone(),
            body: resources.object.clone(),
            content_type: None,
        },
        Desired::Policy { name: names.policy.clone(), document: rendered.permission_policy.clone() },
        Desired::Role {
            name: names.role.clone(),
            trust_policy: rendered.trust_policy.clone(),
            max_session_seconds: None,
        },
        Desired::Attachment { role: names.role.clone(), policy_arn: rendered.policy_arn.clone() },
    ];
    if let Some((url, client_ids)) = &rendered.provider {
        // The thumbprints are known once the issuer has been looked at.
        let (url, client_ids) = (url.clone(), client_ids.clone());
        wanted.push(Desired::OidcProvider { url, client_ids, thumbprints: Vec::new() });
    }
    wanted
}

fn with_thumbprints(desired: &Desired, seen: &[Thumbprint]) -> Desired {
    let mut desired = desired.clone();
    if let Desired::OidcProvider { thumbprints, .. } = &mut desired {
        *thumbprints = seen.to_vec();
    }
    desired
}

/// The thumbprints of the chains that the issuer really serves, seen through the wire.
pub(crate) async fn thumbprints(places: &Places) -> Result<Vec<Thumbprint>, Stop> {
    let roots = transport::Roots::pem(places.wire().root_pem()).map_err(|error| Stop::caused(Exit::Internal, error))?;
    let client = transport::Client::new(roots, ISSUER_DEADLINE).through(places.proxy().clone());
    thumbprint::of_issuer(&client, places.cluster.issuer())
        .await
        .map_err(|error| Stop::caused(Exit::Infrastructure, error))
}
