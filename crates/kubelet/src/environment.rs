//! A container's environment, from its pod's specification and nothing else. Pure.
//!
//! Order and expansion are the kubelet's: `envFrom` first, `env` over it, `$(NAME)` replaced by what was
//! defined before, `$$` a dollar sign, an unknown name left as it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, EnvVarSource, Pod};

use crate::downward::{self, FieldError};
use crate::paths::PathMap;
use crate::resources::{self, Capacity, ResourceError};
use crate::sources::{SourceError, SourceKey, Sources};

/// The search path that container runtimes give to images that set none.
pub(crate) const CONTAINER_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a container's configuration cannot be made (`CreateContainerConfigError`).
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum EnvironmentError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("env {variable}: {reason}")]
    Field { variable: String, reason: FieldError },
    #[error("env {variable}: {reason}")]
    Resource { variable: String, reason: ResourceError },
    #[error("env {variable}: {kind} is not supported by a process node")]
    Unsupported { variable: String, kind: &'static str },
}

/// What every container has, whatever its specification says.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) hostname: String,
    pub(crate) home: String,
    pub(crate) api_host: String,
    pub(crate) api_port: u16,
    /// The search path, unless the specification has one.
    pub(crate) path: String,
    pub(crate) capacity: Capacity,
    /// The node's own variables.
    pub(crate) node: Arc<BTreeMap<String, String>>,
}

/// The finished variables. No `Debug`: values may be secret.
#[derive(Default)]
pub(crate) struct Environment {
    /// Sorted by name.
    pub(crate) variables: BTreeMap<String, String>,
    /// Names in an `envFrom` source that no variable can have, with their source.
    pub(crate) skipped: Vec<String>,
}

impl Environment {
    fn lookup(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// `word` with `$(NAME)` replaced.
    pub(crate) fn expand(&self, word: &str) -> String {
        expand(word, |name| self.lookup(name))
    }
}

/// Builds the environment; values that start with a mounted path become private ones.
pub(crate) fn build(
    pod: &Pod,
    container: &Container,
    sources: &Sources,
    paths: &PathMap,
    base: &Base,
) -> Result<Environment, EnvironmentError> {
    let mut environment = Environment { variables: (*base.node).clone(), ..Environment::default() };
    for (name, value) in kubernetes_service(&base.api_host, base.api_port) {
        environment.variables.insert(name, value);
    }
    for from in container.env_from.iter().flatten() {
        let (source_key, optional) = match (&from.config_map_ref, &from.secret_ref) {
            (Some(reference), _) => (SourceKey::ConfigMap(reference.name.clone()), reference.optional),
            (None, Some(reference)) => (SourceKey::Secret(reference.name.clone()), reference.optional),
            (None, None) => continue,
        };
        let prefix = from.prefix.as_deref().unwrap_or_default();
        for (key, value) in sources.all(&source_key, optional.unwrap_or(false))?.into_iter().flatten() {
            let name = format!("{prefix}{key}");
            if is_variable_name(&name) {
                environment.variables.insert(name, paths.rewrite(&String::from_utf8_lossy(value)));
            } else {
                environment.skipped.push(format!("{name} of {source_key}"));
            }
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) if !value.is_empty() => Some(environment.expand(value)),
            (_, Some(from)) => from_source(pod, (container, &variable.name), from, sources, base.capacity)?,
            _ => Some(String::new()),
        };
        if let Some(value) = value {
            environment.variables.insert(variable.name.clone(), paths.rewrite(&value));
        }
    }
    // The container runtime's own defaults give way to the specification, and `$(NAME)` does not see them.
    for (name, value) in [("PATH", &base.path), ("HOSTNAME", &base.hostname), ("HOME", &base.home)] {
        environment.variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    Ok(environment)
}

/// What every pod has of the service `kubernetes`, whether it wants service links or not. (Of other services a process
/// node tells nothing: no local process reaches their addresses.)
fn kubernetes_service(host: &str, port: u16) -> [(String, String); 8] {
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url = format!("tcp://{bracketed}:{port}");
    [
        ("KUBERNETES_SERVICE_HOST".to_owned(), host.to_owned()),
        ("KUBERNETES_SERVICE_PORT".to_owned(), port.to_string()),
        ("KUBERNETES_SERVICE_PORT_HTTPS".to_owned(), port.to_string()),
        ("KUBERNETES_PORT".to_owned(), url.clone()),
        (format!("KUBERNETES_PORT_{port}_TCP"), url),
        (format!("KUBERNETES_PORT_{port}_TCP_PROTO"), "tcp".to_owned()),
        (format!("KUBERNETES_PORT_{port}_TCP_PORT"), port.to_string()),
        (format!("KUBERNETES_PORT_{port}_TCP_ADDR"), host.to_owned()),
    ]
}

fn from_source(
    pod: &Pod,
    (container, variable): (&Container, &str),
    from: &EnvVarSource,
    sources: &Sources,
    capacity: Capacity,
) -> Result<Option<String>, EnvironmentError> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    if let Some(reference) = &from.field_ref {
        return downward::field(pod, &reference.field_path)
            .map(Some)
            .map_err(|reason| EnvironmentError::Field { variable: variable.to_owned(), reason });
    }
    if let Some(reference) = &from.config_map_key_ref {
        let source_key = SourceKey::ConfigMap(reference.name.clone());
        return Ok(sources.key(&source_key, &reference.key, reference.optional.unwrap_or(false))?.map(text));
    }
    if let Some(reference) = &from.secret_key_ref {
        let source_key = SourceKey::Secret(reference.name.clone());
        return Ok(sources.key(&source_key, &reference.key, reference.optional.unwrap_or(false))?.map(text));
    }
    if let Some(reference) = &from.resource_field_ref {
        return resources::value(&downward::containers(pod), Some(container), reference, capacity)
            .map(Some)
            .map_err(|reason| EnvironmentError::Resource { variable: variable.to_owned(), reason });
    }
    let kind = if from.file_key_ref.is_some() { "fileKeyRef" } else { "this kind of valueFrom" };
    Err(EnvironmentError::Unsupported { variable: variable.to_owned(), kind })
}

/// Printable ASCII without `=`, as the API server accepts for `env` names.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'=')
}

/// Kubernetes' `$(NAME)` expansion.
fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        rest = match after.chars().next() {
            Some('$') => {
                expanded.push('$');
                &after[1..]
            }
            Some('(') => match after.find(')') {
                Some(close) => {
                    let name = &after[1..close];
                    match lookup(name) {
                        Some(value) => expanded.push_str(value),
                        None => expanded.push_str(&rest[dollar..dollar + close + 2]),
                    }
                    &after[close + 1..]
                }
                None => {
                    expanded.push_str("$(");
                    &after[1..]
                }
            },
            _ => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use k8s_openapi::api::core::v1::VolumeMount;
    use serde_json::{Value, json};

    use super::*;

    fn build_from(container: Value) -> Result<Environment, EnvironmentError> {
        let container: Container = serde_json::from_value(container).expect("container must parse");
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n", "labels": {"app": "x"}},
            "spec": {"containers": []},
        }))
        .expect("pod must parse");
        let mounts =
            [VolumeMount { name: "t".into(), mount_path: "/var/run/secrets/t".into(), ..VolumeMount::default() }];
        let paths = PathMap::new(PathBuf::from("/pods/u/root"), Path::new("/pods/u"), &mounts).expect("mounts");
        let sources = Sources::of(&[
            (SourceKey::ConfigMap("c".into()), &[("K", "from-c"), ("no=name", "x"), ("P", "/var/run/secrets/t/k")]),
            (SourceKey::Secret("s".into()), &[("K", "from-s")]),
        ]);
        build(&pod, &container, &sources, &paths, &base(BTreeMap::new()))
    }

    fn base(node: BTreeMap<String, String>) -> Base {
        Base {
            hostname: "p".into(),
            home: "/pods/u/home".into(),
            api_host: "127.0.0.1".into(),
            api_port: 6443,
            path: CONTAINER_PATH.into(),
            capacity: Capacity { cpus: 2, memory_bytes: 1 << 30 },
            node: Arc::new(node),
        }
    }

    #[test]
    fn what_the_node_gives_every_container_yields_to_the_pods_own() {
        let pod = serde_json::from_value(json!({"metadata": {"name": "p"}})).expect("pod must parse");
        let container = json!({"name": "c", "env": [{"name": "A", "value": "own"}, {"name": "B", "value": "$(C)"}]});
        let container = serde_json::from_value(container).expect("container must parse");
        let node = ["A", "C"].map(|name| (name.to_owned(), "node".to_owned())).into();
        let paths = PathMap::new(PathBuf::from("/pods/u/root"), Path::new("/pods/u"), &[]).expect("no mounts");
        let built = build(&pod, &container, &Sources::default(), &paths, &base(node));
        let variables = built.expect("environment must be built").variables;
        assert_eq!(["A", "B", "C"].map(|name| variables[name].as_str()), ["own", "node", "node"]);
    }

    fn listed(container: Value) -> String {
        let environment = build_from(container).expect("environment must be built");
        environment.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    #[test]
    fn empty_specification_gives_only_what_a_container_always_has() {
        insta::assert_snapshot!(listed(json!({"name": "app"})), @r"
        HOME=/pods/u/home
        HOSTNAME=p
        KUBERNETES_PORT=tcp://127.0.0.1:6443
        KUBERNETES_PORT_6443_TCP=tcp://127.0.0.1:6443
        KUBERNETES_PORT_6443_TCP_ADDR=127.0.0.1
        KUBERNETES_PORT_6443_TCP_PORT=6443
        KUBERNETES_PORT_6443_TCP_PROTO=tcp
        KUBERNETES_SERVICE_HOST=127.0.0.1
        KUBERNETES_SERVICE_PORT=6443
        KUBERNETES_SERVICE_PORT_HTTPS=6443
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        ");
    }

    #[test]
    fn specification_wins_in_the_kubelet_order() {
        insta::assert_snapshot!(listed(json!({
            "name": "app",
            "envFrom": [
                {"configMapRef": {"name": "c"}},
                {"prefix": "S_", "secretRef": {"name": "s"}},
                {"configMapRef": {"name": "absent", "optional": true}},
            ],
            "env": [
                {"name": "HOME", "value": "/root"},
                {"name": "BOTH", "value": "$(K)/$(S_K)/$(LATER)/$(HOSTNAME)"},
                {"name": "LATER", "value": "late"},
                {"name": "K", "value": "env-wins"},
                {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "K"}}},
                {"name": "ABSENT", "valueFrom": {"secretKeyRef": {"name": "s", "key": "no", "optional": true}}},
                {"name": "TOKEN_FILE", "value": "/var/run/secrets/t/token"},
                {"name": "ARG", "value": "file:$(TOKEN_FILE)"},
                {"name": "EMPTY"},
            ],
        })), @r"
        ARG=file:/pods/u/root/var/run/secrets/t/token
        BOTH=from-c/from-s/$(LATER)/$(HOSTNAME)
        EMPTY=
        HOME=/root
        HOSTNAME=p
        K=env-wins
        KUBERNETES_PORT=tcp://127.0.0.1:6443
        KUBERNETES_PORT_6443_TCP=tcp://127.0.0.1:6443
        KUBERNETES_PORT_6443_TCP_ADDR=127.0.0.1
        KUBERNETES_PORT_6443_TCP_PORT=6443
        KUBERNETES_PORT_6443_TCP_PROTO=tcp
        KUBERNETES_SERVICE_HOST=127.0.0.1
        KUBERNETES_SERVICE_PORT=6443
        KUBERNETES_SERVICE_PORT_HTTPS=6443
        LABEL=x
        LATER=late
        P=/pods/u/root/var/run/secrets/t/k
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        SECRET=from-s
        S_K=from-s
        TOKEN_FILE=/pods/u/root/var/run/secrets/t/token
        ");
    }

    #[test]
    fn names_that_no_variable_can_have_are_skipped_and_named() {
        let environment = build_from(json!({"name": "app", "envFrom": [{"configMapRef": {"name": "c"}}]}));
        let skipped = environment.expect("environment must be built").skipped;
        assert_eq!(skipped, [r#"no=name of configmap "c""#]);
    }

    #[test]
    fn missing_and_unsupported_references_are_named() {
        let check = |from: Value, message: &str| {
            let error = build_from(json!({"name": "app", "env": [{"name": "V", "valueFrom": from}]})).err();
            assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(message));
        };
        check(json!({"configMapKeyRef": {"name": "x", "key": "k"}}), r#"configmap "x" not found"#);
        check(json!({"secretKeyRef": {"name": "s", "key": "k"}}), r#"couldn't find key k in secret "s""#);
        check(
            json!({"resourceFieldRef": {"resource": "limits.gpu"}}),
            "env V: unsupported container resource : limits.gpu",
        );
        check(
            json!({"fieldRef": {"fieldPath": "status.phase"}}),
            r#"env V: fieldPath "status.phase" is not supported"#,
        );
    }

    #[test]
    fn expands_as_kubernetes_does() {
        let check = |text: &str, expected: &str| {
            let found = expand(text, |name| match name {
                "A" => Some("a"),
                "E" => Some(""),
                "R" => Some("$(A)"),
                _ => None,
            });
            assert_eq!(found, expected, "{text}");
        };
        check("$(A)", "a");
        check("x$(A)y$(E)z", "xayz");
        check("$(NO)", "$(NO)");
        check("$$(A)", "$(A)");
        check("$$$(A)", "$a");
        check("$(R)", "$(A)");
        check("$A", "$A");
        check("$", "$");
        check("$(A", "$(A");
        check("$()", "$()");
        check("é$(A)é$é", "éaé$é");
    }
}
