//! Azure: what a run needs in a subscription, how it is made, how it is taken away, what is there.
//!
//! It speaks Resource Manager's REST interface only, and is told nothing about who answers. Names and ids are known
//! before anything exists, save two that Azure gives: client id and principal id of an identity. [`create`] returns
//! them, and [`Clients::identity`] tells them afterwards.

mod access;
mod call;
mod create;
mod desired;
mod error;
mod id;
mod inventory;
mod owner;
mod poll;
mod stages;
mod undo;
mod validate;

pub use crate::aws::{Consistency, Kind, Tags, Wire};
pub use access::{Access, AccessError, Clients, Credential, HttpStack, IdentityIds};
pub use create::{ApplyError, Journaled, create, create_journaled};
pub use desired::{Desired, Principal, VaultAccess, VaultNetwork, VaultRole};
pub use error::ProvisionError;
pub use inventory::{Item, ItemKind, Scope, inventory};
pub use stages::{stages, undo_stages};
pub use undo::{Undo, Undone, undo, undo_unconfirmed};
pub use validate::{Invalid, preflight, validate};
