//! How often the diagnosis is right: the whole catalogue is run with names and words taken out of its files, and what is
//! diagnosed is held against what the files say.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use report::{CheckRecord, Event, Expected, Record};
use scenario::{Catalogue, Fault};
use trust::Verdict;

use super::child;
use crate::Environment;
use crate::cli::Bench;
use crate::exit::{Exit, Stop};
use crate::run;

/// Percent of the faults whose cause and fix must be right; of links all must be.
const TARGET: f64 = 95.0;

/// Runs the catalogue blinded and prints the rates.
pub(super) async fn run(options: &Bench, environment: &Environment, folder: &Path) -> Result<Exit, Stop> {
    let catalogue = run::catalogue(environment, &options.location)?;
    let failed = |error: io::Error| Stop::caused(Exit::Infrastructure, error);
    let blinded = folder.join("scenarios");
    let originals = blind(&catalogue, &blinded)?;
    let words = ["e2e", run::ALL, "--faults", "all", "--run-id", "blinded"];
    // A check that fails is counted below.
    child(environment, Some(&blinded), folder, &words)?.status().await.map_err(failed)?;
    let events = fs::read_to_string(folder.join("blinded/events.jsonl")).map_err(failed)?;
    let mut tally = Tally::default();
    for line in events.lines() {
        let record: Record = serde_json::from_str(line).map_err(|error| Stop::caused(Exit::Internal, error))?;
        if let Event::CheckFinished { scenario, check } = record.event() {
            let id = check.id.split('/').next().unwrap_or_default();
            if let Some(fault) = originals.get(id) {
                tally.add(scenario, check, fault);
            }
        }
    }
    println!("{}", tally.text());
    Ok(if tally.is_met() { Exit::Passed } else { Exit::CheckFailed })
}

/// Writes the catalogue anew with faults that are numbers: no id, title, cause or fix says what is wrong. The faults by their number.
fn blind(catalogue: &Catalogue, to: &Path) -> Result<BTreeMap<String, Fault>, Stop> {
    let failed = |error: io::Error| Stop::caused(Exit::Infrastructure, error);
    let mut faults = catalogue.all_faults().map_err(|error| Stop::caused(Exit::Usage, error))?;
    // Neighbours in the catalogue must not be neighbours here.
    faults.sort_by_key(|fault| run::sha256(fault.id.as_bytes()));
    let number = |at: usize| format!("fault-{at:03}");
    let numbers: BTreeMap<&str, String> =
        faults.iter().enumerate().map(|(at, fault)| (fault.id.as_str(), number(at))).collect();
    for name in catalogue.scenarios() {
        copy(&catalogue.folder().join(&name), &to.join(&name), &numbers).map_err(failed)?;
    }
    for fault in &faults {
        let text = fs::read_to_string(&fault.file).map_err(failed)?;
        let below = fault.file.strip_prefix(catalogue.folder()).unwrap_or(&fault.file);
        let folder = to.join(below.parent().unwrap_or(below));
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::write(folder.join(format!("{}.yaml", numbers[fault.id.as_str()])), blinded(&text)).map_err(failed)?;
    }
    Ok(faults.into_iter().enumerate().map(|(at, fault)| (number(at), fault)).collect())
}

/// A fault's file with nothing in it that says in words what is wrong.
fn blinded(text: &str) -> String {
    let line = |line: &str| match line.split_once(": ").map_or(line, |(member, _)| member) {
        "title" => "title: blinded".to_owned(),
        "cause" => format!("cause: {}", trust::Cause::WebhookNotInstalled),
        "fix" => "fix: blinded".to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).map(|line| line + "\n").collect()
}

/// A scenario's folder, in whose file faults have other names.
fn copy(from: &Path, to: &Path, numbers: &BTreeMap<&str, String>) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place, numbers)?;
        } else if entry.file_name() == "scenario.yaml" {
            fs::write(place, renamed(&fs::read_to_string(entry.path())?, numbers))?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

/// The scenario with the faults' new names in its list of refusals.
fn renamed(text: &str, numbers: &BTreeMap<&str, String>) -> String {
    let Some((head, refusals)) = text.split_once("\nrefusals:") else { return text.to_owned() };
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let mut out = format!("{head}\nrefusals:");
    for piece in refusals.split_inclusive(|c| !is_part(c)) {
        let word = piece.trim_end_matches(|c| !is_part(c));
        out += &numbers.get(word).map_or_else(|| piece.to_owned(), |number| piece.replacen(word, number, 1));
    }
    out
}

#[derive(Default)]
struct Tally {
    tried: usize,
    links: usize,
    causes: usize,
    fixes: usize,
    /// What breaks nothing, and in how many of these something was diagnosed.
    harmless: (usize, usize),
    misses: Vec<String>,
}

impl Tally {
    fn add(&mut self, scenario: &str, check: &CheckRecord, fault: &Fault) {
        if matches!(check.verdict, Verdict::Skipped { .. }) {
            return;
        }
        let found = check.diagnosis.as_ref();
        // In a pod with both identities a fault towards one cloud leaves the other access whole.
        if matches!(check.expected, Expected::Read { .. }) {
            self.harmless.0 += 1;
            if let Some(found) = found {
                self.harmless.1 += 1;
                self.misses.push(format!("  {scenario} {}, which leaves it whole: {}", fault.id, found.cause));
            }
            return;
        }
        self.tried += 1;
        let link = check.verdict == Verdict::Passed;
        let cause = found.is_some_and(|found| Some(found.cause) == fault.cause);
        let fix = found.zip(fault.fix.as_ref()).is_some_and(|(found, fix)| found.fix.contains(fix));
        self.links += usize::from(link);
        self.causes += usize::from(cause);
        self.fixes += usize::from(fix);
        if !(link && cause && fix) {
            let found = found.map_or_else(|| "nothing".to_owned(), |found| format!("{}: {}", found.cause, found.fix));
            self.misses.push(format!("  {scenario} {}: {found}", fault.id));
        }
    }

    fn rate(&self, right: usize) -> f64 {
        100.0 * right as f64 / self.tried.max(1) as f64
    }

    fn is_met(&self) -> bool {
        let rates = [self.causes, self.fixes].map(|right| self.rate(right));
        self.tried > 0 && self.links == self.tried && rates.iter().all(|rate| *rate >= TARGET) && self.harmless.1 == 0
    }

    fn text(&self) -> String {
        let row =
            |what: &str, right: usize| format!("{what:<12} {right:>4} of {} {:>6.1} %\n", self.tried, self.rate(right));
        let mut text = format!(
            "diagnosis of the catalogue in all scenarios, embedded and simulated, faults unnamed: {} accesses that break\n\n",
            self.tried
        );
        text += &row("right link", self.links);
        text += &row("right cause", self.causes);
        text += &row("right fix", self.fixes);
        text += &format!(
            "{} accesses that a fault leaves whole, diagnosed all the same: {}\n",
            self.harmless.0, self.harmless.1
        );
        if !self.misses.is_empty() {
            text += &format!("\nmissed:\n{}\n", self.misses.join("\n"));
        }
        let met = if self.is_met() { "met    " } else { "not met" };
        text + &format!("\n{met} every link, and at least {TARGET} % of causes and of fixes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_fault_or_of_its_name_is_left() {
        let text = "title: no provider\ntags: [a]\nchange:\n  aws: { provider: null }\ncause: provider-missing\nfix: \"aws iam\"\nsource: s\n";
        let expected = "title: blinded\ntags: [a]\nchange:\n  aws: { provider: null }\ncause: webhook-not-installed\nfix: blinded\nsource: s\n";
        assert_eq!(blinded(text), expected);
        let numbers = BTreeMap::from([("no-provider", "fault-007".to_owned()), ("no", "fault-001".to_owned())]);
        let scenario = "title: no\nrefusals: # no\n  - no-provider\n  - other\n  [no, no-provider]";
        let expected = "title: no\nrefusals: # fault-001\n  - fault-007\n  - other\n  [fault-001, fault-007]";
        assert_eq!(renamed(scenario, &numbers), expected);
    }
}
