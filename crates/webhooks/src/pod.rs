//! A view of the parts of a pod that webhooks look at, checked as strictly as Go's decoder would:
//! a member of the wrong type is an error, a null is an absent member, what is not looked at may be anything.
//! It must not know what is done with them.

use serde_json::{Map, Value};

/// The object cannot be decoded as a pod. Worded as Go's `encoding/json` words it, for it is shown to users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAPod(String);

impl NotAPod {
    fn field(found: &Value, field: &str, wanted: &str) -> Self {
        let found = kind_of(found);
        Self(format!("json: cannot unmarshal {found} into Go struct field {field} of type {wanted}"))
    }
}

/// A pod whose looked-at members have the right types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pod<'a> {
    /// Name, or else the prefix that one will be generated from. For logs.
    pub(crate) name: &'a str,
    /// Whether [`name`](Self::name) is only such a prefix.
    pub(crate) name_is_prefix: bool,
    /// As it stands: empty is not turned into `default`, which is the ServiceAccount plugin's work.
    pub(crate) service_account: &'a str,
    pub(crate) has_labels: bool,
    pub(crate) has_spec: bool,
    pub(crate) host_network: bool,
    /// `None` when absent or null; Go tells that from an empty list.
    pub(crate) volumes: Option<&'a [Value]>,
    pub(crate) init_containers: &'a [Value],
    pub(crate) containers: &'a [Value],
    annotations: Option<&'a Map<String, Value>>,
    node_selector: Option<&'a Map<String, Value>>,
}

impl<'a> Pod<'a> {
    /// Reads the object of an admission request. Its `kind` is not looked at.
    pub(crate) fn read(object: &'a Value) -> Result<Self, NotAPod> {
        let Value::Object(object) = object else {
            let found = kind_of(object);
            return Err(NotAPod(format!("json: cannot unmarshal {found} into Go value of type v1.Pod")));
        };
        let metadata = map(object, "metadata", "Pod.metadata", "v1.ObjectMeta")?;
        let meta = |key, field| metadata.map_or(Ok(""), |metadata| text(metadata, key, field, "string"));
        let strings = |of: Option<&'a Map<String, Value>>, key, field| match of {
            Some(of) => string_map(of, key, field),
            None => Ok(None),
        };
        let name = meta("name", "ObjectMeta.metadata.name")?;
        let generate_name = meta("generateName", "ObjectMeta.metadata.generateName")?;

        let spec = map(object, "spec", "Pod.spec", "v1.PodSpec")?;
        let list = |key, field, kind| spec.map_or(Ok(None), |spec| named_list(spec, key, field, kind));
        let volumes = list("volumes", VOLUMES, "v1.Volume")?;
        let init_containers = list("initContainers", INIT_CONTAINERS, "v1.Container")?.unwrap_or_default();
        let containers = list("containers", CONTAINERS, "v1.Container")?.unwrap_or_default();
        for (containers, env, mounts) in [(init_containers, INIT_ENV, INIT_MOUNTS), (containers, ENV, MOUNTS)] {
            for container in containers.iter().filter_map(Value::as_object) {
                named_list(container, "env", env, "v1.EnvVar")?;
                named_list(container, "volumeMounts", mounts, "v1.VolumeMount")?;
            }
        }
        Ok(Self {
            name: if name.is_empty() { generate_name } else { name },
            name_is_prefix: name.is_empty(),
            service_account: spec
                .map_or(Ok(""), |spec| text(spec, "serviceAccountName", "PodSpec.spec.serviceAccountName", "string"))?,
            has_labels: strings(metadata, "labels", "ObjectMeta.metadata.labels")?.is_some(),
            has_spec: spec.is_some(),
            host_network: spec.map_or(Ok(false), |spec| flag(spec, "hostNetwork", "PodSpec.spec.hostNetwork"))?,
            volumes,
            init_containers,
            containers,
            annotations: strings(metadata, "annotations", "ObjectMeta.metadata.annotations")?,
            node_selector: strings(spec, "nodeSelector", "PodSpec.spec.nodeSelector")?,
        })
    }

    /// An annotation's value.
    pub(crate) fn annotation(&self, key: &str) -> Option<&'a str> {
        lookup(self.annotations, key)
    }

    /// What the pod's node selector asks for under this label.
    pub(crate) fn node_selector(&self, label: &str) -> Option<&'a str> {
        lookup(self.node_selector, label)
    }
}

/// A null value reads as "" in Go: present, and empty.
fn lookup<'a>(map: Option<&'a Map<String, Value>>, key: &str) -> Option<&'a str> {
    Some(map?.get(key)?.as_str().unwrap_or_default())
}

/// Whether a list has an entry of this name.
pub(crate) fn has_named(list: &[Value], name: &str) -> bool {
    list.iter().any(|entry| name_of(entry) == name)
}

/// The name of a container, volume, mount or variable that [`Pod::read`] has seen.
pub(crate) fn name_of(entry: &Value) -> &str {
    entry.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// The names that Go uses in its messages: of the list, and of an entry's name.
#[derive(Clone, Copy)]
struct Field {
    list: &'static str,
    name: &'static str,
}

const VOLUMES: Field = Field { list: "PodSpec.spec.volumes", name: "Volume.spec.volumes.name" };
const CONTAINERS: Field = Field { list: "PodSpec.spec.containers", name: "Container.spec.containers.name" };
const INIT_CONTAINERS: Field =
    Field { list: "PodSpec.spec.initContainers", name: "Container.spec.initContainers.name" };
const ENV: Field = Field { list: "Container.spec.containers.env", name: "EnvVar.spec.containers.env.name" };
const INIT_ENV: Field =
    Field { list: "Container.spec.initContainers.env", name: "EnvVar.spec.initContainers.env.name" };
const MOUNTS: Field =
    Field { list: "Container.spec.containers.volumeMounts", name: "VolumeMount.spec.containers.volumeMounts.name" };
const INIT_MOUNTS: Field = Field {
    list: "Container.spec.initContainers.volumeMounts",
    name: "VolumeMount.spec.initContainers.volumeMounts.name",
};

/// A list of things with names.
fn named_list<'a>(
    of: &'a Map<String, Value>,
    key: &str,
    field: Field,
    kind: &str,
) -> Result<Option<&'a [Value]>, NotAPod> {
    let entries = match of.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(entries)) => entries,
        Some(other) => return Err(NotAPod::field(other, field.list, &format!("[]{kind}"))),
    };
    for value in entries {
        if let Some(value) = entry(value, field.list, kind)? {
            text(value, "name", field.name, "string")?;
        }
    }
    Ok(Some(entries))
}

/// An object, or a null, which stands for one without members.
pub(crate) fn entry<'a>(
    value: &'a Value,
    field: &str,
    wanted: &str,
) -> Result<Option<&'a Map<String, Value>>, NotAPod> {
    match value {
        Value::Null => Ok(None),
        Value::Object(map) => Ok(Some(map)),
        other => Err(NotAPod::field(other, field, wanted)),
    }
}

fn map<'a>(
    of: &'a Map<String, Value>,
    key: &str,
    field: &str,
    wanted: &str,
) -> Result<Option<&'a Map<String, Value>>, NotAPod> {
    of.get(key).map_or(Ok(None), |value| entry(value, field, wanted))
}

fn string_map<'a>(
    of: &'a Map<String, Value>,
    key: &str,
    field: &str,
) -> Result<Option<&'a Map<String, Value>>, NotAPod> {
    let found = map(of, key, field, "map[string]string")?;
    match found.into_iter().flat_map(Map::values).find(|value| !value.is_string() && !value.is_null()) {
        Some(other) => Err(NotAPod::field(other, field, "string")),
        None => Ok(found),
    }
}

/// A string member; empty when absent or null.
pub(crate) fn text<'a>(of: &'a Map<String, Value>, key: &str, field: &str, wanted: &str) -> Result<&'a str, NotAPod> {
    match of.get(key) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(NotAPod::field(other, field, wanted)),
    }
}

/// A boolean member; false when absent or null.
fn flag(of: &Map<String, Value>, key: &str, field: &str) -> Result<bool, NotAPod> {
    match of.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(set)) => Ok(*set),
        Some(other) => Err(NotAPod::field(other, field, "bool")),
    }
}

/// Go's name for a JSON value's type.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refuses_members_of_the_wrong_type() {
        let check = |object: Value, want: &str| {
            let error = Pod::read(&object).expect_err("must be refused").to_string();
            assert_eq!(error, format!("json: cannot unmarshal {want}"));
        };
        check(json!([]), "array into Go value of type v1.Pod");
        check(json!({"spec": "x"}), "string into Go struct field Pod.spec of type v1.PodSpec");
        check(json!({"metadata": 1}), "number into Go struct field Pod.metadata of type v1.ObjectMeta");
        check(
            json!({"metadata": {"annotations": ["a"]}}),
            "array into Go struct field ObjectMeta.metadata.annotations of type map[string]string",
        );
        check(
            json!({"metadata": {"annotations": {"a": true}}}),
            "bool into Go struct field ObjectMeta.metadata.annotations of type string",
        );
        check(
            json!({"spec": {"serviceAccountName": {}}}),
            "object into Go struct field PodSpec.spec.serviceAccountName of type string",
        );
        check(
            json!({"spec": {"hostNetwork": "true"}}),
            "string into Go struct field PodSpec.spec.hostNetwork of type bool",
        );
        check(
            json!({"spec": {"containers": {}}}),
            "object into Go struct field PodSpec.spec.containers of type []v1.Container",
        );
        check(
            json!({"spec": {"volumes": ["x"]}}),
            "string into Go struct field PodSpec.spec.volumes of type v1.Volume",
        );
        check(
            json!({"spec": {"initContainers": [{"env": [{"name": 1}]}]}}),
            "number into Go struct field EnvVar.spec.initContainers.env.name of type string",
        );
        check(
            json!({"spec": {"containers": [{"volumeMounts": 1}]}}),
            "number into Go struct field Container.spec.containers.volumeMounts of type []v1.VolumeMount",
        );
    }

    #[test]
    fn takes_nulls_and_foreign_members_as_go_does() {
        let object = json!({
            "kind": "Service",
            "metadata": {"generateName": "web-", "labels": null, "annotations": {"a": null}},
            "spec": {"ports": [80], "volumes": null, "containers": [null, {"env": null}]},
        });
        let pod = Pod::read(&object).expect("must be read");
        assert_eq!((pod.name, pod.service_account, pod.has_labels), ("web-", "", false));
        assert!(pod.name_is_prefix && pod.has_spec && !pod.host_network);
        assert_eq!((pod.volumes, pod.containers.len()), (None, 2));
        assert_eq!((pod.annotation("a"), pod.annotation("b")), (Some(""), None));
        assert!(Pod::read(&json!({"spec": {"volumes": []}})).expect("must be read").volumes.is_some());
    }
}
