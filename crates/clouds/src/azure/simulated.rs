//! The simulated Azure of this house, in this process, behind the wire.

use std::sync::Arc;
use std::time::Duration;

use azure_sim::{AzureSim, AzureSimConfig, AzureSimOptions};
use egress::{Egress, Upstream};
use serde::{Deserialize, Serialize};
use transport::{Client, Roots};
use trust::{Secret, SharedClock};
use uuid::Uuid;

use super::{Backend, HOSTS, Subscription};
use crate::{Capabilities, CloudError};

/// Long enough that two writers for one identity meet.
const CREDENTIAL_WRITE: Duration = Duration::from_millis(1);
/// Name under which Entra ID's own requests stand in the request log.
pub const ENTRA_CLIENT: &str = "azure-entra";

/// What the simulator needs.
#[derive(Debug)]
pub struct SimulatedConfig<'a> {
    /// Tells the time.
    pub clock: SharedClock,
    /// The wire, through which Entra ID looks at issuers.
    pub wire: &'a Egress,
    /// How long an issuer may take to answer. What Entra ID grants is not documented; AWS STS grants five seconds.
    pub issuer_deadline: Duration,
    /// A host of issuers that get another deadline.
    pub issuer_exception: Option<(&'a str, Duration)>,
    /// Password of Entra ID on the wire.
    pub wire_password: Secret,
    /// The directory; it is opened.
    pub tenant: Uuid,
    /// The subscription; it is opened.
    pub subscription: Uuid,
    /// What can be chosen of the simulator.
    pub options: AzureSimOptions,
}

/// Simulated Azure.
#[derive(Debug)]
pub struct Simulated {
    azure: AzureSim,
    subscription: Subscription,
    capabilities: Capabilities,
}

/// What is kept of an Azure that is to outlive its process. It holds its secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    subscription: Subscription,
    state: azure_sim::Snapshot,
}

impl Simulated {
    /// Opens tenant and subscription, and begins to generate the key that access tokens are signed with.
    ///
    /// # Errors
    /// When the wire's root is unusable, or no thread is to be had for the key.
    pub fn new(config: SimulatedConfig<'_>) -> Result<Self, CloudError> {
        let (tenant, subscription) = (config.tenant, config.subscription);
        let azure = empty(config)?;
        let subscription = open(&azure, tenant, subscription);
        Ok(Self { azure, subscription, capabilities: Capabilities::all() })
    }

    /// Opens one as it was, with the same owner of its first subscription.
    ///
    /// # Errors
    /// As [`Simulated::new`].
    pub fn resuming(config: SimulatedConfig<'_>, kept: Kept) -> Result<Self, CloudError> {
        let azure = empty(config)?;
        azure.restore(kept.state);
        Ok(Self { azure, subscription: kept.subscription, capabilities: Capabilities::all() })
    }

    /// What is to be kept of it.
    pub fn keep(&self) -> Kept {
        Kept { subscription: self.subscription.clone(), state: self.azure.snapshot() }
    }

    /// A subscription with nothing in it, or one more owner of one that there is; its tenant is opened if need be.
    pub fn another_owner(&self, tenant: Uuid, subscription: Uuid) -> Subscription {
        open(&self.azure, tenant, subscription)
    }

    /// The simulator, for who serves it besides the wire or reads its request log.
    pub fn simulator(&self) -> &AzureSim {
        &self.azure
    }
}

/// An Azure without tenants.
fn empty(config: SimulatedConfig<'_>) -> Result<AzureSim, CloudError> {
    let proxy = config.wire.admit(ENTRA_CLIENT, config.wire_password);
    let issuers = Client::new(Roots::pem(config.wire.root_pem())?, config.issuer_deadline).through(proxy);
    let issuers = match config.issuer_exception {
        Some((host, deadline)) => issuers.granting(host, deadline),
        None => issuers,
    };
    let simulator = AzureSimConfig {
        clock: config.clock,
        issuers,
        token_key: azure_sim::token_key()?,
        credential_write: CREDENTIAL_WRITE,
    };
    Ok(AzureSim::with_options(simulator, &config.options))
}

fn open(azure: &AzureSim, tenant: Uuid, subscription: Uuid) -> Subscription {
    let admin = azure.create_subscription(tenant, subscription);
    Subscription {
        tenant: admin.tenant.to_string(),
        id: admin.subscription.to_string(),
        object_id: admin.object_id.to_string(),
        client_id: admin.client_id.to_string(),
        client_secret: admin.client_secret,
    }
}

impl Backend for Simulated {
    fn title(&self) -> String {
        "simulated".into()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn attach(&self, wire: &Egress) -> Result<(), CloudError> {
        for host in HOSTS {
            let azure = self.azure.clone();
            // The name of a vault or storage account that does not exist does not resolve.
            let knows = Arc::new(move |host: &str| azure.knows_host(host));
            wire.route(host.parse()?, Upstream::service_for("simulated Azure", self.azure.router(), knows));
        }
        Ok(())
    }

    fn subscription(&self) -> Subscription {
        self.subscription.clone()
    }

    fn everything(&self) -> Option<Vec<String>> {
        Some(self.azure.inventory())
    }
}
