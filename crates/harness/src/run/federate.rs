//! What the cells need in the clouds, shared where it is the same, created once.

mod aws;
mod azure;
mod missing;
mod refusal;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use federation::Kind;
use federation::azure::IdentityIds;
use federation::thumbprint::Thumbprint;
use scenario::{Cell, Plan, Scenario};
use tokio::sync::SetOnce;
use trust::IssuerUrl;

use super::issuer_site::{self, Files, Home};
use super::kube_objects::Creator;
use super::render::{self, AccountTexts, Grounds, Names, Rendered};
use super::{Settings, places::Places};
use crate::exit::{Exit, Stop};
use crate::journal::{Journal, Undo};

pub(crate) use aws::{AwsSide, INLINE, thumbprints};
pub(crate) use azure::{AzureSide, check as check_azure, role};
pub(crate) use refusal::Refusal;

/// Calls to a cloud that are under way at the same time.
const AT_ONCE: usize = 16;

/// A cell with its names and texts.
#[derive(Debug)]
pub(crate) struct LiveCell {
    pub(crate) cell: Cell,
    pub(crate) names: Names,
    pub(crate) rendered: Rendered,
    /// What Azure calls its identity, once that exists.
    pub(crate) identity: SetOnce<IdentityIds>,
    /// Its texts that may hold the identity's ids, once they are known.
    pub(crate) account: SetOnce<AccountTexts>,
    /// The call of its provisioning that a cloud refused.
    pub(crate) refused: OnceLock<Refusal>,
}

impl LiveCell {
    /// Its texts that may hold its identity's ids; waits for these where it has an identity.
    pub(crate) async fn account(&self, scenario: &Scenario, issuer: &IssuerUrl) -> Result<&AccountTexts, Stop> {
        let identity = match self.names.azure {
            Some(_) => Some(self.identity.wait().await),
            None => None,
        };
        let texts = render::service_account(scenario, &self.cell, &self.names, issuer, identity)?;
        let _ = self.account.set(texts);
        Ok(self.account.wait().await)
    }
}

/// A cell that cannot be tried here.
#[derive(Debug)]
pub(crate) struct SkippedCell {
    pub(crate) cell: Cell,
    pub(crate) reason: String,
}

/// The clouds' side of a scenario.
#[derive(Debug)]
pub(crate) struct Federation {
    pub(crate) cells: Vec<Arc<LiveCell>>,
    pub(crate) skipped: Vec<SkippedCell>,
    pub(crate) aws: Option<AwsSide>,
    pub(crate) azure: Option<AzureSide>,
    /// Where the run publishes the cluster's issuer, if the cluster does not do that itself.
    home: Option<Home>,
}

impl Federation {
    /// Decides which cells can be tried, names everything and fills in the texts. Creates nothing, asks nobody.
    pub(crate) fn plan(settings: &Settings, plan: &Plan, places: &Places, journal: &Journal) -> Result<Self, Stop> {
        let (scenario, issuer) = (&plan.scenario, places.cluster.issuer());
        let tags = federation::Tags::new(settings.run.as_str(), settings.clock.now(), settings.expires);
        // A cluster that is there already publishes its issuer, or has an owner who does.
        let home = issuer_site::home(scenario, &settings.run).filter(|_| places.cluster.rotates_keys());
        let azure = places.azure().filter(|_| scenario.azure.is_some());
        let subscription = azure.map(|azure| azure.subscription());
        let mut cells = Vec::new();
        let mut skipped = Vec::new();
        let mut aws = scenario.aws.as_ref().map(|_| AwsSide::new(settings, tags.clone(), places)).transpose()?;
        for cell in &plan.cells {
            if let Some(reason) = missing::reason(settings, places, cell) {
                skipped.push(SkippedCell { cell: cell.clone(), reason });
                continue;
            }
            let account = match (&aws, places.aws()) {
                (Some(_), Some(clouds)) if cell.own_account => Some(account_of(clouds, places, journal, cell)?),
                (Some(_), Some(clouds)) => Some(clouds.account()),
                _ => None,
            };
            let grounds = Grounds {
                account: account.as_ref().map(|account| account.id.clone()),
                subscription: subscription.as_ref().map(|one| (one.tenant.clone(), one.id.clone())),
            };
            let names = Names::new(&settings.run, scenario, cell, &grounds);
            let rendered = render::render(scenario, cell, &names, issuer)?;
            if let (Some(aws), Some(account)) = (&mut aws, &account) {
                aws.add(cells.len(), account, aws::wanted(scenario, cell, &names, &rendered)?)
            }
            cells.push(Arc::new(LiveCell {
                cell: cell.clone(),
                names,
                rendered,
                identity: SetOnce::new(),
                account: SetOnce::new(),
                refused: OnceLock::new(),
            }));
        }
        let azure = match (&scenario.azure, subscription) {
            (Some(resources), Some(subscription)) => {
                let mut side = AzureSide::new(settings, tags, &subscription, &resources.location, places)?;
                for (at, cell) in cells.iter().enumerate() {
                    side.add(scenario, at, cell)?;
                }
                Some(side)
            }
            _ => None,
        };
        let mut federation = Self { cells, skipped, aws, azure, home };
        federation.expect_site();
        Ok(federation)
    }

    /// Names the issuer's site among what will be created. What its files hold is not known yet.
    fn expect_site(&mut self) {
        let files = Files { discovery: Vec::new(), keys: Vec::new() };
        if let (Some(home), Some(aws)) = (&self.home, &mut self.aws) {
            aws.expect(issuer_site::on_aws(home, &files));
        }
        if let (Some(home), Some(azure)) = (&self.home, &mut self.azure) {
            azure.expect(issuer_site::on_azure(home, &files, azure.owner()));
        }
    }

    /// Looks for OIDC providers that stand already. One of another is used as it is, if that is asked for. Tells which.
    ///
    /// # Errors
    /// Exit 96 where one stands and may not be used, or is of no use.
    pub(crate) async fn settle_providers(&mut self, may_reuse: bool) -> Result<Vec<String>, Stop> {
        match &mut self.aws {
            Some(aws) => aws.settle_providers(may_reuse).await,
            None => Ok(Vec::new()),
        }
    }

    /// Asks the clouds whether what will be created can be: nothing is created.
    pub(crate) async fn preflight(&self, journal: &Journal) -> Result<(), Stop> {
        match &self.azure {
            Some(azure) => azure.preflight(journal).await,
            None => Ok(()),
        }
    }

    /// What is written into the journal before anything is created.
    pub(crate) fn intentions(&self) -> Vec<(String, Undo)> {
        let aws = self.aws.iter().flat_map(AwsSide::intentions);
        aws.chain(self.azure.iter().flat_map(AzureSide::intentions)).collect()
    }

    /// Creates everything. `thumbprints` are those of the issuer, where they could be looked at beforehand.
    pub(crate) async fn apply(
        &self,
        places: &Places,
        creator: &Creator,
        thumbprints: Option<Vec<Thumbprint>>,
    ) -> Result<(), Stop> {
        let mut thumbprints = thumbprints;
        self.serve_issuers(places).await?;
        if let Some(home) = &self.home {
            self.found_site(home, places, creator).await?;
        }
        let aws = async {
            let Some(aws) = &self.aws else { return Ok(()) };
            let thumbprints = match thumbprints.take() {
                Some(known) => known,
                None => self::thumbprints(places).await?,
            };
            let seen = aws::Thumbprints { cluster: thumbprints, own: self.own_thumbprints(places).await? };
            aws.apply(creator, &seen, &self.cells).await
        };
        let azure = async {
            match &self.azure {
                Some(azure) => azure.apply(creator, &self.cells).await,
                None => Ok(()),
            }
        };
        futures::future::try_join(aws, azure).await.map(drop)
    }

    /// Serves the issuers that cells have to themselves.
    async fn serve_issuers(&self, places: &Places) -> Result<(), Stop> {
        let issuers: Vec<_> = self.cells.iter().filter_map(|cell| cell.rendered.issuer.as_ref()).collect();
        if issuers.is_empty() {
            return Ok(());
        }
        let stranger = places.stranger().await?;
        let ring = places.cluster.signing_key().await;
        let ring = ring.ok_or_else(|| Stop::new(Exit::Internal, "an issuer is to be served without its key"))?;
        for issuer in issuers {
            places.serve_issuer(issuer, ring.active().public_jwk(), stranger.public_jwk()).await?;
        }
        Ok(())
    }

    /// The thumbprints of the hosts of issuers that cells have to themselves.
    async fn own_thumbprints(&self, places: &Places) -> Result<Vec<(String, Thumbprint)>, Stop> {
        let hosts = self.cells.iter().filter_map(|cell| cell.rendered.issuer.as_ref()).map(|own| own.url.host());
        let hosts: BTreeSet<&str> = hosts.collect();
        let looks = hosts.into_iter().map(|host| async move { Ok((host.to_owned(), aws::shown(places, host).await?)) });
        futures::future::try_join_all(looks).await
    }

    /// Whether the issuer can be looked at before anything is created.
    pub(crate) fn issuer_is_up(&self) -> bool {
        self.home.is_none()
    }

    /// Makes the issuer's site and uploads its two files.
    async fn found_site(&self, home: &Home, places: &Places, creator: &Creator) -> Result<(), Stop> {
        let files = files(places).await?;
        if let Some(aws) = &self.aws {
            aws.found(creator, issuer_site::on_aws(home, &files)).await?;
        }
        if let Some(azure) = &self.azure {
            azure.found(creator, issuer_site::on_azure(home, &files, azure.owner())).await?;
        }
        Ok(())
    }

    /// Uploads the issuer's two files again, as they are now: its keys have changed. Nothing to do where the cluster publishes them itself.
    pub(crate) async fn publish_again(&self, places: &Places) -> Result<(), Stop> {
        let Some(home) = &self.home else { return Ok(()) };
        let files = files(places).await?;
        match (home, &self.aws, &self.azure) {
            (Home::Bucket { name, .. }, Some(aws), _) => aws.publish(name, &files).await,
            (Home::Container { account, name, .. }, _, Some(azure)) => azure.publish(account, name, &files).await,
            _ => Ok(()),
        }
    }

    /// What is created, and where, in words.
    pub(crate) fn size(&self) -> String {
        let aws = self.aws.as_ref().map(AwsSide::size);
        let azure = self.azure.as_ref().map(AzureSide::size);
        let word = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let mut parts = Vec::new();
        if let Some((things, accounts)) = aws {
            parts.push(format!("{} in {}", word(things, "resource"), word(accounts, "account")));
        }
        if let Some(things) = azure {
            parts.push(format!("{} in 1 subscription", word(things, "resource")));
        }
        parts.join(", ")
    }
}

/// The account that a cell has to itself: that of an earlier process of the run, or another one.
fn account_of(
    clouds: &dyn clouds::aws::Backend,
    places: &Places,
    journal: &Journal,
    cell: &Cell,
) -> Result<clouds::aws::Account, Stop> {
    if let Some(opened) = journal.account_of(&cell.id).and_then(|id| places.opened_account(&id).cloned()) {
        return Ok(opened);
    }
    let account = clouds.another_account().map_err(|error| Stop::caused(Exit::Internal, error))?;
    journal.has_account(&cell.id, account.id.as_str()).map_err(|error| Stop::unwritten(&error))?;
    Ok(account)
}

async fn files(places: &Places) -> Result<Files, Stop> {
    let (discovery, keys) =
        places.cluster.discovery().await.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
    Ok(Files { discovery, keys })
}

/// A creation that failed: nobody answered, or somebody refused.
fn failed(place: &str, kind: Option<Kind>, error: impl Into<anyhow::Error>) -> Stop {
    let exit = if kind == Some(Kind::Unavailable) { Exit::Infrastructure } else { Exit::Provisioning };
    Stop::new(exit, format!("{place}: {:#}", error.into()))
}
