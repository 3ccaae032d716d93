//! Entra ID and Resource Manager through the simulator's router, with real tokens and an issuer behind real TLS.

#![expect(clippy::expect_used, reason = "helpers of tests fail a test by panicking")]

#[path = "sim/blobs.rs"]
mod blobs;
#[path = "sim/clients.rs"]
mod clients;
#[path = "sim/doors.rs"]
mod doors;
#[path = "sim/doorstep.rs"]
mod doorstep;
#[path = "sim/exchange.rs"]
mod exchange;
#[path = "sim/federation.rs"]
mod federation;
#[path = "sim/issuers.rs"]
mod issuers;
#[path = "sim/metadata.rs"]
mod metadata;
#[path = "sim/propagation.rs"]
mod propagation;
#[path = "sim/resources.rs"]
mod resources;
#[path = "sim/roles.rs"]
mod roles;
#[path = "sim/storage.rs"]
mod storage;
#[path = "sim/vaults.rs"]
mod vaults;
#[path = "sim/world.rs"]
mod world;
