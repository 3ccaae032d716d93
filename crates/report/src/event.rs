//! The events of a run: the one vocabulary between the harness and everything that reports.
//! It must not know how any of it is shown.

mod clean;

pub(crate) use clean::clean_evidence;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::{Cause, Chain, Denial, Link, Verdict};

/// One line of `events.jsonl`: an event with its time and its number in the run.
///
/// A record holds no secret: [`Record::new`] and deserialisation, the only ways to make one, pass every text through
/// [`trust::redact()`]. The emitter is expected to have done so already; this is the second line of defence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawRecord")]
pub struct Record {
    at: Timestamp,
    seq: u64,
    #[serde(flatten)]
    event: Event,
}

#[derive(Deserialize)]
struct RawRecord {
    at: Timestamp,
    seq: u64,
    #[serde(flatten)]
    event: Event,
}

impl From<RawRecord> for Record {
    fn from(raw: RawRecord) -> Self {
        Record::new(raw.at, raw.seq, raw.event)
    }
}

impl Record {
    /// Takes the event without its secrets.
    pub fn new(at: Timestamp, seq: u64, mut event: Event) -> Self {
        clean::clean(&mut event);
        Record { at, seq, event }
    }

    /// When it was emitted.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Counts from 0 within a run, without gaps.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// What happened, clean.
    pub fn event(&self) -> &Event {
        &self.event
    }
}

/// What happened. Scenarios are named by their id (`aks-to-aws`); durations are in milliseconds.
#[allow(clippy::large_enum_variant, reason = "events are few, and each is shown and dropped")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    RunStarted {
        run_id: String,
        /// The command line of this run, a word an element; said back to the user as the line that reruns it.
        command: Vec<String>,
        version: String,
        cluster: String,
        clouds: String,
        /// How many scenarios are planned. With several, each is told as a whole when it ends. A file from before there could be
        /// several does not say it.
        #[serde(default = "one")]
        scenarios: usize,
    },
    /// The run goes on after it was stopped: what was told before stands, and what is told again counts in place of it.
    RunResumed {
        /// The command line that goes on with it.
        command: Vec<String>,
        version: String,
    },
    /// Another process ends the report of a run whose own was gone before its end, and takes back what it left.
    RunCleaned {
        command: Vec<String>,
        version: String,
    },
    ScenarioStarted {
        scenario: String,
        title: String,
        /// How many checks are planned, so that those that never ran are counted.
        checks: usize,
    },
    PhaseStarted {
        scenario: String,
        phase: Phase,
    },
    PhaseFinished {
        scenario: String,
        phase: Phase,
        #[serde(flatten)]
        outcome: Outcome,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        duration_ms: u64,
    },
    CheckFinished {
        scenario: String,
        check: CheckRecord,
    },
    /// Something that a person may want to read: the tail of a workload's stderr, a hint.
    Note {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scenario: Option<String>,
        text: String,
    },
    /// A resource that the run created and that is still there after teardown. It leaked.
    Leftover {
        scenario: String,
        kind: String,
        id: String,
        /// Why it was not taken back, as far as that is known.
        #[serde(default)]
        why: String,
    },
    /// A resource that stood before the run and is gone after it, although it was not the run's. It counts as leaked, too.
    Vanished {
        scenario: String,
        kind: String,
        id: String,
    },
    /// Resources that were left in place because the user asked for it. They did not leak.
    Kept {
        scenario: String,
        resources: usize,
    },
    ScenarioFinished {
        scenario: String,
        #[serde(flatten)]
        verdict: Verdict,
        duration_ms: u64,
    },
    RunFinished {
        exit_code: u8,
        duration_ms: u64,
    },
}

/// What a run has that does not say how many scenarios it has.
pub(crate) fn one() -> usize {
    1
}

/// The phases of a scenario, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Preflight,
    Cluster,
    Webhooks,
    Federation,
    Workload,
    Checks,
    Teardown,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Phase; 7] = [
        Phase::Preflight,
        Phase::Cluster,
        Phase::Webhooks,
        Phase::Federation,
        Phase::Workload,
        Phase::Checks,
        Phase::Teardown,
    ];

    /// Those that create what a teardown must take back.
    pub(crate) const CREATING: [Phase; 3] = [Phase::Webhooks, Phase::Federation, Phase::Workload];

    /// The name in files and on the command line.
    pub fn slug(self) -> &'static str {
        match self {
            Phase::Preflight => "preflight",
            Phase::Cluster => "cluster",
            Phase::Webhooks => "webhooks",
            Phase::Federation => "federation",
            Phase::Workload => "workload",
            Phase::Checks => "checks",
            Phase::Teardown => "teardown",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.slug())
    }
}

/// How a phase ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    Done,
    Failed { reason: String },
    Skipped { reason: String },
}

/// One check: what had to happen, what happened, and the verdict on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// Stable from run to run: trends and reruns name a check by it.
    pub id: String,
    pub title: String,
    pub kind: CheckKind,
    /// For a refusal, the id of the allowed control that differs in this one fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<String>,
    pub expected: Expected,
    pub observed: Observed,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub chain: Chain,
    pub duration_ms: u64,
    /// The public source of the expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What is wrong and what mends it, from what was seen alone. Absent where nothing broke, or nothing could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// A command that brings a person further when the check did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Why an access failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// In a fixed vocabulary.
    pub cause: Cause,
    /// A command where one does it, else a sentence. Words in capitals are to be filled in.
    pub fix: String,
}

impl CheckRecord {
    /// The gravest failure: what must be refused got in.
    pub fn is_unexpected_acceptance(&self) -> bool {
        self.kind == CheckKind::Deny && matches!(self.observed, Observed::Read { .. } | Observed::KeptReading { .. })
    }
}

/// Whether a check claims that an access works or that it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    Allow,
    Deny,
}

/// What must happen, as the scenario says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Expected {
    /// `sha256` in lower-case hex.
    Read { bytes: usize, sha256: String },
    Refused {
        link: Link,
        code: String,
        /// Other codes that are documented for the same and count as much.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<String>,
        /// The HTTP status, where the refusal has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
    /// The webhook leaves the pod alone.
    NotInjected,
    /// The API server does not admit the pod; `message` is part of what it says.
    Rejected { status: u16, message: String },
    /// A cloud refuses a call of the provisioning, with one of these codes; none are given where none is documented.
    NotCreated { codes: Vec<String>, status: u16 },
    /// The workload gives up before a cloud has answered it; `contains` is part of what it says.
    Failed { link: Link, contains: String },
    /// A workload that lives long reads again and again, while its token is renewed and the signing key is replaced.
    KeptReading,
}

/// What was seen to happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Observed {
    Read {
        bytes: usize,
        sha256: String,
    },
    Refused(Denial),
    NotInjected,
    /// The API server did not admit the pod.
    Rejected {
        status: u16,
        message: String,
    },
    /// A cloud refused a call of the provisioning, so no pod was started.
    NotCreated {
        /// What was to be created, in words.
        resource: String,
        code: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        message: String,
    },
    /// The workload gave up before a cloud had answered it.
    Failed {
        link: Link,
        message: String,
    },
    /// Every read gave what was expected.
    KeptReading {
        reads: usize,
        /// Different tokens that the reads were made with.
        tokens: usize,
        /// Different keys that signed these tokens.
        keys: usize,
    },
    Crashed {
        /// Absent when a signal ended it.
        exit_code: Option<i32>,
        stderr_tail: String,
    },
    /// Nothing came before the deadline, or the check was not tried.
    Nothing {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_seen: Option<String>,
    },
}
