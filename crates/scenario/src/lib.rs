//! What must hold, as data: scenario files, the catalogue of faults, and the plan that both give.
//!
//! A scenario says what; where it is tried is said on the command line. This crate reads files and decides
//! nothing about places: it knows no cluster, no cloud and no network.

pub mod access;
pub mod catalogue;
pub mod fault;
pub mod file;
pub mod nearest;
pub mod plan;
pub mod selection;
pub mod source;

pub use access::{Access, Cloud};
pub use catalogue::{Catalogue, CatalogueError};
pub use fault::{Answerer, Confidence, Expectation, Fault, PodPlace};
pub use file::{AwsResources, AzureResources, ClusterShape, Flavor, IssuerSite, PodManifest, Scenario};
pub use plan::{CONTROL, Cell, Plan, PlanError};
pub use selection::{BadSelection, Selection};
pub use source::SourceError;
