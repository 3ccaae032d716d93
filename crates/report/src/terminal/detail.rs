//! The block that explains a check which did not pass: expected, observed, the chain, and what to do next.
//! The terminal shows it, and JUnit carries it. It must not know which of the two.

use trust::{Chain, Denial, Evidence, LinkState, Verdict};

use super::line::{COLUMNS_FROM, exit, kept_reading, link_name};
use super::paint::{Cell, Ink, Mark, Tone};
use crate::event::{CheckRecord, Expected, Observed};
use crate::text::{count, first_difference, visible, visible_line, width as text_width};

const LABEL: usize = 9;
const TITLE: usize = 19;
/// Enough of a digest to tell two apart; `report.json` has the whole.
const DIGEST: usize = 16;

/// Whether a check needs a block at all.
pub(crate) fn needs_block(check: &CheckRecord) -> bool {
    check.is_unexpected_acceptance() || matches!(check.verdict, Verdict::Failed { .. } | Verdict::Infra { .. })
}

/// What a check that did not pass has to say, in lines of at most `width` columns; only commands are longer where they must be.
pub(crate) fn block(ink: Ink, width: usize, indent: usize, check: &CheckRecord) -> String {
    let mut block = Block::new(ink, width, indent);
    if check.is_unexpected_acceptance() {
        block.out.push_str(&ink.row(indent, &[Cell::new("ACCEPTED, AND MUST BE REFUSED", 40, Tone::Grave)]));
    }
    block.field("expected", &expected(&check.expected), Tone::Plain);
    block.observed(check);
    if let Some(reason) = check.verdict.reason() {
        block.field("reason", &visible(reason), Tone::Plain);
    }
    if let Some(twin) = &check.twin {
        block.field("control", &format!("{}, the same access without the fault", visible_line(twin)), Tone::Plain);
    }
    block.chain(&check.chain);
    if let Some(diagnosis) = &check.diagnosis {
        block.field("cause", diagnosis.cause.title(), Tone::Plain);
        block.command("fix", &visible_line(&diagnosis.fix));
    }
    if let Some(source) = &check.source {
        block.field("source", &visible_line(source), Tone::Dim);
    }
    if let Some(next) = &check.next {
        block.command("next", &visible_line(next));
    }
    block.out
}

fn expected(expected: &Expected) -> String {
    match expected {
        Expected::Read { bytes, sha256 } => read("read", *bytes, sha256),
        Expected::Refused { link, code, also, status } => {
            let code = std::iter::once(code).chain(also).map(String::as_str).collect::<Vec<_>>().join(" or ");
            refused(&Denial { link: *link, code, status: *status, message: None })
        }
        Expected::NotInjected => "not injected: the webhook leaves the pod alone".to_owned(),
        Expected::Rejected { status, message } => {
            format!("not admitted: HTTP {status}, \"{}\" in its message", visible_line(message))
        }
        Expected::NotCreated { codes, status } => not_created(&codes.join(" or "), Some(*status)),
        Expected::Failed { link, contains } => {
            format!("the workload fails at {}: \"{}\" in what it says", link_name(*link), visible_line(contains))
        }
        Expected::KeptReading => "kept reading while tokens are renewed and keys replaced".to_owned(),
    }
}

/// In one line, without a message or output that came with it.
fn observed(check: &CheckRecord) -> String {
    match &check.observed {
        Observed::Read { bytes, sha256 } if check.is_unexpected_acceptance() => read("accepted: read", *bytes, sha256),
        Observed::Read { bytes, sha256 } => read("read", *bytes, sha256),
        Observed::Refused(denial) => refused(denial),
        Observed::NotInjected => "not injected".to_owned(),
        Observed::Rejected { status, .. } => format!("not admitted: HTTP {status}"),
        Observed::NotCreated { resource, code, status, .. } => {
            format!("{} {}", visible_line(resource), not_created(code, *status))
        }
        Observed::Failed { link, .. } => format!("the workload failed at {}", link_name(*link)),
        Observed::KeptReading { reads, tokens, keys } if check.is_unexpected_acceptance() => {
            format!("accepted: {}", kept_reading(*reads, *tokens, *keys))
        }
        Observed::KeptReading { reads, tokens, keys } => kept_reading(*reads, *tokens, *keys),
        Observed::Crashed { exit_code, .. } => {
            format!("the workload crashed, {}", exit(*exit_code))
        }
        Observed::Nothing { .. } => "nothing".to_owned(),
    }
}

fn read(verb: &str, bytes: usize, sha256: &str) -> String {
    let digest: String = visible_line(sha256).chars().take(DIGEST).collect();
    format!("{verb} {}, sha256 {digest}...", count(bytes, "byte"))
}

fn not_created(code: &str, status: Option<u16>) -> String {
    let parts =
        [Some(visible_line(code)).filter(|code| !code.is_empty()), status.map(|status| format!("HTTP {status}"))];
    format!("not created: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn refused(denial: &Denial) -> String {
    let status = denial.status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
    format!("refused at {}: {}{status}", link_name(denial.link), visible_line(&denial.code))
}

/// Labelled lines, and a chain among them.
pub(super) struct Block {
    ink: Ink,
    width: usize,
    indent: usize,
    pub(super) out: String,
}

impl Block {
    pub(super) fn new(ink: Ink, width: usize, indent: usize) -> Self {
        Block { ink, width, indent, out: String::new() }
    }

    fn room(&self, used: usize) -> usize {
        self.width.saturating_sub(self.indent + used).max(20)
    }

    /// Whether the chain needs the room below the labels.
    fn is_narrow(&self) -> bool {
        self.width < COLUMNS_FROM
    }

    /// Where the chain begins, seen from the indent.
    fn chain_from(&self) -> usize {
        if self.is_narrow() { 2 } else { LABEL + 2 }
    }

    pub(super) fn field(&mut self, label: &str, value: &str, tone: Tone) {
        let cells = [Cell::new(label, LABEL, Tone::Dim), Cell::new(value, self.room(LABEL + 2), tone)];
        self.out.push_str(&self.ink.row(self.indent, &cells));
    }

    /// Never wrapped: a person copies it.
    pub(super) fn command(&mut self, label: &str, line: &str) {
        let cells = [Cell::new(label, LABEL, Tone::Dim), Cell::new(line, usize::MAX, Tone::Strong)];
        self.out.push_str(&self.ink.row(self.indent, &cells));
    }

    fn observed(&mut self, check: &CheckRecord) {
        self.field("observed", &observed(check), Tone::Plain);
        match &check.observed {
            Observed::Refused(Denial { message: Some(message), .. }) => self.field("", &visible(message), Tone::Plain),
            Observed::Rejected { message, .. }
            | Observed::NotCreated { message, .. }
            | Observed::Failed { message, .. } => self.field("", &visible(message), Tone::Plain),
            Observed::Crashed { stderr_tail, .. } if !stderr_tail.trim().is_empty() => {
                self.field("stderr", &visible(stderr_tail.trim_end()), Tone::Plain);
            }
            Observed::Nothing { last_seen: Some(last_seen) } => {
                self.field("last seen", &visible(last_seen), Tone::Plain)
            }
            _ => {}
        }
    }

    pub(super) fn chain(&mut self, chain: &Chain) {
        let mut label = "chain";
        if self.is_narrow() && !chain.links.is_empty() {
            self.field(label, "", Tone::Plain);
            label = "";
        }
        let room = self.room(self.chain_from() + 5 + TITLE + 2 + 2);
        let sources = chain.links.iter().map(|evidence| text_width(&beside(evidence))).max();
        // Sources get what they need, up to a third; what was presented gets the rest.
        let sources = sources.unwrap_or(0).min(room / 3);
        for evidence in &chain.links {
            self.link(label, evidence, room - sources, sources);
            label = "";
        }
    }

    fn link(&mut self, label: &str, evidence: &Evidence, remark: usize, source: usize) {
        let (mark, tone) = match evidence.state {
            LinkState::Holds => (Mark::Good, Tone::Plain),
            LinkState::Broken => (Mark::Bad, Tone::Bad),
            LinkState::NotReached => (Mark::NotReached, Tone::Dim),
            LinkState::NotChecked => (Mark::NotChecked, Tone::Dim),
        };
        let cells = [
            Cell::new(label, self.chain_from() - 2, Tone::Dim),
            self.ink.mark(mark).gap(1),
            Cell::new(evidence.link.number().to_string(), 2, tone).right().gap(1),
            Cell::new(evidence.link.title(), TITLE, tone),
            Cell::new(link_remark(evidence), remark, tone_of_remark(evidence.state)),
            Cell::new(beside(evidence), source, Tone::Dim),
        ];
        self.out.push_str(&self.ink.row(self.indent, &cells));
        if evidence.state == LinkState::Broken {
            self.confront(evidence);
        }
    }

    /// Presented above required, in one column, so that the eye finds the difference; and a pointer at it where both fit on a line.
    fn confront(&mut self, evidence: &Evidence) {
        let left = self.chain_from() + 5;
        let room = self.room(left + LABEL + 2);
        let parts = [
            ("presented", evidence.presented.as_deref(), Tone::Plain),
            ("required", evidence.required.as_deref(), Tone::Plain),
            ("source", evidence.source.as_deref(), Tone::Dim),
        ];
        for (label, value, tone) in parts {
            if let Some(value) = value {
                let cells = [Cell::new(label, LABEL, Tone::Dim), Cell::new(visible(value), room, tone)];
                self.out.push_str(&self.ink.row(self.indent + left, &cells));
            }
            if label == "required" {
                self.point(left + LABEL + 2, room, evidence);
            }
        }
    }

    fn point(&mut self, left: usize, room: usize, evidence: &Evidence) {
        let (Some(presented), Some(required)) = (&evidence.presented, &evidence.required) else {
            return;
        };
        let (presented, required) = (visible(presented), visible(required));
        let on_a_line = |text: &str| text_width(text) <= room && !text.contains('\n');
        let Some(at) = first_difference(&presented, &required) else {
            return;
        };
        let pointer = self.ink.pointer();
        if on_a_line(&presented) && on_a_line(&required) && at + text_width(pointer) <= room {
            self.out.push_str(&self.ink.row(self.indent + left + at, &[Cell::new(pointer, room, Tone::Bad)]));
        }
    }
}

fn tone_of_remark(state: LinkState) -> Tone {
    match state {
        LinkState::Holds | LinkState::Broken => Tone::Plain,
        LinkState::NotReached | LinkState::NotChecked => Tone::Dim,
    }
}

/// What stands beside a link. A broken one has its evidence below, in full width.
fn link_remark(evidence: &Evidence) -> String {
    let note = evidence.note.as_deref();
    let parts: Vec<String> = match evidence.state {
        LinkState::Holds => {
            let required =
                evidence.required.as_deref().filter(|required| Some(*required) != evidence.presented.as_deref());
            let required = required.map(|required| format!("required: {required}"));
            [evidence.presented.clone(), required, note.map(str::to_owned)].into_iter().flatten().collect()
        }
        LinkState::Broken => vec![note.unwrap_or("broken").to_owned()],
        LinkState::NotReached => vec![note.unwrap_or("not reached").to_owned()],
        LinkState::NotChecked => vec![note.unwrap_or("not checked").to_owned()],
    };
    let parts: Vec<String> = parts.iter().map(|part| visible_line(part)).collect();
    parts.join("\n")
}

fn beside(evidence: &Evidence) -> String {
    match (evidence.state, &evidence.source) {
        (LinkState::Holds | LinkState::NotChecked, Some(source)) => visible_line(source),
        _ => String::new(),
    }
}
