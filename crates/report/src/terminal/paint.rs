//! Ink: colour, marks, and rows of wrapped columns. The only place that writes escape sequences.
//! It must not know of checks or phases.

use crate::text::{width, wrap};

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
    /// For what must never be overlooked.
    Grave,
}

/// The sign at the head of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    Skipped,
    Flaky,
    Infra,
    NotReached,
    NotChecked,
    Running,
}

/// Whether there is colour, and whether only ASCII may be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink {
    pub(crate) color: bool,
    pub(crate) ascii: bool,
}

impl Ink {
    /// For files.
    pub(crate) const PLAIN: Ink = Ink { color: false, ascii: true };

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            _ if !self.color || text.is_empty() => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Grave => "1;97;41",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    pub(crate) fn mark(self, mark: Mark) -> Cell {
        let (symbol, ascii, tone) = match mark {
            Mark::Good => ("✓", "+", Tone::Good),
            Mark::Bad => ("✗", "x", Tone::Bad),
            Mark::Skipped => ("–", "-", Tone::Warn),
            Mark::Flaky => ("~", "~", Tone::Warn),
            Mark::Infra => ("!", "!", Tone::Bad),
            Mark::NotReached => ("·", ".", Tone::Dim),
            Mark::NotChecked => ("?", "?", Tone::Dim),
            Mark::Running => ("·", ".", Tone::Dim),
        };
        Cell::new(if self.ascii { ascii } else { symbol }, 1, tone)
    }

    /// Between parts of one line.
    pub(crate) fn dot(self) -> &'static str {
        if self.ascii { " - " } else { " · " }
    }

    /// Points up at the character where two lines begin to differ.
    pub(crate) fn pointer(self) -> &'static str {
        if self.ascii { "^ differs from here" } else { "↑ differs from here" }
    }

    /// Cells side by side, each wrapped in its own column; a line end after each row.
    pub(crate) fn row(self, indent: usize, cells: &[Cell]) -> String {
        let columns: Vec<Vec<String>> = cells.iter().map(|cell| wrap(&cell.text, cell.width)).collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let mut out = String::new();
        for line in 0..height {
            let mut pending = indent;
            for (cell, column) in cells.iter().zip(&columns) {
                let text = column.get(line).map_or("", String::as_str);
                let slack = cell.width.saturating_sub(width(text));
                let (before, after) = if cell.right { (slack, 0) } else { (0, slack) };
                pending = pending.saturating_add(before);
                // Space is owed until something is written, so that no line ends in blanks.
                if !text.is_empty() {
                    out.push_str(&" ".repeat(pending));
                    out.push_str(&self.paint(cell.tone, text));
                    pending = 0;
                }
                pending = pending.saturating_add(after).saturating_add(cell.gap);
            }
            out.push('\n');
        }
        out
    }
}

/// One column of a row.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    width: usize,
    tone: Tone,
    right: bool,
    gap: usize,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, width: usize, tone: Tone) -> Self {
        Cell { text: text.into(), width, tone, right: false, gap: 2 }
    }

    pub(crate) fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Columns between this cell and the next.
    pub(crate) fn gap(mut self, columns: usize) -> Self {
        self.gap = columns;
        self
    }
}
