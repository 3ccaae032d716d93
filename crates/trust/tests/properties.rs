//! What holds for every policy, every request and every order: 20,000 made-up cases a property.
#![allow(clippy::expect_used, clippy::print_stderr, reason = "helpers of tests")]

#[path = "properties/alone.rs"]
mod alone;
#[path = "properties/case.rs"]
mod case;
#[path = "properties/conditions.rs"]
mod conditions;
#[path = "properties/random.rs"]
mod random;
#[path = "properties/together.rs"]
mod together;
