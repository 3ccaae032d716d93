//! The table at the end of several scenarios: which, where, and what came of it.
//! It must not know how the run was shown before.

use trust::Verdict;

use super::line::scenario_mark;
use super::paint::{Cell, Ink, Mark, Tone};
use super::summary::said_counts;
use crate::model::{Counts, ScenarioReport};
use crate::text::{duration, visible_line, width as text_width};

/// Below this, the place takes a line of its own.
const PLACE_FROM: usize = 12;

/// A number of checks, the head of its column, and whether it stands there when nothing is to be counted.
type Column = (&'static str, fn(&Counts) -> usize, bool);

const COLUMNS: [Column; 7] = [
    ("pass", |counts| counts.passed, true),
    ("fail", |counts| counts.failed, true),
    ("skip", |counts| counts.skipped, true),
    ("flaky", |counts| counts.flaky, false),
    ("infra", |counts| counts.infra, false),
    ("leaked", |counts| counts.leaked, false),
    ("not run", |counts| counts.not_run, false),
];

/// A row a scenario, in the order given. `place` is where they ran: cluster and clouds.
pub(super) fn table(ink: Ink, width: usize, place: &str, scenarios: &[&ScenarioReport]) -> String {
    let rows: Vec<Row> = scenarios.iter().map(|entry| Row::of(entry)).collect();
    let is_counted = |(_, number, always): &Column| *always || rows.iter().any(|row| number(&row.counts) > 0);
    let widest = |head: &str, cell: fn(&Row) -> &str| {
        rows.iter().map(|row| text_width(cell(row))).fold(text_width(head), usize::max)
    };
    let mut table = Table {
        ink,
        place,
        columns: COLUMNS.into_iter().filter(is_counted).collect(),
        name: widest("scenario", |row| &row.name),
        room: text_width(place).max("place".len()),
        verdict: widest("verdict", |row| &row.verdict),
        took: widest("time", |row| &row.took),
    };
    let free = width.saturating_sub(table.width() - table.room);
    let has_columns = free >= table.room.min(PLACE_FROM);
    if !has_columns {
        return rows.iter().map(|row| table.two_lines(width, row)).collect();
    }
    table.room = table.room.min(free);
    rows.iter().fold(table.head(), |out, row| out + &table.row(row))
}

struct Row {
    mark: Mark,
    name: String,
    verdict: String,
    tone: Tone,
    counts: Counts,
    took: String,
}

impl Row {
    fn of(entry: &ScenarioReport) -> Row {
        let tone = match &entry.verdict {
            _ if entry.has_unexpected_acceptance() => Tone::Grave,
            None => Tone::Bad,
            Some(_) if entry.leaked() > 0 => Tone::Bad,
            Some(verdict) => tone(verdict),
        };
        Row {
            mark: scenario_mark(entry),
            name: visible_line(&entry.scenario),
            verdict: entry.words_alone().join(", "),
            tone,
            counts: entry.counts(),
            took: entry.duration_ms.map(duration).unwrap_or_default(),
        }
    }
}

fn tone(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Passed => Tone::Good,
        Verdict::Skipped { .. } | Verdict::Flaky { .. } => Tone::Warn,
        Verdict::Failed { .. } | Verdict::Infra { .. } | Verdict::Leaked { .. } => Tone::Bad,
    }
}

struct Table<'a> {
    ink: Ink,
    place: &'a str,
    columns: Vec<Column>,
    name: usize,
    room: usize,
    verdict: usize,
    took: usize,
}

impl Table<'_> {
    /// Of a row on one line: a mark, four cells, and the numbers close together.
    fn width(&self) -> usize {
        let numbers: usize = self.columns.iter().map(|(head, ..)| 1 + head.len()).sum();
        2 + self.name + 2 + self.room + 2 + self.verdict + 1 + numbers + 2 + self.took
    }

    fn head(&self) -> String {
        let mut cells = vec![
            Cell::new("", 1, Tone::Plain).gap(1),
            Cell::new("scenario", self.name, Tone::Dim),
            Cell::new("place", self.room, Tone::Dim),
            Cell::new("verdict", self.verdict, Tone::Dim),
        ];
        cells.extend(self.columns.iter().map(|(head, ..)| Cell::new(*head, head.len(), Tone::Dim).gap(1)));
        cells.push(Cell::new("", 0, Tone::Plain).gap(1));
        cells.push(Cell::new("time", self.took, Tone::Dim).right());
        self.ink.row(0, &cells)
    }

    fn row(&self, row: &Row) -> String {
        let mut cells = vec![
            self.ink.mark(row.mark).gap(1),
            Cell::new(&row.name, self.name, Tone::Strong),
            Cell::new(self.place, self.room, Tone::Plain),
            Cell::new(&row.verdict, self.verdict, row.tone),
        ];
        for (head, number, _) in &self.columns {
            let number = number(&row.counts);
            let tone = match *head {
                _ if number == 0 => Tone::Dim,
                "fail" | "infra" | "leaked" => Tone::Bad,
                _ => Tone::Plain,
            };
            cells.push(Cell::new(number.to_string(), head.len(), tone).right().gap(1));
        }
        cells.push(Cell::new("", 0, Tone::Plain).gap(1));
        cells.push(Cell::new(&row.took, self.took, Tone::Dim).right());
        self.ink.row(0, &cells)
    }

    fn two_lines(&self, width: usize, row: &Row) -> String {
        let name = width.saturating_sub(2 + 2 + self.verdict + 2 + self.took);
        let first = [
            self.ink.mark(row.mark).gap(1),
            Cell::new(&row.name, name, Tone::Strong),
            Cell::new(&row.verdict, self.verdict, row.tone),
            Cell::new(&row.took, self.took, Tone::Dim).right(),
        ];
        let mut said = said_counts(&row.counts).join(", ");
        if !self.place.is_empty() {
            said = format!("{}{}{said}", self.place, self.ink.dot());
        }
        self.ink.row(0, &first) + &self.ink.row(2, &[Cell::new(said, width.saturating_sub(2), Tone::Dim)])
    }
}
