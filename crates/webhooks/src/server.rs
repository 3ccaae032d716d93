//! The HTTP shell of a webhook: one path for admission reviews and `/healthz`. It must not know what the
//! reviews say: each webhook answers its own way even to a wrong content type.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// Far above what an API server sends: objects are limited to 3 MiB, and a review holds two.
const BODY_LIMIT: usize = 16 << 20;

/// One webhook's way to answer.
#[async_trait::async_trait]
pub(crate) trait Handler: Send + Sync + fmt::Debug + 'static {
    /// `content_type` is the header as sent, empty when there is none.
    async fn answer(&self, content_type: &str, body: &[u8]) -> Answer;
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// Serves `handler` at `path`, with any method, as a Go mux without methods does.
pub(crate) fn router(path: &str, handler: Arc<dyn Handler>) -> Router {
    let review = move |headers: HeaderMap, body: Bytes| async move {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Answer { status, content_type, body } = handler.answer(content_type, &body).await;
        (status, [(CONTENT_TYPE, content_type)], body).into_response()
    };
    Router::new()
        .route(path, any(review))
        .route("/healthz", get(async || "ok"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}
