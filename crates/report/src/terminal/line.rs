//! One line for each phase and check, in columns that stay where they are from line to line.
//! It must not know what came before or after.

use trust::{Link, Verdict};

use super::paint::{Cell, Ink, Mark, Tone};
use crate::event::{CheckRecord, Observed, Outcome, Phase};
use crate::model::ScenarioReport;
use crate::text::{count, duration, visible_line, width as text_width};

/// Below this, a check takes two lines instead of columns.
pub(super) const COLUMNS_FROM: usize = 72;
/// Below this, a check's line has no room for its duration.
const DURATION_FROM: usize = 100;

/// `4 issuer discoverable`, the longest.
const LINK: usize = 21;
const STATUS: usize = 3;
pub(super) const DURATION: usize = 7;

pub(super) fn phase(
    ink: Ink,
    width: usize,
    phase: Phase,
    outcome: &Outcome,
    detail: Option<&str>,
    duration_ms: u64,
) -> String {
    let (mark, tone, reason) = match outcome {
        Outcome::Done => (Mark::Good, Tone::Dim, None),
        Outcome::Skipped { reason } => (Mark::Skipped, Tone::Plain, Some(reason.as_str())),
        Outcome::Failed { reason } => (Mark::Bad, Tone::Plain, Some(reason.as_str())),
    };
    let said: Vec<String> = [reason, detail].into_iter().flatten().map(visible_line).collect();
    let name = 10;
    let rest = width.saturating_sub(4 + name + 2 + 2 + DURATION);
    ink.row(
        2,
        &[
            ink.mark(mark).gap(1),
            Cell::new(phase.slug(), name, Tone::Plain),
            Cell::new(said.join("\n"), rest, tone),
            Cell::new(duration(duration_ms), DURATION, Tone::Dim).right(),
        ],
    )
}

/// `counter` is the number of this check and of all.
pub(super) fn check(ink: Ink, width: usize, counter: Option<(usize, usize)>, check: &CheckRecord) -> String {
    let mut head = vec![ink.mark(mark(check)).gap(1)];
    let mut taken = 4 + 2;
    if let Some((number, all)) = counter {
        let columns = 2 * all.to_string().len() + 1;
        head.push(Cell::new(format!("{number}/{all}"), columns, Tone::Dim).right().gap(1));
        taken += columns + 1;
    }
    let title = visible_line(&check.title);
    let seen = Seen::of(check);
    if width < COLUMNS_FROM {
        head.push(Cell::new(title, width.saturating_sub(taken), Tone::Plain));
        let said = Cell::new(seen.in_one_line(ink), width.saturating_sub(taken), seen.tone);
        return ink.row(4, &head) + &ink.row(taken, &[said]);
    }

    let with_duration = width >= DURATION_FROM;
    let tail = if with_duration { 2 + DURATION } else { 0 };
    let free = width.saturating_sub(taken + 2 + LINK + 2 + 1 + STATUS + tail);
    let code = (free / 3).clamp(21, 30);
    head.push(Cell::new(title, free.saturating_sub(code).max(16), Tone::Plain));
    let across = LINK + 2 + code + 1 + STATUS;
    if !seen.tried {
        head.push(Cell::new(seen.remark.clone().unwrap_or_default(), across, Tone::Dim));
    } else if seen.code.is_empty() && seen.status.is_empty() {
        head.push(Cell::new(seen.link, across, seen.tone));
    } else {
        head.push(Cell::new(seen.link, LINK, seen.tone));
        head.push(Cell::new(seen.code, code, Tone::Plain).gap(1));
        head.push(Cell::new(seen.status, STATUS, Tone::Plain).right());
    }
    if with_duration {
        head.push(Cell::new(duration(check.duration_ms), DURATION, Tone::Dim).right());
    }
    let mut out = ink.row(4, &head);
    if let Some(remark) = seen.remark.filter(|_| seen.tried) {
        out.push_str(&ink.row(taken, &[Cell::new(remark, width.saturating_sub(taken), Tone::Warn)]));
    }
    out
}

/// What is said of a check away from its scenario: whose it is and what was seen, without its title.
pub(super) fn check_elsewhere(ink: Ink, width: usize, scenario: &str, check: &CheckRecord) -> String {
    let seen = Seen::of(check);
    elsewhere(ink, width, mark(check), (scenario, &check.id), &seen.in_one_line(ink), seen.tone)
}

/// A mark, `scenario / part` and what is said of it, beside it where there is room.
pub(super) fn elsewhere(ink: Ink, width: usize, mark: Mark, of: (&str, &str), said: &str, tone: Tone) -> String {
    let name = format!("{} / {}", visible_line(of.0), visible_line(of.1));
    let columns = text_width(&name).min(width / 2);
    let room = width.saturating_sub(2 + columns + 2);
    ink.row(0, &[ink.mark(mark).gap(1), Cell::new(name, columns, Tone::Plain), Cell::new(said, room, tone)])
}

fn mark(check: &CheckRecord) -> Mark {
    if check.is_unexpected_acceptance() { Mark::Bad } else { verdict_mark(&check.verdict) }
}

/// Nobody may take a scenario for passed that let in what must be refused.
pub(super) fn scenario_mark(entry: &ScenarioReport) -> Mark {
    match &entry.verdict {
        _ if entry.has_unexpected_acceptance() || entry.words().contains(&"failed") => Mark::Bad,
        Some(Verdict::Passed) if entry.leaked() > 0 => Mark::Flaky,
        Some(verdict) => verdict_mark(verdict),
        None => Mark::Infra,
    }
}

fn verdict_mark(verdict: &Verdict) -> Mark {
    match verdict {
        Verdict::Passed => Mark::Good,
        Verdict::Failed { .. } => Mark::Bad,
        Verdict::Skipped { .. } => Mark::Skipped,
        Verdict::Flaky { .. } | Verdict::Leaked { .. } => Mark::Flaky,
        Verdict::Infra { .. } => Mark::Infra,
    }
}

/// `7 audience accepted`.
pub(super) fn link_name(link: Link) -> String {
    format!("{} {}", link.number(), link.title())
}

/// What was observed, as columns: how far it came, with which code and status.
struct Seen {
    link: String,
    code: String,
    status: String,
    tone: Tone,
    tried: bool,
    /// What must be said even where the check did not fail; a failure explains itself in a block of its own.
    remark: Option<String>,
}

impl Seen {
    fn of(check: &CheckRecord) -> Seen {
        let (link, code, status) = match &check.observed {
            Observed::Read { bytes, .. } => (link_name(Link::Read), count(*bytes, "byte"), None),
            Observed::Refused(denial) => (link_name(denial.link), visible_line(&denial.code), denial.status),
            Observed::NotInjected => {
                let broken = check.chain.broken().map_or(Link::Injected, |evidence| evidence.link);
                (link_name(broken), "not injected".to_owned(), None)
            }
            Observed::Rejected { status, .. } => (link_name(Link::Injected), "not admitted".to_owned(), Some(*status)),
            Observed::NotCreated { code, status, .. } => ("not created".to_owned(), visible_line(code), *status),
            Observed::Failed { link, .. } => (link_name(*link), "gave up".to_owned(), None),
            Observed::KeptReading { reads, tokens, keys } if check.is_unexpected_acceptance() => {
                (String::new(), rounds(*reads, *tokens, *keys), None)
            }
            Observed::KeptReading { reads, tokens, keys } => {
                (kept_reading(*reads, *tokens, *keys), String::new(), None)
            }
            Observed::Crashed { exit_code, .. } => ("crashed".to_owned(), exit(*exit_code), None),
            Observed::Nothing { .. } => ("nothing seen".to_owned(), String::new(), None),
        };
        let accepted = check.is_unexpected_acceptance();
        Seen {
            link: if accepted { "ACCEPTED".to_owned() } else { link },
            code,
            status: status.map(|status| status.to_string()).unwrap_or_default(),
            tone: if accepted { Tone::Grave } else { Tone::Plain },
            tried: !matches!(check.verdict, Verdict::Skipped { .. }),
            remark: match &check.verdict {
                Verdict::Passed | Verdict::Failed { .. } | Verdict::Infra { .. } => None,
                Verdict::Skipped { reason } | Verdict::Flaky { reason } | Verdict::Leaked { reason } => {
                    Some(format!("{}: {}", check.verdict.word(), visible_line(reason)))
                }
            },
        }
    }

    fn in_one_line(&self, ink: Ink) -> String {
        let seen = [&self.link, &self.code, &self.status].into_iter().filter(|part| self.tried && !part.is_empty());
        let parts: Vec<&str> = seen.chain(&self.remark).map(String::as_str).collect();
        parts.join(ink.dot())
    }
}

/// `kept reading: 14 reads, 3 tokens, 2 keys`.
pub(super) fn kept_reading(reads: usize, tokens: usize, keys: usize) -> String {
    format!("kept reading: {}", rounds(reads, tokens, keys))
}

fn rounds(reads: usize, tokens: usize, keys: usize) -> String {
    format!("{}, {}, {}", count(reads, "read"), count(tokens, "token"), count(keys, "key"))
}

pub(super) fn exit(code: Option<i32>) -> String {
    code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"))
}
