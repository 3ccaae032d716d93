//! PodDisruptionBudget: how many of its pods may be evicted. Pure.
//!
//! As `pkg/controller/disruption`, but a share is one of the pods that there are, not of those that their owners want.

use serde_json::{Value, json};

use super::plan::{Plan, View};
use super::pods;
use crate::object::{self, list, text};

pub(super) fn plan(view: &View) -> Plan {
    let all = view.pods();
    let healthy = all.iter().filter(|pod| is_healthy(pod)).count();
    let desired = desired(&view.owner["spec"], all.len());
    let allowed = if all.is_empty() { 0 } else { healthy.saturating_sub(desired) };
    let generation = view.number("/metadata/generation");
    let (state, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let old = list(&view.owner, "/status/conditions").iter().find(|one| text(one, "/status") == state);
    let since = old.map_or_else(|| view.time(), |one| text(one, "/lastTransitionTime").to_owned());
    let condition = json!({
        "type": "DisruptionAllowed", "status": state, "observedGeneration": generation,
        "lastTransitionTime": since, "reason": reason, "message": "",
    });
    let status = json!({
        "observedGeneration": generation, "disruptionsAllowed": allowed, "currentHealthy": healthy,
        "desiredHealthy": desired, "expectedPods": all.len(), "conditions": [condition],
    });
    Plan { status: Some(status), ..Plan::default() }
}

/// Counted by its budget: ready, and not on its way out.
pub(crate) fn is_healthy(pod: &Value) -> bool {
    !object::is_deleting(pod) && pods::is_ready(pod)
}

/// How many of so many pods must stay healthy.
pub(crate) fn desired(spec: &Value, expected: usize) -> usize {
    let of = |value: &Value| match value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<usize>().ok()) {
        Some(percent) => (expected * percent).div_ceil(100),
        None => value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0),
    };
    match (spec.get("maxUnavailable"), spec.get("minAvailable")) {
        (Some(most), _) if !most.is_null() => expected.saturating_sub(of(most)),
        (_, Some(least)) => of(least),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_counted_in_pods_or_percent() {
        let check =
            |spec: Value, expected: usize, wanted: usize| assert_eq!(desired(&spec, expected), wanted, "{spec}");
        check(json!({"minAvailable": 2}), 3, 2);
        check(json!({"minAvailable": "50%"}), 3, 2);
        check(json!({"maxUnavailable": 1}), 3, 2);
        check(json!({"maxUnavailable": "34%"}), 3, 1);
        check(json!({"maxUnavailable": 5}), 3, 0);
        check(json!({}), 3, 0);
    }
}
