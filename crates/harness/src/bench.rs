//! placeholder
use crate::cli::Bench;
use crate::exit::{Exit, Stop};
use crate::Environment;
/// placeholder
pub async fn run(_: Bench, _: Environment) -> Result<Exit, Stop> { Err(Stop::new(Exit::Internal, "not yet")) }
