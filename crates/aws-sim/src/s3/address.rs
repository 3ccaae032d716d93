//! Which bucket and key a request names, and at which endpoint: virtual-hosted style, path style, and
//! plain endpoints. Must not know what exists.
//!
//! Source: Amazon S3 user guide, "Virtual hosting of general purpose buckets" and "Amazon S3 endpoints".

use http::{HeaderMap, Uri, header};
use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

use crate::sigv4::percent_decode;

pub(super) const HOME_REGION: &str = "us-east-1";

/// The endpoint that the `Host` header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `s3.amazonaws.com`: in us-east-1, with buckets of all regions.
    Global,
    Region(String),
    /// Any other host, such as `127.0.0.1:9000`: the region is the one that the client signs for.
    Plain,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) endpoint: Endpoint,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) virtual_hosted: bool,
}

impl Address {
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Address {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.host());
        let (endpoint, host_bucket) = parse_host(host.unwrap_or(""));
        let path = uri.path().trim_start_matches('/');
        let virtual_hosted = host_bucket.is_some();
        let (bucket, key) = match host_bucket {
            Some(bucket) => (Some(bucket), Some(path)),
            None => match path.split_once('/') {
                Some((bucket, key)) => (Some(decode(bucket)), Some(key)),
                None => (Some(decode(path)), None),
            },
        };
        Address {
            endpoint,
            bucket: bucket.filter(|bucket| !bucket.is_empty()),
            key: key.filter(|key| !key.is_empty()).map(decode),
            virtual_hosted,
        }
    }

    /// The host of this request at the endpoint of another region.
    pub(super) fn host_in(&self, region: &str) -> String {
        match (&self.bucket, self.virtual_hosted) {
            (Some(bucket), true) => format!("{bucket}.s3.{region}.amazonaws.com"),
            _ => format!("s3.{region}.amazonaws.com"),
        }
    }
}

fn decode(text: &str) -> String {
    String::from_utf8_lossy(&percent_decode(text)).into_owned()
}

fn parse_host(host: &str) -> (Endpoint, Option<String>) {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let Some(labels) = name.strip_suffix(".amazonaws.com") else {
        let bucket = name.strip_suffix(".localhost").map(|bucket| bucket.strip_suffix(".s3").unwrap_or(bucket));
        return (Endpoint::Plain, bucket.map(str::to_owned));
    };
    if let Some(bucket) = before(labels, "s3") {
        return (Endpoint::Global, bucket);
    }
    let (rest, last) = labels.rsplit_once('.').unwrap_or(("", labels));
    if let Some(region) = last.strip_prefix("s3-") {
        // The spelling before 2019, `s3-eu-west-1`.
        return (Endpoint::Region(region.to_owned()), (!rest.is_empty()).then(|| rest.to_owned()));
    }
    match before(rest, "s3").or_else(|| before(rest, "s3.dualstack")) {
        Some(bucket) => (Endpoint::Region(last.to_owned()), bucket),
        None => (Endpoint::Plain, None),
    }
}

/// `Some(None)` for `service` itself, `Some(Some(x))` for `x.service`.
fn before(labels: &str, service: &str) -> Option<Option<String>> {
    let rest = labels.strip_suffix(service)?;
    match rest.strip_suffix('.') {
        Some(bucket) if !bucket.is_empty() => Some(Some(bucket.to_owned())),
        _ => rest.is_empty().then_some(None),
    }
}

/// The same reading of the host for the protocol library.
pub(super) struct HostStyle;

impl S3Host for HostStyle {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let parsed = VirtualHost::new(host);
        Ok(match parse_host(host).1 {
            Some(bucket) => parsed.with_bucket(bucket),
            None => parsed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, path: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("host must parse"));
        let address = Address::of(&path.parse().expect("path must parse"), &headers);
        let endpoint = match &address.endpoint {
            Endpoint::Global => "global",
            Endpoint::Region(region) => region,
            Endpoint::Plain => "plain",
        };
        let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        assert_eq!(format!("{endpoint} {} {}", text(&address.bucket), text(&address.key)), expected);
    }

    #[test]
    fn reads_every_addressing_style() {
        check("s3.amazonaws.com", "/", "global - -");
        check("s3.amazonaws.com", "/data", "global data -");
        check("s3.amazonaws.com", "/data/", "global data -");
        check("s3.eu-central-1.amazonaws.com", "/data/a/b%20c", "eu-central-1 data a/b c");
        check("s3.eu-central-1.amazonaws.com:443", "/data/k", "eu-central-1 data k");
        check("s3.dualstack.eu-west-1.amazonaws.com", "/data/k", "eu-west-1 data k");
        check("s3-eu-west-1.amazonaws.com", "/data/k", "eu-west-1 data k");
        check("data.s3.amazonaws.com", "/k", "global data k");
        check("data.s3.eu-central-1.amazonaws.com", "/", "eu-central-1 data -");
        check("my.data.s3.eu-central-1.amazonaws.com", "/a/b", "eu-central-1 my.data a/b");
        check("data.s3.dualstack.eu-west-1.amazonaws.com", "/k", "eu-west-1 data k");
        check("data.s3-eu-west-1.amazonaws.com", "/k", "eu-west-1 data k");
        check("127.0.0.1:9000", "/data/k", "plain data k");
        check("localhost:9000", "/data/k", "plain data k");
        check("data.localhost:9000", "/k", "plain data k");
        check("data.s3.localhost:9000", "/k", "plain data k");
    }
}
