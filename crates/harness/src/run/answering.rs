//! Who answers on the wire: the wire itself, the clouds behind it, and the harness's own way through it. One for all scenarios of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clouds::{CloudError, aws, azure};
use egress::{Egress, EgressConfig, HostPattern, PatternError, Upstream};
use federation::Wire;
use scenario::{Cell, Plan};
use tokio::sync::OnceCell;
use transport::{Authority, Client, Proxy, Roots};
use trust::{AccountId, IssuerUrl, Secret, SharedClock, SigningKey};
use uuid::Uuid;

use super::stock::Stock;
use super::{Settings, random_u32};
use crate::environment::AwsKeys;
use crate::exit::{Exit, Stop};
use crate::journal::Book;

/// What the real AWS grants an issuer (AWS re:Post, "Couldn't retrieve verification key"); Entra ID publishes no figure.
const ISSUER_DEADLINE: Duration = Duration::from_secs(5);
/// The run itself waits longer for one.
const ISSUER_LOOK: Duration = Duration::from_secs(10);
/// What the run's own issuers get that take longer than that on purpose: a run waits for them.
const SLOW_ISSUER: (&str, Duration) = (super::own_issuer::SLOW_HOST, Duration::from_secs(1));
/// Name under which the harness's own requests stand in the request log.
const HARNESS_CLIENT: &str = "harness";
/// First account of the simulated AWS; one of the ids that AWS's own documentation uses.
const FIRST_ACCOUNT: &str = "111122223333";

/// Everything that answers.
#[derive(Debug)]
pub(crate) struct Answering {
    pub(crate) wire: Egress,
    /// Reaches issuers as the clouds do.
    pub(crate) issuer_client: Client,
    pub(crate) aws: Option<Aws>,
    pub(crate) azure: Option<Azure>,
    /// What stood in the clouds when the run began.
    pub(crate) before: Stock,
    /// Accounts that an earlier process of the run opened for its cells.
    pub(crate) opened: Vec<aws::Account>,
    /// What answers for each issuer, by its host: managed clusters of a region share one.
    issuers: Mutex<BTreeMap<String, BTreeMap<String, axum::Router>>>,
    /// A key that no issuer signs with, made when a fault asks for it.
    stranger: OnceCell<Arc<SigningKey>>,
    /// Whose certificates no cloud trusts, made when a fault asks for it.
    private: OnceCell<Authority>,
    clock: SharedClock,
}

/// Who answers for AWS, and connections to it.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) backend: Box<dyn aws::Backend>,
    pub(crate) http: federation::aws::HttpStack,
}

/// Who answers for Azure, and connections to it.
#[derive(Debug)]
pub(crate) struct Azure {
    pub(crate) backend: Box<dyn azure::Backend>,
    pub(crate) http: federation::azure::HttpStack,
}

/// A password that nobody guesses.
pub(crate) fn password() -> Secret {
    Secret::new(Uuid::new_v4().simple().to_string())
}

pub(crate) fn title(settings: &Settings) -> String {
    match (&settings.sandbox, &settings.options.place.aws_endpoint) {
        (Some(_), _) => "sandbox".to_owned(),
        (None, Some(url)) => format!("endpoint {url}"),
        (None, None) => "simulated".to_owned(),
    }
}

impl Answering {
    /// Lays the wire and puts on it whatever clouds the scenarios name.
    pub(crate) async fn up(settings: &Settings, plans: &[Plan], book: &Book) -> Result<Self, Stop> {
        let cloud = |error: CloudError| Stop::caused(Exit::Infrastructure, error);
        let internal = |error: anyhow::Error| Stop::new(Exit::Internal, format!("{error:#}"));
        let wire = lay(&settings.clock).await?;
        let proxy = wire.admit(HARNESS_CLIENT, password());
        let route = Wire { proxy_url: Some(proxy.url()), root_pem: wire.root_pem().to_owned() };
        let mut answering = Self {
            wire,
            issuer_client: issuer_client(settings, proxy, &route.root_pem)?,
            aws: None,
            azure: None,
            before: Stock::default(),
            opened: opened_accounts(settings, book).await?,
            issuers: Mutex::default(),
            stranger: OnceCell::new(),
            private: OnceCell::new(),
            clock: settings.clock.clone(),
        };
        let regions = regions(plans);
        if !regions.is_empty() {
            let http = federation::aws::HttpStack::new(Some(&route)).map_err(|error| internal(error.into()))?;
            let backend = aws_backend(settings, plans, book, &answering, &http).await?;
            backend.attach(&answering.wire, &regions).map_err(cloud)?;
            answering.aws = Some(Aws { backend, http });
        }
        if plans.iter().any(|plan| plan.scenario.azure.is_some()) {
            let http = federation::azure::HttpStack::new(Some(&route)).map_err(|error| internal(error.into()))?;
            let backend = azure_backend(settings, &answering)?;
            backend.attach(&answering.wire).map_err(cloud)?;
            answering.azure = Some(Azure { backend, http });
        }
        answering.before = answering.stock();
        Ok(answering)
    }

    /// What stands in the clouds now.
    pub(crate) fn stock(&self) -> Stock {
        Stock::of(self.aws.as_ref().map(|aws| &*aws.backend), self.azure.as_ref().map(|azure| &*azure.backend))
    }

    /// Puts an issuer's site on the wire, beside others of its host.
    pub(crate) fn route_issuer(&self, issuer: &IssuerUrl, site: axum::Router) -> Result<(), PatternError> {
        // The wire's table knows names without ports.
        let host = issuer.host();
        let host = host.split_once(':').map_or(host, |(name, _)| name).to_owned();
        let pattern: HostPattern = host.parse()?;
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        let sites = issuers.entry(host).or_default();
        sites.insert(issuer.to_string(), site);
        let merged = sites.values().cloned().fold(axum::Router::new(), axum::Router::merge);
        self.wire.route(pattern, Upstream::service("the cluster's issuer", merged));
        Ok(())
    }

    /// A key that no issuer signs with.
    pub(crate) async fn stranger(&self) -> Result<Arc<SigningKey>, Stop> {
        let made = self.stranger.get_or_try_init(|| async {
            let made = tokio::task::spawn_blocking(SigningKey::generate).await;
            let made = made.map_err(|error| Stop::caused(Exit::Internal, error))?;
            made.map(Arc::new).map_err(|error| Stop::caused(Exit::Internal, error))
        });
        made.await.cloned()
    }

    /// Has a host show a certificate that no cloud trusts.
    pub(crate) async fn distrust(&self, host: &str) -> Result<(), Stop> {
        let made = self.private.get_or_try_init(|| async {
            let made = Authority::generate("crossfed private", &*self.clock);
            made.map_err(|error| Stop::caused(Exit::Infrastructure, error))
        });
        self.wire.present(host, made.await?).map_err(|error| Stop::caused(Exit::Infrastructure, error))
    }

    pub(crate) async fn down(&self) {
        self.wire.stop().await;
    }
}

/// In a sandbox, what its clouds see: the certificates behind its wire, not those of ours.
fn issuer_client(settings: &Settings, proxy: Proxy, root_pem: &str) -> Result<Client, Stop> {
    let (proxy, root_pem) = match &settings.sandbox {
        Some(pass) => (pass.proxy()?, pass.root_pem.as_str()),
        None => (proxy, root_pem),
    };
    let roots = Roots::pem(root_pem).map_err(|error| Stop::caused(Exit::Internal, error))?;
    Ok(Client::new(roots, ISSUER_LOOK).through(proxy))
}

/// A wire with nobody on it.
pub(crate) async fn lay(clock: &SharedClock) -> Result<Egress, Stop> {
    let authority = Authority::generate("crossfed wire", &**clock);
    let authority = Arc::new(authority.map_err(|error| Stop::caused(Exit::Infrastructure, error))?);
    let wire = Egress::start(EgressConfig { authority, clock: clock.clone() }).await;
    wire.map_err(|error| Stop::caused(Exit::Infrastructure, error))
}

/// An AWS of this house with one account, which looks at issuers over the wire.
pub(crate) fn simulated_aws<'a>(
    clock: &SharedClock,
    wire: &'a Egress,
    issuer_exception: Option<(&'a str, Duration)>,
    propagation: Option<f64>,
) -> Result<aws::SimulatedConfig<'a>, Stop> {
    let first_account = FIRST_ACCOUNT.parse::<AccountId>().map_err(|error| Stop::caused(Exit::Internal, error))?;
    Ok(aws::SimulatedConfig {
        clock: clock.clone(),
        wire,
        issuer_deadline: ISSUER_DEADLINE,
        issuer_exception,
        wire_password: password(),
        first_account,
        options: aws::AwsSimOptions {
            propagation: propagation.map(|factor| aws::Propagation::scaled(factor, u64::from(random_u32()))),
            ..aws::AwsSimOptions::default()
        },
    })
}

/// An Azure of this house with one tenant and subscription, which looks at issuers over the wire.
pub(crate) fn simulated_azure<'a>(
    clock: &SharedClock,
    wire: &'a Egress,
    issuer_exception: Option<(&'a str, Duration)>,
    propagation: Option<f64>,
) -> azure::SimulatedConfig<'a> {
    azure::SimulatedConfig {
        clock: clock.clone(),
        wire,
        issuer_deadline: ISSUER_DEADLINE,
        issuer_exception,
        wire_password: password(),
        tenant: Uuid::new_v4(),
        subscription: Uuid::new_v4(),
        options: azure::AzureSimOptions {
            propagation: propagation.map(|factor| azure::Propagation::scaled(factor, u64::from(random_u32()))),
            ..azure::AzureSimOptions::default()
        },
    }
}

/// Variables by which a container chooses its region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The regions of AWS that the scenarios and their faults use; none where they use no AWS.
fn regions(plans: &[Plan]) -> Vec<&str> {
    let scenarios = plans.iter().filter_map(|plan| Some((plan.scenario.aws.as_ref()?, &plan.cells)));
    let mut regions = BTreeSet::new();
    for (aws, cells) in scenarios {
        regions.insert(aws.region.as_str());
        for Cell { access, .. } in cells {
            regions.extend(access.webhooks.aws_pod_identity.iter().map(|webhook| webhook.default_aws_region.as_str()));
            regions.extend(REGIONS.iter().filter_map(|name| access.env.get(*name)).map(String::as_str));
        }
    }
    regions.into_iter().filter(|region| !region.is_empty()).collect()
}

fn azure_backend(settings: &Settings, answering: &Answering) -> Result<Box<dyn azure::Backend>, Stop> {
    let Some(pass) = &settings.sandbox else {
        let propagation = settings.options.propagation;
        let config = simulated_azure(&settings.clock, &answering.wire, Some(SLOW_ISSUER), propagation);
        let simulated = azure::Simulated::new(config).map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
        return Ok(Box::new(simulated));
    };
    let config = azure::ElsewhereConfig { upstream: pass.upstream()?, subscription: pass.azure.clone() };
    Ok(Box::new(azure::Elsewhere::new(config)))
}

/// Keys for the accounts that an earlier process of the run opened.
async fn opened_accounts(settings: &Settings, book: &Book) -> Result<Vec<aws::Account>, Stop> {
    let Some(pass) = &settings.sandbox else { return Ok(Vec::new()) };
    futures::future::try_join_all(book.accounts().map(|id| pass.account(id))).await
}

async fn aws_backend(
    settings: &Settings,
    plans: &[Plan],
    book: &Book,
    answering: &Answering,
    http: &federation::aws::HttpStack,
) -> Result<Box<dyn aws::Backend>, Stop> {
    let wire = &answering.wire;
    if let Some(pass) = &settings.sandbox {
        // A cell asks nobody when it wants an account to itself.
        let cells = plans.iter().flat_map(|plan| plan.cells.iter().map(move |cell| (&plan.scenario.name, cell)));
        let alone = cells.filter(|(scenario, cell)| cell.own_account && book.account_of(scenario, &cell.id).is_none());
        let spare = futures::future::try_join_all(alone.map(|_| pass.another_account())).await?;
        let config = aws::ElsewhereConfig { upstream: pass.upstream()?, account: pass.aws.clone(), spare };
        return Ok(Box::new(aws::Elsewhere::new(config)));
    }
    let internal = |error: trust::ArnError| Stop::caused(Exit::Internal, error);
    let Some(url) = &settings.options.place.aws_endpoint else {
        let config = simulated_aws(&settings.clock, wire, Some(SLOW_ISSUER), settings.options.propagation)?;
        let simulated = aws::Simulated::new(config).map_err(|error| Stop::caused(Exit::Internal, error))?;
        return Ok(Box::new(simulated));
    };
    let Some(keys) = settings.environment.aws_keys.clone() else {
        let message =
            "--aws-endpoint needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (most emulators take any value)";
        return Err(Stop::new(Exit::Preflight, message));
    };
    let usage = |error: CloudError| Stop::caused(Exit::Usage, error);
    let account = |id: AccountId| aws::Account {
        id,
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone(),
        session_token: keys.session_token.clone(),
    };
    let config = |id| aws::EndpointConfig {
        url: url.clone(),
        account: account(id),
        enforces: settings.options.place.enforces(),
    };
    let id = match &settings.options.place.aws_account {
        Some(id) => id.clone(),
        None => {
            // Its STS is asked over the same wire as everything after it.
            let unknown = "000000000000".parse().map_err(internal)?;
            let endpoint = aws::Endpoint::new(config(unknown)).map_err(usage)?;
            aws::Backend::attach(&endpoint, wire, &["us-east-1"]).map_err(usage)?;
            caller_account(http, &keys).await?
        }
    };
    Ok(Box::new(aws::Endpoint::new(config(id)).map_err(usage)?))
}

async fn caller_account(http: &federation::aws::HttpStack, keys: &AwsKeys) -> Result<AccountId, Stop> {
    federation::aws::caller_account(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.session_token.as_ref(),
        None,
        http,
    )
    .await
    .map_err(|error| {
        Stop::new(
            Exit::Infrastructure,
            format!("the endpoint does not say whose keys these are: {error}; pass --aws-account ID"),
        )
    })
}
