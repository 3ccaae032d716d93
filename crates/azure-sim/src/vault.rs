//! Key Vault's data plane, as far as secrets go, at `<vault>.vault.azure.net`: who asks, from where, may
//! they, and only then what is there (401, 403, 404).
//! Must not know how a vault was created, nor how tokens are issued: the state answers for both.

mod body;
mod listing;
mod network;
mod operation;
mod query;
mod refusal;
mod respond;
mod secret;
mod store;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::origin::Origin;
use crate::requests::{Principal, Told};
use crate::state::State;
use crate::vaults::VaultView;
use operation::Operation;
use query::Query;
use refusal::Refusal;
use respond::Answer;
pub(crate) use store::{Store, Stores};

/// Larger than any request that is accepted: a secret has at most 25 KB, and its tags 15 KB.
const BODY_LIMIT: usize = 1 << 18;

/// Every vault of the simulator: the `Host` header says which.
pub(crate) fn router(state: State) -> Router {
    Router::new().fallback(move |request: Request| {
        let state = state.clone();
        async move { serve(&state, state.secrets(), request).await }
    })
}

async fn serve(state: &State, stores: &Stores, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let host = host_of(&parts);
    let origin = parts.extensions.get::<Arc<Origin>>().cloned().unwrap_or_else(|| Origin::of(host));
    let Some(vault) = state.vault(host, &origin) else {
        // In the real cloud such a name does not resolve, and nobody answers (see `AzureSim::router`).
        let text = format!("no vault answers at {host}\n");
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let peer = parts.extensions.get::<transport::PeerAddr>();
    let peer = peer.map(|peer| peer.0.ip().to_canonical());
    let mut told = Told::default();
    let outcome = decide(state, stores, &vault, &parts, body, peer, &mut told).await;
    if let Err(refusal) = &outcome {
        tracing::debug!(vault = vault.name, code = refusal.reason(), "refused");
        told.error = Some(refusal.reason().to_owned());
    }
    let mut response = respond::finish(&vault, &parts.headers, peer, outcome);
    response.extensions_mut().insert(told);
    response
}

/// The order in which a vault says no.
async fn decide(
    state: &State,
    stores: &Stores,
    vault: &VaultView,
    parts: &Parts,
    body: Body,
    peer: Option<IpAddr>,
    told: &mut Told,
) -> Result<Answer, Refusal> {
    let caller = state
        .check_vault_token(bearer(&parts.headers), vault)
        .map_err(|error| Refusal::unauthenticated(vault, &error))?;
    told.who = Some(Principal::of(&caller));
    let query = Query::of(&parts.uri)?;
    network::admit(&vault.network, peer).map_err(|barrier| Refusal::unreachable(vault, &caller, peer, barrier))?;
    let operation = Operation::of(&parts.method, parts.uri.path())?;
    operation.title().clone_into(&mut told.operation);
    let permission = operation.permission();
    let secret = operation.name().map(operation::Name::as_str);
    state
        .vault_permission(&caller, vault, secret, permission.data_action, permission.policy)
        .map_err(|denied| Refusal::denied(vault, &caller, secret, &permission, denied))?;
    let body = state.read_body(&parts.headers, body, BODY_LIMIT).await.map_err(Refusal::of_body)?;
    stores.run(state, vault, &operation, &query, &body)
}

fn host_of(parts: &Parts) -> &str {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| parts.uri.host()).unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then_some(token)
}
