//! Verification of AWS Signature Version 4 as the query services (IAM, STS) do it, and the steps of it
//! that S3 shares. Must not know what a caller may do, nor where keys are stored.
//!
//! Source of the rules: AWS IAM user guide, "Create a signed AWS API request"; of the refusals: "Troubleshoot
//! Signature Version 4 signing for AWS API requests" and the common errors in the STS API reference.

mod canonical;
mod presented;

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest, hmac};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use trust::Secret;

pub(crate) use canonical::{PathRule, percent_decode, percent_encode, query_pairs};
pub(crate) use presented::{Form, Malformed, Presented};

use crate::identity::{Caller, KeyRecord};

/// How far a signer's clock may be off, both ways.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_mins(15);

/// What a good signature proves.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) caller: Arc<Caller>,
    /// Region and service of the credential scope: the caller of [`verify`] compares them with its own.
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) access_key_id: String,
}

/// A refusal in the terms of the query services.
#[derive(Debug, Error)]
#[error("{code}: {message}")]
pub(crate) struct SigError {
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl SigError {
    fn forbidden(code: &'static str, message: impl Into<String>) -> SigError {
        SigError { code, status: StatusCode::FORBIDDEN, message: message.into() }
    }

    fn mismatch(message: impl Into<String>) -> SigError {
        SigError::forbidden("SignatureDoesNotMatch", message)
    }

    fn unknown_key() -> SigError {
        SigError::forbidden("InvalidClientTokenId", "The security token included in the request is invalid.")
    }
}

impl From<Malformed> for SigError {
    fn from(malformed: Malformed) -> SigError {
        match malformed {
            Malformed::Absent => {
                SigError::forbidden("MissingAuthenticationToken", "Request is missing Authentication Token")
            }
            other => {
                SigError { code: "IncompleteSignature", status: StatusCode::BAD_REQUEST, message: other.to_string() }
            }
        }
    }
}

/// Verifies a signed request to a query service, header form or query form.
///
/// The scope's region and service come back unjudged in [`Verified`].
///
/// # Errors
/// The refusal that IAM or STS would answer with.
pub(crate) fn verify(
    parts: &http::request::Parts,
    body: &[u8],
    now: Timestamp,
    lookup: impl Fn(&str, Option<&Secret>) -> Option<KeyRecord>,
) -> Result<Verified, SigError> {
    let presented = Presented::of(parts)?;
    check_scope(&presented)?;
    check_signed_headers(parts, &presented)?;
    check_time(&presented, now)?;

    let record =
        lookup(&presented.access_key_id, presented.security_token.as_ref()).ok_or_else(SigError::unknown_key)?;
    if !same_token(record.session_token.as_ref(), presented.security_token.as_ref()) {
        return Err(SigError::unknown_key());
    }
    if record.expires.is_some_and(|end| end <= now) {
        return Err(SigError::forbidden("ExpiredToken", "The security token included in the request is expired"));
    }
    presented.check(parts, &record.secret, &hex(sha256(body)), PathRule::Normalized).map_err(|_| {
        SigError::mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS \
             Secret Access Key and signing method. Consult the service documentation for details.",
        )
    })?;
    Ok(Verified {
        caller: record.caller,
        region: presented.region,
        service: presented.service,
        access_key_id: presented.access_key_id,
    })
}

fn check_scope(presented: &Presented) -> Result<(), SigError> {
    if presented.terminator != presented::TERMINATOR {
        return Err(SigError::mismatch(format!(
            "Credential should be scoped with a valid terminator: '{}', not '{}'.",
            presented::TERMINATOR,
            presented.terminator
        )));
    }
    let day = presented.signed_day();
    if presented.scope_date != day {
        return Err(SigError::mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '{}' != '{day}', from '{}'.",
            presented.scope_date, presented.amz_date
        )));
    }
    Ok(())
}

fn check_signed_headers(parts: &http::request::Parts, presented: &Presented) -> Result<(), SigError> {
    if !presented.signs("host") {
        return Err(SigError::mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
    }
    // In the query form date and token are parameters, and every parameter is signed.
    let needed = match presented.form {
        Form::Header => ["x-amz-date", "x-amz-security-token"].as_slice(),
        Form::Query { .. } => &[],
    };
    match needed.iter().find(|name| parts.headers.contains_key(**name) && !presented.signs(name)) {
        Some(name) => Err(SigError::mismatch(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))),
        None => Ok(()),
    }
}

fn check_time(presented: &Presented, now: Timestamp) -> Result<(), SigError> {
    let lifetime = match presented.form {
        Form::Header => SKEW,
        Form::Query { expires } => expires.max(SKEW),
    };
    let (signed, stamp, limit) = (presented.signed_at, presented::stamp, presented::stamp(now));
    if now.duration_since(signed) > lifetime {
        let earliest = stamp(now.saturating_sub(lifetime).unwrap_or(now));
        return Err(SigError::mismatch(format!(
            "Signature expired: {} is now earlier than {earliest} ({limit} - {} min.)",
            presented.amz_date,
            lifetime.as_mins()
        )));
    }
    if signed.duration_since(now) > SKEW {
        let latest = stamp(now.saturating_add(SKEW).unwrap_or(now));
        return Err(SigError::mismatch(format!(
            "Signature not yet current: {} is still later than {latest} ({limit} + {} min.)",
            presented.amz_date,
            SKEW.as_mins()
        )));
    }
    Ok(())
}

/// Whether the token shown is the one that belongs to the key; a long-lived key has none and may show none.
pub(crate) fn same_token(stored: Option<&Secret>, shown: Option<&Secret>) -> bool {
    match (stored, shown) {
        (None, None) => true,
        (Some(stored), Some(shown)) => {
            constant_time::verify_slices_are_equal(stored.expose().as_bytes(), shown.expose().as_bytes()).is_ok()
        }
        _ => false,
    }
}

/// What was computed when the signature shown was another.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// Holds every signed header, so also a session token: redact before it is shown.
    pub(crate) canonical_request: String,
    pub(crate) string_to_sign: String,
}

impl Presented {
    /// Computes the signature over `parts` and compares it with the one shown, in constant time.
    ///
    /// # Errors
    /// What was computed in its place, for the error body of the services that show it.
    pub(crate) fn check(
        &self,
        parts: &http::request::Parts,
        secret: &Secret,
        payload_hash: &str,
        rule: PathRule,
    ) -> Result<(), Mismatch> {
        let canonical_request = canonical::request(parts, &self.signed_headers, payload_hash, rule);
        let scope = format!("{}/{}/{}/{}", self.scope_date, self.region, self.service, self.terminator);
        let string_to_sign = format!(
            "{}\n{}\n{scope}\n{}",
            presented::ALGORITHM,
            self.amz_date,
            hex(sha256(canonical_request.as_bytes()))
        );
        let seed = format!("AWS4{}", secret.expose());
        let key = [&self.scope_date, &self.region, &self.service, &self.terminator]
            .iter()
            .fold(seed.into_bytes(), |key: Vec<u8>, part| sign(&key, part).as_ref().to_vec());
        let signature = hex(sign(&key, &string_to_sign).as_ref());
        constant_time::verify_slices_are_equal(signature.as_bytes(), self.signature.as_bytes())
            .map_err(|_| Mismatch { canonical_request, string_to_sign })
    }
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

pub(crate) fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests;
