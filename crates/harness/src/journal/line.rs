//! The lines of a journal: what a person or `cleanup` on another machine must know of a run.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A journal that says another number is read by another version of this program.
pub const FORMAT: u32 = 1;

/// What takes a creation back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// In an AWS account.
    Aws(federation::aws::Undo),
    /// In an Azure subscription.
    Azure(federation::azure::Undo),
    /// In the cluster.
    Kubernetes(KubernetesUndo),
    /// On the machine that the run ran on.
    Folder(FolderUndo),
}

/// An object of the cluster, by the path of its API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesUndo {
    /// Such as `/api/v1/namespaces/cf-…`.
    pub path: String,
}

/// A folder with whatever runs in it: pods' tokens lie there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderUndo {
    /// Name of the machine.
    pub host: String,
    /// Where it is.
    pub path: PathBuf,
}

/// How a run began: enough to find its places again, and to go on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Of the journal.
    pub format: u32,
    /// The run.
    pub run: String,
    /// When it began.
    pub at: Timestamp,
    /// Until when what it creates may stand.
    pub expires: Timestamp,
    /// Of this program.
    pub version: String,
    /// Name of the machine.
    pub host: String,
    /// The process.
    pub process: u32,
    /// Where relative paths of the command start.
    pub working_dir: PathBuf,
    /// The words of its command line, without a password.
    pub command: Vec<String>,
    /// Where it ran.
    pub place: Place,
}

/// Where a run creates things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its cluster.
    pub cluster: ClusterPlace,
    /// The endpoint that answers for AWS, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_endpoint: Option<String>,
}

/// Where pods run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ClusterPlace {
    /// In the process: it ends with it.
    Embedded,
    /// In a kubeconfig's cluster.
    Kubeconfig {
        /// The file, absolute.
        file: PathBuf,
        /// Its context, where one was named.
        context: Option<String>,
    },
    /// In a sandbox, which has the clouds, too.
    Sandbox {
        /// Its file, which goes when it ends.
        file: PathBuf,
        /// What is in it outlives it.
        keeps_state: bool,
    },
}

impl Place {
    /// Whether what is created at AWS ends with the run's process.
    pub fn aws_ends(&self) -> bool {
        self.aws_endpoint.is_none() && !matches!(self.cluster, ClusterPlace::Sandbox { .. })
    }

    /// Whether what is created at Azure ends with the run's process.
    pub fn azure_ends(&self) -> bool {
        !matches!(self.cluster, ClusterPlace::Sandbox { .. })
    }

    /// Whether what is created in the cluster ends with the run's process.
    pub fn cluster_ends(&self) -> bool {
        self.cluster == ClusterPlace::Embedded
    }

    /// Whether this ended with the run's process.
    pub fn ends(&self, undo: &Undo) -> bool {
        match undo {
            Undo::Aws(_) => self.aws_ends(),
            Undo::Azure(_) => self.azure_ends(),
            Undo::Kubernetes(_) => self.cluster_ends(),
            Undo::Folder(_) => false,
        }
    }
}

/// A line of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Line {
    /// Whose journal it is.
    Run(Start),
    /// A scenario begins, or goes on.
    Scenario {
        /// Its name.
        scenario: String,
        /// The id under which it goes: the owner tag of what it creates.
        run: String,
    },
    /// An AWS account that a cell has to itself.
    Account {
        /// The scenario.
        scenario: String,
        /// The cell.
        cell: String,
        /// The account.
        account: String,
    },
    /// This may exist from now on.
    Intended {
        /// Counts from 1.
        entry: u64,
        /// The scenario that it belongs to.
        scenario: String,
        /// What people call it.
        label: String,
        /// How it is taken back.
        undo: Undo,
    },
    /// It exists.
    Done {
        /// Which.
        entry: u64,
    },
    /// It was not created.
    Failed {
        /// Which.
        entry: u64,
        /// Why.
        reason: String,
    },
    /// What was created for a scenario is being taken down: each thing may be gone from now on.
    Teardown {
        /// The scenario.
        scenario: String,
    },
    /// It is gone again, or was left to its owner.
    Undone {
        /// Which.
        entry: u64,
    },
    /// Another process goes on with the run, or takes it down.
    Continued {
        /// When.
        at: Timestamp,
        /// What it is there for.
        verb: String,
        /// Name of its machine.
        host: String,
    },
}
