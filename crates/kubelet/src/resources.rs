//! What a container may learn of its own resources: `resourceFieldRef`. Pure.

use k8s_openapi::api::core::v1::{Container, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// What a limit is taken for that a container does not have: the node's own, as on a real node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) cpus: u32,
    pub(crate) memory_bytes: u64,
}

impl Capacity {
    /// This machine's; of a memory that it does not tell, 1 GiB.
    pub(crate) fn of_this_machine() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let memory = std::fs::read_to_string("/proc/meminfo").ok();
        let kibibytes =
            memory.as_deref().and_then(|text| text.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
        Self {
            cpus: u32::try_from(cpus).unwrap_or(1),
            memory_bytes: kibibytes.map_or(1 << 30, |kibibytes: u64| kibibytes * 1024),
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ResourceError {
    #[error("container {0} not found")]
    Container(String),
    #[error("unsupported container resource : {0}")]
    Resource(String),
    #[error("{0:?} is not a quantity")]
    Quantity(String),
}

/// The value of a field, in units of its divisor, rounded up. `own` is the container that asks, where one does.
pub(crate) fn value(
    containers: &[&Container],
    own: Option<&Container>,
    field: &ResourceFieldSelector,
    capacity: Capacity,
) -> Result<String, ResourceError> {
    let named = field.container_name.as_deref().filter(|name| !name.is_empty());
    let found = match (named, own) {
        (None, Some(own)) => Some(own),
        (name, _) => containers.iter().copied().find(|container| Some(container.name.as_str()) == name),
    };
    let container = found.ok_or_else(|| ResourceError::Container(named.unwrap_or_default().to_owned()))?;
    let unsupported = || ResourceError::Resource(field.resource.clone());
    let (kind, resource) = field.resource.split_once('.').ok_or_else(unsupported)?;
    let resources = container.resources.as_ref();
    let set = match kind {
        "limits" => resources.and_then(|resources| resources.limits.as_ref()?.get(resource)),
        "requests" => resources.and_then(|resources| resources.requests.as_ref()?.get(resource)),
        _ => return Err(unsupported()),
    };
    let amount = match (set, kind, resource) {
        (Some(quantity), ..) => nano(quantity)?,
        (None, "limits", "cpu") => i128::from(capacity.cpus) * NANO,
        (None, "limits", "memory") => i128::from(capacity.memory_bytes) * NANO,
        (None, _, "cpu" | "memory" | "ephemeral-storage") => 0,
        (None, _, name) if name.starts_with("hugepages-") => 0,
        _ => return Err(unsupported()),
    };
    let divisor = match &field.divisor {
        Some(divisor) => nano(divisor)?,
        None => 0,
    };
    // A divisor of zero is one that was not given.
    let divisor = if divisor == 0 { NANO } else { divisor };
    Ok((amount / divisor + i128::from(amount % divisor > 0)).to_string())
}

const NANO: i128 = 1_000_000_000;

/// A quantity in thousand-millionths.
fn nano(quantity: &Quantity) -> Result<i128, ResourceError> {
    parse(&quantity.0).ok_or_else(|| ResourceError::Quantity(quantity.0.clone()))
}

fn parse(text: &str) -> Option<i128> {
    let digits_end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits_end);
    let scale = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANO,
        "k" => NANO * 1_000,
        "M" => NANO * 1_000_000,
        "G" => NANO * 1_000_000_000,
        "T" => NANO * 1_000_000_000_000,
        "P" => NANO * 1_000_000_000_000_000,
        "E" => NANO * 1_000_000_000_000_000_000,
        "Ki" => NANO << 10,
        "Mi" => NANO << 20,
        "Gi" => NANO << 30,
        "Ti" => NANO << 40,
        "Pi" => NANO << 50,
        "Ei" => NANO << 60,
        _ => NANO.checked_mul(10_i128.checked_pow(suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?)?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let divisor = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = digits.parse::<i128>().ok()?.checked_mul(scale)?;
    Some(scaled / divisor + i128::from(scaled % divisor > 0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gives_limits_requests_and_the_nodes_own() {
        let container: Container = serde_json::from_value(json!({"name": "app", "resources": {
            "limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "250m", "memory": "1.5G"},
        }}))
        .expect("container must parse");
        let bare: Container = serde_json::from_value(json!({"name": "bare"})).expect("container must parse");
        let capacity = Capacity { cpus: 4, memory_bytes: 8 << 30 };
        let check = |container_name: Option<&str>, resource: &str, divisor: &str, expected: Result<&str, &str>| {
            let field = ResourceFieldSelector {
                container_name: container_name.map(str::to_owned),
                divisor: Some(Quantity(divisor.to_owned())),
                resource: resource.to_owned(),
            };
            let found =
                value(&[&container, &bare], Some(&container), &field, capacity).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{resource} {divisor}");
        };
        check(None, "limits.cpu", "0", Ok("2"));
        check(None, "limits.cpu", "1m", Ok("1500"));
        check(None, "limits.memory", "1Mi", Ok("64"));
        check(None, "limits.memory", "1", Ok("67108864"));
        check(None, "requests.cpu", "1", Ok("1"));
        check(None, "requests.memory", "1M", Ok("1500"));
        check(None, "requests.memory", "1e6", Ok("1500"));
        check(Some("bare"), "limits.cpu", "1", Ok("4"));
        check(Some("bare"), "limits.memory", "1Gi", Ok("8"));
        check(Some("bare"), "requests.cpu", "1", Ok("0"));
        check(Some("no"), "limits.cpu", "1", Err("container no not found"));
        check(None, "limits.gpu", "1", Err("unsupported container resource : limits.gpu"));
        check(None, "cpu", "1", Err("unsupported container resource : cpu"));
        check(None, "limits.cpu", "1x", Err(r#""1x" is not a quantity"#));
    }
}
