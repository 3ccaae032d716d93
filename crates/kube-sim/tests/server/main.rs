//! The server as a whole, driven over HTTPS: objects and identities, pods, admission.
#![allow(clippy::expect_used, reason = "helpers of tests, outside of any test function")]

mod admission;
mod cluster;
mod hostile;
mod kubectl;
mod node;
mod pods;
mod python;
mod replay;
mod siblings;
mod support;
mod watching;
mod workloads;
