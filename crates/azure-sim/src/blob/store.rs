//! What a permitted request does to the blobs.
//! Must not know who asked.

use axum::body::Bytes;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_NONE_MATCH};

use super::operation::{Operation, Verb};
use super::refusal::Refusal;
use super::respond::Answer;
use crate::random;
use crate::state::State;
use crate::storage::Blob;

const BLOB_TYPE: &str = "x-ms-blob-type";
/// What a blob is taken for that was put without a type ("Put Blob").
const UNTYPED: &str = "application/octet-stream";

pub(super) fn run(
    state: &State,
    account: &str,
    operation: &Operation,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let modified = state.now();
    let mut directory = state.write();
    let account = directory.storage.get_mut(account).ok_or_else(Refusal::no_resource)?;
    if operation.verb == Verb::Put {
        match text(headers, BLOB_TYPE) {
            None => return Err(Refusal::missing_header(BLOB_TYPE)),
            Some("BlockBlob") => {}
            Some(_) => return Err(Refusal::invalid_header(BLOB_TYPE)),
        }
    }
    let container = account.containers.get_mut(&operation.container).ok_or_else(Refusal::no_container)?;
    let held = container.blobs.get(&operation.blob);
    match operation.verb {
        Verb::Get | Verb::Head => held.cloned().map(Answer::Read).ok_or_else(Refusal::no_blob),
        Verb::Delete => container.blobs.remove(&operation.blob).map(|_| Answer::Deleted).ok_or_else(Refusal::no_blob),
        Verb::Put => {
            if held.is_some() && text(headers, IF_NONE_MATCH.as_str()) == Some("*") {
                return Err(Refusal::blob_exists());
            }
            // The header of the blob's own counts before that of the request.
            let kept = |own: &str, usual: &str| text(headers, own).or_else(|| text(headers, usual)).map(str::to_owned);
            let blob = Blob {
                content_type: kept("x-ms-blob-content-type", CONTENT_TYPE.as_str())
                    .unwrap_or_else(|| UNTYPED.to_owned()),
                cache_control: kept("x-ms-blob-cache-control", CACHE_CONTROL.as_str()),
                body,
                modified,
                etag: format!("\"0x{}\"", random::text::<12>()),
            };
            container.blobs.insert(operation.blob.clone(), blob.clone());
            Ok(Answer::Written(blob))
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}
