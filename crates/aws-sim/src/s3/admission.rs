//! Who sent a request to S3, at the right endpoint, in time: everything that is settled before the operation
//! is known. Must not know what the caller may do.
//!
//! Source of codes and texts: S3 API reference, "Error responses" and "Authenticating Requests (AWS Signature
//! Version 4)".

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{Uri, header};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto;
use s3s::xml::Deserializer;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::Simulated;
use super::address::{Address, Endpoint, HOME_REGION};
use super::refusal::Refusal;
use super::settings::pairs;
use super::signature::{Signer, check_scope, is_sha256, is_streaming, malformed_refusal, payload_hash, verify};
use super::tagging::Tags;
use crate::identity::Caller;
use crate::sigv4::{Malformed, Presented, hex, query_pairs, sha256};

const SECURITY_TOKEN: &str = "x-amz-security-token";
const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-key";
/// A list of these has no members, whatever is in it.
const NO_ELEMENT: &str = "";
const COPY_SOURCE_KEY: &str = "x-amz-copy-source-server-side-encryption-customer-key";

/// An admitted request: who sent it and which region serves it.
#[derive(Debug)]
pub(super) struct Visit {
    /// `None` where nobody signed: only a bucket policy can let such a request in.
    pub(super) signer: Option<Signer>,
    pub(super) region: String,
    /// Of the peer, where the server says it.
    pub(super) source_ip: Option<IpAddr>,
    /// Those that a new bucket is to have.
    pub(super) tags: Tags,
    payload: String,
    operation: OnceLock<String>,
    refusal: Mutex<Option<Refusal>>,
}

/// What a request brings along for the operation, as an extension of the request.
pub(super) type Guest = Arc<Visit>;

/// Admits a request, or says why not.
pub(super) fn admit(simulated: &Simulated, parts: &Parts, address: &Address) -> Result<Visit, Refusal> {
    let presented = match Presented::of(parts) {
        Ok(presented) => Some(presented),
        Err(Malformed::Absent) => None,
        Err(malformed) => return Err(malformed_refusal(&malformed, parts)),
    };
    let scope_region = presented.as_ref().map(|presented| presented.region.as_str());
    let region = serving_region(simulated, parts, address, scope_region)?;
    if let Some(presented) = &presented {
        check_scope(presented, &region)?;
    }
    let payload = payload_hash(parts, presented.as_ref().map(|presented| presented.form))?;
    let signer = presented.map(|presented| verify(simulated, parts, &presented, &payload)).transpose()?;
    Ok(Visit {
        signer,
        region,
        source_ip: parts.extensions.get::<transport::PeerAddr>().map(|peer| peer.0.ip()),
        tags: Tags::new(),
        payload,
        operation: OnceLock::new(),
        refusal: Mutex::default(),
    })
}

/// The region that serves the request; a bucket elsewhere is a redirect.
fn serving_region(
    simulated: &Simulated,
    parts: &Parts,
    address: &Address,
    scope: Option<&str>,
) -> Result<String, Refusal> {
    let creates = is_create_bucket(parts, address);
    let home = address.bucket.as_deref().filter(|_| !creates).and_then(|name| simulated.store.region(name));
    let endpoint = match &address.endpoint {
        // The name of a bucket leads its requests to the right region; only the scope must name it too.
        // A request for the location itself cannot know it yet.
        Endpoint::Global => {
            let asks_location = query_pairs(parts.uri.query().unwrap_or("")).any(|(name, _)| name == "location");
            let known = home.filter(|_| !(asks_location && scope == Some(HOME_REGION)));
            return Ok(known.unwrap_or_else(|| HOME_REGION.to_owned()));
        }
        Endpoint::Region(region) => region.clone(),
        // Who signs nothing names no region, and is served where the bucket is.
        Endpoint::Plain => scope.map(str::to_owned).or_else(|| home.clone()).unwrap_or_else(|| HOME_REGION.to_owned()),
    };
    match home {
        Some(home) if home != endpoint => {
            let bucket = address.bucket.clone().unwrap_or_default();
            Err(Refusal::new(
                301,
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified endpoint. Please \
                 send all future requests to this endpoint.",
            )
            .with("Endpoint", address.host_in(&home))
            .with("Bucket", bucket)
            .header("x-amz-bucket-region", home))
        }
        _ => Ok(endpoint),
    }
}

fn is_create_bucket(parts: &Parts, address: &Address) -> bool {
    parts.method == http::Method::PUT
        && address.bucket.is_some()
        && address.key.is_none()
        && query_pairs(parts.uri.query().unwrap_or("")).all(|(name, _)| name == "x-id" || name.starts_with("X-Amz-"))
}

impl Visit {
    /// Who signed, if anybody did.
    pub(super) fn caller(&self) -> Option<&Caller> {
        self.signer.as_ref().map(|signer| &*signer.caller)
    }

    /// Notes what is asked for, once the protocol library has found it out.
    pub(super) fn is_about(&self, operation: &str) {
        // It is found out once; another time would say the same.
        self.operation.get_or_init(|| operation.to_owned());
    }

    /// What is asked for; empty where that was not found out.
    pub(super) fn operation(&self) -> &str {
        self.operation.get().map_or("", String::as_str)
    }

    /// The same for operations that are never open to everyone.
    ///
    /// # Errors
    /// `AccessDenied` where nobody signed.
    pub(super) fn known_caller(&self) -> Result<&Caller, Refusal> {
        self.caller().ok_or_else(|| Refusal::denied("Access Denied"))
    }

    /// Compares the body with the hash that was sent for it.
    pub(super) fn check_payload(&self, body: &Bytes) -> Result<(), Refusal> {
        if !is_sha256(&self.payload) {
            return Ok(());
        }
        let computed = hex(sha256(body));
        if computed == self.payload {
            return Ok(());
        }
        Err(Refusal::new(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
        .with("ClientComputedContentSHA256", self.payload.clone())
        .with("S3ComputedContentSHA256", computed))
    }

    /// Reads the tags in the body of a `CreateBucket`, of which the protocol library knows nothing yet.
    ///
    /// # Errors
    /// `MalformedXML`.
    pub(super) fn read_tags(&mut self, parts: &Parts, address: &Address, body: &[u8]) -> Result<(), Refusal> {
        if !is_create_bucket(parts, address) || body.is_empty() {
            return Ok(());
        }
        let mut xml = Deserializer::new(body);
        let mut given = dto::TagSet::new();
        let read = xml.named_element("CreateBucketConfiguration", |xml| {
            xml.for_each_element(|xml, name| {
                let tags = xml.list_content(if name == b"Tags" { "Tag" } else { NO_ELEMENT })?;
                given.extend(tags);
                Ok(())
            })
        });
        read.map_err(|_| Refusal::malformed_xml())?;
        self.tags = pairs(given);
        Ok(())
    }

    /// Turns a refusal into the library's error. That type has no room for the elements of the body, so
    /// the refusal itself waits here until the answer is written.
    pub(super) fn refuse(&self, refusal: Refusal) -> S3Error {
        let error = S3Error::new(S3ErrorCode::Custom(refusal.code.clone().into_owned().into()));
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        error
    }

    pub(super) fn take_refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Prepares an admitted request for the protocol library, which sees a signature only where it needs one:
/// to undo the signed chunks of a streaming upload.
pub(super) fn hand_over(parts: &mut Parts, visit: Visit) -> Result<Guest, Refusal> {
    if !is_streaming(&visit.payload) {
        parts.headers.remove(header::AUTHORIZATION);
        parts.headers.remove(SECURITY_TOKEN);
        parts.uri = without_signature(&parts.uri)?;
    }
    for name in [header::AUTHORIZATION.as_str(), SECURITY_TOKEN, CUSTOMER_KEY, COPY_SOURCE_KEY] {
        if let Some(value) = parts.headers.get_mut(name) {
            // The library logs requests at debug level.
            value.set_sensitive(true);
        }
    }
    let guest: Guest = Arc::new(visit);
    parts.extensions.insert(guest.clone());
    Ok(guest)
}

fn without_signature(uri: &Uri) -> Result<Uri, Refusal> {
    let Some(query) = uri.query().filter(|query| query.contains("X-Amz-")) else {
        return Ok(uri.clone());
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("X-Amz-")).collect();
    let path = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    path.parse().map_err(|_| Refusal::new(400, "InvalidURI", "Couldn't parse the specified URI."))
}

#[async_trait::async_trait]
impl S3Auth for Simulated {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.state.secret_of(access_key) {
            Some(secret) => Ok(SecretKey::from(secret.expose())),
            None => Err(s3_error!(InvalidAccessKeyId)),
        }
    }
}
