//! What a fault must lead to, and where that can be seen.

use std::fmt;

use serde::{Deserialize, Serialize};
use trust::Link;

use crate::access::Values;

/// What a fault must lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expectation {
    /// A cloud refuses, at this link, in these words.
    Refused {
        /// The link that breaks.
        link: Link,
        /// The cloud's code; a list where several are documented.
        code: Values,
        /// HTTP status.
        status: u16,
    },
    /// The webhook leaves the pod alone: the access ends before any cloud is asked.
    NotInjected,
    /// Nothing breaks: what differs must make no difference.
    Read,
    /// The API server does not admit the pod.
    Rejected {
        /// HTTP status.
        status: u16,
        /// Part of its message.
        message: String,
    },
    /// A cloud refuses a call of the provisioning. No pod is started.
    NotCreated {
        /// The cloud's code; a list where several are documented, nothing where none is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Values>,
        /// HTTP status.
        status: u16,
    },
    /// The workload gives up before any cloud has answered it.
    Failed {
        /// The link that breaks.
        link: Link,
        /// Part of what it says.
        contains: String,
    },
}

impl Expectation {
    /// Name of the kind, as files have it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::NotInjected => "not-injected",
            Self::Read => "read",
            Self::Rejected { .. } => "rejected",
            Self::NotCreated { .. } => "not-created",
            Self::Failed { .. } => "failed",
        }
    }

    /// The link that breaks; `None` where nothing does, or where the access was never built.
    pub fn link(&self) -> Option<Link> {
        match self {
            Self::Refused { link, .. } | Self::Failed { link, .. } => Some(*link),
            Self::NotInjected => Some(Link::OptedIn),
            Self::Rejected { .. } => Some(Link::Injected),
            Self::Read | Self::NotCreated { .. } => None,
        }
    }
}

/// How sure an expectation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The vendor documents it.
    Documented,
    /// Users reported it with the raw error.
    UserReported,
    /// Seen in recorded traffic.
    Recorded,
    /// Read in the source code or an SDK's model.
    Code,
    /// Follows from other facts.
    Inferred,
}

/// Where pods run, as far as it matters to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodPlace {
    /// The API server of this house.
    Embedded,
    /// The cluster of a kubeconfig.
    Kubeconfig,
    /// kind.
    Kind,
    /// AKS.
    Aks,
    /// EKS.
    Eks,
}

impl PodPlace {
    pub(super) const ALL: [Self; 5] = [Self::Embedded, Self::Kubeconfig, Self::Kind, Self::Aks, Self::Eks];
}

impl fmt::Display for PodPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Kubeconfig => "kubeconfig",
            Self::Kind => "kind",
            Self::Aks => "aks",
            Self::Eks => "eks",
        })
    }
}

/// Who answers for a cloud, as far as it matters to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answerer {
    /// The simulators.
    Simulated,
    /// An endpoint of the user's.
    Endpoint,
    /// The cloud itself.
    Real,
}

impl Answerer {
    pub(super) const ALL: [Self; 3] = [Self::Simulated, Self::Endpoint, Self::Real];
}

impl fmt::Display for Answerer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulated => "simulated",
            Self::Endpoint => "endpoint",
            Self::Real => "real",
        })
    }
}
