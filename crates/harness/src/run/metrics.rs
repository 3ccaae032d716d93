//! Figures of a run, for the bench and for trends: `metrics.json`.

use report::{Phase, Report};
use serde::{Deserialize, Serialize};

use super::{Settings, millis};

/// Name of the file.
pub(crate) const FILE: &str = "metrics.json";

/// Figures of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Milliseconds from process start to the end.
    pub wall_ms: u64,
    /// Milliseconds that preflight and the cluster took, until its API server answered and its node was ready.
    pub cluster_ready_ms: u64,
    /// Largest resident memory of the harness process, KiB; without the pods' processes.
    pub peak_memory_kib: Option<u64>,
}

pub(crate) fn write(settings: &Settings, report: &Report) {
    let phases = report.scenarios.iter().flat_map(|scenario| &scenario.phases);
    let ready =
        phases.filter(|phase| matches!(phase.phase, Phase::Preflight | Phase::Cluster)).map(|phase| phase.duration_ms);
    let metrics = Metrics {
        wall_ms: millis(settings.environment.started.elapsed()),
        cluster_ready_ms: ready.flatten().sum(),
        peak_memory_kib: peak_memory(),
    };
    let file = settings.artifacts.join(FILE);
    if let Err(error) =
        serde_json::to_vec_pretty(&metrics).map_err(std::io::Error::from).and_then(|text| std::fs::write(&file, text))
    {
        tracing::warn!(file = %file.display(), %error, "figures were not written");
    }
}

/// `VmHWM` of this process, where the system tells it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse().ok())
}
