//! The embedded cluster as its users meet it: both webhooks over HTTPS in both orders, key rotation, short tokens.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod again;
mod calls;
mod keys;
mod orders;
mod pods;
mod relay;
mod shape;
mod stored;
mod support;
mod tokens;
mod user;
