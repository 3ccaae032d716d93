//! What the cells need on AWS, shared where it is the same, created once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clouds::{AwsAccount, Backend, Capability};
use federation::aws::{self, Access, ApplyError, Clients, Consistency, Desired, HttpStack, Kind, Tags};
use federation::thumbprint::{self, Thumbprint};
use futures::{StreamExt, TryStreamExt};
use scenario::{Cell, Expectation, Plan, Scenario};
use trust::IssuerUrl;

use super::render::{Names, Rendered, render};
use super::{Settings, places::Places};
use crate::exit::{Exit, Stop};
use crate::journal::{Journal, Undo, aws_label};

/// Calls to AWS that are under way at the same time.
const AT_ONCE: usize = 16;
/// How long what a run creates may stand before a sweep takes it.
const LIFETIME: jiff::SignedDuration = jiff::SignedDuration::from_hours(6);
const ISSUER_DEADLINE: Duration = Duration::from_secs(10);

/// A cell with its names and texts.
#[derive(Debug)]
pub(crate) struct LiveCell {
    pub(crate) cell: Cell,
    pub(crate) names: Names,
    pub(crate) rendered: Rendered,
}

/// A cell that cannot be tried here.
#[derive(Debug)]
pub(crate) struct SkippedCell {
    pub(crate) cell: Cell,
    pub(crate) reason: String,
}

/// The AWS side of a scenario.
#[derive(Debug)]
pub(crate) struct Federation {
    pub(crate) cells: Vec<Arc<LiveCell>>,
    pub(crate) skipped: Vec<SkippedCell>,
    /// One set of clients an account.
    accounts: BTreeMap<String, Clients>,
    /// Account and thing, each once.
    desired: Vec<(String, Desired)>,
    tags: Tags,
}

impl Federation {
    /// Decides which cells can be tried, names everything and fills in the policies. Creates nothing.
    pub(crate) async fn plan(
        settings: &Settings,
        plan: &Plan,
        places: &Places,
        issuer_key: bool,
    ) -> Result<Self, Stop> {
        let http = places.http_stack()?;
        let thumbprints = thumbprints(places).await?;
        let issuer = places.cluster.issuer();
        let expires = settings.clock.now().saturating_add(LIFETIME).unwrap_or(jiff::Timestamp::MAX);
        let mut federation = Self {
            cells: Vec::new(),
            skipped: Vec::new(),
            accounts: BTreeMap::new(),
            desired: Vec::new(),
            tags: Tags::new(settings.run.as_str(), expires),
        };
        for cell in &plan.cells {
            if let Some(reason) = missing(&*places.clouds, cell, issuer_key) {
                federation.skipped.push(SkippedCell { cell: cell.clone(), reason });
                continue;
            }
            let account = if cell.own_account { places.clouds.another_account() } else { Ok(places.clouds.account()) };
            let account = account.map_err(|error| Stop::caused(Exit::Internal, error))?;
            federation.add(settings, &plan.scenario, cell, &account, &http, issuer, &thumbprints)?;
        }
        Ok(federation)
    }

    #[allow(clippy::too_many_arguments, reason = "called from one place, which has just made them all")]
    fn add(
        &mut self,
        settings: &Settings,
        scenario: &Scenario,
        cell: &Cell,
        account: &AwsAccount,
        http: &HttpStack,
        issuer: &IssuerUrl,
        thumbprints: &[Thumbprint],
    ) -> Result<(), Stop> {
        let names = Names::new(&settings.run, scenario, cell, account.id.clone());
        let rendered = render(scenario, cell, &names, issuer)?;
        self.accounts.entry(account.id.to_string()).or_insert_with(|| Clients::new(&access(scenario, account), http));
        for desired in wanted(scenario, &names, &rendered, thumbprints) {
            let entry = (account.id.to_string(), desired);
            if !self.desired.contains(&entry) {
                self.desired.push(entry);
            }
        }
        self.cells.push(Arc::new(LiveCell { cell: cell.clone(), names, rendered }));
        Ok(())
    }

    /// What is written into the journal before anything is created.
    pub(crate) fn intentions(&self) -> Result<Vec<(String, Undo)>, Stop> {
        let intention = |(account, desired): &(String, Desired)| {
            let clients = self.clients(account)?;
            let undo = desired.undo(clients.account(), clients.region());
            Ok((aws_label(&desired.label(), &undo), Undo::Aws(undo)))
        };
        self.desired.iter().map(intention).collect()
    }

    /// Creates everything.
    pub(crate) async fn apply(&self, journal: &Journal) -> Result<(), Stop> {
        for stage in self.stages() {
            futures::stream::iter(stage)
                .map(|(account, desired)| async move {
                    let clients = self.clients(&account)?;
                    aws::create_journaled(clients, &desired, &self.tags, journal)
                        .await
                        .map_err(|error| failed(&account, error))
                })
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<_>>()
                .await?;
        }
        Ok(())
    }

    fn stages(&self) -> Vec<Vec<(String, Desired)>> {
        let mut rounds: Vec<Vec<(String, Desired)>> = Vec::new();
        for account in self.accounts.keys() {
            let ours =
                self.desired.iter().filter(|(owner, _)| owner == account).map(|(_, desired)| desired.clone()).collect();
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
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.desired.len(), self.accounts.len())
    }
}

/// A creation that failed: nobody answered, or somebody refused.
fn failed(account: &str, error: ApplyError) -> Stop {
    let exit = match &error {
        ApplyError::Provision(error) if error.kind == Kind::Unavailable => Exit::Infrastructure,
        ApplyError::Provision(_) | ApplyError::Ledger(_) => Exit::Provisioning,
    };
    Stop::new(exit, format!("account {account}: {:#}", anyhow::Error::from(error)))
}

/// Why a cell cannot be tried with these clouds, if it cannot.
fn missing(clouds: &dyn Backend, cell: &Cell, issuer_key: bool) -> Option<String> {
    let fault = cell.fault.as_ref()?;
    let capabilities = clouds.capabilities();
    if cell.own_account && !capabilities.has(Capability::SeparateAccounts) {
        return Some(format!("it needs an AWS account of its own, and {} has one only", clouds.title()));
    }
    if let Expectation::Refused { link, .. } = &fault.expect {
        let needed = Capability::for_link(*link).filter(|&needed| !capabilities.has(needed));
        if let Some(needed) = needed {
            return Some(format!("{} is not known to check this ({needed})", clouds.title()));
        }
    }
    if cell.access.token.expired_for_seconds.is_some() && !issuer_key {
        return Some(
            "only whoever holds the issuer's private key can make a genuine token that has expired".to_owned(),
        );
    }
    None
}

fn access(scenario: &Scenario, account: &AwsAccount) -> Access {
    Access {
        account: account.id.clone(),
        region: scenario.aws.region.clone(),
        access_key_id: account.access_key_id.clone(),
        secret_access_key: account.secret_access_key.clone(),
        session_token: account.session_token.clone(),
        endpoint: None,
        consistency: Consistency::Immediate,
    }
}

fn wanted(scenario: &Scenario, names: &Names, rendered: &Rendered, thumbprints: &[Thumbprint]) -> Vec<Desired> {
    let mut wanted = vec![
        Desired::Bucket { name: names.bucket.clone() },
        Desired::Object {
            bucket: names.bucket.clone(),
            key: scenario.aws.object_key.clone(),
            body: scenario.aws.object.clone(),
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
        wanted.push(Desired::OidcProvider {
            url: url.clone(),
            client_ids: client_ids.clone(),
            thumbprints: thumbprints.to_vec(),
        });
    }
    wanted
}

/// The thumbprints of the chains that the issuer really serves, seen through the wire.
async fn thumbprints(places: &Places) -> Result<Vec<Thumbprint>, Stop> {
    let roots = transport::Roots::pem(places.wire.root_pem()).map_err(|error| Stop::caused(Exit::Internal, error))?;
    let client = transport::Client::new(roots, ISSUER_DEADLINE).through(places.proxy.clone());
    thumbprint::of_issuer(&client, places.cluster.issuer())
        .await
        .map_err(|error| Stop::caused(Exit::Infrastructure, error))
}
