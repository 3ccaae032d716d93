//! The places of a run: wire, clouds and cluster, brought up at the same time and put together.
//!
//! Cluster and clouds never see each other: here the issuer's host is put on the wire, and that is all they share.

use std::sync::Arc;

use clouds::{AwsAccount, Backend, Endpoint, EndpointConfig, Simulated, SimulatedConfig};
use cluster::{Cluster, ClusterError, Embedded, IssuerShape, Kubeconfig, NodeChoice, Provider, Surroundings};
use egress::{Egress, EgressConfig, HostPattern, Upstream};
use federation::aws::{HttpStack, Wire};
use kubelet::Programs;
use scenario::{Flavor, Scenario, Webhook};
use transport::{Authority, Proxy};
use trust::{AccountId, IssuerUrl, Secret};
use uuid::Uuid;

use super::Settings;
use super::private_folder::PrivateFolder;
use crate::cli::{ClusterKind, NodeKind};
use crate::environment::AwsKeys;
use crate::exit::{Exit, Stop};

/// Name under which the harness's own requests stand in the request log.
pub(crate) const HARNESS_CLIENT: &str = "harness";
/// First account of the simulated AWS; one of the ids that AWS's own documentation uses.
const FIRST_ACCOUNT: &str = "111122223333";

/// Everything that is up.
pub(crate) struct Places {
    pub(crate) wire: Egress,
    pub(crate) clouds: Box<dyn Backend>,
    pub(crate) cluster: Cluster,
    /// The harness's own way out.
    pub(crate) proxy: Proxy,
    folder: PrivateFolder,
}

/// A random number for a run id.
pub(crate) fn random_u32() -> u32 {
    Uuid::new_v4().as_fields().0
}

/// A password that nobody guesses.
pub(crate) fn password() -> Secret {
    Secret::new(Uuid::new_v4().simple().to_string())
}

pub(crate) fn cluster_title(settings: &Settings) -> String {
    let place = &settings.options.place;
    match place.cluster {
        ClusterKind::Embedded => "embedded".to_owned(),
        ClusterKind::Kubeconfig => place
            .kubeconfig
            .as_ref()
            .map_or_else(|| "kubeconfig".to_owned(), |file| format!("kubeconfig {}", file.display())),
    }
}

pub(crate) fn clouds_title(settings: &Settings) -> String {
    settings.options.place.aws_endpoint.as_ref().map_or_else(|| "simulated".to_owned(), |url| format!("endpoint {url}"))
}

/// Whether everything ends with this process anyway.
pub(crate) fn is_ephemeral(settings: &Settings) -> bool {
    settings.options.place.cluster == ClusterKind::Embedded && settings.options.place.aws_endpoint.is_none()
}

/// The programs that images stand for: the workloads of this house, and what the command line adds.
pub(crate) fn programs(settings: &Settings, scenario: &Scenario) -> Result<Programs, Stop> {
    let reader = settings.environment.programs.join("s3-reader");
    let mut programs = Programs::new();
    programs.insert("ghcr.io/crossfed/s3-reader", reader);
    for (image, program) in &settings.options.place.images {
        programs.insert(image.clone(), settings.environment.working_dir.join(program));
    }
    let images = scenario.pod.manifest.pointer("/spec/containers").and_then(serde_json::Value::as_array);
    for image in images.into_iter().flatten().filter_map(|container| container.get("image")?.as_str()) {
        let hint = match programs.lookup(image) {
            None => format!("image `{image}` stands for no local program; pass --image {image}=PROGRAM"),
            Some(program) if !program.is_file() => {
                format!("{} is missing; run through `cargo xtask`, which builds it", program.display())
            }
            Some(_) => continue,
        };
        return Err(Stop::new(Exit::Preflight, hint));
    }
    Ok(programs)
}

impl Places {
    /// Brings everything up.
    pub(crate) async fn up(settings: &Settings, scenario: &Scenario, programs: Programs) -> Result<Self, Stop> {
        let infra = |error: anyhow::Error| Stop::new(Exit::Infrastructure, format!("{error:#}"));
        let folder = PrivateFolder::make(settings)?;
        let clock = settings.clock.clone();
        let cluster_authority =
            Authority::generate("crossfed cluster", &*clock).map_err(|error| infra(error.into()))?;
        let cluster_authority = Arc::new(cluster_authority);
        // The embedded provider begins to generate its key here, the slowest single step of all.
        let provider = provider(settings, scenario, &cluster_authority)?;
        let surroundings = Surroundings {
            folder: folder.path().to_owned(),
            authority: cluster_authority,
            clock: clock.clone(),
            programs,
            node_name: settings.run.name("node"),
            namespaces: format!("{}={}", super::kube_objects::RUN_LABEL, settings.run),
        };
        // Not a task of its own: what is given up with this future must not go on by itself.
        let cluster = Cluster::up(provider, surroundings, node_choice(settings));
        let (cluster, answering) = tokio::join!(cluster, answering(settings, scenario));
        let cluster = cluster.map_err(|error| match error {
            // The user's own file or flag.
            error @ ClusterError::Kubeconfig { .. } => Stop::caused(Exit::Usage, error),
            error => infra(error.into()),
        });
        let (cluster, (wire, proxy, clouds)) = match (cluster, answering) {
            (Ok(cluster), Ok(answering)) => (cluster, answering),
            (Ok(cluster), Err(stop)) => {
                cluster.down().await;
                return Err(stop);
            }
            (Err(stop), _) => return Err(stop),
        };
        let places = Self { wire, clouds, cluster, proxy, folder };
        match places.join() {
            Ok(()) => Ok(places),
            Err(stop) => {
                places.down().await;
                Err(stop)
            }
        }
    }

    /// Puts the cluster's issuer on the wire: all that the two sides share.
    fn join(&self) -> Result<(), Stop> {
        let host: Result<HostPattern, _> = issuer_host(self.cluster.issuer()).parse();
        let host = host.map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
        self.wire.route(host, Upstream::service("the cluster's issuer", self.cluster.issuer_site()));
        if self.cluster.process_node().is_none() {
            let message = "this cluster has nodes of its own, whose pods cannot reach the wire on this machine's loopback; \
                           pass --node process to run the pods here, as local processes";
            return Err(Stop::new(Exit::Preflight, message));
        }
        Ok(())
    }

    /// The run's private folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// How the federation core reaches the clouds.
    pub(crate) fn http_stack(&self) -> Result<HttpStack, Stop> {
        stack(&self.wire, &self.proxy)
    }

    /// Takes everything down.
    pub(crate) async fn down(self) {
        self.cluster.down().await;
        self.wire.stop().await;
    }
}

/// The wire, the harness's own way through it, and who answers for the clouds.
async fn answering(settings: &Settings, scenario: &Scenario) -> Result<(Egress, Proxy, Box<dyn Backend>), Stop> {
    let infra = |error: anyhow::Error| Stop::new(Exit::Infrastructure, format!("{error:#}"));
    let authority = Authority::generate("crossfed wire", &*settings.clock).map_err(|error| infra(error.into()))?;
    let config = EgressConfig { authority: Arc::new(authority), clock: settings.clock.clone() };
    let wire = Egress::start(config).await.map_err(|error| infra(error.into()))?;
    let proxy = wire.admit(HARNESS_CLIENT, password());
    let clouds = backend(settings, &wire, &proxy).await?;
    clouds.attach(&wire, &regions(scenario)).map_err(|error| infra(error.into()))?;
    Ok((wire, proxy, clouds))
}

fn stack(wire: &Egress, proxy: &Proxy) -> Result<HttpStack, Stop> {
    let wire = Wire { proxy_url: Some(proxy.url()), root_pem: wire.root_pem().to_owned() };
    HttpStack::new(Some(&wire)).map_err(|error| Stop::caused(Exit::Internal, error))
}

/// A host name without its port: the wire's table knows names.
fn issuer_host(issuer: &IssuerUrl) -> &str {
    let host = issuer.host();
    host.split_once(':').map_or(host, |(name, _)| name)
}

fn regions(scenario: &Scenario) -> Vec<&str> {
    let mut regions = vec![scenario.aws.region.as_str()];
    for webhook in &scenario.webhooks {
        let Webhook::AwsPodIdentity { default_aws_region } = webhook;
        regions.push(default_aws_region);
    }
    regions
}

fn node_choice(settings: &Settings) -> NodeChoice {
    match (settings.options.place.cluster, settings.options.place.node) {
        (ClusterKind::Embedded, _) | (_, Some(NodeKind::Process)) => NodeChoice::Process,
        _ => NodeChoice::WhereMissing,
    }
}

fn provider(settings: &Settings, scenario: &Scenario, authority: &Arc<Authority>) -> Result<Arc<dyn Provider>, Stop> {
    let place = &settings.options.place;
    match place.cluster {
        ClusterKind::Embedded => {
            let region = &scenario.cluster.region;
            let (issuer, shape) = match scenario.cluster.flavor {
                Flavor::Aks => {
                    let (tenant, cluster) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
                    (cluster::issuer::aks(region, &tenant, &cluster), IssuerShape::Aks)
                }
                Flavor::Eks => (cluster::issuer::eks(region, &Uuid::new_v4().simple().to_string()), IssuerShape::Eks),
            };
            let issuer = issuer.map_err(|error| Stop::new(Exit::Usage, format!("cluster.region: {error}")))?;
            let kubeconfig = settings.artifacts.join("kubeconfig");
            Ok(Arc::new(Embedded::new(issuer, shape, authority.clone(), settings.clock.clone(), kubeconfig)))
        }
        ClusterKind::Kubeconfig => match &place.kubeconfig {
            Some(file) => {
                Ok(Arc::new(Kubeconfig::new(settings.environment.working_dir.join(file), place.context.clone())))
            }
            None => Err(Stop::new(
                Exit::Usage,
                "--cluster kubeconfig needs --kubeconfig FILE, or KUBECONFIG in the environment",
            )),
        },
    }
}

async fn backend(settings: &Settings, wire: &Egress, proxy: &Proxy) -> Result<Box<dyn Backend>, Stop> {
    let Some(url) = &settings.options.place.aws_endpoint else {
        let first_account =
            FIRST_ACCOUNT.parse().map_err(|error: trust::ArnError| Stop::caused(Exit::Internal, error))?;
        let config = SimulatedConfig { clock: settings.clock.clone(), wire, wire_password: password(), first_account };
        return Ok(Box::new(Simulated::new(config).map_err(|error| Stop::caused(Exit::Internal, error))?));
    };
    let Some(keys) = settings.environment.aws_keys.clone() else {
        let message =
            "--aws-endpoint needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (most emulators take any value)";
        return Err(Stop::new(Exit::Preflight, message));
    };
    let usage = |error: clouds::CloudError| Stop::caused(Exit::Usage, error);
    let account = |id: AccountId| AwsAccount {
        id,
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone(),
        session_token: keys.session_token.clone(),
    };
    let config =
        |id| EndpointConfig { url: url.clone(), account: account(id), enforces: settings.options.place.enforces() };
    let id = match &settings.options.place.aws_account {
        Some(id) => id.clone(),
        None => {
            // Its STS is asked over the same wire as everything after it.
            let unknown =
                "000000000000".parse().map_err(|error: trust::ArnError| Stop::caused(Exit::Internal, error))?;
            Endpoint::new(config(unknown)).and_then(|endpoint| endpoint.attach(wire, &["us-east-1"])).map_err(usage)?;
            caller_account(wire, proxy, &keys).await?
        }
    };
    Ok(Box::new(Endpoint::new(config(id)).map_err(usage)?))
}

async fn caller_account(wire: &Egress, proxy: &Proxy, keys: &AwsKeys) -> Result<AccountId, Stop> {
    let http = stack(wire, proxy)?;
    federation::aws::caller_account(&keys.access_key_id, &keys.secret_access_key, keys.session_token.as_ref(), &http)
        .await
        .map_err(|error| {
            Stop::new(
                Exit::Infrastructure,
                format!("the endpoint does not say whose keys these are: {error}; pass --aws-account ID"),
            )
        })
}
