//! What a sandbox is made of, from its private folder to its webhooks.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clouds::{aws, azure};
use cluster::issuer::{aks, eks, s3_bucket};
use cluster::{
    AzureLayout, Cluster, Embedded, EmbeddedConfig, LONGEST_TOKEN, NodeChoice, PreparedWebhook, Surroundings, Webhook,
    WebhookInstallation,
};
use egress::{Egress, HostPattern, Upstream};
use kubelet::Programs;
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;
use transport::Authority;
use trust::{IssuerUrl, Secret, SharedClock, SystemClock};
use uuid::Uuid;

use super::desk::{self, Desk};
use super::endpoints::Endpoints;
use super::exports::{self, Facts};
use super::pass::{self, Pass};
use super::state::{self, Keeper, Kept};
use super::{Flags, FlavorKind};
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::run::answering::{lay, password, simulated_aws, simulated_azure};
use crate::run::kube_objects;
use crate::run::places::WORKLOADS;
use crate::run::private_folder::PrivateFolder;

/// Name under which the user's programs and pods stand in the request log.
const CLIENT: &str = "sandbox";
/// A program that exchanges many tokens is not slowed down by the look at the issuer.
const ISSUER_KEYS_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// `az` and the Python SDK take 0 for nothing said, and look again after half a minute.
const RETRY_AFTER: u32 = 1;
/// Region of an AKS cluster.
const AKS_REGION: &str = "westeurope";
/// The regions that an account has without asking (AWS account management guide, "Enable or disable AWS Regions").
const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Everything that is up.
pub(super) struct Serving {
    cluster: Cluster,
    webhooks: Vec<PreparedWebhook>,
    wire: Egress,
    endpoints: Option<Endpoints>,
    variables: Vec<(&'static str, String)>,
    flavor: FlavorKind,
    env_file: PathBuf,
    keeper: Option<(Arc<Keeper>, AbortOnDropHandle<()>)>,
    /// Last, so that it goes when nothing uses it any more.
    _folder: PrivateFolder,
}

/// Cluster and clouds, as they begin.
struct Ground {
    embedded: Arc<Embedded>,
    aws: Arc<aws::Simulated>,
    azure: Arc<azure::Simulated>,
    /// They were there before.
    is_old: bool,
}

impl Serving {
    pub(super) async fn up(flags: &Flags, environment: &Environment) -> Result<Self, Stop> {
        let clock: SharedClock = Arc::new(SystemClock);
        let kept = flags.state.as_ref().map(|path| state::Folder::take(&environment.working_dir.join(path)));
        let (state_folder, kept) = kept.transpose()?.unzip();
        let kept = fitting(kept.flatten(), flags)?;
        let folder = PrivateFolder::named("sandbox", &environment.working_dir.join(".crossfed-sandbox"))?;
        let infra = |error: anyhow::Error| Stop::new(Exit::Infrastructure, format!("{error:#}"));
        let authority = Authority::generate("crossfed cluster", &*clock).map_err(|error| infra(error.into()))?;
        let authority = Arc::new(authority);
        let (kubeconfig, root) = (folder.path().join("kubeconfig"), folder.path().join("ca.crt"));
        let wire = lay(&clock).await?;
        write_private(&root, wire.root_pem())?;
        let Ground { embedded, aws, azure, is_old } = ground(flags, &clock, &wire, &authority, &kubeconfig, kept)?;
        let proxy = wire.admit(CLIENT, password());
        let surroundings = Surroundings {
            folder: folder.path().to_owned(),
            authority,
            clock: clock.clone(),
            programs: programs(flags, environment)?,
            environment: exports::wire(Some(&proxy), &root)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            node_name: "sandbox".to_owned(),
            node_labels: std::collections::BTreeMap::new(),
            node_watch: cluster::NodeWatch::default(),
            namespaces: String::new(),
        };
        let cluster = Cluster::up(embedded.clone(), surroundings, NodeChoice::Process);
        let cluster = cluster.await.map_err(|error| infra(error.into()))?;
        let host: HostPattern = cluster.issuer().host().parse().map_err(|error| Stop::caused(Exit::Internal, error))?;
        wire.route(host, Upstream::service("the cluster's issuer", cluster.issuer_site()));
        let (account, subscription) = (aws::Backend::account(&*aws), azure::Backend::subscription(&*azure));
        let webhooks = register_webhooks(flags, &cluster, &subscription.tenant, is_old).await?;
        let endpoints = if flags.endpoints { Some(Endpoints::open(&aws, &azure, &wire).await?) } else { None };
        let variables = exports::variables(&Facts {
            kubeconfig: &kubeconfig,
            root: &root,
            proxy: &proxy,
            region: &flags.region,
            account: &account,
            subscription: &subscription,
            issuer: cluster.issuer(),
            endpoints: endpoints.as_ref(),
        });
        let env_file = folder.path().join("env");
        write_private(&env_file, &exports::lines(&variables))?;
        let pass = Pass {
            flavor: flags.flavor,
            issuer: cluster.issuer().clone(),
            file: folder.path().join(pass::FILE),
            kubeconfig: Secret::new(read(&kubeconfig)?),
            root_pem: wire.root_pem().to_owned(),
            proxy: proxy.url(),
            propagation: flags.propagation,
            keeps_state: flags.state.is_some(),
            aws: account,
            azure: subscription,
        };
        let text = serde_json::to_string_pretty(&pass).map_err(|error| Stop::caused(Exit::Internal, error))?;
        write_private(&pass.file, &text)?;
        let host = pass::HOST.parse().map_err(|error: egress::PatternError| Stop::caused(Exit::Internal, error))?;
        let desk = Desk { pass, aws: aws.clone(), azure: azure.clone(), log: wire.log().clone() };
        wire.route(host, Upstream::service("this sandbox", desk::router(desk)));
        let keeper = state_folder.map(|folder| {
            let (flavor, region) = (flags.flavor, flags.region.clone());
            let keeper = Keeper { folder, flavor, region, cluster: embedded, aws, azure, written: Mutex::default() };
            let keeper = Arc::new(keeper);
            let saving = keeper.clone();
            (keeper, AbortOnDropHandle::new(tokio::spawn(async move { saving.keep_saving().await })))
        });
        let flavor = flags.flavor;
        Ok(Self { cluster, webhooks, wire, endpoints, variables, flavor, env_file, keeper, _folder: folder })
    }

    /// What a command inside finds.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Lines for a shell, with what is up as comments.
    pub(super) fn announcement(&self, took: Duration) -> String {
        let issuer = self.cluster.issuer();
        let webhooks: Vec<&str> = self.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
        format!(
            "# crossfed sandbox, like {}: ready after {} ms\n# issuer    {issuer}\n# webhooks  {}\n{}# In another terminal: . {}\n# Ctrl-C ends it.\n",
            self.flavor.word(),
            took.as_millis(),
            webhooks.join(", "),
            exports::lines(&self.variables),
            self.env_file.display(),
        )
    }

    /// # Errors
    /// When its state could not be kept.
    pub(super) async fn down(self) -> Result<(), Stop> {
        let saved = match self.keeper {
            Some((keeper, saving)) => {
                drop(saving);
                keeper.save().await
            }
            None => Ok(()),
        };
        // Pods first: what they do while they end still has its clouds.
        self.cluster.down().await;
        for webhook in self.webhooks {
            webhook.stop().await;
        }
        if let Some(endpoints) = self.endpoints {
            endpoints.close().await;
        }
        self.wire.stop().await;
        saved
    }
}

/// A folder's state is taken up by a sandbox of its kind.
fn fitting(kept: Option<Kept>, flags: &Flags) -> Result<Option<Kept>, Stop> {
    if let Some(kept) = &kept
        && (kept.flavor, kept.region.as_str()) != (flags.flavor, flags.region.as_str())
    {
        let message = format!(
            "--state: it holds a sandbox like {} in {}: pass --flavor {} --region {}",
            kept.flavor.word(),
            kept.region,
            kept.flavor.word(),
            kept.region
        );
        return Err(Stop::new(Exit::Usage, message));
    }
    Ok(kept)
}

/// Cluster and clouds with nothing in them, or as they were.
fn ground(
    flags: &Flags,
    clock: &SharedClock,
    wire: &Egress,
    authority: &Arc<Authority>,
    kubeconfig: &Path,
    kept: Option<Kept>,
) -> Result<Ground, Stop> {
    let config = |issuer| EmbeddedConfig {
        issuer,
        shape: flags.flavor.shape(),
        authority: authority.clone(),
        clock: clock.clone(),
        kubeconfig: kubeconfig.to_owned(),
        longest_token: LONGEST_TOKEN,
    };
    let (mut aws, mut azure) =
        (simulated_aws(clock, wire, None, flags.propagation)?, simulated_azure(clock, wire, None, flags.propagation));
    aws.options.issuer_keys_kept = ISSUER_KEYS_KEPT;
    azure.options.retry_after = RETRY_AFTER;
    let preflight = |error: anyhow::Error| Stop::new(Exit::Preflight, format!("--state: {error:#}"));
    let internal = |error: clouds::CloudError| Stop::caused(Exit::Internal, error);
    let (embedded, aws, azure, is_old) = match kept {
        Some(kept) => {
            let embedded = Embedded::resuming(config(kept.cluster.issuer.clone()), kept.cluster);
            (
                embedded.map_err(|error| preflight(error.into()))?,
                aws::Simulated::resuming(aws, kept.aws).map_err(|error| preflight(error.into()))?,
                azure::Simulated::resuming(azure, kept.azure).map_err(|error| preflight(error.into()))?,
                true,
            )
        }
        // Its key begins to be made here, the slowest single step of all.
        None => (
            Embedded::new(config(issuer(flags)?)),
            aws::Simulated::new(aws).map_err(internal)?,
            azure::Simulated::new(azure).map_err(internal)?,
            false,
        ),
    };
    let usage =
        |error: clouds::CloudError| Stop::new(Exit::Usage, format!("--region: {:#}", anyhow::Error::from(error)));
    let regions: Vec<&str> = REGIONS.into_iter().chain([flags.region.as_str()]).collect();
    aws::Backend::attach(&aws, wire, &regions).map_err(usage)?;
    azure::Backend::attach(&azure, wire).map_err(usage)?;
    Ok(Ground { embedded: Arc::new(embedded), aws: Arc::new(aws), azure: Arc::new(azure), is_old })
}

fn issuer(flags: &Flags) -> Result<IssuerUrl, Stop> {
    let id = || Uuid::new_v4().to_string();
    let issuer = match flags.flavor {
        FlavorKind::Aks => aks(AKS_REGION, &id(), &id()),
        FlavorKind::Eks => eks(&flags.region, &id().replace('-', "")),
        FlavorKind::SelfManaged => s3_bucket(&format!("issuer-{}", id()), &flags.region),
    };
    issuer.map_err(|error| Stop::new(Exit::Usage, format!("--region: {error}")))
}

/// The usual images, those of a file, those of flags: each wins over what was before.
fn programs(flags: &Flags, environment: &Environment) -> Result<Programs, Stop> {
    let mut programs =
        Programs::usual(&environment.search_path).map_err(|error| Stop::caused(Exit::Internal, error))?;
    for (image, program) in WORKLOADS {
        programs.insert(image, environment.programs.join(program));
    }
    if let Some(file) = &flags.images_file {
        let file = environment.working_dir.join(file);
        let usage = |error: String| Stop::new(Exit::Usage, format!("--images-file {}: {error}", file.display()));
        let text = fs::read_to_string(&file).map_err(|error| usage(error.to_string()))?;
        let folder = file.parent().unwrap_or(&environment.working_dir);
        programs.read_map(&text, folder, &environment.search_path).map_err(|error| usage(error.to_string()))?;
    }
    for (image, program) in &flags.images {
        programs.insert(image.clone(), environment.working_dir.join(program));
    }
    Ok(programs)
}

/// Both webhooks, for all namespaces but those of runs, as whoever runs such a cluster installs them.
async fn register_webhooks(
    flags: &Flags,
    cluster: &Cluster,
    tenant: &str,
    is_old: bool,
) -> Result<Vec<PreparedWebhook>, Stop> {
    let aws = match flags.flavor {
        FlavorKind::Eks => Webhook::AwsOnEks { region: flags.region.clone() },
        FlavorKind::Aks | FlavorKind::SelfManaged => {
            let release = "amazon-eks-pod-identity-webhook".to_owned();
            Webhook::Aws { default_aws_region: flags.region.clone(), release }
        }
    };
    let azure = Webhook::Azure { layout: AzureLayout::V1_6, tenant: tenant.to_owned() };
    let mut webhooks = Vec::new();
    for webhook in [aws, azure] {
        // A run brings webhooks of its own, which those of the sandbox must not anticipate.
        let others = json!({"matchExpressions": [{"key": kube_objects::RUN_LABEL, "operator": "DoesNotExist"}]});
        let installation = WebhookInstallation { webhook, name: None, namespace_selector: Some(others) };
        let prepared = cluster.prepare_webhook(installation).await;
        let prepared = prepared.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
        if is_old {
            // That of the process before leads nowhere.
            let path = format!("{}/{}", kube_objects::WEBHOOKS, prepared.name);
            let gone = kube_objects::delete(cluster.client(), &path).await;
            gone.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
        }
        let made = kube_objects::create(cluster.client(), kube_objects::WEBHOOKS, &prepared.configuration).await;
        made.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
        webhooks.push(prepared);
    }
    Ok(webhooks)
}

fn read(file: &Path) -> Result<String, Stop> {
    fs::read_to_string(file)
        .map_err(|error| Stop::new(Exit::Internal, format!("{} cannot be read: {error}", file.display())))
}

/// A file that only its owner may read.
fn write_private(file: &Path, text: &str) -> Result<(), Stop> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = made.and_then(|mut out| out.write_all(text.as_bytes()));
    written.map_err(|error| Stop::new(Exit::Preflight, format!("{} cannot be written: {error}", file.display())))
}
