//! What a signature that is shown to S3 must be: its scope, its time, its key, what it covers. Must not know what is asked for.
//!
//! Source of codes and texts: S3 API reference, "Error responses" and "Authenticating Requests (AWS Signature
//! Version 4)".

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use trust::Secret;

use super::Simulated;
use super::refusal::Refusal;
use crate::identity::{Caller, KeyRecord};
use crate::sessions::is_temporary;
use crate::sigv4::{Form, Malformed, Mismatch, PathRule, Presented, SKEW, same_token};

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

const STREAMING: [&str; 3] = [
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
];

/// Whose signature a request carries, and where.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) caller: Arc<Caller>,
    pub(super) access_key_id: String,
    pub(super) form: Form,
}

/// Whose signature it is, if it is a good one.
pub(super) fn verify(
    simulated: &Simulated,
    parts: &Parts,
    presented: &Presented,
    payload: &str,
) -> Result<Signer, Refusal> {
    let now = simulated.state.now();
    check_time(presented, now)?;
    let record = simulated.state.key(&presented.access_key_id, presented.security_token.as_ref());
    let record = check_key(presented, record, now)?;
    check_signed_headers(parts, presented)?;
    presented
        .check(parts, &record.secret, payload, PathRule::AsIs)
        .map_err(|mismatch| mismatch_refusal(presented, mismatch))?;
    Ok(Signer { caller: record.caller, access_key_id: presented.access_key_id.clone(), form: presented.form })
}

pub(super) fn malformed_refusal(malformed: &Malformed, parts: &Parts) -> Refusal {
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

pub(super) fn check_scope(presented: &Presented, region: &str) -> Result<(), Refusal> {
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

pub(super) fn payload_hash(parts: &Parts, form: Option<Form>) -> Result<String, Refusal> {
    match parts.headers.get("x-amz-content-sha256").map(HeaderValue::to_str) {
        Some(Ok(hash)) if is_sha256(hash) || hash == UNSIGNED || STREAMING.contains(&hash) => Ok(hash.to_owned()),
        None if form != Some(Form::Header) => Ok(UNSIGNED.to_owned()),
        None => {
            Err(Refusal::new(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"))
        }
        Some(_) => Err(Refusal::invalid_argument(format!(
            "x-amz-content-sha256 must be {UNSIGNED}, {}, or a valid sha256 value.",
            STREAMING.join(", ")
        ))),
    }
}

/// Whether the hash stands for a body that comes in chunks.
pub(super) fn is_streaming(payload: &str) -> bool {
    STREAMING.contains(&payload)
}

pub(super) fn is_sha256(hash: &str) -> bool {
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
    let invalid = || Refusal::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid.");
    let shown = presented.security_token.as_ref();
    let record = match record {
        Some(record) => record,
        // The key of a session is known by its token alone.
        None if shown.is_some() && is_temporary(&presented.access_key_id) => return Err(invalid()),
        None => return Err(unknown()),
    };
    if !same_token(record.session_token.as_ref(), shown) {
        return Err(invalid());
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
