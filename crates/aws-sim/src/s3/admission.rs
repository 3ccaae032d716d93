//! Who sent a request to S3, at the right endpoint, in time: everything that is settled before the operation
//! is known. Must not know what the caller may do.
//!
//! Source of codes and texts: S3 API reference, "Error responses" and "Authenticating Requests (AWS Signature
//! Version 4)".

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Uri, header};
use jiff::{SignedDuration, Timestamp};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use trust::Secret;

use super::Simulated;
use super::address::{Address, Endpoint, HOME_REGION};
use super::refusal::Refusal;
use crate::identity::{Caller, KeyRecord};
use crate::sigv4::{Form, Malformed, Mismatch, PathRule, Presented, SKEW, hex, query_pairs, same_token, sha256};

const SECURITY_TOKEN: &str = "x-amz-security-token";
const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-key";
const COPY_SOURCE_KEY: &str = "x-amz-copy-source-server-side-encryption-customer-key";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const STREAMING: [&str; 3] = [
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
];

/// An admitted request: who sent it and which region serves it.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) caller: Caller,
    pub(super) region: String,
    pub(super) form: Form,
    /// Of the peer, where the server says it.
    pub(super) source_ip: Option<IpAddr>,
    payload: String,
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
    let presented = presented.ok_or_else(|| Refusal::denied("Access Denied"))?;
    check_scope(&presented, &region)?;

    let payload = payload_hash(parts, presented.form)?;
    let now = simulated.state.now();
    check_time(&presented, now)?;
    let record = simulated.state.secret_for(&presented.access_key_id);
    let record = check_key(&presented, record, now)?;
    check_signed_headers(parts, &presented)?;
    presented
        .check(parts, &record.secret, &payload, PathRule::AsIs)
        .map_err(|mismatch| mismatch_refusal(&presented, mismatch))?;
    Ok(Visit {
        caller: record.caller,
        region,
        form: presented.form,
        source_ip: parts.extensions.get::<transport::PeerAddr>().map(|peer| peer.0.ip()),
        payload,
        refusal: Mutex::default(),
    })
}

fn malformed_refusal(malformed: &Malformed, parts: &Parts) -> Refusal {
    let query = !parts.headers.contains_key(header::AUTHORIZATION);
    match malformed {
        Malformed::Absent => Refusal::denied("Access Denied"),
        Malformed::Mechanism => Refusal::new(
            400,
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ),
        Malformed::Date => Refusal::denied("AWS authentication requires a valid Date or x-amz-date header"),
        Malformed::Parameter(_) | Malformed::Expires if query => malformed_query(),
        other => scope_refusal(query, &other.to_string()),
    }
}

fn scope_refusal(query: bool, why: &str) -> Refusal {
    if query {
        Refusal::new(
            400,
            "AuthorizationQueryParametersError",
            format!("Error parsing the X-Amz-Credential parameter; {why}"),
        )
    } else {
        Refusal::new(400, "AuthorizationHeaderMalformed", format!("The authorization header is malformed; {why}"))
    }
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
        Endpoint::Plain => scope.unwrap_or(HOME_REGION).to_owned(),
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

fn check_scope(presented: &Presented, region: &str) -> Result<(), Refusal> {
    let query = presented.form != Form::Header;
    let day = presented.signed_day();
    if presented.scope_date != day {
        return Err(scope_refusal(
            query,
            &format!(
                "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{day}\".",
                presented.scope_date
            ),
        ));
    }
    if presented.region != region {
        let why = format!("the region '{}' is wrong; expecting '{region}'", presented.region);
        return Err(scope_refusal(query, &why).with("Region", region));
    }
    if presented.service != "s3" {
        let why = format!("incorrect service \"{}\". This endpoint belongs to \"s3\".", presented.service);
        return Err(scope_refusal(query, &why));
    }
    if presented.terminator != "aws4_request" {
        let why = format!("incorrect terminal \"{}\". This endpoint uses \"aws4_request\".", presented.terminator);
        return Err(scope_refusal(query, &why));
    }
    Ok(())
}

fn payload_hash(parts: &Parts, form: Form) -> Result<String, Refusal> {
    match parts.headers.get("x-amz-content-sha256").map(HeaderValue::to_str) {
        Some(Ok(hash)) if is_sha256(hash) || hash == UNSIGNED || STREAMING.contains(&hash) => Ok(hash.to_owned()),
        None if form != Form::Header => Ok(UNSIGNED.to_owned()),
        None => {
            Err(Refusal::new(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"))
        }
        Some(_) => Err(Refusal::invalid_argument(format!(
            "x-amz-content-sha256 must be {UNSIGNED}, {}, or a valid sha256 value.",
            STREAMING.join(", ")
        ))),
    }
}

fn is_sha256(hash: &str) -> bool {
    hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn check_time(presented: &Presented, now: Timestamp) -> Result<(), Refusal> {
    let age = now.duration_since(presented.signed_at);
    match presented.form {
        Form::Header if age.abs() > SKEW => Err(Refusal::new(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
        .with("RequestTime", presented.amz_date.clone())
        .with("ServerTime", now.to_string())
        .with("MaxAllowedSkewMilliseconds", SKEW.as_millis().to_string())),
        Form::Header => Ok(()),
        Form::Query { expires } if expires == SignedDuration::ZERO => Err(malformed_query()),
        Form::Query { expires } if age > expires => Err(Refusal::denied("Request has expired")
            .with("X-Amz-Expires", expires.as_secs().to_string())
            .with("ServerTime", now.to_string())),
        Form::Query { .. } if age < -SKEW => Err(Refusal::denied("Request is not yet valid")),
        Form::Query { .. } => Ok(()),
    }
}

fn malformed_query() -> Refusal {
    Refusal::new(
        400,
        "AuthorizationQueryParametersError",
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
         X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    )
}

fn check_key(presented: &Presented, record: Option<KeyRecord>, now: Timestamp) -> Result<KeyRecord, Refusal> {
    let unknown = || {
        Refusal::new(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
            .with("AWSAccessKeyId", presented.access_key_id.clone())
    };
    let record = record.ok_or_else(unknown)?;
    let shown = presented.security_token.as_ref();
    if record.session_token.is_some() && shown.is_none() {
        return Err(unknown());
    }
    if !same_token(record.session_token.as_ref(), shown) {
        return Err(Refusal::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid."));
    }
    if record.expires.is_some_and(|end| end <= now) {
        return Err(Refusal::new(400, "ExpiredToken", "The provided token has expired."));
    }
    Ok(record)
}

/// Every `x-amz-*` header must be signed, and the host.
fn check_signed_headers(parts: &Parts, presented: &Presented) -> Result<(), Refusal> {
    let unsigned: Vec<&str> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| *name == "host" || name.starts_with("x-amz-"))
        // A presigned URL may be used with a hash of the body that was not known when it was signed.
        .filter(|name| presented.form == Form::Header || *name != "x-amz-content-sha256")
        .filter(|name| !presented.signs(name))
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(Refusal::denied("There were headers present in the request which were not signed")
        .with("HeadersNotSigned", unsigned.join(", ")))
}

fn mismatch_refusal(presented: &Presented, mismatch: Mismatch) -> Refusal {
    // The real service echoes the canonical request whole; the session token in it is left out here.
    let canonical = match presented.security_token.as_ref().map(Secret::expose) {
        Some(token) if !token.is_empty() => mismatch.canonical_request.replace(token, "<redacted>"),
        _ => mismatch.canonical_request,
    };
    Refusal::new(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing \
         method.",
    )
    .with("AWSAccessKeyId", presented.access_key_id.clone())
    .with("StringToSign", mismatch.string_to_sign)
    .with("SignatureProvided", presented.signature.clone())
    .with("CanonicalRequest", canonical)
}

impl Visit {
    /// Compares the body with the hash that was signed for it.
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

    fn is_streaming(&self) -> bool {
        STREAMING.contains(&self.payload.as_str())
    }
}

/// Prepares an admitted request for the protocol library, which sees a signature only where it needs one:
/// to undo the signed chunks of a streaming upload.
pub(super) fn hand_over(parts: &mut Parts, visit: Visit) -> Result<Guest, Refusal> {
    if !visit.is_streaming() {
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
        match self.state.secret_for(access_key) {
            Some(record) => Ok(SecretKey::from(record.secret.expose())),
            None => Err(s3_error!(InvalidAccessKeyId)),
        }
    }
}
