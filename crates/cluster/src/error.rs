//! What goes wrong with a cluster, in words for people.

use std::path::PathBuf;

/// Why there is no cluster, or not what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig.
    #[error("the kubeconfig {} cannot be used: {message}", file.display())]
    Kubeconfig {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The API server does not answer.
    #[error("the API server at {url} does not answer: {message}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What was seen.
        message: String,
    },
    /// It tells no issuer, or not what the issuer publishes.
    #[error("the API server's issuer cannot be found out: {0}")]
    Issuer(String),
    /// The embedded server.
    #[error("the embedded API server did not start: {0}")]
    Start(String),
    /// The process node.
    #[error("the process node did not start: {0}")]
    Node(String),
    /// A webhook's server.
    #[error("the webhook's server did not start: {0}")]
    Webhook(String),
    /// The issuer's keys.
    #[error("the signing keys cannot be rotated: {0}")]
    Keys(String),
    /// A file in the run's folder.
    #[error("a file of the cluster cannot be written")]
    File(#[from] std::io::Error),
    /// Certificates.
    #[error("a certificate of the cluster cannot be made")]
    Certificate(#[from] transport::AuthorityError),
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
