//! What a permitted request does to the blobs.
//! Must not know who asked.

use axum::body::Bytes;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_NONE_MATCH};
use jiff::Timestamp;

use super::listing;
use super::operation::{Operation, Verb};
use super::refusal::Refusal;
use super::respond::Answer;
use crate::random;
use crate::state::State;
use crate::storage::{Blob, Container, PublicAccess, StorageAccount, is_container_name};

/// What a blob takes besides its body, about.
const BLOB_SIZE: usize = 512;
const BLOB_TYPE: &str = "x-ms-blob-type";
/// What a blob is taken for that was put without a type ("Put Blob").
const UNTYPED: &str = "application/octet-stream";

pub(super) fn run(
    state: &State,
    account: &str,
    operation: &Operation,
    query: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let modified = state.now();
    let space = match operation.verb {
        Verb::Put => Some(state.space().take(BLOB_SIZE + body.len()).ok_or_else(Refusal::no_space)?),
        _ => None,
    };
    let mut directory = state.write();
    let account = directory.storage.get_mut(account).ok_or_else(Refusal::no_resource)?;
    if operation.verb.is_of_container() {
        let outcome = container(account, operation, headers, modified);
        if operation.verb == Verb::DeleteContainer && outcome.is_ok() {
            let id = account.container_id(&operation.container);
            directory.forget_assignments(&id);
        }
        return outcome;
    }
    if operation.verb == Verb::Put {
        match text(headers, BLOB_TYPE) {
            None => return Err(Refusal::missing_header(BLOB_TYPE)),
            Some("BlockBlob") => {}
            Some(_) => return Err(Refusal::invalid_header(BLOB_TYPE)),
        }
    }
    let name = account.name.clone();
    let container = account.containers.get_mut(&operation.container).ok_or_else(Refusal::no_container)?;
    let held = container.blobs.get(&operation.blob);
    match operation.verb {
        Verb::Get | Verb::Head => held.cloned().map(Answer::Read).ok_or_else(Refusal::no_blob),
        Verb::Delete => container.blobs.remove(&operation.blob).map(|_| Answer::Deleted).ok_or_else(Refusal::no_blob),
        Verb::ListBlobs => Ok(Answer::Listed(listing::page(&name, container, query)?)),
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
                _space: space,
                modified,
                etag: format!("\"0x{}\"", random::text::<12>()),
            };
            container.blobs.insert(operation.blob.clone(), blob.clone());
            Ok(Answer::Written(blob))
        }
        Verb::CreateContainer | Verb::ContainerProperties | Verb::DeleteContainer => Err(Refusal::not_simulated()),
    }
}

/// "Create Container", "Get Container Properties", "Delete Container". The name of a deleted one is free at once; in the
/// real service it is not for half a minute or more.
fn container(
    account: &mut StorageAccount,
    operation: &Operation,
    headers: &HeaderMap,
    modified: Timestamp,
) -> Result<Answer, Refusal> {
    let name = &operation.container;
    if operation.verb == Verb::CreateContainer {
        if !is_container_name(name) {
            return Err(Refusal::invalid_name());
        }
        let public_access = match text(headers, "x-ms-blob-public-access") {
            None => PublicAccess::None,
            Some(word) => PublicAccess::read(word).ok_or_else(|| Refusal::invalid_header("x-ms-blob-public-access"))?,
        };
        if public_access != PublicAccess::None && !account.allows_public {
            return Err(Refusal::public_access_not_permitted());
        }
        if account.containers.contains_key(name) {
            return Err(Refusal::container_exists());
        }
        let made = Container::new(name, public_access, modified);
        account.containers.insert(name.clone(), made.clone());
        return Ok(Answer::ContainerMade(made));
    }
    let held = account.containers.get(name).ok_or_else(Refusal::no_container)?.clone();
    if operation.verb == Verb::DeleteContainer {
        account.containers.remove(name);
        return Ok(Answer::Deleted);
    }
    Ok(Answer::Container(held))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}
