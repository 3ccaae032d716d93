//! `sweep`: what runs of this program have left that nobody needs any more, in a place that others use, too, and its removal.
//!
//! Only what carries the program's own marks is ever looked at. Of that, what belongs to a run that lives on this machine is left alone, and so
//! is what may belong to one that lives on another: what is swept has expired, or belongs to a run whose journal lies here and is held by nobody.

mod cost;
mod flags;
mod judge;
mod listing;
mod machine;
mod places;
mod removal;
mod view;

use std::io::Write as _;

use trust::Clock as _;

use crate::cleanup::say;
use crate::cli::Output;
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::journal;
use crate::run::patience;

pub use flags::{AFTER_HELP, Flags};
use judge::{Found, Runs};
use listing::Thing;
use machine::Ended;
use places::Whither;

/// Lists, and deletes if that is asked for.
///
/// # Errors
/// Exit 2 for flags, 96 where a place cannot be reached, 101 where it does not answer.
pub async fn run(flags: Flags, environment: Environment) -> Result<Exit, Stop> {
    flags.check()?;
    let artifacts = environment.working_dir.join(&flags.artifacts_dir);
    let pasts = journal::all(&artifacts);
    let whither = Whither::of(&flags, &environment, &pasts).await?;
    chatter(&whither.title(&artifacts));
    let sweep = Sweep { runs: Runs::of(&pasts), ended: machine::ended(&pasts, &journal::host()), whither, flags };
    let found = sweep.look().await?;
    if sweep.flags.no_dry_run {
        return sweep.delete(&found).await;
    }
    match sweep.flags.output {
        Output::Json => say(&format!("{:#}\n", view::json(&found, &sweep.ended, None))),
        Output::Table => {
            let pass = sweep.whither.pass();
            say(&view::table(&found));
            say(&view::ended(&sweep.ended));
            say(&view::how_to_delete(found.things.len(), &environment.command, pass));
        }
    }
    Ok(Exit::Passed)
}

/// What one invocation is about.
struct Sweep {
    flags: Flags,
    whither: Whither,
    runs: Runs,
    ended: Vec<Ended>,
}

impl Sweep {
    async fn look(&self) -> Result<Found, Stop> {
        let now = trust::SystemClock.now();
        let things = match &self.whither {
            Whither::Machine => machine::folders(now),
            Whither::Places { reach, .. } => listing::of(reach).await?,
        };
        Ok(judge::sort(things, &self.runs, now, self.flags.older_than))
    }

    async fn delete(&self, found: &Found) -> Result<Exit, Stop> {
        let as_table = self.flags.output == Output::Table;
        if as_table {
            say(&view::table(found));
        }
        let told = |line: &str| if as_table { say(line) } else { chatter(line) };
        let refused = removal::remove(&found.things, &self.whither.reach(), &told).await;
        // That something is gone is known from a look, and not from the answer to its deletion.
        let left = patience::until_gone(self.whither.patience(), async || {
            Ok(removal::still_there(&found.things, &self.look().await?.things, &refused))
        })
        .await?;
        if as_table {
            say(&view::left(&left));
            say(&view::ended(&self.ended));
            say(&view::summary(found.things.len(), left.len()));
        } else {
            say(&format!("{:#}\n", view::json(found, &self.ended, Some(&left))));
        }
        Ok(if left.is_empty() { Exit::Passed } else { Exit::LeftBehind })
    }
}

/// Something that stands after all, and why.
#[derive(Debug, Clone)]
struct Left {
    thing: Thing,
    why: String,
}

/// What is not data.
fn chatter(text: &str) {
    let _ = std::io::stderr().lock().write_all(trust::redact(text).as_bytes());
}
