//! Fuzzing of all that reads what strangers write: tokens, key sets, policies, scenario files, admission reviews.
//!
//! A [`Target`] reads one kind of input and keeps promises about it. The [`hunt()`] changes inputs of the corpus
//! (`fixtures/fuzz/<target>/`) at random and keeps those to which a target says something new. It needs no instrumented build:
//! what a target says it saw stands in for coverage. A promise broken, a panic, or an input that takes too long is a [`Catch`], and
//! its file stays in the corpus: the tests run every file there.
//!
//! What it must not know: how a target does its work.

pub mod corpus;
pub mod hunt;
pub mod mutate;
pub mod random;
pub mod shrink;
pub mod target;
pub mod watch;

pub use hunt::{Catch, Report, hunt};
pub use random::Random;
pub use target::{Language, Target};
