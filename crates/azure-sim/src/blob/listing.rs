//! The blobs of a container, a page at a time ("List Blobs").
//! Must not know who asks. Delimiters are not simulated: every blob is listed by its whole name.

use std::fmt::Write as _;
use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refusal::Refusal;
use super::respond::http_date;
use crate::entra::Form;
use crate::storage::Container;

/// Blobs on a page, unless fewer are asked for.
const PAGE: usize = 5000;

/// The page that a query asks for, as XML.
pub(super) fn page(account: &str, container: &Container, query: &str) -> Result<String, Refusal> {
    let form = Form::parse(query.as_bytes());
    let size = match form.get("maxresults") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| *size > 0)
            .map(|size: usize| size.min(PAGE))
            .ok_or_else(Refusal::invalid_uri)?,
    };
    let prefix = form.get("prefix").unwrap_or_default();
    let after = form.get("marker").map(read_marker).transpose()?;
    let start = match &after {
        Some(after) => Bound::Excluded(after.as_str()),
        None => Bound::Included(prefix),
    };
    let mut rest =
        container.blobs.range::<str, _>((start, Bound::Unbounded)).filter(|(name, _)| name.starts_with(prefix));
    let mut blobs = String::new();
    let mut last = None;
    for (name, blob) in rest.by_ref().take(size) {
        last = Some(name);
        // A write to a string does not fail.
        let _ = write!(
            blobs,
            "<Blob><Name>{}</Name><Properties><Creation-Time>{modified}</Creation-Time><Last-Modified>{modified}</Last-Modified><Etag>{}</Etag><Content-Length>{}</Content-Length><Content-Type>{}</Content-Type><BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties></Blob>",
            escaped(name),
            blob.etag.trim_matches('"'),
            blob.body.len(),
            escaped(&blob.content_type),
            modified = http_date(blob.modified),
        );
    }
    let marker = rest.next().and(last).map(|last| URL_SAFE_NO_PAD.encode(last)).unwrap_or_default();
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://{account}.blob.core.windows.net/\" ContainerName=\"{}\"><Prefix>{}</Prefix><MaxResults>{size}</MaxResults><Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>",
        container.name,
        escaped(prefix),
    ))
}

fn read_marker(marker: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(Refusal::invalid_uri)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
