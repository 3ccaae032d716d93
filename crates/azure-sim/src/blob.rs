//! Blob Storage's data plane at `<account>.blob.core.windows.net`: block blobs are put, read and deleted whole, containers made,
//! listed and deleted.
//! Must not know how an account or container was created, nor how tokens are issued: the state answers for both.
//!
//! Who asks is told by a bearer token for `https://storage.azure.com`, or by nothing. Account keys (`SharedKey`) and
//! shared access signatures are not simulated: the first are refused, the second are taken for no authorization at
//! all. Neither are ranges, leases, snapshots, block lists, and conditions other than `If-None-Match: *` on
//! a write; a range is answered with the whole blob, as HTTP allows.
//!
//! Sources: Blob Storage REST reference ("Put Blob", "Get Blob", "Get Blob Properties", "Delete Blob", "Authorize with
//! Microsoft Entra ID", "Blob service error codes") and the answers that users report. What is recalled or inferred
//! is marked where it stands.

mod caller;
mod listing;
mod operation;
mod refusal;
mod respond;
mod store;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::HOST;
use http::request::Parts;

use crate::origin::{self, Origin};
use crate::rbac;
use crate::requests::{Principal, Told};
use crate::state::State;
use caller::Asking;
use operation::Operation;
use refusal::Refusal;
use respond::Answer;

/// The real service takes some gigabytes; nothing here needs more than a key set.
const BODY_LIMIT: usize = 8 << 20;

pub(crate) async fn serve(state: &State, origin: &Origin, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let host = host_of(&parts);
    let name = origin::account_of(&host).filter(|name| state.read().storage.contains_key(*name));
    let Some(name) = name else {
        // In the real cloud such a name does not resolve, and nobody answers (see `AzureSim::knows_host`).
        let text = format!("no storage account answers at {host}\n");
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let mut told = Told::default();
    let outcome = decide(state, name, &parts, body, &mut told).await;
    if let Err(refusal) = &outcome {
        tracing::debug!(account = name, code = refusal.code, "refused");
        told.error = Some(refusal.code.to_owned());
    }
    let mut response = respond::finish(state.now(), origin, &parts, outcome);
    response.extensions_mut().insert(told);
    response
}

/// Who asks, may they, and only then what is there.
async fn decide(state: &State, account: &str, parts: &Parts, body: Body, told: &mut Told) -> Result<Answer, Refusal> {
    let operation = Operation::of(parts)?;
    operation.verb.title().clone_into(&mut told.operation);
    let asking = caller::of(state, account, &parts.headers)?;
    if let Asking::Known(caller) = &asking {
        told.who = Some(Principal::of(caller));
    }
    permit(state, account, &operation, &asking, parts)?;
    let body =
        state.read_body(&parts.headers, body, BODY_LIMIT).await.map_err(|error| Refusal::of_body(error, BODY_LIMIT))?;
    store::run(state, account, &operation, parts.uri.query().unwrap_or_default(), &parts.headers, body)
}

fn permit(state: &State, account: &str, operation: &Operation, asking: &Asking, parts: &Parts) -> Result<(), Refusal> {
    let directory = state.read();
    let account = directory.storage.get(account).ok_or_else(Refusal::no_resource)?;
    match asking {
        Asking::Known(caller) => {
            let scope = account.container_id(&operation.container);
            let action = operation.verb.action();
            let decides = if operation.verb.is_of_container() { rbac::allows } else { rbac::allows_data };
            let is_allowed = directory.seen_assignments(|held| decides(held, caller, action, &scope));
            is_allowed.then_some(()).ok_or_else(Refusal::permission_mismatch)
        }
        // That this is so for writes, too, is inferred.
        Asking::Nobody if !account.allows_public => Err(Refusal::public_access_not_permitted()),
        Asking::Nobody => {
            let container = account.containers.get(&operation.container);
            let access = container.map(|held| held.public_access).unwrap_or_default();
            if operation.verb.is_public(access) {
                return Ok(());
            }
            Err(Refusal::unauthenticated(account.tenant, caller::version(&parts.headers)))
        }
    }
}

/// In lower case and without port.
fn host_of(parts: &Parts) -> String {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    origin::name_of(header.or_else(|| parts.uri.host()).unwrap_or_default())
}
