//! How fast pods may be replaced: the numbers behind `maxSurge` and `maxUnavailable`. Pure.

use serde_json::Value;

/// A number, or a share of a whole; a share is rounded up or down. Anything else counts as none.
pub(super) fn share(of: &Value, whole: i64, up: bool) -> i64 {
    if let Some(number) = of.as_i64() {
        return number;
    }
    let percent: i64 =
        of.as_str().and_then(|text| text.strip_suffix('%')).and_then(|number| number.parse().ok()).unwrap_or(0);
    let product = percent.saturating_mul(whole);
    if up { product.saturating_add(99) / 100 } else { product / 100 }
}

/// Pods that may be there beyond the wanted ones, and wanted ones that may be missing. Both are never zero.
pub(super) fn limits(rolling: &Value, wanted: i64) -> (i64, i64) {
    let surge = share(&rolling["maxSurge"], wanted, true);
    let missing = share(&rolling["maxUnavailable"], wanted, false);
    if surge == 0 && missing == 0 { (0, 1) } else { (surge, missing) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shares_are_rounded_so_that_a_rollout_goes_on() {
        let check = |rolling: Value, wanted: i64, expected: (i64, i64)| assert_eq!(limits(&rolling, wanted), expected);
        check(json!({"maxSurge": "25%", "maxUnavailable": "25%"}), 1, (1, 0));
        check(json!({"maxSurge": "25%", "maxUnavailable": "25%"}), 10, (3, 2));
        check(json!({"maxSurge": 0, "maxUnavailable": 0}), 3, (0, 1));
        check(json!({"maxSurge": 0, "maxUnavailable": "10%"}), 3, (0, 1));
        check(json!({"maxSurge": 2, "maxUnavailable": 1}), 3, (2, 1));
    }
}
