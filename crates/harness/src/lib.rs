//! Runs a plan: brings the places up, provisions, deploys, checks, explains, and takes everything down again.
//!
//! The only crate that sees all others. The binary `crossfed` is a thin shell around it.

pub mod bench;
pub mod cleanup;
pub mod cli;
pub mod environment;
pub mod exit;
pub mod explain;
pub mod journal;
pub mod list_view;
pub mod naming;
pub mod plan_view;
pub mod resume;
pub mod run;
pub mod sandbox;
pub mod sweep;

pub use environment::Environment;
pub use exit::Exit;
