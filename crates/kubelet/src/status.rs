//! A container's status from what its process did. Pure.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

mod pod;

pub(crate) use pod::PodRecord;

/// When a container that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    pub(crate) fn of(text: Option<&str>) -> Self {
        match text {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    pub(crate) fn restarts(self, exit_code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => exit_code != 0,
            Self::Never => false,
        }
    }
}

/// Whether an init container goes on beside the others. (On a main container the field means something else.)
pub(crate) fn is_sidecar(init: &Container) -> bool {
    init.restart_policy.as_deref() == Some("Always")
}

/// How one run of a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Termination {
    /// 128 + signal when a signal ended it.
    pub(crate) exit_code: i32,
    pub(crate) reason: &'static str,
    pub(crate) message: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Timestamp,
    pub(crate) container_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Waiting { reason: &'static str, message: Option<String> },
    Running { since: Timestamp },
    Terminated(Termination),
}

impl State {
    pub(crate) fn waiting(reason: &'static str) -> Self {
        Self::Waiting { reason, message: None }
    }
}

/// One container as its status tells it.
#[derive(Debug, Clone)]
pub(crate) struct ContainerRecord {
    pub(crate) name: String,
    pub(crate) image: String,
    /// What really runs, once it is known.
    pub(crate) image_id: String,
    pub(crate) container_id: Option<String>,
    pub(crate) restarts: i32,
    pub(crate) state: State,
    pub(crate) last: Option<Termination>,
    /// An init container that goes on beside the others.
    pub(crate) sidecar: bool,
    /// While it runs: its start-up probe has succeeded, or it has none.
    pub(crate) started: bool,
    /// While it runs: its readiness probe holds, or it has none.
    pub(crate) ready: bool,
}

impl ContainerRecord {
    pub(crate) fn new(name: &str, image: &str, waiting: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            image: image.to_owned(),
            image_id: String::new(),
            container_id: None,
            restarts: 0,
            state: State::waiting(waiting),
            last: None,
            sidecar: false,
            started: false,
            ready: false,
        }
    }

    /// The record of a container as its pod specifies it.
    pub(crate) fn of(container: &Container, waiting: &'static str) -> Self {
        let image = container.image.as_deref().unwrap_or_default();
        Self { sidecar: is_sidecar(container), ..Self::new(&container.name, image, waiting) }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    fn exit_code(&self) -> Option<i32> {
        match &self.state {
            State::Terminated(end) => Some(end.exit_code),
            _ => None,
        }
    }

    fn has_started(&self) -> bool {
        self.last.is_some() || !matches!(self.state, State::Waiting { .. })
    }

    /// Runs, and is past its start-up probe.
    pub(crate) fn is_started(&self) -> bool {
        self.is_running() && self.started
    }

    fn is_ready(&self) -> bool {
        self.is_started() && self.ready
    }

    fn status(&self, ready: bool) -> ContainerStatus {
        ContainerStatus {
            name: self.name.clone(),
            image: self.image.clone(),
            image_id: self.image_id.clone(),
            container_id: self.container_id.clone(),
            ready,
            restart_count: self.restarts,
            started: Some(self.is_started()),
            state: Some(match &self.state {
                State::Waiting { reason, message } => ContainerState {
                    waiting: Some(ContainerStateWaiting {
                        reason: Some((*reason).to_owned()),
                        message: message.clone(),
                    }),
                    ..ContainerState::default()
                },
                State::Running { since } => ContainerState {
                    running: Some(ContainerStateRunning { started_at: Some(Time(*since)) }),
                    ..ContainerState::default()
                },
                State::Terminated(end) => terminated(end),
            }),
            last_state: self.last.as_ref().map(terminated),
            ..ContainerStatus::default()
        }
    }
}

fn terminated(end: &Termination) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            container_id: end.container_id.clone(),
            exit_code: end.exit_code,
            reason: Some(end.reason.to_owned()),
            message: end.message.clone(),
            started_at: Some(Time(end.started_at)),
            finished_at: Some(Time(end.finished_at)),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}
