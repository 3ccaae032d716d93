//! Writing an object: as a new one that is the run's, or over one that is there.

use aws_sdk_s3::primitives::ByteStream;

use super::access::Clients;
use super::call::call;
use super::error::ProvisionError;
use crate::Tags;

/// What an object is to be.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    /// `None` leaves it to the SDK: `application/octet-stream`.
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// Writes an object that is not there.
pub(super) async fn create(clients: &Clients, content: Content<'_>, tags: &Tags) -> Result<(), ProvisionError> {
    let Content { bucket, key, content_type, body } = content;
    let send = || {
        let put = clients.s3().put_object().bucket(bucket).key(key).body(ByteStream::from(body.to_vec()));
        let put = put.set_content_type(content_type.map(str::to_owned));
        let metadata = tags.metadata().map(|(name, value)| (name.to_owned(), value.to_owned()));
        put.if_none_match("*").set_metadata(Some(metadata.into())).send()
    };
    call(clients.consistency(), "PutObject", &resource(bucket, key), send).await.map(drop)
}

/// Writes over an object that is there, such as a key set after a rotation. What marks it as a run's stays.
///
/// # Errors
/// When the service refuses or does not answer. An object that is not there is refused (404), since it would be written
/// down nowhere: make it with [`super::create_journaled`] first.
pub async fn publish(
    clients: &Clients,
    bucket: &str,
    key: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(), ProvisionError> {
    let (s3, resource) = (clients.s3(), resource(bucket, key));
    let send = || s3.head_object().bucket(bucket).key(key).send();
    let there = call(clients.consistency(), "HeadObject", &resource, send).await?;
    let send = || {
        let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from(body.to_vec()));
        put.content_type(content_type).set_metadata(there.metadata().cloned()).send()
    };
    call(clients.consistency(), "PutObject", &resource, send).await.map(drop)
}

fn resource(bucket: &str, key: &str) -> String {
    format!("object {bucket}/{key}")
}
