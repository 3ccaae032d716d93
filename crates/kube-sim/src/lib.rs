//! An embedded Kubernetes API server for tests: strict where the real one is, and started in milliseconds.
//!
//! It serves HTTPS on loopback: discovery, objects with watches, admission through real webhooks, RBAC, service-account tokens.
//! What a pod does is the business of a node that talks to it as to any API server. It knows no cloud and no scenario.
//! Facts behind its answers are those of kube-apiserver 1.36.
//! The longest lifetime of a token may be of seconds here, so that a renewal can be waited for; the real flag asks for an hour.
//!
//! Workloads are turned into pods by controllers that run once there is one; what an owner leaves behind is collected.
//!
//! Not served: CEL, quotas and limits, volume claims, services' endpoints, aggregated APIs, exec and port-forward.

mod admission;
mod api;
mod bootstrap;
mod controllers;
mod custom;
mod decode;
mod defaults;
mod discovery;
mod garbage;
mod go_json;
mod handlers;
mod impersonation;
mod lifecycle;
mod managed;
mod names;
mod node;
mod object;
mod openapi;
mod protobuf;
mod rbac;
mod request;
mod resources;
mod respond;
mod schema;
mod selector;
mod server;
mod snapshot;
mod status;
mod store;
mod strategic;
mod strategy;
mod table;
mod tokens;
mod user;
mod validation;

pub use server::{ApiServer, ApiServerConfig, KeySource, StartError};
pub use snapshot::Snapshot;
