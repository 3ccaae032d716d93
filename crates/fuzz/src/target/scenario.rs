//! Files that people write: each text is read as a scenario, as a fault and as a pod.

use std::path::Path;

use anyhow::{Context, Result};
use scenario::plan::{self, PlanError};
use scenario::{Access, Fault, PodManifest, Scenario, SourceError};

use super::{Seen, ensure};

/// Whose folder the files are looked for in that a scenario names, and on which faults are tried: it has everything.
const HOST: &str = "scenarios/both-clouds";

pub(super) fn target(root: &Path) -> Result<impl Fn(&[u8]) -> Seen + Send + Sync + use<>> {
    let folder = root.join(HOST);
    let host = Scenario::load(&folder).with_context(|| format!("the scenario in {}", folder.display()))?;
    Ok(move |input: &[u8]| run(input, &host))
}

fn run(input: &[u8], host: &Scenario) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok("no text".to_owned());
    };
    let scenario = Scenario::parse(&host.folder, text);
    if let Ok(scenario) = &scenario {
        let again: Result<Access, _> = serde_json::from_value(scenario.access_document.clone());
        ensure(again.as_ref().ok() == Some(&scenario.access), || "written down, it is another access".to_owned())?;
    }
    let file = Path::new("input.yaml");
    let fault = match Fault::parse(file, None, text) {
        Err(error) => complaint(&error),
        Ok(fault) => match plan::cell(host, fault) {
            Ok(cell) => {
                ensure(cell.access != host.access, || "a fault that changes nothing is tried".to_owned())?;
                format!("a fault, {} {} {}", cell.own_account, cell.own_bucket, cell.own_vault)
            }
            Err(PlanError::Misfit { complaint: error, .. }) => complaint(&error),
            Err(other) => other.to_string(),
        },
    };
    let scenario = scenario.map_or_else(|error| complaint(&error), |_| "a scenario".to_owned());
    let pod = PodManifest::parse(file, text).map_or_else(|error| complaint(&error), |_| "a pod".to_owned());
    Ok(format!("{scenario} | {fault} | {pod}"))
}

/// Where, and the first words of what, without what is quoted of the file or listed as known.
fn complaint(error: &SourceError) -> String {
    let message = error.message.split(": ").next().unwrap_or_default();
    let (before, rest) = message.split_once('`').unwrap_or((message, ""));
    let after = rest.rsplit_once('`').map_or("", |(_, after)| after);
    let words = before.split_whitespace().chain(after.split_whitespace()).take_while(|word| *word != "(known");
    let what: Vec<&str> = words.take(6).collect();
    let Some(path) = &error.path else {
        return what.join(" ");
    };
    let depth = path.matches(['.', '[']).count();
    let place = ["at", "in", "inside", "deep inside"][depth.min(3)];
    format!("{place} `{}`: {}", path.replace(['`', '\\'], "_"), what.join(" "))
}
