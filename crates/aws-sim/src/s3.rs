//! A simulated S3: buckets and objects in memory behind the wire protocol of the real service.
//!
//! The library `s3s` speaks the protocol (routes, XML, chunked uploads); what decides is ours: addressing
//! and regions ([`address`]), who signed ([`admission`], [`signature`]), who may ([`permission`]), and what is stored.
//! Must not know how accounts, keys and policies are kept: it asks [`State`].

mod address;
mod admission;
mod buckets;
mod conditions;
mod copying;
mod deleting;
mod integrity;
mod listing;
mod location;
mod objects;
mod operations;
mod permission;
mod public;
mod refusal;
mod settings;
mod signature;
mod store;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::random;
use crate::state::State;
use address::{Address, HostStyle};
use refusal::Refusal;
use store::Store;

/// The largest body taken, far above what a fixture needs; the real limit is 5 GiB.
const BODY_LIMIT: usize = 64 << 20;

/// What all parts of the service share.
#[derive(Clone, Debug)]
struct Simulated {
    state: State,
    store: Arc<Store>,
}

#[derive(Clone, Debug)]
struct Front {
    simulated: Simulated,
    protocol: S3Service,
}

/// An empty S3 for the accounts of `state`. Each call makes another one; clones of a router share theirs.
pub(crate) fn service(state: State) -> Router {
    let simulated = Simulated { state, store: Arc::default() };
    let mut builder = S3ServiceBuilder::new(simulated.clone());
    builder.set_host(HostStyle);
    builder.set_auth(simulated.clone());
    builder.set_access(simulated.clone());
    // The library reads the machine's clock; the skew is judged at admission, by the simulator's.
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    let front = Front { simulated, protocol: builder.build() };
    Router::new().fallback(move |request: Request| {
        let front = front.clone();
        async move { front.answer(request).await }
    })
}

impl Front {
    async fn answer(&self, request: Request) -> Response {
        let address = Address::of(request.uri(), request.headers());
        let method = request.method().clone();
        let mut response = match self.admit(request, &address).await {
            Ok(response) => response,
            Err(refusal) => refusal.render(),
        };
        self.label(&mut response, &address, &method);
        response
    }

    async fn admit(&self, request: Request, address: &Address) -> Result<Response, Refusal> {
        let (mut parts, body) = request.into_parts();
        let visit = admission::admit(&self.simulated, &parts, address)?;
        let body = axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| {
            Refusal::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
        })?;
        visit.check_payload(&body)?;
        let guest = admission::hand_over(&mut parts, visit)?;
        let request = http::Request::from_parts(parts, s3s::Body::from(body));
        let answer = self.protocol.call(request).await.map_err(|error| {
            tracing::error!(?error, "the protocol library failed");
            Refusal::new(500, "InternalError", "We encountered an internal error. Please try again.")
        })?;
        if let Some(refusal) = guest.take_refusal() {
            return Err(refusal.about(address));
        }
        if answer.status().is_client_error() || answer.status().is_server_error() {
            return Err(Refusal::of_answer(answer).await.about(address));
        }
        let (parts, body) = answer.into_parts();
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// Puts on what every answer of S3 carries.
    fn label(&self, response: &mut Response, address: &Address, method: &Method) {
        let bodyless = *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
        let failed = !response.status().is_success();
        let headers = response.headers_mut();
        put(headers, "server", "AmazonS3");
        if !headers.contains_key("x-amz-request-id") {
            put(headers, "x-amz-request-id", &random::id("", 16));
            put(headers, "x-amz-id-2", &random::secret(56));
        }
        // A client that asked the wrong region learns the right one here (S3 API reference, HeadBucket).
        if address.key.is_none()
            && let Some(name) = &address.bucket
            && let Some(region) = self.simulated.store.region(name)
        {
            put(headers, "x-amz-bucket-region", &region);
        }
        if bodyless && failed {
            headers.remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::empty();
        }
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests;
