//! One check: a line that is always seen, and what it unfolds to. It must not know which checks stand around it.

use trust::{Evidence, LinkState, Verdict};

use super::link::{anchor, source, to_anchor};
use super::markup::{Element, element, text};
use super::words::{Mark, check_mark, expected_and_observed, kind, state_mark};
use crate::event::CheckRecord;
use crate::model::ScenarioReport;
use crate::text::{duration, first_difference, visible, visible_line};

/// The columns of a chain; below a certain width each cell stands under its label instead.
const COLUMNS: [&str; 7] = ["#", "link", "state", "presented", "required", "source", "note"];

/// `open`: it is unfolded from the start.
pub(super) fn check(entry: &ScenarioReport, check: &CheckRecord, open: bool) -> Element {
    let mark = check_mark(check);
    let fields = expected_and_observed(check);
    // The anchor is inside: browsers unfold what hides the target of a link, but not the target itself.
    let body = element("div")
        .class("body")
        .attribute("id", anchor(&entry.scenario, Some(&check.id)))
        .children(check.is_unexpected_acceptance().then(|| text("p", "ACCEPTED, AND MUST BE REFUSED").class("alarm")))
        .child(facts(entry, check, mark, &fields))
        .children(chain(check));
    let details = element("details").attribute("class", format!("check {}", mark.class));
    let details = if open { details.attribute("open", "open") } else { details };
    details.child(summary(check, mark, &fields)).child(body)
}

fn summary(check: &CheckRecord, mark: Mark, fields: &[(String, String)]) -> Element {
    let said = match &check.verdict {
        Verdict::Skipped { reason } => visible_line(reason),
        _ => {
            let observed = fields.iter().find(|(label, _)| label == "observed").map(|(_, value)| value.as_str());
            observed.and_then(|value| value.lines().next()).unwrap_or_default().to_owned()
        }
    };
    let took = match &check.verdict {
        Verdict::Skipped { .. } => String::new(),
        _ => duration(check.duration_ms),
    };
    element("summary")
        .child(mark.element())
        .child(text("h4", visible_line(&check.title)))
        .child(text("span", said).class("said"))
        .child(text("span", took).class("took"))
}

fn facts(entry: &ScenarioReport, check: &CheckRecord, mark: Mark, fields: &[(String, String)]) -> Element {
    let own = anchor(&entry.scenario, Some(&check.id));
    let mut facts = element("dl")
        .child(text("dt", "id"))
        .child(element("dd").child(to_anchor(&own, visible_line(&check.id))))
        .child(text("dt", "kind"))
        .child(text("dd", kind(check.kind)));
    if let Some(twin) = &check.twin {
        let said = visible_line(twin);
        let known = entry.checks.iter().any(|other| other.id == *twin);
        let twin = if known { to_anchor(&anchor(&entry.scenario, Some(twin)), said) } else { text("span", said) };
        let control = element("dd").child(twin).text(", the same access without the fault");
        facts = facts.child(text("dt", "control")).child(control);
    }
    for (label, value) in fields {
        facts = facts.child(text("dt", label)).child(text("dd", value).class("lines"));
    }
    facts = facts.child(text("dt", "verdict"));
    facts = facts.child(match check.verdict.reason() {
        Some(reason) => element("dd").class("lines").child(mark.element()).text(format!(" {}", visible(reason.trim()))),
        None => element("dd").child(mark.element()),
    });
    if let Some(diagnosis) = &check.diagnosis {
        let fix = element("dd").child(text("code", visible_line(&diagnosis.fix)));
        facts = facts.child(text("dt", "cause")).child(text("dd", diagnosis.cause.title()));
        facts = facts.child(text("dt", "fix")).child(fix);
    }
    if let Some(said) = &check.source {
        facts = facts.child(text("dt", "source")).child(source("dd", said));
    }
    if let Some(next) = &check.next {
        facts = facts.child(text("dt", "next")).child(element("dd").child(text("code", visible_line(next))));
    }
    facts
}

/// Of a check that was not tried there is no chain to show.
fn chain(check: &CheckRecord) -> Option<Element> {
    let links = &check.chain.links;
    if links.is_empty() {
        return None;
    }
    let caption = match check.chain.broken() {
        Some(broken) => format!("The chain, which ends at {} {}", broken.link.number(), broken.link.title()),
        None => "The chain".to_owned(),
    };
    let head = COLUMNS.map(|column| text("th", column).attribute("scope", "col"));
    Some(
        element("table")
            .class("chain")
            .child(text("caption", caption))
            .child(element("thead").child(element("tr").children(head)))
            .child(element("tbody").children(links.iter().map(link))),
    )
}

fn link(evidence: &Evidence) -> Element {
    let mark = state_mark(evidence.state);
    let [presented, required] = confronted(evidence);
    let labelled = |label: &'static str, cell: Element| cell.attribute("data-label", label);
    let plain = |label, value: Option<&String>| {
        labelled(label, text("td", value.map(|value| visible(value.trim())).unwrap_or_default()))
    };
    element("tr")
        .class(mark.class)
        .child(text("td", evidence.link.number().to_string()).class("number"))
        .child(text("th", evidence.link.title()).attribute("scope", "row"))
        .child(element("td").child(mark.element()))
        .child(labelled("presented", presented))
        .child(labelled("required", required))
        .child(plain("source", evidence.source.as_ref()))
        .child(plain("note", evidence.note.as_ref()))
}

/// What was presented and what was required. Where a link is broken, the part of each that the other does not share is marked.
fn confronted(evidence: &Evidence) -> [Element; 2] {
    let [presented, required] =
        [&evidence.presented, &evidence.required].map(|value| value.as_deref().map(|value| visible(value.trim())));
    if let (LinkState::Broken, Some(left), Some(right)) = (evidence.state, &presented, &required)
        && let Some(same) = first_difference(left, right)
    {
        let end = same_end(left, right, same);
        return [marked(left, same, end), marked(right, same, end)];
    }
    [presented, required].map(|value| text("td", value.unwrap_or_default()))
}

/// How many characters at the end are the same, behind the first `same`.
fn same_end(left: &str, right: &str, same: usize) -> usize {
    let most = left.chars().count().min(right.chars().count()) - same;
    left.chars().rev().zip(right.chars().rev()).take(most).take_while(|(a, b)| a == b).count()
}

fn marked(value: &str, begin: usize, end: usize) -> Element {
    let different = value.chars().count().saturating_sub(begin + end);
    let part = |skip: usize, take: usize| value.chars().skip(skip).take(take).collect::<String>();
    let mark = (different > 0).then(|| text("mark", part(begin, different)));
    element("td").text(part(0, begin)).children(mark).text(part(begin + different, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_what_differs_where_a_link_is_broken() {
        let check = |state, left: &str, right: &str, expected: &str| {
            let evidence = Evidence::new(trust::Link::Read, state).presented(left).required(right);
            assert_eq!(confronted(&evidence).map(|cell| cell.markup()).concat(), expected);
        };
        let broken = LinkState::Broken;
        check(broken, "ab:c", "ab:C", "<td>ab:<mark>c</mark></td><td>ab:<mark>C</mark></td>");
        check(broken, "ns:a:sa", "ns:bb:sa", "<td>ns:<mark>a</mark>:sa</td><td>ns:<mark>bb</mark>:sa</td>");
        check(broken, "https://h", "https://h/", "<td>https://h</td><td>https://h<mark>/</mark></td>");
        check(broken, "aaa", "aaaa", "<td>aaa</td><td>aaa<mark>a</mark></td>");
        check(broken, "x", "y", "<td>x</td><td>y</td>");
        check(LinkState::Holds, "ab:c", "ab:C", "<td>ab:c</td><td>ab:C</td>");
    }
}
