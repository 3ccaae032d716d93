//! What the lines of a journal come to. Pure: reader and writer keep the same book.

use std::collections::BTreeMap;

use super::line::{Line, Start, Undo};

/// State of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// May exist.
    Intended,
    /// Exists.
    Done,
    /// Existed when its teardown began.
    Going,
    /// Was not created, or is gone.
    Gone,
}

/// An entry and its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// The scenario that it belongs to.
    pub scenario: String,
    /// What people call it.
    pub label: String,
    /// How it is taken back.
    pub undo: Undo,
    /// What is known of it.
    pub state: State,
}

impl Entry {
    /// Whether it was made, and not only intended.
    pub fn is_made(&self) -> bool {
        matches!(self.state, State::Done | State::Going)
    }

    /// Whether it may stand.
    pub fn is_open(&self) -> bool {
        self.state != State::Gone
    }
}

/// Everything that a journal says.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub(super) start: Option<Start>,
    pub(super) entries: Vec<Entry>,
    /// The id under which each scenario goes.
    scenarios: BTreeMap<String, String>,
    /// The accounts that cells have to themselves, by scenario and cell.
    accounts: BTreeMap<(String, String), String>,
    /// Lines so far.
    pub(super) lines: u64,
}

impl Book {
    pub(super) fn enter(&mut self, line: &Line) {
        self.lines += 1;
        match line {
            Line::Run(start) => self.start = Some(start.clone()),
            Line::Scenario { scenario, run } => drop(self.scenarios.insert(scenario.clone(), run.clone())),
            Line::Account { scenario, cell, account } => {
                self.accounts.insert((scenario.clone(), cell.clone()), account.clone());
            }
            Line::Intended { entry, scenario, label, undo } => self.entries.push(Entry {
                number: *entry,
                scenario: scenario.clone(),
                label: label.clone(),
                undo: undo.clone(),
                state: State::Intended,
            }),
            Line::Done { entry } => self.mark(*entry, State::Done),
            Line::Failed { entry, .. } | Line::Undone { entry } => self.mark(*entry, State::Gone),
            Line::Teardown { scenario } => {
                let done = self.entries.iter_mut().filter(|entry| entry.state == State::Done);
                done.filter(|entry| entry.scenario == *scenario).for_each(|entry| entry.state = State::Going);
            }
            Line::Continued { .. } => {}
        }
    }

    fn mark(&mut self, number: u64, state: State) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            entry.state = state;
        }
    }

    /// The id under which a scenario goes.
    pub fn run_of(&self, scenario: &str) -> Option<&str> {
        let own = self.scenarios.get(scenario).map(String::as_str);
        own.or_else(|| self.start.as_ref().map(|start| start.run.as_str()))
    }

    /// The scenarios that began, and what belongs to none of them.
    pub fn scenarios(&self) -> impl Iterator<Item = &str> {
        self.scenarios.keys().map(String::as_str).chain([""])
    }

    /// The account that a cell has to itself.
    pub fn account_of(&self, scenario: &str, cell: &str) -> Option<&str> {
        self.accounts.get(&(scenario.to_owned(), cell.to_owned())).map(String::as_str)
    }

    /// All accounts that cells have to themselves.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.accounts.values().map(String::as_str)
    }

    /// Everything that was written down.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// What may stand, in the order in which it was written down.
    pub fn open(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.is_open())
    }

    /// The last entry of this name, if it may stand.
    pub(super) fn standing(&self, scenario: &str, label: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.scenario == scenario && entry.label == label)
            .filter(|e| e.is_open())
    }
}
