//! Evidence before destruction: what stands in the cluster and what went over the wire, written down before a teardown takes it away.
//!
//! It judges nothing and changes nothing. What cannot be had is named with its reason, and keeps nothing else from being had.
//! Secrets are never asked for, and every text passes [`trust::redact()`].

mod containers;
mod desk;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use egress::RequestLog;
use kube::Client;

use super::artifacts;
use crate::naming::RunId;
use desk::Desk;

/// A collection has this long before a teardown.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// And this long where the run was told to stop: a CI system kills some ten seconds after its first signal, and the teardown needs them.
pub(crate) const HURRIED: Duration = Duration::from_secs(2);

/// Marks a folder as one that holds a collection, and says which.
const CLAIM: &str = "collected.txt";
/// Collections of one cluster in one run: more are a fault of the program.
const MOST: usize = 1_000;
/// Letters of an occasion in the name of a folder.
const LONGEST_SLUG: usize = 80;

/// What to collect, where it goes, and how long it may take.
pub(crate) struct Dump<'a> {
    pub(crate) client: &'a Client,
    /// What of the cluster is the run's is found by this label.
    pub(crate) run: &'a RunId,
    /// The run's folder of artifacts.
    pub(crate) artifacts: &'a Path,
    /// The cluster's title.
    pub(crate) cluster: &'a str,
    /// Whether the API server takes the node's certificate for a kubelet's.
    pub(crate) trusts_node: bool,
    pub(crate) requests: &'a RequestLog,
    /// Why: `before teardown`, `deletion of namespace cf-r1-control timed out`. A second collection's folder is named by it.
    pub(crate) occasion: &'a str,
    /// For everything. Each call has a quarter of it.
    pub(crate) deadline: Duration,
}

/// What came of a collection.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    /// Where it lies in the run's folder; the request log lies beside the clouds' files.
    pub(crate) folder: PathBuf,
    /// How many files were written.
    pub(crate) files: usize,
    /// Also in `missing.txt`.
    pub(crate) missing: Vec<Missing>,
}

/// Something that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) why: String,
}

impl Collected {
    /// What a person should know of it: nothing, if all was had.
    pub(crate) fn note(&self) -> Option<String> {
        let first = self.missing.first()?;
        let all = self.missing.len();
        Some(format!(
            "evidence is incomplete, {all} missing, first: {} ({}); see {}/missing.txt",
            first.what,
            first.why,
            self.folder.display()
        ))
    }
}

/// Collects, within the deadline whatever the API server does.
pub(crate) async fn collect(what: &Dump<'_>) -> Collected {
    let folder = match claim(what) {
        Ok(folder) => folder,
        Err(error) => {
            let missing = Missing { what: "everything".into(), why: format!("no folder can be made: {error}") };
            return Collected { missing: vec![missing], ..Collected::default() };
        }
    };
    let desk = Desk::new(what, folder);
    desk.requests();
    tokio::join!(desk.webhooks(), desk.namespaces());
    desk.close()
}

/// A folder of its own for this collection: the cluster's, or one below it where that holds a collection already. Scenarios that run at
/// the same time may have clusters of the same title.
fn claim(what: &Dump<'_>) -> io::Result<PathBuf> {
    let top = what.artifacts.join(artifacts::folder(what.cluster));
    let slug = slug(what.occasion);
    let below = (1..MOST).map(|number| match number {
        1 => top.join(&slug),
        _ => top.join(format!("{slug}-{number}")),
    });
    for folder in std::iter::once(top.clone()).chain(below) {
        std::fs::create_dir_all(&folder)?;
        match File::create_new(folder.join(CLAIM)) {
            Ok(mut file) => {
                let told = format!("run {}: {}\n", what.run, what.occasion);
                file.write_all(trust::redact(&told).as_bytes())?;
                return Ok(folder);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{MOST} collections are there already")))
}

/// A text as a name of a file or folder: it cannot lead elsewhere.
fn plain(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') { c } else { '-' };
    text.chars().map(kept).collect()
}

fn slug(occasion: &str) -> String {
    let words: Vec<String> = plain(occasion).split(['-', '.']).map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    let mut slug = if words.is_empty() { "again".to_owned() } else { words.join("-") };
    slug.truncate(LONGEST_SLUG);
    slug
}
