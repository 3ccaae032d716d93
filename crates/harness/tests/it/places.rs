//! Places that stand outside of `crossfed`, in the test's own process: an API server, and an AWS endpoint behind plain HTTP.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_sim::{AdminCredentials, AwsSim, AwsSimConfig};
use axum::Router;
use egress::{Egress, EgressConfig, Upstream};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube_sim::{ApiServer, ApiServerConfig};
use serde_json::Value;
use tokio::net::TcpListener;
use transport::{Authority, Client, Roots};
use trust::{KeyRing, Secret, SharedClock, SigningKey, SystemClock};

use crate::sandbox::Sandbox;

const ISSUER_HOST: &str = "issuer.example.test";
/// The account of the endpoint's keys.
pub(crate) const ACCOUNT: &str = "123456789012";
const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
/// What a run may create in a cluster.
pub(crate) const COLLECTIONS: [&str; 9] = [
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/secrets",
    "/api/v1/configmaps",
    "/api/v1/serviceaccounts",
    WEBHOOKS,
    "/apis/coordination.k8s.io/v1/leases",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
];

/// An API server that no run started, and its kubeconfig in the sandbox.
pub(crate) struct Cluster {
    server: ApiServer,
    client: kube::Client,
}

impl Cluster {
    /// With the controllers of a control plane.
    pub(crate) async fn start(sandbox: &Sandbox) -> Self {
        Self::of(sandbox, ApiServer::start(config()).await.expect("must start")).await
    }

    /// The API server alone.
    pub(crate) async fn start_bare(sandbox: &Sandbox) -> Self {
        Self::of(sandbox, ApiServer::start_bare(config()).await.expect("must start")).await
    }

    async fn of(sandbox: &Sandbox, server: ApiServer) -> Self {
        sandbox.write("kubeconfig", server.kubeconfig());
        let kubeconfig = Kubeconfig::from_yaml(server.kubeconfig()).expect("must be a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = kube::Client::try_from(config.expect("must be complete")).expect("must connect");
        Self { server, client }
    }

    /// Everything that is there, by path.
    pub(crate) async fn objects(&self) -> BTreeSet<String> {
        let mut objects = BTreeSet::new();
        for path in COLLECTIONS {
            let request = http::Request::get(path).body(Vec::new()).expect("must be a request");
            let list: Value = self.client.request(request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
            for item in list["items"].as_array().expect("a list must have items") {
                let text = |pointer| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                objects.insert(format!("{path} {}/{}", text("/metadata/namespace"), text("/metadata/name")));
            }
        }
        objects
    }
}

fn config() -> ApiServerConfig {
    let clock: SharedClock = Arc::new(SystemClock);
    let ring = KeyRing::new(SigningKey::generate().expect("a key must be made"));
    let authority = Arc::new(Authority::generate("test cluster", &*clock).expect("must be made"));
    ApiServerConfig {
        issuer: format!("https://{ISSUER_HOST}/self-managed").parse().expect("must parse"),
        jwks_path: "/openid/v1/jwks".into(),
        keys: tokio::sync::watch::channel(Some(Arc::new(ring))).1,
        authority,
        clock,
        min_token_lifetime: Duration::from_secs(600),
        max_token_lifetime: None,
    }
}

/// An AWS endpoint with one account, which looks at the cluster's issuer over a wire of its own.
pub(crate) struct Aws {
    addr: SocketAddr,
    pub(crate) keys: AdminCredentials,
}

impl Aws {
    /// Serves what `change` makes of the simulator.
    pub(crate) async fn start(cluster: &Cluster, change: impl FnOnce(Router) -> Router) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let authority = Arc::new(Authority::generate("test wire", &*clock).expect("must be made"));
        let wire = Egress::start(EgressConfig { authority, clock: clock.clone() }).await.expect("must listen");
        wire.route(ISSUER_HOST.parse().expect("a host"), Upstream::service("issuer", cluster.server.issuer_site()));
        let roots = Roots::pem(wire.root_pem()).expect("must be a root");
        let issuers = Client::new(roots, Duration::from_secs(5)).through(wire.admit("sts", Secret::new("sts")));
        let sim = AwsSim::new(AwsSimConfig { clock, issuers });
        let keys = sim.create_account(ACCOUNT.parse().expect("an account"));
        let addr = serve(change(sim.router())).await;
        Self { addr, keys }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// Serves plain HTTP on a free port until the test ends.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("must listen");
    let addr = listener.local_addr().expect("must have an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}
