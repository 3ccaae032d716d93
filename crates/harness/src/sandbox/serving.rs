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
use transport::{Authority, Server};
use trust::{IssuerUrl, Secret, SharedClock, SystemClock};
use uuid::Uuid;

use super::desk::{self, Desk};
use super::exports::{self, Facts};
use super::pass::{self, Pass};
use super::{Flags, FlavorKind};
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::run::answering::{lay, password, simulated_aws, simulated_azure};
use crate::run::kube_objects;
use crate::run::private_folder::PrivateFolder;

/// Name under which the user's programs and pods stand in the request log.
const CLIENT: &str = "sandbox";
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
/// Images of this house's workloads, and their programs.
const WORKLOADS: [(&str, &str); 2] =
    [("ghcr.io/crossfed/s3-reader", "s3-reader"), ("ghcr.io/crossfed/kv-read", "kv-read")];

/// Everything that is up.
pub(super) struct Serving {
    cluster: Cluster,
    webhooks: Vec<PreparedWebhook>,
    wire: Egress,
    endpoint: Option<Server>,
    variables: Vec<(&'static str, String)>,
    flavor: FlavorKind,
    env_file: PathBuf,
    /// Last, so that it goes when nothing uses it any more.
    _folder: PrivateFolder,
}

impl Serving {
    pub(super) async fn up(flags: &Flags, environment: &Environment) -> Result<Self, Stop> {
        let clock: SharedClock = Arc::new(SystemClock);
        let folder = PrivateFolder::named("sandbox", &environment.working_dir.join(".crossfed-sandbox"))?;
        let infra = |error: anyhow::Error| Stop::new(Exit::Infrastructure, format!("{error:#}"));
        let authority = Authority::generate("crossfed cluster", &*clock).map_err(|error| infra(error.into()))?;
        let authority = Arc::new(authority);
        let kubeconfig = folder.path().join("kubeconfig");
        // Its key begins to be made here, the slowest single step of all.
        let embedded = Embedded::new(EmbeddedConfig {
            issuer: issuer(flags)?,
            shape: flags.flavor.shape(),
            authority: authority.clone(),
            clock: clock.clone(),
            kubeconfig: kubeconfig.clone(),
            longest_token: LONGEST_TOKEN,
        });
        let wire = lay(&clock).await?;
        let root = folder.path().join("ca.crt");
        write_private(&root, wire.root_pem())?;
        let proxy = wire.admit(CLIENT, password());
        let surroundings = Surroundings {
            folder: folder.path().to_owned(),
            authority,
            clock: clock.clone(),
            programs: programs(flags, environment)?,
            environment: exports::wire(&proxy, &root)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            node_name: "sandbox".to_owned(),
            namespaces: String::new(),
        };
        let cluster = Cluster::up(Arc::new(embedded), surroundings, NodeChoice::Process);
        let cluster = cluster.await.map_err(|error| infra(error.into()))?;
        let (aws, azure) = clouds(flags, &clock, &wire)?;
        let (aws, azure) = (Arc::new(aws), Arc::new(azure));
        let host: HostPattern = cluster.issuer().host().parse().map_err(|error| Stop::caused(Exit::Internal, error))?;
        wire.route(host, Upstream::service("the cluster's issuer", cluster.issuer_site()));
        let subscription = azure::Backend::subscription(&*azure);
        let account = aws::Backend::account(&*aws);
        let webhooks = register_webhooks(flags, &cluster, &subscription.tenant).await?;
        let endpoint = if flags.endpoints { Some(endpoint(&aws).await?) } else { None };
        let endpoint_url = endpoint.as_ref().map(|server| format!("http://{}", server.addr()));
        let variables = exports::variables(&Facts {
            kubeconfig: &kubeconfig,
            root: &root,
            proxy: &proxy,
            region: &flags.region,
            account: &account,
            subscription: &subscription,
            issuer: cluster.issuer(),
            aws_endpoint: endpoint_url.as_deref(),
        });
        let env_file = folder.path().join("env");
        write_private(&env_file, &exports::lines(&variables))?;
        let pass = Pass {
            flavor: flags.flavor,
            issuer: cluster.issuer().clone(),
            kubeconfig: Secret::new(read(&kubeconfig)?),
            root_pem: wire.root_pem().to_owned(),
            proxy: proxy.url(),
            aws: account,
            azure: subscription,
        };
        let text = serde_json::to_string_pretty(&pass).map_err(|error| Stop::caused(Exit::Internal, error))?;
        write_private(&folder.path().join(pass::FILE), &text)?;
        let host = pass::HOST.parse().map_err(|error: egress::PatternError| Stop::caused(Exit::Internal, error))?;
        let desk = desk::router(Desk { pass, aws, azure, log: wire.log().clone() });
        wire.route(host, Upstream::service("this sandbox", desk));
        Ok(Self { cluster, webhooks, wire, endpoint, variables, flavor: flags.flavor, env_file, _folder: folder })
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

    pub(super) async fn down(self) {
        // Pods first: what they do while they end still has its clouds.
        self.cluster.down().await;
        for webhook in self.webhooks {
            webhook.stop().await;
        }
        if let Some(endpoint) = self.endpoint {
            endpoint.stop().await;
        }
        self.wire.stop().await;
    }
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

fn clouds(flags: &Flags, clock: &SharedClock, wire: &Egress) -> Result<(aws::Simulated, azure::Simulated), Stop> {
    let cloud =
        |error: clouds::CloudError| Stop::new(Exit::Usage, format!("--region: {:#}", anyhow::Error::from(error)));
    let (aws, azure) = (simulated_aws(clock, wire, None, flags.propagation)?, simulated_azure(clock, wire, None)?);
    let regions: Vec<&str> = REGIONS.into_iter().chain([flags.region.as_str()]).collect();
    aws::Backend::attach(&aws, wire, &regions).map_err(cloud)?;
    azure::Backend::attach(&azure, wire).map_err(cloud)?;
    Ok((aws, azure))
}

/// Both webhooks, for all namespaces but those of runs, as whoever runs such a cluster installs them.
async fn register_webhooks(flags: &Flags, cluster: &Cluster, tenant: &str) -> Result<Vec<PreparedWebhook>, Stop> {
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
        let made = kube_objects::create(cluster.client(), kube_objects::WEBHOOKS, &prepared.configuration).await;
        made.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
        webhooks.push(prepared);
    }
    Ok(webhooks)
}

/// AWS at a port of this machine, without TLS.
async fn endpoint(aws: &aws::Simulated) -> Result<Server, Stop> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
    Server::plain(listener, aws.router()).map_err(|error| Stop::caused(Exit::Infrastructure, error))
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
