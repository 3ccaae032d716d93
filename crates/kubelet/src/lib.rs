//! A Kubernetes node whose pods are local processes.
//!
//! [`ProcessNode`] registers a `Node`, binds and runs pods, projects their volumes and tokens, writes
//! their status and serves their logs. It speaks to any API server, and only through its public API
//! over HTTPS. It must not know who runs that server, which webhooks changed a pod, or what a pod is for.
//!
//! # What a process is not
//!
//! A pod here shares the host's network, users, file system and kernel limits. A container's mounts lie
//! in a private folder; environment values, commands and arguments that *start with* a mount path are
//! rewritten to it (see [`ProcessNode`]). A path that a program has built in, one inside a longer value
//! (`--file=/mnt/x`, `a:/mnt/x`, `file:///mnt/x`) and one in a file's content are not rewritten.
//! `readOnly` mounts are not enforced. Whatever else of a pod's specification a process cannot honour is
//! either refused with a waiting reason, or named in an `Unsupported` event on the pod.
//!
//! Events tell what goes wrong; that a pod was scheduled, its image pulled and its containers started is told by its status alone.
//! What is written to `terminationMessagePath` becomes the container's message, where the path is not built in or has a namespace.
//!
//! A token is replaced after four fifths of what was granted, as on a real node. The files that it replaces stay on disk until the next
//! time, unseen, so that a program which opens one at that moment still finds it; a real node removes them at once.

mod atomic;
mod context;
mod control_plane;
mod downward;
mod environment;
mod events;
mod handler;
mod inside;
mod logs;
mod mounts;
mod namespace;
mod node;
mod paths;
mod pauses;
mod pod;
mod probe;
mod process;
mod programs;
mod resources;
mod schedule;
mod sources;
mod status;
mod token;
mod unsupported;
mod volumes;

pub use context::ApiServerAddress;
pub use node::{ControlPlane, NodeConfig, NodeError, ProcessNode};
pub use programs::{ImageMapError, Programs};
