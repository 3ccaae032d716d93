//! TLS on loopback: a run's certificate authority, servers that show its certificates, and a client that trusts it.
//!
//! Everything that speaks HTTPS in this house stands on this crate: the wire, the embedded API server, the
//! webhooks and the token exchange's look at an issuer. It knows no cloud and no cluster.

pub mod authority;
pub mod body;
pub mod client;
pub mod dial;
pub mod server;

pub use authority::{Authority, AuthorityError, PemIdentity};
pub use body::{BodyError, read_body};
pub use client::{Client, FetchError, Fetched};
pub use dial::{Proxy, Roots, RootsError, client_config};
pub use server::{PeerAddr, PeerIdentity, Server, ServerError, server_config};
