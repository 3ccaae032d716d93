//! Where programs that cannot be led by a proxy find the services: one port of loopback, over TLS.
//! Must not know who listens there: whoever serves [`crate::AzureSim::router`] on that port.

use crate::origin::Origin;

/// The services at `https://localhost:PORT`, vaults at `https://<vault>.vault.localhost:PORT`, storage accounts at
/// `https://<account>.blob.localhost:PORT`.
///
/// Not every system's resolver knows the names under `localhost`: systemd-resolved and nss-myhostname do, glibc's own `dns`
/// and `files` do not (RFC 6761 leaves it to them). Where they do not resolve, a vault's host needs a line in `/etc/hosts`.
/// `az cloud register --name NAME --endpoint-resource-manager https://localhost:PORT` learns all from Resource Manager.
/// Programs must be told not to verify the authority with Microsoft (`disable_instance_discovery` in the SDKs,
/// `core.instance_discovery` in `az`), since instance discovery always asks `login.microsoftonline.com`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    port: u16,
}

impl Endpoints {
    /// For a listener on this port.
    pub fn at(port: u16) -> Endpoints {
        Endpoints { port }
    }

    fn origin(self) -> std::sync::Arc<Origin> {
        Origin::of(&format!("localhost:{}", self.port))
    }

    /// What the server's certificate must name.
    pub fn certificate_names() -> [&'static str; 4] {
        ["localhost", "127.0.0.1", "*.vault.localhost", "*.blob.localhost"]
    }

    /// What the SDKs read from the environment, `AZURE_AUTHORITY_HOST`, besides what says who they are.
    pub fn variables(self) -> Vec<(&'static str, String)> {
        vec![("AZURE_AUTHORITY_HOST", format!("{}/", self.authority()))]
    }

    /// Of Entra ID, without a slash at its end.
    pub fn authority(self) -> String {
        self.origin().authority.clone()
    }

    /// Of Resource Manager, without a slash at its end.
    pub fn manager(self) -> String {
        self.origin().manager.clone()
    }

    /// A vault's URL, without a slash at its end.
    pub fn vault(self, name: &str) -> String {
        self.origin().vault(name)
    }

    /// The URL of a storage account's blobs, with a slash at its end.
    pub fn blobs(self, account: &str) -> String {
        self.origin().blobs(account)
    }
}
