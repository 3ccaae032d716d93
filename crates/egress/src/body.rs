//! A look at the start of a body that leaves the body as it was. It knows nothing of what bodies mean.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};

/// Takes frames until the body ends or `limit` bytes are exceeded. Gives the whole content where it ended in time, and the
/// body as if nobody had looked. A body that says beforehand that it is larger is not touched.
pub(crate) async fn peek<B>(mut body: B, limit: usize) -> (Option<Vec<u8>>, Replayed<B>)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut held = VecDeque::new();
    if body.size_hint().lower() > limit as u64 {
        return (None, Replayed { held, rest: body });
    }
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.as_ref().ok().map(|frame| frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
        let more = data.filter(|data| content.len() + data.len() <= limit).map(|data| content.extend_from_slice(data));
        held.push_back(frame);
        if more.is_none() {
            return (None, Replayed { held, rest: body });
        }
    }
    (Some(content), Replayed { held, rest: body })
}

/// A body whose first frames were taken already and are given again.
#[derive(Debug)]
pub(crate) struct Replayed<B: Body> {
    held: VecDeque<Result<Frame<B::Data>, B::Error>>,
    rest: B,
}

impl<B> Body for Replayed<B>
where
    B: Body<Data = Bytes, Error: Unpin> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.held.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let data = |frame: &Result<Frame<Bytes>, _>| frame.as_ref().ok()?.data_ref().map(Bytes::len);
        let held = self.held.iter().filter_map(data).sum::<usize>() as u64;
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + held);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames one by one, without a word about their length, as a chunked body comes.
    struct Chunks(VecDeque<Result<Frame<Bytes>, String>>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = String;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(text: &'static str) -> Result<Frame<Bytes>, String> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    /// What one says of a frame: its text, `trailers`, or its error in brackets.
    fn told(frame: Result<Frame<Bytes>, String>) -> String {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => String::from_utf8_lossy(&data).into_owned(),
            Ok(Err(_)) => "trailers".to_owned(),
            Err(error) => format!("({error})"),
        }
    }

    #[tokio::test]
    async fn gives_the_content_of_small_bodies_and_every_frame_again() {
        let check = async |frames: Vec<Result<Frame<Bytes>, String>>, content: Option<&str>| {
            let expected: Vec<_> = frames.iter().map(|frame| told(copy(frame))).collect();
            let (seen, mut body) = peek(Chunks(frames.into()), 4).await;
            assert_eq!(seen.as_deref(), content.map(str::as_bytes), "{expected:?}");
            let mut again = Vec::new();
            while let Some(frame) = body.frame().await {
                again.push(told(frame));
            }
            assert_eq!(again, expected);
        };
        let trailers = || Ok(Frame::trailers(http::HeaderMap::new()));
        check(vec![], Some("")).await;
        check(vec![data("ab"), data("cd")], Some("abcd")).await;
        check(vec![data("ab"), trailers()], Some("ab")).await;
        check(vec![data("ab"), data("cde"), data("f")], None).await;
        check(vec![data("abcde"), trailers()], None).await;
        check(vec![data("ab"), Err("broke off".into())], None).await;
    }

    #[tokio::test]
    async fn says_how_long_it_is_as_the_body_did() {
        let check = async |text: &'static str, seen: Option<&str>| {
            let (content, body) = peek(http_body_util::Full::new(Bytes::from_static(text.as_bytes())), 4).await;
            assert_eq!(content.as_deref(), seen.map(str::as_bytes));
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(text.len() as u64), text.is_empty()));
        };
        check("", Some("")).await;
        check("abcd", Some("abcd")).await;
        check("abcde", None).await;
    }

    fn copy(frame: &Result<Frame<Bytes>, String>) -> Result<Frame<Bytes>, String> {
        match frame {
            Ok(frame) => Ok(match frame.data_ref() {
                Some(data) => Frame::data(data.clone()),
                None => Frame::trailers(http::HeaderMap::new()),
            }),
            Err(error) => Err(error.clone()),
        }
    }
}
