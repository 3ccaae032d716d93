//! Azure: what a run needs in a subscription, how it is made, how it is taken away, what is there.
//!
//! It speaks Resource Manager's REST interface, and Blob Storage's for blobs, and is told nothing about who answers. Names and ids are known
//! before anything exists, save two that Azure gives: client id and principal id of an identity. [`create`] returns
//! them, and [`Clients::identity`] tells them afterwards.

mod access;
mod again;
mod blob;
mod call;
mod create;
mod delete;
mod desired;
mod error;
mod holdings;
mod id;
mod inventory;
mod list;
mod own;
mod owner;
mod poll;
mod preflight;
mod principal;
mod request;
mod stages;
mod undo;
mod validate;
mod vault;

pub use crate::{Consistency, Kind, Marks, Tags, Wire};
pub use access::{Access, AccessError, Clients, Credential, HttpStack, IdentityIds};
pub use blob::publish;
pub use create::{ApplyError, Journaled, create, create_journaled};
pub use desired::Desired;
pub use error::ProvisionError;
pub use holdings::{Holding, holdings};
pub use inventory::{Item, ItemKind, Scope, inventory};
pub use preflight::preflight;
pub use principal::Principal;
pub use stages::{stages, undo_stages};
pub use undo::{Undo, Undone, undo, undo_unconfirmed};
pub use validate::{Invalid, validate};
pub use vault::{VaultAccess, VaultNetwork, VaultRole};
