//! What a request shows of itself: the `Authorization` header or the `X-Amz-*` query parameters, parsed.
//! Must not know whether any of it is true.

use http::request::Parts;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use trust::Secret;

use super::canonical::query_pairs;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const TERMINATOR: &str = "aws4_request";
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// The two ways to carry a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Header,
    /// A presigned URL, good for `expires` after its date.
    Query {
        expires: SignedDuration,
    },
}

/// A signature and everything it claims.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) form: Form,
    pub(crate) access_key_id: String,
    /// `YYYYMMDD` of the credential scope.
    pub(crate) scope_date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) terminator: String,
    /// Lower case, sorted.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
    /// `20150830T123600Z` as sent.
    pub(crate) amz_date: String,
    pub(crate) signed_at: Timestamp,
    pub(crate) security_token: Option<Secret>,
}

/// Why no signature could be read from a request.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Malformed {
    #[error("request carries no signature")]
    Absent,
    #[error("authorization mechanism is not {ALGORITHM}")]
    Mechanism,
    #[error("Authorization header requires '{0}' parameter.")]
    Parameter(&'static str),
    #[error("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{0}'")]
    Credential(String),
    #[error("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")]
    Date,
    #[error("X-Amz-Expires must be a number of seconds between 1 and 604800")]
    Expires,
}

impl Presented {
    /// Reads the header form, or the query form where there is no `Authorization` header.
    pub(crate) fn of(parts: &Parts) -> Result<Presented, Malformed> {
        match parts.headers.get(http::header::AUTHORIZATION) {
            Some(value) => Presented::of_header(parts, value.to_str().map_err(|_| Malformed::Mechanism)?),
            None => Presented::of_query(parts.uri.query().unwrap_or("")),
        }
    }

    fn of_header(parts: &Parts, value: &str) -> Result<Presented, Malformed> {
        let rest = value.strip_prefix(ALGORITHM).ok_or(Malformed::Mechanism)?;
        let field = |name: &'static str| {
            rest.split(',')
                .filter_map(|pair| pair.trim().split_once('='))
                .find_map(|(found, value)| (found == name).then_some(value))
                .ok_or(Malformed::Parameter(name))
        };
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Presented::new(
            Form::Header,
            field("Credential")?,
            field("SignedHeaders")?,
            field("Signature")?,
            header("x-amz-date").ok_or(Malformed::Date)?,
            header("x-amz-security-token"),
        )
    }

    fn of_query(query: &str) -> Result<Presented, Malformed> {
        let pairs: Vec<(String, String)> = query_pairs(query).collect();
        let field = |name: &str| pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        match field("X-Amz-Algorithm") {
            Some(ALGORITHM) => {}
            Some(_) => return Err(Malformed::Mechanism),
            // The query form of signature version 2.
            None if field("AWSAccessKeyId").is_some() && field("Signature").is_some() => {
                return Err(Malformed::Mechanism);
            }
            None => return Err(Malformed::Absent),
        }
        let need = |name: &'static str| field(name).ok_or(Malformed::Parameter(name));
        // The query services accept a URL without a lifetime; a week is the longest (IAM user guide).
        let expires = match field("X-Amz-Expires").map(str::parse::<i64>) {
            None => SignedDuration::ZERO,
            Some(Ok(seconds @ 1..=604_800)) => SignedDuration::from_secs(seconds),
            Some(_) => return Err(Malformed::Expires),
        };
        Presented::new(
            Form::Query { expires },
            need("X-Amz-Credential")?,
            need("X-Amz-SignedHeaders")?,
            need("X-Amz-Signature")?,
            need("X-Amz-Date")?,
            field("X-Amz-Security-Token"),
        )
    }

    fn new(
        form: Form,
        credential: &str,
        signed_headers: &str,
        signature: &str,
        amz_date: &str,
        security_token: Option<&str>,
    ) -> Result<Presented, Malformed> {
        let elements: Vec<&str> = credential.split('/').collect();
        let [access_key_id, scope_date, region, service, terminator] = elements[..] else {
            return Err(Malformed::Credential(credential.to_owned()));
        };
        let mut signed_headers: Vec<String> =
            signed_headers.split(';').map(|name| name.trim().to_ascii_lowercase()).collect();
        signed_headers.sort();
        Ok(Presented {
            form,
            access_key_id: access_key_id.to_owned(),
            scope_date: scope_date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            terminator: terminator.to_owned(),
            signed_headers,
            signature: signature.to_owned(),
            signed_at: parse_stamp(amz_date).ok_or(Malformed::Date)?,
            amz_date: amz_date.to_owned(),
            security_token: security_token.map(Secret::new),
        })
    }

    pub(crate) fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|name| name == header)
    }

    /// The day that the scope must name.
    pub(crate) fn signed_day(&self) -> &str {
        self.amz_date.get(..8).unwrap_or("")
    }
}

/// `20150830T123600Z`.
pub(super) fn stamp(at: Timestamp) -> String {
    at.strftime(STAMP).to_string()
}

fn parse_stamp(text: &str) -> Option<Timestamp> {
    let at = DateTime::strptime(STAMP, text).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    // Only the one spelling: its first eight characters are the day.
    (stamp(at) == text).then_some(at)
}
