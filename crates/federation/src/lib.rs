//! The shared core: what one cloud must hold so that a pod of the other one is let in, how that is
//! created, and how it is taken away again, at whatever endpoint answers.
//!
//! It knows no cluster, no scenario and no simulator: a real cloud, an emulator and the simulators
//! are told apart by [`aws::Access`] and [`azure::Access`] alone. Nothing is created before it stands in a [`Ledger`].
//!
//! Everything is marked with [`Tags`]: the tool, the run, when it began and when its things may be swept. What has no tags
//! of its own is told by what it is a part of: on AWS an inline policy and an attachment by their role, a bucket's policy by
//! its bucket (an object has metadata); on Azure a federated credential by its identity, role assignments and access
//! policies by their vault or storage account, containers and blobs by their storage account. A deleted vault keeps its
//! tags. An OIDC provider, of which an account has one an issuer, is shared by runs and has a tag for each that is on it.

pub mod aws;
pub mod azure;
mod consistency;
mod holding;
mod kind;
pub mod ledger;
mod tags;
pub mod template;
pub mod thumbprint;
mod wire;

pub use consistency::Consistency;
pub use holding::Holding;
pub use kind::Kind;
pub use ledger::{Intent, Known, Ledger, LedgerError};
pub use tags::{Marks, Tags};
pub use wire::Wire;
