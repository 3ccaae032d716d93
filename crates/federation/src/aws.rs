//! AWS: what a run needs in an account, how it is made, how it is taken away, what is there.
//!
//! It speaks the real protocols only and is told nothing about who answers.

mod access;
mod call;
mod create;
mod desired;
mod error;
mod inventory;
mod owner;
mod undo;

pub use access::{Access, AccessError, Clients, Consistency, HttpStack, Wire, caller_account};
pub use create::{ApplyError, create, create_journaled};
pub use desired::{Desired, Tags, stages};
pub use error::{Kind, ProvisionError};
pub use inventory::{Item, ItemKind, Scope, inventory};
pub use undo::{Undo, Undone, undo, undo_unconfirmed};
