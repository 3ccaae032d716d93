//! Which things may be swept. Pure, but for the reading of when a journal was last written.

use std::collections::{BTreeMap, BTreeSet};

use federation::Marks;
use jiff::{SignedDuration, Timestamp};

use super::listing::{Kind, Thing};
use crate::journal::Past;

/// How far the clocks of a machine and of a cloud, or of a file system, may differ.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// Why a thing may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its time is up.
    Expired,
    /// Its run has a journal here, which nobody holds.
    Dead,
    /// The program made it for runs to share, and no run is on it.
    Unused,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Dead => "dead",
            Self::Unused => "unused",
        }
    }
}

/// Why a thing stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stays {
    /// A process of this machine holds the journal of its run.
    Lives,
    /// Its run may live elsewhere.
    MayLive,
}

/// A thing that may go.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) thing: Thing,
    pub(super) state: State,
}

/// Things that stay, and of how many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) things: usize,
    runs: BTreeSet<String>,
}

impl Count {
    pub(super) fn add(&mut self, run: &str) {
        self.things += 1;
        self.runs.insert(run.to_owned());
    }

    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }
}

/// What carries the program's marks and is not swept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftAlone {
    /// Of runs that live on this machine.
    pub(super) live: Count,
    /// Of runs that may live on another.
    pub(super) may_live: Count,
    /// Younger than what was asked for.
    pub(super) younger: Count,
}

/// What a look has found: what may go, and what stays.
pub(super) struct Found {
    pub(super) things: Vec<Judged>,
    pub(super) left_alone: LeftAlone,
    /// When it looked.
    pub(super) now: Timestamp,
}

/// The time in which a journal's run created things.
#[derive(Clone, Copy, Debug)]
struct Life {
    from: Timestamp,
    until: Timestamp,
    is_held: bool,
}

/// The runs that have a journal here, by each id under which they go.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(BTreeMap<String, Vec<Life>>);

impl Runs {
    pub(super) fn of(pasts: &[Past]) -> Self {
        let mut runs = Self::default();
        for past in pasts {
            // A journal is written to whenever its run does anything.
            let written = std::fs::metadata(&past.path).and_then(|file| file.modified()).ok();
            let until = written.and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(past.start.at);
            let life = Life { from: past.start.at, until, is_held: past.is_held };
            let ids: BTreeSet<&str> = past.book.scenarios().filter_map(|scenario| past.book.run_of(scenario)).collect();
            for id in ids {
                runs.add(id, life);
            }
        }
        runs
    }

    fn add(&mut self, run: &str, life: Life) {
        self.0.entry(run.to_owned()).or_default().push(life);
    }

    /// Ids are chosen by people, too, and may be used again on another machine: a journal speaks for what was made while it was written.
    fn decide(&self, kind: Kind, marks: &Marks, now: Timestamp) -> Result<State, Stays> {
        let lives = self.0.get(&marks.run).map(Vec::as_slice).unwrap_or_default();
        if lives.iter().any(|life| life.is_held) {
            return Err(Stays::Lives);
        }
        match kind {
            // It is there because its process no longer holds it.
            Kind::Folder => return Ok(State::Dead),
            kind if marks.run.is_empty() => {
                return if kind.is_shared() { Ok(State::Unused) } else { Err(Stays::MayLive) };
            }
            _ => {}
        }
        let made_in = |life: &Life| marks.created.is_some_and(|at| at >= earlier(life.from) && at <= later(life.until));
        if lives.iter().any(made_in) {
            return Ok(State::Dead);
        }
        if marks.expires.is_some_and(|at| at < now) { Ok(State::Expired) } else { Err(Stays::MayLive) }
    }
}

fn earlier(at: Timestamp) -> Timestamp {
    at.saturating_sub(SLACK).unwrap_or(at)
}

fn later(at: Timestamp) -> Timestamp {
    at.saturating_add(SLACK).unwrap_or(at)
}

/// How old a thing is.
pub(super) fn age(marks: &Marks, now: Timestamp) -> Option<SignedDuration> {
    marks.created.map(|at| now.duration_since(at).max(SignedDuration::ZERO))
}

/// Decides on each. What is of unknown age is not older than anything.
pub(super) fn sort(things: Vec<Thing>, runs: &Runs, now: Timestamp, older_than: Option<SignedDuration>) -> Found {
    let mut found = Found { things: Vec::new(), left_alone: LeftAlone::default(), now };
    for thing in things {
        let run = thing.marks.run.clone();
        let old = |least: SignedDuration| age(&thing.marks, now).is_some_and(|age| age >= least);
        match runs.decide(thing.kind, &thing.marks, now) {
            Err(Stays::Lives) => found.left_alone.live.add(&run),
            Err(Stays::MayLive) => found.left_alone.may_live.add(&run),
            Ok(_) if !older_than.is_none_or(old) => found.left_alone.younger.add(&run),
            Ok(state) => found.things.push(Judged { thing, state }),
        }
    }
    found
}

#[cfg(test)]
mod tests;
