//! What every container of a pod gets, and the volume it comes from: variables one by one, and the mount. It
//! must not know where the settings come from.

use serde_json::{Map, Value, json};
use trust::Audience;

use super::annotations::Settings;
use super::config::Config;
use super::layout::{Layout, Placement};
use crate::admission::PatchOp;
use crate::pod::{Pod, has_named, name_of};

/// Everything that is decided before a container is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Injection<'a> {
    layout: Layout,
    /// In the order in which they are appended; none is empty.
    variables: Vec<(&'static str, String)>,
    volume: Value,
    mount: Value,
    skipped: Vec<&'a str>,
}

impl<'a> Injection<'a> {
    pub(crate) fn new(config: &'a Config, pod: &Pod<'_>, settings: Settings<'a>) -> Self {
        let Settings { client_id, tenant_id, expiration, skipped, endpoint } = settings;
        let layout = config.layout;
        let mut variables = vec![
            ("AZURE_CLIENT_ID", client_id),
            ("AZURE_TENANT_ID", tenant_id),
            ("AZURE_FEDERATED_TOKEN_FILE", layout.token_file()),
            ("AZURE_AUTHORITY_HOST", config.authority_host.clone()),
        ];
        let mut audience = &config.audience;
        let mut ca = None;
        if let Some(endpoint) = endpoint {
            variables.extend(endpoint.variables(layout));
            audience = endpoint.audience();
            ca = endpoint.source();
        }
        variables.retain(|(_, value)| !value.is_empty());

        let name = layout.volume_name(pod);
        let mut sources = vec![token(audience, expiration, layout.token_path())];
        sources.extend(ca);
        Self {
            layout,
            variables,
            mount: json!({"name": name, "readOnly": true, "mountPath": layout.mount_path()}),
            volume: json!({"name": name, "projected": {"sources": sources}}),
            skipped,
        }
    }

    /// What is to be done to a container that stands at `path`.
    pub(crate) fn container_ops(&self, container: &Value, path: &str) -> Vec<PatchOp> {
        if self.skips(container) {
            return Vec::new();
        }
        if !container.is_object() {
            // A null, which reads as a container without members.
            return vec![PatchOp::replace(path, self.inject(json!({})))];
        }
        let mut ops = Vec::new();
        append(&mut ops, list(container, "env"), &format!("{path}/env"), self.missing(container));
        let mounts = list(container, "volumeMounts");
        let placement = self.layout.place_mount(mounts.unwrap_or_default(), &self.mount);
        place(&mut ops, mounts, &format!("{path}/volumeMounts"), &self.mount, placement);
        ops
    }

    /// The same for one that is not in the pod yet, and so has no mounts.
    pub(crate) fn inject(&self, mut container: Value) -> Value {
        if !self.skips(&container) {
            let mut env = list(&container, "env").unwrap_or_default().to_vec();
            env.extend(self.missing(&container));
            container["env"] = Value::Array(env);
            container["volumeMounts"] = json!([self.mount]);
        }
        container
    }

    /// What is to be done about the volume, which goes to the end.
    pub(crate) fn volume_ops(&self, volumes: Option<&[Value]>) -> Vec<PatchOp> {
        let mut ops = Vec::new();
        let placement = self.layout.place(volumes.unwrap_or_default(), &self.volume);
        place(&mut ops, volumes, "/spec/volumes", &self.volume, placement);
        ops
    }

    fn skips(&self, container: &Value) -> bool {
        self.skipped.contains(&name_of(container))
    }

    /// The variables whose names are not taken: by a literal value or a reference, but `envFrom` is not looked at.
    fn missing(&self, container: &Value) -> Vec<Value> {
        let env = list(container, "env").unwrap_or_default();
        self.variables
            .iter()
            .filter(|(name, _)| !has_named(env, name))
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect()
    }
}

fn token(audience: &Audience, expiration: i64, path: &str) -> Value {
    let mut token = Map::new();
    // Go leaves an empty audience out, and the API server then takes its own.
    if !audience.as_str().is_empty() {
        token.insert("audience".into(), Value::from(audience.as_str()));
    }
    token.insert("expirationSeconds".into(), Value::from(expiration));
    token.insert("path".into(), Value::from(path));
    json!({"serviceAccountToken": token})
}

fn place(ops: &mut Vec<PatchOp>, present: Option<&[Value]>, path: &str, entry: &Value, placement: Placement) {
    match placement {
        Placement::Keep => {}
        Placement::Append => append(ops, present, path, vec![entry.clone()]),
        Placement::Replace(index) => {
            ops.push(PatchOp::replace(format!("{path}/{index}"), entry.clone()));
        }
    }
}

/// To the end of a list, which is made where it is absent or null.
fn append(ops: &mut Vec<PatchOp>, present: Option<&[Value]>, path: &str, added: Vec<Value>) {
    match present {
        _ if added.is_empty() => {}
        None => ops.push(PatchOp::add(path, Value::Array(added))),
        Some(present) => ops
            .extend((present.len()..).zip(added).map(|(index, entry)| PatchOp::add(format!("{path}/{index}"), entry))),
    }
}

fn list<'a>(container: &'a Value, key: &str) -> Option<&'a [Value]> {
    container.get(key)?.as_array().map(Vec::as_slice)
}
