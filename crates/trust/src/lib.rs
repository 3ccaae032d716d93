//! The ground floor: the vocabulary of identity federation and the decisions that need no network.
//!
//! Issuers, subjects, audiences, tokens, key sets, policy documents, the chain of an access and the
//! verdict on a check. It knows no cloud, no cluster, no file and no clock but the one it is given.

pub mod arn;
pub mod audience;
mod cause;
mod causes;
pub mod chain;
pub mod clock;
pub mod issuer;
pub mod jwks;
pub mod keys;
pub mod lag;
mod object;
pub mod policy;
pub mod redact;
pub mod requests;
pub mod secret;
pub mod subject;
pub mod token;
pub mod verdict;
pub mod verifying;
pub mod workload;

pub use arn::{AccountId, Arn, ArnError};
pub use audience::Audience;
pub use cause::Cause;
pub use causes::causes;
pub use chain::{Chain, Denial, Evidence, Link, LinkState};
pub use clock::{Clock, FixedClock, SharedClock, SystemClock};
pub use issuer::{IssuerError, IssuerUrl};
pub use jwks::{Jwk, Jwks, SignatureError, verify_signature};
pub use keys::{KeyError, KeyRing, SigningKey};
pub use lag::Lag;
pub use object::object;
pub use redact::redact;
pub use requests::{LoggedRequest, RequestLog};
pub use secret::Secret;
pub use subject::Subject;
pub use token::{TokenError, TokenHeader, UnverifiedToken};
pub use verdict::Verdict;
pub use verifying::VerifyingKeys;
