//! Which service a request is for, by the host's name.
//! Must not know what any of them does.

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use http::StatusCode;
use http::header::HOST;
use tower::ServiceExt;

use crate::state::State;
use crate::{arm, blob, entra, vault};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Entra,
    Manager,
    Vault,
    Blob,
    Other,
}

pub(crate) fn router(state: State) -> Router {
    let vaults = vault::router(state.clone());
    Router::new().fallback(move |request: Request| {
        let (state, vaults) = (state.clone(), vaults.clone());
        async move {
            let host = host_of(&request);
            match addressed(&host) {
                Service::Entra => entra::serve(&state, request).await,
                Service::Manager => arm::serve(&state, &vaults, request).await,
                Service::Vault => match vaults.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                },
                Service::Blob => blob::serve(&state, request).await,
                Service::Other => {
                    let text = format!("no service is simulated at {host}\n");
                    (StatusCode::NOT_FOUND, text).into_response()
                }
            }
        }
    })
}

fn addressed(host: &str) -> Service {
    match host {
        "login.microsoftonline.com" | "login.windows.net" => Service::Entra,
        "management.azure.com" => Service::Manager,
        _ if host.ends_with(".vault.azure.net") => Service::Vault,
        _ if host.ends_with(blob::DOMAIN) => Service::Blob,
        _ => Service::Other,
    }
}

/// Whether the name, without port, resolves: see [`crate::AzureSim::knows_host`].
pub(crate) fn is_known(state: &State, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match addressed(&host) {
        Service::Entra | Service::Manager => true,
        Service::Vault => !host.contains(':') && state.vault(&host).is_some(),
        Service::Blob => blob::account_of(&host).is_some_and(|name| state.read().storage.contains_key(name)),
        Service::Other => false,
    }
}

/// The host asked for, in lower case and without port.
fn host_of(request: &Request) -> String {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let host = header.or_else(|| request.uri().host()).unwrap_or_default();
    let name = host.split(':').next().unwrap_or(host);
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_choose_the_service() {
        let check = |host: &str, expected: Service| assert_eq!(addressed(host), expected, "{host}");
        check("login.microsoftonline.com", Service::Entra);
        check("login.windows.net", Service::Entra);
        check("login.microsoftonline.us", Service::Other);
        check("management.azure.com", Service::Manager);
        check("one.vault.azure.net", Service::Vault);
        check("vault.azure.net", Service::Other);
        check("one.blob.core.windows.net", Service::Blob);
        check("one.queue.core.windows.net", Service::Other);
        check("blob.core.windows.net", Service::Other);
        check("one.vault.azure.net.example", Service::Other);
    }
}
