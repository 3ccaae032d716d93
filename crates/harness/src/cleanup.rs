//! `cleanup`: finishes what a run that is dead has left, from its journal alone.

mod ending;
mod places;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use trust::{SharedClock, SystemClock};

use crate::cli::Deletion;
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::journal::{self, Entry, Journal, OpenError, Past};
use crate::run::takedown::{self, Fate, Leftover, Taken};

use ending::Ending;
pub(crate) use places::{accounts_of, endpoint_access, endpoint_keys, find as find_places, in_sandbox};

/// Shown below `--help`.
pub const AFTER_HELP: &str = "Examples:\n  cargo xtask cleanup latest\n  cargo xtask cleanup 1128-173500-a1b2\n  cargo xtask cleanup --all-finished\n\n\
    Takes back, in reverse order, what the run's journal says may still be there, and nothing else: a thing that the run may not have made itself \
    is asked for its tags first. Doing it twice is harmless. Exit code 102 says that something is left, and what.";

/// `cleanup`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// A run's id, its folder, its journal.jsonl, or `latest`
    #[arg(value_name = "RUN", required_unless_present = "all_finished", conflicts_with = "all_finished")]
    pub run: Option<String>,
    /// Every run of the artifacts folder that has ended
    #[arg(long)]
    pub all_finished: bool,
    /// Say what would be taken back, and take nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub deletion: Deletion,
    #[command(flatten)]
    pub whereabouts: Whereabouts,
}

/// Where journals lie, and where a run's places are to be found now, if not where it found them.
#[derive(Debug, Clone, Args)]
pub struct Whereabouts {
    /// Folder that holds the runs' folders
    #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "_artifacts")]
    pub artifacts_dir: PathBuf,
    /// The sandbox of the run [default: the file that its journal names]
    #[arg(long, value_name = "URL|FILE")]
    pub sandbox: Option<String>,
    /// The kubeconfig of the run's cluster [default: the file that its journal names]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Its context [default: the one that its journal names]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Cleans up and says how it ended.
///
/// # Errors
/// Exit 2 for a run that is not there, 96 for one that is still going.
pub async fn run(flags: Flags, environment: Environment) -> Result<Exit, Stop> {
    let artifacts = environment.working_dir.join(&flags.whereabouts.artifacts_dir);
    let Some(word) = &flags.run else { return all(&flags, &environment, &artifacts).await };
    let past = look_up(word, &artifacts, &environment)?;
    one(&flags, &environment, &past).await
}

/// Finds the journal that a word means.
///
/// # Errors
/// Exit 2 when there is none, with those that there are.
pub(crate) fn look_up(word: &str, artifacts: &Path, environment: &Environment) -> Result<Past, Stop> {
    let Some(path) = journal::find(word, artifacts, &environment.working_dir) else {
        let mut message = format!("no run `{word}` has a journal in {}", artifacts.display());
        let known: Vec<String> =
            journal::all(artifacts).into_iter().rev().map(|past| past.start.run).take(10).collect();
        if !known.is_empty() {
            let _ = write!(message, "; the latest are {}", known.join(", "));
        }
        return Err(Stop::new(Exit::Usage, message));
    };
    Past::read(&path).map_err(|error| unusable(&path, &error))
}

/// Takes up a journal.
///
/// # Errors
/// Exit 96 while another process holds it.
pub(crate) fn take_up(past: &Past, verb: &str, environment: &Environment) -> Result<Journal, Stop> {
    let clock: SharedClock = std::sync::Arc::new(SystemClock);
    Journal::take_up(&past.path, verb, &clock, environment.trap).map_err(|error| match error {
        OpenError::Held => Stop::new(Exit::Preflight, format!("run {}: {}", past.start.run, held(past))),
        error => unusable(&past.path, &error),
    })
}

fn held(past: &Past) -> String {
    format!("{}; it began as process {} on {}", OpenError::Held, past.start.process, past.start.host)
}

fn unusable(path: &Path, error: &OpenError) -> Stop {
    Stop::new(Exit::Usage, format!("{}: {error}", path.display()))
}

/// Every run that has ended, the oldest first. One that cannot be finished does not keep the others.
async fn all(flags: &Flags, environment: &Environment, artifacts: &Path) -> Result<Exit, Stop> {
    let (mut worst, mut open) = (Exit::Passed, 0);
    for past in journal::all(artifacts) {
        if past.is_held {
            say(&format!("cleanup {}  left alone: {}\n", past.start.run, held(&past)));
            continue;
        }
        if past.book.open().next().is_none() && !ending::is_missing(&past) {
            continue;
        }
        open += 1;
        match one(flags, environment, &past).await {
            Ok(Exit::Passed) => {}
            Ok(exit) => worst = exit,
            Err(stop) => {
                say(&format!("cleanup {}  {}\n", past.start.run, trust::redact(&stop.message)));
                worst = Exit::LeftBehind;
            }
        }
    }
    if open == 0 {
        say(&format!("nothing to clean up in {}\n", artifacts.display()));
    }
    Ok(worst)
}

async fn one(flags: &Flags, environment: &Environment, past: &Past) -> Result<Exit, Stop> {
    let run = &past.start.run;
    say(&format!(
        "cleanup {run}  began {} on {}: {}\n",
        past.start.at.strftime("%Y-%m-%d %H:%M:%SZ"),
        past.start.host,
        past.start.command.join(" ")
    ));
    if flags.dry_run {
        let lines: String = past.left().map(|entry| format!("  would take back  {}\n", entry.label)).collect();
        say(&format!("{lines}DRY RUN  {} may be there\n", past.left().count()));
        return Ok(Exit::Passed);
    }
    let journal = take_up(past, "cleanup", environment)?;
    let mut found = find_places(past, &flags.whereabouts, environment).await;
    found.reach.deletion = flags.deletion.timeout();
    let mut ending = Ending::of(past).unwrap_or_else(|error| {
        say(&format!("  reports are not written: {error}\n"));
        None
    });
    let mut sum = Taken::default();
    let told = |entry: &Entry, fate: Fate| match fate {
        Fate::Back => say(&format!("  gone   {}\n", entry.label)),
        Fate::Absent | Fate::Inside => {}
        Fate::Others => say(&format!("  stays  {}: it is another's, or others use it\n", entry.label)),
    };
    for scenario in past.book.scenarios().filter(|scenario| past.book.entries().any(|one| one.scenario == *scenario)) {
        let journal = journal.of(scenario);
        let has_open = !journal.open_entries().is_empty();
        let mut ending = ending.as_mut().filter(|ending| ending.concerns(scenario, has_open));
        if let Some(ending) = &mut ending {
            ending.begin(scenario);
        }
        let began = Instant::now();
        let (open, ended) = found.still_open(&journal).map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
        let taken = takedown::to_the_last(&journal, open, &found.reach, found.patience, &told).await;
        sum.back += taken.back;
        sum.absent += ended + taken.absent;
        sum.others += taken.others;
        if let Some(ending) = ending {
            ending.taken_down(scenario, taken.back, &taken.left, began.elapsed());
        }
        sum.left.extend(taken.left);
    }
    say(&summary(run, &sum));
    if let Some(ending) = ending {
        match ending.end() {
            Ok(page) => {
                let page = page.strip_prefix(&environment.working_dir).unwrap_or(&page);
                say(&format!("  report  {}, how far it came and what was taken back\n", page.display()));
            }
            Err(error) => say(&format!("  reports are not written: {error}\n")),
        }
    }
    Ok(if sum.left.is_empty() { Exit::Passed } else { Exit::LeftBehind })
}

fn summary(run: &str, taken: &Taken) -> String {
    let mut text = String::new();
    for Leftover { kind, id, why, .. } in &taken.left {
        let _ = writeln!(text, "  left   {kind} {id}: {}", trust::redact(why));
    }
    let word = if taken.left.is_empty() { "CLEAN" } else { "LEFT" };
    let _ = write!(text, "{word}  {run}: {} taken back, {} not there any more", taken.back, taken.absent);
    if taken.others > 0 {
        let _ = write!(text, ", {} of others left alone", taken.others);
    }
    if taken.left.is_empty() {
        text += ", inventory empty\n";
    } else {
        let _ = writeln!(text, ", {} left", taken.left.len());
    }
    text
}

/// To standard output. A reader that has gone must not end what takes things back.
pub(crate) fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
