//! What stands in clouds that are this process's own, before a run and after it: all of it, whoever made it. In clouds that others use, too, a
//! run asks for its own things alone (`inventory`).

use report::Event;
use serde_json::{Value, json};

use super::answering::Answering;
use super::{Events, Part, Settings, artifacts};

/// Both clouds, a line for each thing. None for a cloud that is not this process's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stock {
    aws: Option<Vec<String>>,
    azure: Option<Vec<String>>,
}

impl Stock {
    pub(crate) fn of(aws: Option<&dyn clouds::aws::Backend>, azure: Option<&dyn clouds::azure::Backend>) -> Self {
        Self {
            aws: aws.and_then(clouds::aws::Backend::everything),
            azure: azure.and_then(clouds::azure::Backend::everything),
        }
    }

    fn each(&self) -> [(&'static str, Option<&Vec<String>>); 2] {
        [("aws", self.aws.as_ref()), ("azure", self.azure.as_ref())]
    }
}

/// Looks again, tells what differs, and keeps what was seen. Says whether something differs.
pub(crate) fn compare(
    settings: &Settings,
    parts: &[Part],
    answering: &Answering,
    events: &Events,
    is_told: bool,
) -> bool {
    let after = answering.stock();
    let mut differs = false;
    for ((cloud, before), (_, after)) in answering.before.each().into_iter().zip(after.each()) {
        let (Some(before), Some(after)) = (before, after) else { continue };
        let missing = |from: &[String], all: &[String]| -> Vec<String> {
            all.iter().filter(|line| !from.contains(line)).cloned().collect()
        };
        let (left, vanished) = (missing(before, after), missing(after, before));
        let write = |name: &str, value: Value| artifacts::inventory(settings, cloud, name, &value);
        write("inventory-before", json!(before));
        write("inventory-after", json!(after));
        write("leaks", json!({"left": left, "vanished": vanished}));
        differs |= !left.is_empty() || !vanished.is_empty();
        if is_told {
            continue;
        }
        for id in left {
            events.emit(Event::Leftover {
                scenario: owner(parts, &id),
                kind: cloud.to_owned(),
                id,
                why: "nothing of the journal names it".to_owned(),
            });
        }
        for id in vanished {
            events.emit(Event::Vanished { scenario: owner(parts, &id), kind: cloud.to_owned(), id });
        }
    }
    differs
}

/// The scenario whose id a thing has in its name, else the first.
fn owner(parts: &[Part], line: &str) -> String {
    let named = parts.iter().find(|part| line.contains(&part.settings.run.name("")));
    named.or(parts.first()).map(|part| part.plan.scenario.name.clone()).unwrap_or_default()
}
