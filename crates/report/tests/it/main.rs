//! What readers of a run are given: one binary, so that it links once.

// Clippy knows test functions, not the helpers of an integration test.
#![allow(clippy::expect_used)]

mod events;
mod files;
mod html;
mod junit;
mod leaks;
mod many;
mod resumed;
mod sample;
mod secrets;
mod terminal;
