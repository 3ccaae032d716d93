//! IAM and STS through the simulator's router, with real tokens and an issuer behind real TLS.

#![expect(clippy::expect_used, reason = "helpers of tests fail a test by panicking")]

#[path = "query/clients.rs"]
mod clients;
#[path = "query/exchange.rs"]
mod exchange;
#[path = "query/iam.rs"]
mod iam;
#[path = "query/issuers.rs"]
mod issuers;
#[path = "query/keeping.rs"]
mod keeping;
#[path = "query/permissions.rs"]
mod permissions;
#[path = "query/signing.rs"]
mod signing;
#[path = "query/world.rs"]
mod world;
