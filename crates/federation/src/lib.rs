//! The shared core: what one cloud must hold so that a pod of the other one is let in, how that is
//! created, and how it is taken away again, at whatever endpoint answers.
//!
//! It knows no cluster, no scenario and no simulator: a real cloud, an emulator and the simulators
//! are told apart by [`aws::Access`] and [`azure::Access`] alone. Nothing is created before it stands in a [`Ledger`].

pub mod aws;
pub mod azure;
mod consistency;
mod kind;
pub mod ledger;
mod tags;
pub mod template;
pub mod thumbprint;
mod wire;

pub use consistency::Consistency;
pub use kind::Kind;
pub use ledger::{Intent, Known, Ledger, LedgerError};
pub use tags::Tags;
pub use wire::Wire;
