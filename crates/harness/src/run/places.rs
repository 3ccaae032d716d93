//! The places of a scenario: its cluster, beside the wire and the clouds that all scenarios of a run share.
//!
//! Cluster and clouds never see each other: here the issuer's host is put on the wire, and that is all they share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster::{
    Cluster, ClusterError, Embedded, EmbeddedConfig, IssuerShape, Kubeconfig, NodeChoice, NodeWatch, Provider,
    Surroundings,
};
use egress::Egress;
use kubelet::Programs;
use scenario::access::Certificate;
use scenario::{Flavor, Plan, Scenario};
use tokio::sync::OnceCell;
use transport::Authority;
use trust::{Jwk, SigningKey};
use uuid::Uuid;

use super::answering::Answering;
use super::own_issuer::OwnIssuer;
use super::private_folder::PrivateFolder;
use super::{Settings, issuer_site, kube_objects, render};
use crate::cli::{NodeKind, PodsRun};
use crate::exit::{Exit, Stop};
use crate::journal::{ClusterPlace, Journal, Place};

/// Lifetime of tokens where renewal is checked: long enough for a slow machine to use one, short enough to be seen to end.
const SHORT_TOKEN: Duration = Duration::from_secs(3);
/// Images that are programs of this house.
pub(crate) const WORKLOADS: [(&str, &str); 2] =
    [("ghcr.io/crossfed/s3-reader", "s3-reader"), ("ghcr.io/crossfed/kv-read", "kv-read")];

/// Everything that is up.
pub(crate) struct Places {
    answering: Arc<Answering>,
    pub(crate) cluster: Cluster,
    folder: PrivateFolder,
}

/// The wire and the clouds of a run: laid by whichever scenario needs them first.
pub(crate) type Shared = OnceCell<Arc<Answering>>;

pub(crate) fn cluster_title(settings: &Settings) -> String {
    let place = &settings.options.place;
    match place.pods() {
        PodsRun::Embedded => "embedded".to_owned(),
        PodsRun::Sandbox => sandbox_title(settings),
        PodsRun::Kubeconfig => place
            .kubeconfig
            .as_ref()
            .map_or_else(|| "kubeconfig".to_owned(), |file| format!("kubeconfig {}", file.display())),
    }
}

fn sandbox_title(settings: &Settings) -> String {
    settings
        .sandbox
        .as_ref()
        .map_or_else(|| "sandbox".to_owned(), |pass| format!("sandbox, like {}", pass.flavor.word()))
}

/// Whether others use the cluster, too.
pub(crate) fn is_shared(settings: &Settings) -> bool {
    settings.options.place.pods() != PodsRun::Embedded
}

/// Whether everything ends with this process anyway.
pub(crate) fn is_ephemeral(settings: &Settings) -> bool {
    settings.options.place.pods() == PodsRun::Embedded && settings.options.place.aws_endpoint.is_none()
}

/// Where the run creates things, as its journal says it.
pub(crate) fn recorded(settings: &Settings) -> Place {
    let place = &settings.options.place;
    let cluster = match (place.pods(), &settings.sandbox, &place.kubeconfig) {
        (PodsRun::Sandbox, Some(pass), _) => {
            ClusterPlace::Sandbox { file: pass.file.clone(), keeps_state: pass.keeps_state }
        }
        (PodsRun::Kubeconfig, _, Some(file)) => {
            let file = settings.environment.working_dir.join(file);
            ClusterPlace::Kubeconfig { file, context: place.context.clone() }
        }
        _ => ClusterPlace::Embedded,
    };
    Place { cluster, aws_endpoint: place.aws_endpoint.clone() }
}

/// The programs that images stand for: the workloads of this house, and what the command line adds.
pub(crate) fn programs(settings: &Settings, scenario: &Scenario) -> Result<Programs, Stop> {
    let mut programs = Programs::new();
    if settings.sandbox.is_some() {
        // Its node has images of its own.
        return Ok(programs);
    }
    for (image, program) in WORKLOADS {
        programs.insert(image, settings.environment.programs.join(program));
    }
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
    /// Brings everything up that is not up yet: `plans` are all that will share the wire.
    pub(crate) async fn up(
        settings: &Settings,
        scenario: &Scenario,
        plans: &[Plan],
        shared: &Shared,
        programs: Programs,
        journal: &Journal,
    ) -> Result<Self, Stop> {
        let infra = |error: anyhow::Error| Stop::new(Exit::Infrastructure, format!("{error:#}"));
        let folder = PrivateFolder::make(settings, journal)?;
        let clock = settings.clock.clone();
        let cluster_authority =
            Authority::generate("crossfed cluster", &*clock).map_err(|error| infra(error.into()))?;
        let cluster_authority = Arc::new(cluster_authority);
        // The embedded provider begins to generate its key here, the slowest single step of all.
        let provider = provider(settings, scenario, &cluster_authority, folder.path())?;
        let surroundings = Surroundings {
            folder: folder.path().to_owned(),
            authority: cluster_authority,
            clock: clock.clone(),
            programs,
            environment: std::collections::BTreeMap::new(),
            node_name: settings.run.name("node"),
            node_labels: kube_objects::labels(&settings.run),
            node_watch: node_watch(settings, journal),
            namespaces: format!("{}={}", kube_objects::RUN_LABEL, settings.run),
        };
        // Not a task of its own: what is given up with this future must not go on by itself.
        let cluster = Cluster::up(provider, surroundings, node_choice(settings));
        let answering =
            shared.get_or_try_init(|| async { Answering::up(settings, plans, &journal.book()).await.map(Arc::new) });
        let (cluster, answering) = tokio::join!(cluster, answering);
        let cluster = cluster.map_err(|error| match error {
            // The user's own file or flag.
            error @ ClusterError::Kubeconfig { .. } => Stop::caused(Exit::Usage, error),
            error => infra(error.into()),
        });
        let (cluster, answering) = match (cluster, answering) {
            (Ok(cluster), Ok(answering)) => (cluster, answering.clone()),
            (Ok(cluster), Err(stop)) => {
                cluster.down().await;
                return Err(stop);
            }
            (Err(stop), _) => return Err(stop),
        };
        let places = Self { answering, cluster, folder };
        match places.join(scenario, settings) {
            Ok(()) => Ok(places),
            Err(stop) => {
                places.down().await;
                Err(stop)
            }
        }
    }

    /// Puts the cluster's issuer on the wire: all that the two sides share. A site that the run publishes stands in a cloud already.
    fn join(&self, scenario: &Scenario, settings: &Settings) -> Result<(), Stop> {
        if self.cluster.process_node().is_none() && settings.sandbox.is_none() {
            let message = "this cluster has nodes of its own, whose pods cannot reach the wire on this machine's loopback; \
                           pass --node process to run the pods here, as local processes";
            return Err(Stop::new(Exit::Preflight, message));
        }
        if self.cluster.rotates_keys() && issuer_site::home(scenario, &settings.run).is_some() {
            return Ok(());
        }
        let routed = match &settings.sandbox {
            Some(pass) => {
                let upstream = pass.upstream()?;
                self.cluster.issuer().host().parse().map(|host| self.answering.wire.route(host, upstream))
            }
            None => self.answering.route_issuer(self.cluster.issuer(), self.cluster.issuer_site()),
        };
        routed.map_err(|error| Stop::caused(Exit::Infrastructure, error))
    }

    /// The run's private folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The wire.
    pub(crate) fn wire(&self) -> &Egress {
        &self.answering.wire
    }

    /// A client that reaches issuers as the clouds do.
    pub(crate) fn issuer_client(&self) -> transport::Client {
        self.answering.issuer_client.clone()
    }

    /// Who answers for AWS, where it is used.
    pub(crate) fn aws(&self) -> Option<&dyn clouds::aws::Backend> {
        self.answering.aws.as_ref().map(|aws| &*aws.backend)
    }

    /// Keys of an account that was opened for a cell before this process.
    pub(crate) fn opened_account(&self, id: &str) -> Option<&clouds::aws::Account> {
        self.answering.opened.iter().find(|account| account.id.as_str() == id)
    }

    /// Who answers for Azure, where it is used.
    pub(crate) fn azure(&self) -> Option<&dyn clouds::azure::Backend> {
        self.answering.azure.as_ref().map(|azure| &*azure.backend)
    }

    /// How the federation core reaches AWS.
    pub(crate) fn aws_stack(&self) -> Result<federation::aws::HttpStack, Stop> {
        let stack = self.answering.aws.as_ref().map(|aws| aws.http.clone());
        stack.ok_or_else(|| Stop::new(Exit::Internal, "AWS is used, and nobody answers for it"))
    }

    /// How the federation core reaches Azure.
    pub(crate) fn azure_stack(&self) -> Result<federation::azure::HttpStack, Stop> {
        let stack = self.answering.azure.as_ref().map(|azure| azure.http.clone());
        stack.ok_or_else(|| Stop::new(Exit::Internal, "Azure is used, and nobody answers for it"))
    }

    /// A key that no issuer signs with.
    pub(crate) async fn stranger(&self) -> Result<Arc<SigningKey>, Stop> {
        self.answering.stranger().await
    }

    /// Puts an issuer of the run's own on the wire.
    pub(crate) async fn serve_issuer(&self, issuer: &OwnIssuer, active: &Jwk, stranger: &Jwk) -> Result<(), Stop> {
        if issuer.shape.certificate == Certificate::Private {
            self.answering.distrust(issuer.url.host()).await?;
        }
        let site = issuer.site(active, stranger);
        self.answering.route_issuer(&issuer.url, site).map_err(|error| Stop::caused(Exit::Infrastructure, error))
    }

    /// Takes the scenario's own down; wire and clouds stay, for others may use them.
    pub(crate) async fn down(self) {
        self.cluster.down().await;
    }
}

/// A node outlives the process where the cluster does: then it is written down.
fn node_watch(settings: &Settings, journal: &Journal) -> NodeWatch {
    if settings.options.place.pods() != PodsRun::Kubeconfig {
        return NodeWatch::default();
    }
    let (journal, (label, undo)) = (journal.clone(), kube_objects::node_intention(&settings.run.name("node")));
    NodeWatch::new(move || journal.intend(&label, undo.clone()).map(drop))
}

/// A client for a cluster that did not come up as a place. None where there is no such cluster any more.
pub(crate) async fn cluster_of_others(settings: &Settings) -> Option<kube::Client> {
    let place = &settings.options.place;
    let file = place.kubeconfig.as_ref().filter(|_| place.pods() == PodsRun::Kubeconfig)?;
    Kubeconfig::new(settings.environment.working_dir.join(file), place.context.clone()).client().await.ok()
}

fn node_choice(settings: &Settings) -> NodeChoice {
    match (settings.options.place.pods(), settings.options.place.node) {
        (PodsRun::Embedded, _) | (_, Some(NodeKind::Process)) => NodeChoice::Process,
        _ => NodeChoice::WhereMissing,
    }
}

fn provider(
    settings: &Settings,
    scenario: &Scenario,
    authority: &Arc<Authority>,
    folder: &Path,
) -> Result<Arc<dyn Provider>, Stop> {
    let place = &settings.options.place;
    match place.pods() {
        PodsRun::Embedded => Ok(Arc::new(Embedded::new(EmbeddedConfig {
            issuer: render::issuer(scenario, &settings.run, &|_| Uuid::new_v4().to_string())?,
            shape: match scenario.cluster.flavor() {
                Flavor::Aks => IssuerShape::Aks,
                Flavor::Eks => IssuerShape::Eks,
                Flavor::SelfManaged => IssuerShape::SelfManaged,
            },
            authority: authority.clone(),
            clock: settings.clock.clone(),
            kubeconfig: kubeconfig(settings),
            longest_token: if settings.options.renewal { SHORT_TOKEN } else { cluster::embedded::LONGEST_TOKEN },
        }))),
        PodsRun::Sandbox => {
            let text = settings.sandbox.as_ref().map(|pass| pass.kubeconfig.expose()).unwrap_or_default();
            let file = folder.join("kubeconfig");
            std::fs::write(&file, text).map_err(|error| Stop::caused(Exit::Preflight, error))?;
            Ok(Arc::new(Kubeconfig::titled(file, sandbox_title(settings))))
        }
        PodsRun::Kubeconfig => match &place.kubeconfig {
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

/// Where a kubeconfig for people is written: one for each cluster of the run.
fn kubeconfig(settings: &Settings) -> PathBuf {
    let name = match &settings.part {
        Some(scenario) => format!("kubeconfig-{scenario}"),
        None => "kubeconfig".to_owned(),
    };
    settings.artifacts.join(name)
}
