//! Chains outside of a run: of what a person brought, and of checks that are read back from a report. It must not know where either
//! comes from, nor judge it.

use trust::Chain;

use super::detail::{self, Block};
use super::paint::{Cell, Ink, Tone};
use super::{Style, line};
use crate::event::{CheckRecord, clean_evidence};
use crate::text::visible;

/// What stands below a chain: a short label (at most nine characters) and a text, or a command that a person copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remark<'a> {
    pub label: &'a str,
    pub text: &'a str,
    /// Shown on one line, however long.
    pub is_command: bool,
}

/// A chain under a title, with remarks below it, as the terminal shows the chain of a check that failed. Secrets are taken out.
pub fn explained(style: Style, title: &str, chain: &Chain, remarks: &[Remark<'_>]) -> String {
    let mut block = Block::new(ink(style), width(style), 2);
    let title = [Cell::new(visible(&trust::redact(title)), width(style), Tone::Strong)];
    block.out.push_str(&ink(style).row(0, &title));
    block.chain(&clean(chain));
    for remark in remarks {
        let text = visible(&trust::redact(remark.text));
        if remark.is_command {
            block.command(remark.label, &text);
        } else {
            block.field(remark.label, &text, Tone::Plain);
        }
    }
    block.out
}

/// A check of a report: its line and its whole block, whatever its verdict.
pub fn explained_check(style: Style, scenario: &str, check: &CheckRecord) -> String {
    let title = [Cell::new(visible(scenario), width(style), Tone::Strong)];
    let head = ink(style).row(0, &title) + &line::check(ink(style), width(style), None, check);
    head + &detail::block(ink(style), width(style), 6, check)
}

fn ink(style: Style) -> Ink {
    Ink { color: style.color, ascii: style.ascii }
}

fn width(style: Style) -> usize {
    style.width.clamp(60, 120)
}

fn clean(chain: &Chain) -> Chain {
    let mut chain = chain.clone();
    chain.links.iter_mut().for_each(clean_evidence);
    chain
}
