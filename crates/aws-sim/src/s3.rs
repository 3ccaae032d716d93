//! A simulated S3: buckets and objects in memory behind the wire protocol of the real service.
//!
//! The library `s3s` speaks the protocol (routes, XML, chunked uploads); what decides is ours: addressing
//! and regions ([`address`]), who signed ([`admission`], [`signature`]), who may ([`permission`]), and what is stored.
//! Must not know how accounts, keys and policies are kept: it asks [`State`].

mod address;
mod admission;
mod buckets;
mod conditions;
mod content;
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
mod snapshot;
mod store;
mod tagging;
mod upload_lists;
mod uploads;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::random;
use crate::requests::{Signer, Told};
use crate::state::State;
use address::{Address, HostStyle};
use refusal::Refusal;
use store::Store;

pub(crate) use snapshot::BucketSnapshot;

/// The largest body taken, far above what a fixture needs; the real limit is 5 GiB.
const BODY_LIMIT: usize = 64 << 20;

/// What all parts of the service share.
#[derive(Clone, Debug)]
struct Simulated {
    state: State,
    store: Arc<Store>,
}

/// The door of the service; clones share its buckets.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    simulated: Simulated,
    protocol: S3Service,
    body_idle: Duration,
}

impl Front {
    /// An empty S3 for the accounts of `state`. Each call makes another one.
    pub(crate) fn new(state: State, storage_limit: usize, body_idle: Duration) -> Front {
        let simulated = Simulated { state, store: Arc::new(Store::new(storage_limit)) };
        let mut builder = S3ServiceBuilder::new(simulated.clone());
        builder.set_host(HostStyle);
        builder.set_auth(simulated.clone());
        builder.set_access(simulated.clone());
        // The library reads the machine's clock; the skew is judged at admission, by the simulator's.
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = u32::MAX;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        Front { simulated, protocol: builder.build(), body_idle }
    }

    /// All buckets with their objects.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, BucketSnapshot> {
        snapshot::take(&self.simulated.store)
    }

    /// Puts buckets back.
    ///
    /// # Errors
    /// Which one cannot be restored, and why.
    pub(crate) fn restore(&self, buckets: BTreeMap<String, BucketSnapshot>) -> Result<(), String> {
        snapshot::put_back(&self.simulated.store, buckets)
    }

    /// Every bucket, object and upload under way, in order.
    pub(crate) fn inventory(&self) -> Vec<String> {
        self.simulated.store.all(|buckets| {
            let each = buckets.iter().flat_map(|(name, bucket)| {
                let arn = format!("{} arn:aws:s3:::{name}", bucket.owner);
                let policy = bucket.policy.iter().map(|_| "bucket policy".to_owned());
                let uploads = bucket.uploads.keys().map(|id| format!("upload {id}"));
                let inside: Vec<String> = policy.chain(uploads).map(|what| format!("{arn} {what}")).collect();
                let objects = bucket.objects.keys().map(|key| format!("{arn}/{key}")).collect::<Vec<_>>();
                [vec![arn], inside, objects].concat()
            });
            each.collect()
        })
    }

    pub(crate) async fn answer(&self, request: Request) -> Response {
        let address = Address::of(request.uri(), request.headers());
        let method = request.method().clone();
        let mut told = Told::default();
        let mut response = match self.admit(request, &address, &mut told).await {
            Ok(response) => response,
            Err(refusal) => {
                told.error = Some(refusal.code.to_string());
                refusal.render()
            }
        };
        self.label(&mut response, &address, &method);
        response.extensions_mut().insert(told);
        response
    }

    async fn admit(&self, request: Request, address: &Address, told: &mut Told) -> Result<Response, Refusal> {
        let (mut parts, body) = request.into_parts();
        let mut visit = admission::admit(&self.simulated, &parts, address)?;
        told.who = visit
            .signer
            .as_ref()
            .map(|signer| Signer { access_key_id: signer.access_key_id.clone(), principal: signer.caller.arn.clone() });
        let body =
            transport::read_body(&parts.headers, body, BODY_LIMIT, self.body_idle).await.map_err(Refusal::of_body)?;
        visit.check_payload(&body)?;
        visit.read_tags(&parts, address, &body).map_err(|refusal| refusal.about(address))?;
        let guest = admission::hand_over(&mut parts, visit)?;
        let request = http::Request::from_parts(parts, s3s::Body::from(body));
        let answer = self.protocol.call(request).await.map_err(|error| {
            tracing::error!(?error, "the protocol library failed");
            Refusal::new(500, "InternalError", "We encountered an internal error. Please try again.")
        })?;
        told.operation = guest.operation().to_owned();
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
