//! Why checks and scenarios were not tried: each reason once, with what it kept from being tried.
//! It must not know how the reasons are shown.

use trust::Verdict;

use crate::event::CheckRecord;
use crate::model::ScenarioReport;
use crate::text::{count, visible_line};

/// The reasons in the order in which they came up, each as one line. With several scenarios a line names these and counts their
/// checks, else it names the checks.
pub(super) fn reasons(scenarios: &[&ScenarioReport], is_many: bool) -> Vec<String> {
    let mut skips: Vec<Skip> = Vec::new();
    for entry in scenarios {
        let whole = entry.verdict.as_ref().and_then(skipped).filter(|_| is_many);
        if let Some(reason) = &whole {
            skip(&mut skips, reason).scenarios.push(visible_line(&entry.scenario));
        }
        for (check, reason) in entry.checks.iter().filter_map(|check| Some((check, skipped(&check.verdict)?))) {
            if whole.as_ref() != Some(&reason) {
                skip(&mut skips, &reason).checks.push((entry, check));
            }
        }
    }
    skips.iter().map(|skip| if is_many { skip.by_scenario() } else { skip.by_check() }).collect()
}

struct Skip<'a> {
    reason: String,
    /// Those that were skipped as a whole.
    scenarios: Vec<String>,
    checks: Vec<(&'a ScenarioReport, &'a CheckRecord)>,
}

impl Skip<'_> {
    fn by_check(&self) -> String {
        let ids: Vec<String> = self.checks.iter().map(|(_, check)| visible_line(&check.id)).collect();
        format!("{}: {} ({})", ids.len(), self.reason, ids.join(", "))
    }

    fn by_scenario(&self) -> String {
        let numbers = [(self.scenarios.len(), "scenario"), (self.checks.len(), "check")];
        let counted: Vec<String> =
            numbers.into_iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(number, noun)).collect();
        let mut named = self.scenarios.clone();
        for same in self.checks.chunk_by(|(left, _), (right, _)| left.scenario == right.scenario) {
            named.extend(same.first().map(|(entry, _)| format!("{} in {}", same.len(), visible_line(&entry.scenario))));
        }
        format!("{}: {} ({})", counted.join(", "), self.reason, named.join(", "))
    }
}

fn skipped(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Skipped { reason } => Some(visible_line(reason)),
        _ => None,
    }
}

fn skip<'a, 'b>(skips: &'b mut Vec<Skip<'a>>, reason: &str) -> &'b mut Skip<'a> {
    let at = skips.iter().position(|known| known.reason == reason).unwrap_or_else(|| {
        skips.push(Skip { reason: reason.to_owned(), scenarios: Vec::new(), checks: Vec::new() });
        skips.len() - 1
    });
    &mut skips[at]
}
