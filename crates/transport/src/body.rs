//! Reads a request's body: bounded in size, and in the time between two pieces of it.
//! Must not know what is in it.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use thiserror::Error;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More bytes than are taken.
    #[error("the body is too large")]
    TooLarge,
    /// The peer is silent.
    #[error("the next piece of the body did not come in time")]
    Slow,
    /// The peer is gone.
    #[error("the body ended before its time")]
    Incomplete,
}

/// Reads all of `body`, at most `limit` bytes; each piece may take `idle`.
///
/// # Errors
/// When it is too large, does not come, or breaks off.
pub async fn read_body(headers: &HeaderMap, mut body: Body, limit: usize, idle: Duration) -> Result<Bytes, BodyError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit)) {
        return Err(BodyError::TooLarge);
    }
    let mut whole = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(idle, body.frame()).await.map_err(|_| BodyError::Slow)?;
        let Some(frame) = frame else { return Ok(whole.freeze()) };
        let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() else { continue };
        if data.len() > limit - whole.len() {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};

    use super::*;

    async fn check(length: Option<&'static str>, body: Body, expected: Result<&'static [u8], BodyError>) {
        let mut headers = HeaderMap::new();
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, http::HeaderValue::from_static(length));
        }
        let found = read_body(&headers, body, 4, Duration::from_millis(1)).await;
        assert_eq!(found, expected.map(Bytes::from_static), "{length:?}");
    }

    fn pieces(pieces: &'static [Result<&'static str, &'static str>]) -> Body {
        let broken = |text: &'static str| std::io::Error::other(text);
        Body::from_stream(stream::iter(pieces).map(move |piece| piece.map_err(broken)))
    }

    fn silent() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
    }

    #[tokio::test]
    async fn a_body_is_read_within_its_bounds() {
        check(None, Body::empty(), Ok(b"")).await;
        check(Some("4"), Body::from("four"), Ok(b"four")).await;
        check(None, pieces(&[Ok("fo"), Ok("ur")]), Ok(b"four")).await;
        check(None, pieces(&[Ok("fo"), Ok("urs")]), Err(BodyError::TooLarge)).await;
        check(Some("5"), silent(), Err(BodyError::TooLarge)).await;
        check(Some("4"), pieces(&[Ok("fo"), Err("reset")]), Err(BodyError::Incomplete)).await;
        check(Some("4"), silent(), Err(BodyError::Slow)).await;
    }
}
