//! Azure Resource Manager: resource groups, identities, federated credentials, vaults, storage accounts and role
//! assignments. Must not know tokens of other issuers, nor what a vault or container holds.
//!
//! Every request passes the same gates: bearer token, API version, subscription, the caller's roles.

mod answer;
mod assignments;
mod body;
mod caller;
mod containers;
mod credentials;
mod deleted_vaults;
mod error;
mod groups;
mod identities;
mod locations;
mod operations;
mod path;
mod policies;
mod secrets;
mod storage_accounts;
mod storage_body;
mod storage_path;
mod tenancy;
mod vault_body;
mod vaults;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::Method;
use http::request::Parts;
use uuid::Uuid;

use crate::origin::Origin;
use crate::requests::{Principal, Told};
use crate::state::{Caller, State};
use answer::Answer;
use body::Body;
use error::ArmError;
use path::{Path, Target};
use tenancy::Above;

/// Resource Manager's own limit on a request (Azure subscription limits).
const BODY_LIMIT: usize = 4 << 20;

/// A request that has passed the gates, on its way to its handler.
#[derive(Debug)]
struct Call<'a> {
    state: &'a State,
    /// The data plane.
    vaults: &'a Router,
    origin: &'a Arc<Origin>,
    caller: &'a Caller,
    method: &'a Method,
    subscription: Uuid,
    /// The subscription's.
    tenant: Uuid,
    api_version: String,
    filter: Option<String>,
    body: &'a Body,
}

pub(crate) async fn serve(state: &State, vaults: &Router, origin: &Arc<Origin>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut told = Told::default();
    let outcome = match state.read_body(&parts.headers, body, BODY_LIMIT).await {
        Ok(body) => decide(state, vaults, origin, &parts, &body, &mut told).await,
        Err(error) => Err(ArmError::of_body(error, BODY_LIMIT)),
    };
    if let Err(error) = &outcome {
        tracing::debug!(method = %parts.method, path = parts.uri.path(), %error, "refused");
        told.error = Some(error.code.clone());
    }
    let mut response = answer::write(origin, state.retry_after(), &parts.headers, outcome);
    response.extensions_mut().insert(told);
    response
}

async fn decide(
    state: &State,
    vaults: &Router,
    origin: &Arc<Origin>,
    parts: &Parts,
    body: &[u8],
    told: &mut Told,
) -> Result<Answer, ArmError> {
    let query = body::query(parts.uri.query());
    let asked = query.get("api-version").map(String::as_str);
    if tenancy::is_metadata(parts.uri.path()) {
        "metadata/endpoints".clone_into(&mut told.operation);
        return tenancy::metadata(origin, &parts.method, asked);
    }
    let caller = caller::authenticate(state, &parts.headers)?;
    told.who = Some(Principal::of(&caller));
    if let Some(above) = Above::of(parts.uri.path()) {
        above.action().clone_into(&mut told.operation);
        versions::must_be_one_of(tenancy::VERSIONS, asked)?;
        return above.answer(state, &caller, &parts.method);
    }
    let path = Path::parse(parts.uri.path())?;
    told.operation = path.action(&parts.method);
    let api_version = versions::check(&path, asked)?;
    let tenant = caller::subscription(state, &caller, path.subscription, &path.written)?;
    caller::authorize(state, &caller, &path, &parts.method)?;
    let body = Body::new(body);
    let call = Call {
        state,
        vaults,
        origin,
        caller: &caller,
        method: &parts.method,
        subscription: path.subscription,
        tenant,
        api_version,
        filter: query.get("$filter").cloned(),
        body: &body,
    };
    dispatch(&call, &path).await
}

async fn dispatch(call: &Call<'_>, path: &Path) -> Result<Answer, ArmError> {
    match &path.target {
        Target::Subscription => groups::subscription(call),
        Target::Groups => groups::list(call),
        Target::Group { group } => groups::one(call, group),
        Target::Resources { group } => groups::resources(call, group.as_deref()),
        Target::Operation { id } => operations::poll(call, id),
        Target::Identities { group } => identities::list(call, group.as_deref()),
        Target::Identity { group, name } => identities::one(call, group, name),
        Target::Credentials { group, identity } => credentials::list(call, group, identity),
        Target::Credential { group, identity, name } => credentials::one(call, group, identity, name).await,
        Target::Vaults { group } => vaults::list(call, group.as_deref()),
        Target::Vault { group, name } => vaults::one(call, group, name),
        Target::VaultPolicies { group, name, change } => policies::change(call, group, name, change),
        Target::VaultSecrets { group, vault } => secrets::list(call, group, vault).await,
        Target::VaultSecret { group, vault, name } => secrets::one(call, group, vault, name).await,
        Target::VaultName => vaults::check_name(call),
        Target::DeletedVaults => deleted_vaults::list(call),
        Target::DeletedVault { location, name } => deleted_vaults::one(call, location, name),
        Target::PurgeVault { location, name } => deleted_vaults::purge(call, location, name),
        Target::Storage(storage) => storage_accounts::serve(call, storage),
        Target::Assignments { scope } => assignments::list(call, scope),
        Target::Assignment { scope, name } => assignments::one(call, scope, name),
        Target::Definitions { scope } => assignments::definitions(call, scope),
        Target::Definition { scope, name } => assignments::definition(call, scope, name),
    }
}

impl Call<'_> {
    fn is(&self, method: &Method) -> bool {
        self.method == method
    }

    fn unsupported(&self) -> ArmError {
        ArmError::method(self.method)
    }

    /// Listings answer to GET alone.
    fn must_be(&self, method: &Method) -> Result<(), ArmError> {
        if self.is(method) { Ok(()) } else { Err(self.unsupported()) }
    }

    /// Where a group's id begins.
    fn group_id(&self, group: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{group}", self.subscription)
    }
}
