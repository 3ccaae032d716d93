//! The host table: which name is answered by whom.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use http::Uri;
use http::uri::{Authority, Scheme};
use transport::{Proxy, Roots};

/// A host name, or all names below one (`*.amazonaws.com`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This name alone.
    Exact(String),
    /// Any name that ends in this, with a dot before it.
    Below(String),
}

/// Why a text is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host pattern: a name such as sts.amazonaws.com or *.amazonaws.com is expected")]
pub struct PatternError(String);

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !name.split('.').all(label) {
            return Err(PatternError(text.to_owned()));
        }
        let name = name.to_ascii_lowercase();
        Ok(if below { Self::Below(name) } else { Self::Exact(name) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host == name,
            Self::Below(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
        }
    }

    /// Exact names first, then the longest suffix.
    fn weight(&self) -> (bool, usize) {
        match self {
            Self::Exact(name) => (true, name.len()),
            Self::Below(name) => (false, name.len()),
        }
    }
}

/// Whether a name, in lower case and without port, is one that there is.
pub type Knows = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Who answers for a name.
#[derive(Clone)]
pub enum Upstream {
    /// A service in this process.
    Service {
        /// What people are told.
        title: String,
        /// The service.
        router: Router,
        /// Which names of its family it has; all of them where this is absent.
        knows: Option<Knows>,
    },
    /// An endpoint elsewhere: requests are passed on with their `Host` header as it is.
    Url {
        /// `http` only: an emulator on this machine or in a container.
        authority: Authority,
    },
    /// The host itself, through the proxy of somebody else: the wire of another process.
    Beyond {
        /// The proxy. Which names it lets through is its own affair.
        proxy: Proxy,
        /// Whose certificates hosts show behind it.
        roots: Roots,
    },
}

/// Why a URL cannot be an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Not an absolute URL.
    #[error("`{0}` is no URL such as http://127.0.0.1:4566")]
    NotAUrl(String),
    /// Another scheme than http.
    #[error("`{0}`: only http:// endpoints can be passed on to")]
    Scheme(String),
    /// A path below which everything would have to be moved, which breaks signatures.
    #[error("`{0}`: an endpoint has no path")]
    Path(String),
}

impl Upstream {
    /// A service in this process.
    pub fn service(title: impl Into<String>, router: Router) -> Self {
        Self::Service { title: title.into(), router, knows: None }
    }

    /// A service in this process that has some names of a family only, such as those of the vaults that exist. Any other
    /// is refused as if no entry matched: in the real cloud it would not resolve. It is asked at each CONNECT; tunnels
    /// that are open stay so.
    pub fn service_for(title: impl Into<String>, router: Router, knows: Knows) -> Self {
        Self::Service { title: title.into(), router, knows: Some(knows) }
    }

    /// Whether it answers for this name, which its pattern matches.
    pub(crate) fn knows(&self, host: &str) -> bool {
        match self {
            Self::Service { knows: Some(knows), .. } => knows(&host.to_ascii_lowercase()),
            Self::Service { knows: None, .. } | Self::Url { .. } | Self::Beyond { .. } => true,
        }
    }

    /// An endpoint such as `http://127.0.0.1:4566`.
    ///
    /// # Errors
    /// When the URL is not `http`, has no host, or has a path.
    pub fn url(text: &str) -> Result<Self, UpstreamError> {
        let uri: Uri = text.parse().map_err(|_| UpstreamError::NotAUrl(text.to_owned()))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(UpstreamError::NotAUrl(text.to_owned()));
        };
        if scheme != Scheme::HTTP {
            return Err(UpstreamError::Scheme(text.to_owned()));
        }
        if parts.path_and_query.is_some_and(|path| path.as_str() != "/") {
            return Err(UpstreamError::Path(text.to_owned()));
        }
        Ok(Self::Url { authority })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { title, .. } => f.write_str(title),
            Self::Url { authority } => write!(f, "http://{authority}"),
            Self::Beyond { proxy, .. } => write!(f, "beyond the proxy {}", proxy.addr),
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({self})")
    }
}

#[derive(Default)]
pub(crate) struct Table(Vec<(HostPattern, Upstream)>);

impl Table {
    pub(crate) fn insert(&mut self, pattern: HostPattern, upstream: Upstream) {
        self.0.retain(|(known, _)| *known != pattern);
        self.0.push((pattern, upstream));
        self.0.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.weight()));
    }

    pub(crate) fn find(&self, host: &str) -> Option<&Upstream> {
        let host = host.to_ascii_lowercase();
        self.0.iter().find(|(pattern, _)| pattern.matches(&host)).map(|(_, upstream)| upstream)
    }

    pub(crate) fn describe(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(pattern, upstream)| (pattern.to_string(), upstream.to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_entry_answers_and_nothing_else_does() {
        let mut table = Table::default();
        for (pattern, title) in [
            ("*.amazonaws.com", "aws"),
            ("oidc.eks.eu-central-1.amazonaws.com", "issuer"),
            ("*.s3.amazonaws.com", "s3"),
        ] {
            table.insert(pattern.parse().expect("pattern"), Upstream::service(title, Router::new()));
        }
        let check = |host: &str, expected: Option<&str>| {
            assert_eq!(table.find(host).map(ToString::to_string).as_deref(), expected, "{host}");
        };
        check("sts.eu-central-1.amazonaws.com", Some("aws"));
        check("STS.amazonaws.com", Some("aws"));
        check("oidc.eks.eu-central-1.amazonaws.com", Some("issuer"));
        check("b.s3.amazonaws.com", Some("s3"));
        check("amazonaws.com", None);
        check("evilamazonaws.com", None);
        check(".amazonaws.com", None);
        check("amazonaws.com.evil.example", None);
    }

    #[test]
    fn bad_patterns_and_endpoints_are_named() {
        for text in ["", "*", "*.", "a b", "a..b", "http://a", "*.*.a", "a/b"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
        let check = |text: &str, expected: fn(String) -> UpstreamError| {
            assert_eq!(Upstream::url(text).err(), Some(expected(text.to_owned())), "{text}");
        };
        check("127.0.0.1:4566", UpstreamError::NotAUrl);
        check("https://127.0.0.1", UpstreamError::Scheme);
        check("http://127.0.0.1/x", UpstreamError::Path);
        assert_eq!(Upstream::url("http://127.0.0.1:4566").expect("must be taken").to_string(), "http://127.0.0.1:4566");
    }
}
