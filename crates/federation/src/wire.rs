//! The way out to a cloud, whichever it is. Data only: each cloud's client builds its connections from it.

use trust::Secret;

/// The way out: every request goes through it, and only its root is trusted.
#[derive(Clone, Debug)]
pub struct Wire {
    /// `http://user:password@host:port`; `None` connects directly.
    pub proxy_url: Option<Secret>,
    /// The root certificate, PEM.
    pub root_pem: String,
}
