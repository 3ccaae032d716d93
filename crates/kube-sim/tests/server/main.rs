//! The server as a whole, driven over HTTPS: objects and identities, pods, admission.

mod admission;
mod cluster;
mod pods;
mod replay;
mod support;
