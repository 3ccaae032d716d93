//! The `crossfed` program as its users meet it: started as a process, judged by its exit code, its output and the files that it leaves.
#![allow(clippy::expect_used, reason = "helpers of tests, outside of any test function")]

mod at_once;
mod cleaned;
mod endpoint;
mod evidence;
mod explain;
mod faults;
mod filters;
mod input;
mod interrupted;
mod killed;
mod kubeconfig;
mod leaked;
mod passes;
mod places;
mod plan;
mod resumed;
mod run;
mod sandbox;
mod secrets;
mod serves;
mod several;
mod standing;
mod stopped;
mod stranger;
mod sweep;
mod to_azure;
mod workloads;
