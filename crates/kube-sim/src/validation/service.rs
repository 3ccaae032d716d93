//! Rules for services: `ValidateService` of `pkg/apis/core/validation`.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Errors, one_of};
use crate::names;
use crate::object::{list, text};
use crate::status::FieldError;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub(super) fn check(value: &Value, errors: &mut Errors) {
    let (kind, address) = (text(value, "/spec/type"), text(value, "/spec/clusterIP"));
    let ports = list(value, "/spec/ports");
    if ports.is_empty() && address != "None" && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    match kind {
        "LoadBalancer" | "NodePort" if address == "None" => {
            let why = format!("may not be set to 'None' for {kind} services");
            errors.push(FieldError::invalid("spec.clusterIP", &address.into(), &why));
        }
        "ExternalName" => {
            if !address.is_empty() {
                errors.push(FieldError::forbidden("spec.clusterIP", "may not be set for ExternalName services"));
            }
            let name = text(value, "/spec/externalName");
            if name.is_empty() {
                errors.push(FieldError::required("spec.externalName", ""));
            } else {
                for complaint in names::dns_subdomain(name.strip_suffix('.').unwrap_or(name)) {
                    errors.push(FieldError::invalid("spec.externalName", &name.into(), &complaint));
                }
            }
        }
        _ => {}
    }
    let mut seen = Vec::new();
    for (index, one) in ports.iter().enumerate() {
        port(one, ports.len() > 1, &mut seen, &format!("spec.ports[{index}]"), errors);
    }
    if let Some(selector) = value.pointer("/spec/selector").and_then(Value::as_object) {
        super::label_map(selector, "spec.selector", errors);
    }
    one_of(&value["spec"]["sessionAffinity"], "spec.sessionAffinity", &["ClientIP", "None"], errors);
    if !["", "None"].contains(&address) && address.parse::<IpAddr>().is_err() {
        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.push(FieldError::invalid("spec.clusterIPs[0]", &address.into(), why));
    }
    one_of(&value["spec"]["type"], "spec.type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], errors);
    if kind == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, port)| port["nodePort"].as_i64().unwrap_or(0) != 0) {
            let why = "may not be used when `type` is 'ClusterIP'";
            errors.push(FieldError::forbidden(format!("spec.ports[{index}].nodePort"), why));
        }
    }
    for member in ["nodePort", "port"] {
        repeated(ports, member, errors);
    }
}

fn port<'a>(port: &'a Value, is_one_of_many: bool, seen: &mut Vec<&'a str>, at: &str, errors: &mut Errors) {
    let name = text(port, "/name");
    if name.is_empty() {
        if is_one_of_many {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        }
    } else {
        for complaint in names::dns_label(name) {
            errors.push(FieldError::invalid(format!("{at}.name"), &name.into(), &complaint));
        }
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{at}.name"), &name.into()));
        }
        seen.push(name);
    }
    number(&port["port"], &format!("{at}.port"), errors);
    one_of(&port["protocol"], &format!("{at}.protocol"), &PROTOCOLS, errors);
    match &port["targetPort"] {
        Value::String(name) => {
            for complaint in names::port_name(name) {
                errors.push(FieldError::invalid(format!("{at}.targetPort"), &port["targetPort"], &complaint));
            }
        }
        target => number(target, &format!("{at}.targetPort"), errors),
    }
}

fn number(value: &Value, field: &str, errors: &mut Errors) {
    let number = value.as_i64().unwrap_or(0);
    if !(1..=65535).contains(&number) {
        errors.push(FieldError::invalid(field, &number.into(), "must be between 1 and 65535, inclusive"));
    }
}

/// A number counts once for each protocol.
fn repeated(ports: &[Value], member: &str, errors: &mut Errors) {
    let mut seen = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let (number, protocol) = (port[member].as_i64().unwrap_or(0), text(port, "/protocol"));
        if number == 0 {
            continue;
        }
        if seen.contains(&(number, protocol)) {
            let at = format!("spec.ports[{index}]");
            errors.push(if member == "nodePort" {
                FieldError::duplicate(format!("{at}.nodePort"), &number.into())
            } else {
                // Go's own members: the type that is shown has no names for JSON.
                let shown = json!({"Name": "", "Protocol": protocol, "AppProtocol": null, "Port": number, "TargetPort": 0, "NodePort": 0});
                FieldError::duplicate(at, &shown)
            });
        }
        seen.push((number, protocol));
    }
}

/// An address stays, unless it is given back.
pub(super) fn update(value: &Value, old: &Value, errors: &mut Errors) {
    let of = |value: &Value| {
        let is_external = text(value, "/spec/type") == "ExternalName";
        (!is_external).then(|| text(value, "/spec/clusterIP").to_owned())
    };
    if let (Some(new), Some(old)) = (of(value), of(old))
        && !old.is_empty()
        && new != old
    {
        errors.push(FieldError::invalid("spec.clusterIPs[0]", &json!([new]), "may not change once set"));
    }
    check(value, errors);
}

#[cfg(test)]
mod tests {
    use super::super::tests::refusal;
    use super::*;

    #[test]
    fn services_are_refused_field_by_field() {
        let check = |spec: Value, expected: &str| {
            let message = refusal("services", json!({"metadata": {"name": "s"}, "spec": spec}));
            assert_eq!(message.trim_start_matches("Service \"s\" is invalid: "), expected);
        };
        check(json!({"ports": [{"port": 80}]}), "");
        check(json!({"clusterIP": "None"}), "");
        check(json!({}), "spec.ports: Required value");
        check(json!({"type": "ExternalName"}), "spec.externalName: Required value");
        check(json!({"ports": [{"port": 80}, {"port": 81, "name": "b"}]}), "spec.ports[0].name: Required value");
        check(
            json!({"ports": [{"port": 0, "targetPort": 1}]}),
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        );
        check(
            json!({"ports": [{"port": 80}], "type": "Other"}),
            r#"spec.type: Unsupported value: "Other": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort""#,
        );
        check(
            json!({"ports": [{"port": 80, "nodePort": 30000}]}),
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        );
        check(
            json!({"ports": [{"port": 80, "targetPort": "a_b"}]}),
            r#"spec.ports[0].targetPort: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"#,
        );
    }
}
