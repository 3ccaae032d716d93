//! `--endpoints`: both clouds at ports of this machine, for programs that cannot be led by a proxy. AWS without TLS, as emulators are reached;
//! Azure over TLS, since its SDKs insist on it.

use azure_sim::Endpoints as Names;
use clouds::{aws, azure};
use egress::Egress;
use tokio::net::TcpListener;
use transport::Server;

use crate::exit::{Exit, Stop};

/// Two ports.
pub(super) struct Endpoints {
    aws: Server,
    azure: Server,
}

impl Endpoints {
    pub(super) async fn open(aws: &aws::Simulated, azure: &azure::Simulated, wire: &Egress) -> Result<Self, Stop> {
        let failed = |error: anyhow::Error| Stop::new(Exit::Infrastructure, format!("{error:#}"));
        let listen = async || TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| failed(error.into()));
        let identity = wire.identity(&Names::certificate_names()).map_err(|error| failed(error.into()))?;
        Ok(Self {
            aws: Server::plain(listen().await?, aws.router()).map_err(|error| failed(error.into()))?,
            azure: Server::tls(listen().await?, identity, azure.simulator().router())
                .map_err(|error| failed(error.into()))?,
        })
    }

    /// What programs read in place of a proxy's variables.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let url = format!("http://{}", self.aws.addr());
        let names = Names::at(self.azure.addr().port());
        let of_aws = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_S3"];
        let mut variables: Vec<_> = of_aws.into_iter().map(|name| (name, url.clone())).collect();
        variables.extend(names.variables());
        // No SDK reads these two: they are for the user's own programs and for `az cloud register`.
        variables.push(("AZURE_RESOURCE_MANAGER_URL", names.manager()));
        variables.push(("AZURE_VAULT_SUFFIX", format!(".vault.localhost:{}", self.azure.addr().port())));
        variables
    }

    pub(super) async fn close(self) {
        self.aws.stop().await;
        self.azure.stop().await;
    }
}
