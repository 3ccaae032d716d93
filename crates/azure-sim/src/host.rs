//! Which service a request is for, by the host's name, and its line in the request log.
//! Must not know what any of them does.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::HOST;
use tower::ServiceExt;

use crate::origin::{self, Origin, Service};
use crate::requests::{LoggedRequest, RequestLog, Told};
use crate::state::State;
use crate::{arm, blob, entra, graph, vault};

/// What the front doors share.
#[derive(Clone, Debug)]
struct House {
    state: State,
    vaults: Router,
    log: Arc<RequestLog>,
}

pub(crate) fn router(state: State, log: Arc<RequestLog>) -> Router {
    let house = House { vaults: vault::router(state.clone()), state, log };
    Router::new().fallback(move |request: Request| {
        let house = house.clone();
        async move { house.answer(request).await }
    })
}

impl House {
    async fn answer(&self, request: Request) -> Response {
        let started = Instant::now();
        let host = host_of(&request);
        let mut entry = LoggedRequest::of(self.state.now(), &host, request.method().as_str(), request.uri().path());
        entry.source_ip = request.extensions().get::<transport::PeerAddr>().map(|peer| peer.0.ip().to_canonical());
        let (service, mut response) = self.dispatch(request, &host).await;
        if let Some(told) = response.extensions_mut().remove::<Told>() {
            entry.tell(told);
        }
        let id = response.headers().get("x-ms-request-id");
        entry.request_id = id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        entry.service = service;
        entry.status = response.status().as_u16();
        entry.micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.log.push(entry);
        response
    }

    async fn dispatch(&self, mut request: Request, host: &str) -> (&'static str, Response) {
        let origin = Origin::of(host);
        let service = match origin::service(&origin::name_of(host)) {
            Service::Plain => origin::service_of_path(request.uri().path()),
            service => service,
        };
        match service {
            Service::Entra => ("entra", entra::serve(&self.state, &origin, request).await),
            Service::Manager => ("arm", arm::serve(&self.state, &self.vaults, &origin, request).await),
            Service::Graph => ("graph", graph::serve(&self.state, &origin, request).await),
            Service::Vault => {
                request.extensions_mut().insert(origin);
                match self.vaults.clone().oneshot(request).await {
                    Ok(response) => ("keyvault", response),
                    Err(never) => match never {},
                }
            }
            Service::Blob => ("blob", blob::serve(&self.state, &origin, request).await),
            Service::Plain | Service::Other => {
                let text = format!("no service is simulated at {host}\n");
                ("", (StatusCode::NOT_FOUND, text).into_response())
            }
        }
    }
}

/// Whether the name, without port, resolves: see [`crate::AzureSim::knows_host`].
pub(crate) fn is_known(state: &State, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match origin::service(&host) {
        Service::Entra | Service::Manager | Service::Graph => true,
        Service::Vault => origin::vault_of(&host).is_some_and(|name| state.read().vaults.contains_key(name)),
        Service::Blob => origin::account_of(&host).is_some_and(|name| state.read().storage.contains_key(name)),
        Service::Plain | Service::Other => false,
    }
}

/// As it was asked for, with the port.
fn host_of(request: &Request) -> String {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let authority = || request.uri().authority().map(|authority| authority.as_str());
    header.or_else(authority).unwrap_or_default().to_owned()
}
