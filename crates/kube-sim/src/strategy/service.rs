//! What a service is given when it is stored: an address, and ports of the nodes. Nothing listens there.
//!
//! Follows `pkg/registry/core/service/storage`: given once, kept over updates, given back by a service that needs none.

use serde_json::{Value, json};

use crate::object::{self, carry, section, text};

/// First port of nodes that is given away, and how many there are.
const NODE_PORTS: (u16, u16) = (30000, 2768);

fn needs_address(service: &Value) -> bool {
    text(service, "/spec/type") != "ExternalName"
}

fn needs_node_ports(service: &Value) -> bool {
    ["LoadBalancer", "NodePort"].contains(&text(service, "/spec/type"))
}

/// An address of `10.96.0.0/12` and ports at random: nobody else gives them away.
pub(super) fn allocate(service: &mut Value) {
    let random = uuid::Uuid::new_v4();
    let bytes = random.as_bytes();
    if needs_address(service) {
        let spec = section(service, "spec");
        if spec.get("clusterIP").and_then(Value::as_str).is_none_or(str::is_empty) {
            let first = spec.get("clusterIPs").and_then(|all| all.get(0)).and_then(Value::as_str).map(str::to_owned);
            let drawn = || format!("10.{}.{}.{}", 96 + bytes[0] % 16, bytes[1], 2 + bytes[2] % 252);
            spec.insert("clusterIP".into(), first.unwrap_or_else(drawn).into());
        }
        let address = spec["clusterIP"].clone();
        object::default(spec, "clusterIPs", json!([address]));
        object::default(spec, "ipFamilies", json!(["IPv4"]));
        object::default(spec, "ipFamilyPolicy", "SingleStack");
    }
    if needs_node_ports(service)
        && let Some(Value::Array(ports)) = section(service, "spec").get_mut("ports")
    {
        let start = u16::from_le_bytes([bytes[3], bytes[4]]) % NODE_PORTS.1;
        for (port, offset) in ports.iter_mut().zip(0u16..) {
            object::default(object::fields(port), "nodePort", NODE_PORTS.0 + (start + offset) % NODE_PORTS.1);
        }
    }
}

/// What a service was given, it keeps.
pub(super) fn keep(service: &mut Value, old: &Value) {
    let is_unset = |service: &Value| text(service, "/spec/clusterIP").is_empty();
    match (needs_address(old), needs_address(service)) {
        (true, true) => {
            let is_same = is_unset(service) || service["spec"]["clusterIP"] == old["spec"]["clusterIP"];
            if is_same {
                for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                    if service["spec"].get(key).is_none_or(|one| one.is_null() || one == "") {
                        section(service, "spec");
                        carry(&mut service["spec"], &old["spec"], key);
                    }
                }
            }
        }
        (true, false) if service["spec"].get("clusterIP") == old["spec"].get("clusterIP") => {
            for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
                section(service, "spec").shift_remove(key);
            }
        }
        _ => {}
    }
    if needs_node_ports(old) && needs_node_ports(service) {
        let known = object::list(old, "/spec/ports").to_vec();
        if let Some(Value::Array(ports)) = section(service, "spec").get_mut("ports") {
            for port in ports {
                let same = known.iter().find(|one| one["port"] == port["port"] && one["protocol"] == port["protocol"]);
                if let Some(number) = same.and_then(|one| one.get("nodePort")) {
                    object::default(object::fields(port), "nodePort", number.clone());
                }
            }
        }
    } else if needs_node_ports(old)
        && let Some(Value::Array(ports)) = section(service, "spec").get_mut("ports")
    {
        for port in ports {
            object::fields(port).shift_remove("nodePort");
        }
        section(service, "spec").shift_remove("externalTrafficPolicy");
    }
    if needs_address(service) {
        allocate(service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_once_and_given_back() {
        let mut service = json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}});
        allocate(&mut service);
        let address = text(&service, "/spec/clusterIP").to_owned();
        assert!(address.starts_with("10."), "{address}");
        assert_eq!(service["spec"]["clusterIPs"], json!([address]));

        let mut again = json!({"spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}});
        keep(&mut again, &service);
        assert_eq!(text(&again, "/spec/clusterIP"), address);
        let port = again["spec"]["ports"][0]["nodePort"].clone();
        assert!(port.as_u64().is_some_and(|port| (30000..=32767).contains(&port)), "{port}");

        let mut external = again.clone();
        external["spec"]["type"] = "ExternalName".into();
        keep(&mut external, &again);
        assert_eq!(external["spec"].get("clusterIP"), None);
        assert_eq!(external["spec"]["ports"][0].get("nodePort"), None);
    }

    #[test]
    fn a_service_without_an_address_says_so() {
        let mut service = json!({"spec": {"type": "ClusterIP", "clusterIP": "None"}});
        allocate(&mut service);
        assert_eq!(service["spec"]["clusterIPs"], json!(["None"]));
    }
}
