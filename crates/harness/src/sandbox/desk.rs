//! Where a sandbox answers for itself: further accounts and subscriptions, and what was asked of whom. Whoever has the password of its proxy
//! may ask.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clouds::{aws, azure};
use egress::{Exchange, RequestLog};
use serde::Deserialize;
use serde_json::{Value, json};
use trust::AccountId;
use uuid::Uuid;

use super::pass::Pass;

/// What it speaks for.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) pass: Pass,
    pub(super) aws: Arc<aws::Simulated>,
    pub(super) azure: Arc<azure::Simulated>,
    pub(super) log: RequestLog,
}

/// What is told to who asks for nothing that there is.
const PATHS: &str = "crossfed sandbox:
GET  /                                 all that another process must know, with the administrators' keys
POST /aws/accounts                     opens an AWS account and gives its administrator's keys
POST /aws/accounts/{id}                the same for this id, or one more key of it
POST /azure/subscriptions              opens a subscription in a tenant of its own and gives its owner's secret
POST /azure/subscriptions?tenant={id}  the same in this tenant
POST /azure/subscriptions/{id}?tenant={id}  one more owner of it
GET  /requests?after={number}          what went over the wire since then, oldest first: who asked which host for what, and the answer
GET  /requests/aws, /requests/azure    what each cloud was asked, over the wire or at an endpoint
GET  /inventory                        what stands in both clouds
";

pub(super) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/", get(async |State(desk): State<Arc<Desk>>| Json(desk.pass.clone())))
        .route("/aws/accounts", post(another_account))
        .route("/aws/accounts/{id}", post(account_key))
        .route("/azure/subscriptions", post(another_subscription))
        .route("/azure/subscriptions/{id}", post(subscription_owner))
        .route("/requests", get(requests))
        .route("/requests/aws", get(aws_requests))
        .route("/requests/azure", get(azure_requests))
        .route("/inventory", get(inventory))
        .fallback(async || (StatusCode::NOT_FOUND, PATHS))
        .with_state(Arc::new(desk))
}

async fn another_account(State(desk): State<Arc<Desk>>) -> Response {
    match aws::Backend::another_account(&*desk.aws) {
        Ok(account) => (StatusCode::CREATED, Json(account)).into_response(),
        Err(error) => (StatusCode::CONFLICT, format!("{error}\n")).into_response(),
    }
}

async fn account_key(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Response {
    match id.parse::<AccountId>() {
        Ok(id) => (StatusCode::CREATED, Json(desk.aws.another_key(id))).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

#[derive(Deserialize)]
struct Tenant {
    tenant: Option<Uuid>,
}

async fn another_subscription(State(desk): State<Arc<Desk>>, Query(Tenant { tenant }): Query<Tenant>) -> Response {
    let tenant = tenant.unwrap_or_else(Uuid::new_v4);
    (StatusCode::CREATED, Json(desk.azure.another_owner(tenant, Uuid::new_v4()))).into_response()
}

async fn subscription_owner(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<Uuid>,
    Query(Tenant { tenant }): Query<Tenant>,
) -> Response {
    match tenant {
        Some(tenant) => (StatusCode::CREATED, Json(desk.azure.another_owner(tenant, id))).into_response(),
        None => (StatusCode::BAD_REQUEST, "?tenant= says whose it is\n").into_response(),
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn requests(State(desk): State<Arc<Desk>>, Query(After { after }): Query<After>) -> Json<Vec<Exchange>> {
    Json(desk.log.all().into_iter().filter(|exchange| exchange.seq > after).collect())
}

async fn aws_requests(State(desk): State<Arc<Desk>>, Query(After { after }): Query<After>) -> Response {
    Json(desk.aws.requests_after(after)).into_response()
}

async fn azure_requests(State(desk): State<Arc<Desk>>, Query(After { after }): Query<After>) -> Response {
    Json(desk.azure.simulator().requests_after(after)).into_response()
}

async fn inventory(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(json!({"aws": desk.aws.inventory(), "azure": desk.azure.simulator().inventory()}))
}
