//! What a pod may learn about itself: `fieldRef` paths of the downward API. Pure.

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt as _;

/// All pods of a process node live at this address, and so does the node.
pub(crate) const HOST_IP: &str = "127.0.0.1";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("fieldPath {0:?} is not supported")]
pub(crate) struct FieldError(String);

/// The value of a field. An absent label or annotation is the empty string, as on a real node.
pub(crate) fn field(pod: &Pod, path: &str) -> Result<String, FieldError> {
    let spec = pod.spec.as_ref();
    let value = match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "metadata.labels" => format_map(pod.labels()),
        "metadata.annotations" => format_map(pod.annotations()),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" | "status.podIP" | "status.podIPs" => HOST_IP.to_owned(),
        _ => match (subscript(path, "metadata.labels"), subscript(path, "metadata.annotations")) {
            (Some(key), _) => pod.labels().get(key).cloned().unwrap_or_default(),
            (_, Some(key)) => pod.annotations().get(key).cloned().unwrap_or_default(),
            _ => return Err(FieldError(path.to_owned())),
        },
    };
    Ok(value)
}

/// All containers of a pod, whichever kind.
pub(crate) fn containers(pod: &Pod) -> Vec<&Container> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    init.iter().chain(spec.map_or(&[][..], |spec| &spec.containers)).collect()
}

/// `key` of `name['key']`.
fn subscript<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    path.strip_prefix(name)?.strip_prefix("['")?.strip_suffix("']")
}

/// One `key="value"` a line, sorted, without a last line end.
fn format_map(map: &std::collections::BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}={value:?}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_documented_fields() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u",
                "labels": {"b/c": "2", "a": "1"}, "annotations": {"q": "say \"hi\"\n"}},
            "spec": {"containers": [], "nodeName": "node", "serviceAccountName": "sa"},
        }))
        .expect("pod must parse");
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(field(&pod, path).ok().as_deref(), expected, "{path}");
        };
        check("metadata.name", Some("p"));
        check("metadata.namespace", Some("n"));
        check("metadata.uid", Some("u"));
        check("metadata.labels", Some("a=\"1\"\nb/c=\"2\""));
        check("metadata.labels['b/c']", Some("2"));
        check("metadata.labels['absent']", Some(""));
        check("metadata.annotations", Some(r#"q="say \"hi\"\n""#));
        check("metadata.annotations['q']", Some("say \"hi\"\n"));
        check("spec.nodeName", Some("node"));
        check("spec.serviceAccountName", Some("sa"));
        check("status.podIP", Some("127.0.0.1"));
        check("status.phase", None);
        check("metadata.labels[a]", None);
    }
}
