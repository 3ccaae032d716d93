//! AWS: what a run needs in an account, how it is made, how it is taken away, what is there.
//!
//! It speaks the real protocols only and is told nothing about who answers.

mod access;
mod bucket;
mod call;
mod create;
mod desired;
mod error;
mod holdings;
mod inventory;
mod located;
mod object;
mod owner;
mod preflight;
mod provider;
mod stages;
mod undo;

pub use crate::{Consistency, Kind, Marks, Tags, Wire};
pub use access::{Access, AccessError, Clients, HttpStack, caller_account};
pub use create::{ApplyError, create, create_journaled};
pub use desired::Desired;
pub use error::ProvisionError;
pub use holdings::{Holding, holdings};
pub use inventory::{Item, ItemKind, Scope, inventory};
pub use object::publish;
pub use preflight::{Standing, preflight};
pub use stages::{stages, undo_stages};
pub use undo::{Undo, Undone, undo, undo_unconfirmed};
