//! An embedded Kubernetes API server for tests: strict where the real one is, and started in milliseconds.
//!
//! It serves HTTPS on loopback: discovery, objects with watches, admission through real webhooks, RBAC, service-account tokens.
//! What a pod does is the business of a node that talks to it as to any API server. It knows no cloud and no scenario.
//! Facts behind its answers are those of kube-apiserver 1.36.
//! The longest lifetime of a token may be of seconds here, so that a renewal can be waited for; the real flag asks for an hour.
//!
//! Workloads are turned into pods by controllers that run once there is one; what an owner leaves behind is collected.
//!
//! Bodies and answers are JSON or YAML; protobuf is read (kinds of which the table has the numbers) and never written.
//!
//! # What differs from the real server
//!
//! - Not served: CEL but for constants, quotas and limits, volume claims, services' endpoints, aggregated APIs. `exec`, `attach`,
//!   `portforward`, `proxy`, `resize` and ephemeral containers are refused with 501.
//! - Services get addresses and ports of nodes, and nothing listens there.
//! - A share of a PodDisruptionBudget is one of the pods that there are; an eviction counts them when it asks.
//! - A namespace is empty as soon as it is deleted, so that deleting what was in it finds nothing. OpenAPI version 2 names no kind.
//! - Of kinds that nothing here acts upon, such as HorizontalPodAutoscaler (`v2` alone) or NetworkPolicy, names and labels are checked and
//!   little else. Of custom kinds neither patterns nor formats are.
//! - A client that closes its half of a connection is taken to have left, and may get no answer.
//! - `kubectl explain` has members and types, no descriptions.
//! - Some sixty cluster roles of controllers that do not run here are absent.

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
mod yaml;

pub use server::{ApiServer, ApiServerConfig, KeySource, StartError};
pub use snapshot::Snapshot;
