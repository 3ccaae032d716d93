//! Under which names a request met the simulator: its answers name the services as the caller reaches them.
//! Must not know what any service does.
//!
//! The names are the public cloud's. Programs that cannot be led by a proxy reach the same services at one port of
//! loopback: authority and Resource Manager at `localhost`, told apart by the path, a vault at
//! `<vault>.vault.localhost`, a storage account at `<account>.blob.localhost`. A vault's clients insist that the resource
//! that it names is the parent domain of its own host, port and all; so it is here.

use std::sync::Arc;

/// The resource for which the vaults' tokens are issued (Azure Key Vault authentication).
pub(crate) const VAULT_RESOURCE: &str = "https://vault.azure.net";
/// The domain under which Resource Manager reaches vaults from inside: the host table leads nobody else here.
pub(crate) const INSIDE_DOMAIN: &str = ".vault.inside";

/// The service that a host stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Entra,
    Manager,
    Graph,
    Vault,
    Blob,
    /// `localhost`: the path must say.
    Plain,
    Other,
}

/// Names of the services, as one caller knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// `https://login.microsoftonline.com`.
    pub(crate) authority: String,
    /// `https://management.azure.com`.
    pub(crate) manager: String,
    /// `https://vault.azure.net`, which tokens are issued for.
    pub(crate) vault_resource: String,
    /// `.vault.azure.net`, with the port where there is one.
    pub(crate) vaults: String,
    /// `core.windows.net`: after the name of an account and `.blob.`.
    pub(crate) storage: String,
    pub(crate) is_plain: bool,
}

impl Origin {
    /// The public cloud's names.
    pub(crate) fn public() -> Origin {
        Origin {
            authority: "https://login.microsoftonline.com".to_owned(),
            manager: "https://management.azure.com".to_owned(),
            vault_resource: VAULT_RESOURCE.to_owned(),
            vaults: ".vault.azure.net".to_owned(),
            storage: "core.windows.net".to_owned(),
            is_plain: false,
        }
    }

    /// For a `Host` header as it came.
    pub(crate) fn of(host: &str) -> Arc<Origin> {
        let host = host.to_ascii_lowercase();
        let (name, port) = split(&host);
        if !is_plain(name) {
            return Arc::new(Origin::public());
        }
        // A vault or account speaks of its siblings at the same port.
        let base = if name.ends_with(".localhost") { "localhost" } else { name };
        Arc::new(Origin {
            authority: format!("https://{base}{port}"),
            manager: format!("https://{base}{port}"),
            vault_resource: format!("https://vault.localhost{port}"),
            vaults: format!(".vault.localhost{port}"),
            storage: format!("localhost{port}"),
            is_plain: true,
        })
    }

    /// A vault's URL, without a slash at its end.
    pub(crate) fn vault(&self, name: &str) -> String {
        format!("https://{}{}", name.to_ascii_lowercase(), self.vaults)
    }

    /// The URL of an account's blobs, with its slash.
    pub(crate) fn blobs(&self, account: &str) -> String {
        format!("https://{account}.blob.{}/", self.storage)
    }
}

/// Name and port, the latter with its colon.
fn split(host: &str) -> (&str, &str) {
    match host.rfind(':') {
        Some(at) if !host.ends_with(']') => host.split_at(at),
        _ => (host, ""),
    }
}

/// Without the port, in lower case.
pub(crate) fn name_of(host: &str) -> String {
    split(host).0.to_ascii_lowercase()
}

fn is_plain(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
}

/// For a name as [`name_of`] gives it.
pub(crate) fn service(name: &str) -> Service {
    match name {
        "login.microsoftonline.com" | "login.windows.net" => Service::Entra,
        "management.azure.com" => Service::Manager,
        "graph.microsoft.com" => Service::Graph,
        _ if vault_of(name).is_some() => Service::Vault,
        _ if account_of(name).is_some() => Service::Blob,
        _ if is_plain(name) => Service::Plain,
        _ => Service::Other,
    }
}

/// The vault that a name belongs to.
pub(crate) fn vault_of(name: &str) -> Option<&str> {
    name.strip_suffix(".vault.azure.net").or_else(|| name.strip_suffix(".vault.localhost"))
}

/// The storage account that a name belongs to.
pub(crate) fn account_of(name: &str) -> Option<&str> {
    name.strip_suffix(".blob.core.windows.net").or_else(|| name.strip_suffix(".blob.localhost"))
}

/// The service at `localhost` that a path belongs to.
pub(crate) fn service_of_path(path: &str) -> Service {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let managed = ["subscriptions", "providers", "tenants", "metadata"];
    match first {
        "v1.0" => Service::Graph,
        _ if managed.iter().any(|known| known.eq_ignore_ascii_case(first)) => Service::Manager,
        _ => Service::Entra,
    }
}

/// Whether a resource that tokens are asked for is that of the vaults, under one of its names.
pub(crate) fn is_vault_resource(resource: &str) -> bool {
    resource == VAULT_RESOURCE || is_local(resource, "vault.localhost")
}

/// Whether a resource is Resource Manager's, under a name of loopback.
pub(crate) fn is_local_manager(resource: &str) -> bool {
    let resource = resource.strip_suffix('/').unwrap_or(resource);
    is_local(resource, "localhost") || is_local(resource, "127.0.0.1")
}

fn is_local(resource: &str, name: &str) -> bool {
    let rest = resource.strip_prefix("https://").and_then(|rest| rest.strip_prefix(name));
    let is_port = |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    rest.is_some_and(|rest| rest.is_empty() || is_port(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_choose_the_service() {
        let check = |host: &str, expected: Service| assert_eq!(service(&name_of(host)), expected, "{host}");
        check("login.microsoftonline.com", Service::Entra);
        check("Login.Windows.Net:443", Service::Entra);
        check("login.microsoftonline.us", Service::Other);
        check("management.azure.com", Service::Manager);
        check("one.vault.azure.net", Service::Vault);
        check("vault.azure.net", Service::Other);
        check("one.blob.core.windows.net", Service::Blob);
        check("one.queue.core.windows.net", Service::Other);
        check("blob.core.windows.net", Service::Other);
        check("one.vault.azure.net.example", Service::Other);
        check("one.vault.inside", Service::Other);
        check("localhost:8443", Service::Plain);
        check("127.0.0.1:8443", Service::Plain);
        check("[::1]:8443", Service::Plain);
        check("one.vault.localhost:8443", Service::Vault);
        check("one.blob.localhost", Service::Blob);
        check("localhost.example", Service::Other);
    }

    #[test]
    fn paths_choose_the_service_at_loopback() {
        let check = |path: &str, expected: Service| assert_eq!(service_of_path(path), expected, "{path}");
        check("/subscriptions/x", Service::Manager);
        check("/Subscriptions", Service::Manager);
        check("/metadata/endpoints", Service::Manager);
        check("/tenants", Service::Manager);
        check("/v1.0/me", Service::Graph);
        check("/common/discovery/instance", Service::Entra);
        check("/72f988bf-0000-4000-8000-000000000001/oauth2/v2.0/token", Service::Entra);
    }

    #[test]
    fn a_caller_is_answered_in_the_names_that_it_uses() {
        let check = |host: &str, expected: [&str; 4]| {
            let origin = Origin::of(host);
            let found = [&origin.authority, &origin.vault_resource, &origin.vault("One"), &origin.blobs("a")];
            assert_eq!(found, expected, "{host}");
        };
        let public = "https://login.microsoftonline.com";
        let blobs = "https://a.blob.core.windows.net/";
        check("management.azure.com", [public, VAULT_RESOURCE, "https://one.vault.azure.net", blobs]);
        check(
            "One.vault.localhost:8443",
            [
                "https://localhost:8443",
                "https://vault.localhost:8443",
                "https://one.vault.localhost:8443",
                "https://a.blob.localhost:8443/",
            ],
        );
        let local = [
            "https://127.0.0.1",
            "https://vault.localhost",
            "https://one.vault.localhost",
            "https://a.blob.localhost/",
        ];
        check("127.0.0.1", local);
    }

    #[test]
    fn resources_are_known_under_loopbacks_names() {
        let check = |resource: &str, vault: bool, manager: bool| {
            let found = (is_vault_resource(resource), is_local_manager(resource));
            assert_eq!(found, (vault, manager), "{resource}");
        };
        check("https://vault.azure.net", true, false);
        check("https://vault.localhost:8443", true, false);
        check("https://vault.localhost", true, false);
        check("https://vault.localhost:8443/", false, false);
        check("https://vault.localhost.example", false, false);
        check("https://localhost:8443", false, true);
        check("https://127.0.0.1:8443/", false, true);
        check("https://localhost:port", false, false);
        check("https://example", false, false);
    }
}
