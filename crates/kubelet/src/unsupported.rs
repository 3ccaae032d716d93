//! What a pod asks for that a process node cannot give. Pure.

use k8s_openapi::api::core::v1::{Container, PodSpec, Probe};

use crate::handler::Action;
use crate::status::is_sidecar;

/// Fields that would change what the pod means, by what is done about them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unsupported {
    /// The pod is not started; each says which field and why.
    pub(crate) refused: Vec<String>,
    /// The pod runs without them; named in an event.
    pub(crate) ignored: Vec<String>,
}

pub(crate) fn unsupported(spec: &PodSpec) -> Unsupported {
    let mut found = Unsupported::default();
    let mut ignore = |holds: bool, field: String| {
        if holds {
            found.ignored.push(field);
        }
    };
    let security = spec.security_context.as_ref();
    ignore(
        security.is_some_and(|it| it.run_as_user.is_some() || it.run_as_non_root.is_some()),
        "spec.securityContext.runAs*".into(),
    );
    ignore(spec.host_aliases.as_ref().is_some_and(|it| !it.is_empty()), "spec.hostAliases".into());
    ignore(spec.dns_config.is_some(), "spec.dnsConfig".into());
    ignore(spec.readiness_gates.as_ref().is_some_and(|it| !it.is_empty()), "spec.readinessGates".into());
    ignore(spec.share_process_namespace == Some(true), "spec.shareProcessNamespace".into());
    ignore(spec.runtime_class_name.is_some(), "spec.runtimeClassName".into());
    let init = spec.init_containers.iter().flatten().map(|container| ("initContainers", container));
    for (list, container) in init.chain(spec.containers.iter().map(|container| ("containers", container))) {
        for (holds, field) in ignored_fields(container) {
            ignore(holds, format!("spec.{list}[{}].{field}", container.name));
        }
    }
    for init in spec.init_containers.iter().flatten() {
        if init.restart_policy.is_some() && !is_sidecar(init) {
            found.refused.push(format!(
                "spec.initContainers[{}].restartPolicy other than Always is not supported by a process node",
                init.name
            ));
        }
    }
    for container in &spec.containers {
        if container.restart_policy.is_some() {
            found
                .refused
                .push(format!("spec.containers[{}].restartPolicy is not supported by a process node", container.name));
        }
    }
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        if container.volume_devices.as_ref().is_some_and(|devices| !devices.is_empty()) {
            found
                .refused
                .push(format!("volumeDevices of container {:?} are not supported by a process node", container.name));
        }
    }
    if spec.os.as_ref().is_some_and(|os| os.name != "linux") {
        found.refused.push("spec.os: a process node runs linux pods only".to_owned());
    }
    found
}

fn ignored_fields(container: &Container) -> [(bool, &'static str); 8] {
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let security = container.security_context.as_ref();
    let unknown = |probe: &Option<Probe>| probe.as_ref().is_some_and(|it| Action::of_probe(it, container).is_none());
    let hooks = container.lifecycle.as_ref();
    let hooks = hooks.into_iter().flat_map(|hooks| hooks.post_start.iter().chain(&hooks.pre_stop));
    [
        (unknown(&container.readiness_probe), "readinessProbe"),
        (unknown(&container.liveness_probe), "livenessProbe"),
        (unknown(&container.startup_probe), "startupProbe"),
        (hooks.into_iter().any(|hook| Action::of_hook(hook, container).is_none()), "lifecycle"),
        (limits.is_some_and(|limits| !limits.is_empty()), "resources.limits"),
        (container.stdin == Some(true) || container.tty == Some(true), "stdin/tty"),
        (security.is_some_and(|it| it.run_as_user.is_some() || it.run_as_non_root.is_some()), "securityContext.runAs*"),
        (
            security.is_some_and(|it| it.read_only_root_filesystem == Some(true)),
            "securityContext.readOnlyRootFilesystem",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn names_what_is_refused_and_what_is_ignored() {
        let check = |spec: Value, refused: &[&str], ignored: &[&str]| {
            let spec: PodSpec = serde_json::from_value(spec).expect("spec must parse");
            let found = unsupported(&spec);
            assert_eq!(found.refused, refused);
            assert_eq!(found.ignored, ignored);
        };
        check(json!({"containers": [{"name": "a"}], "securityContext": {}}), &[], &[]);
        check(
            json!({
                "containers": [{"name": "a", "readinessProbe": {"grpc": {"port": 1}}, "livenessProbe": {"tcpSocket": {"port": 1}}, "resources": {"limits": {"memory": "1Mi"}}}],
                "securityContext": {"runAsUser": 1},
            }),
            &[],
            &[
                "spec.securityContext.runAs*",
                "spec.containers[a].readinessProbe",
                "spec.containers[a].resources.limits",
            ],
        );
        check(
            json!({"containers": [{"name": "a"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]}),
            &[],
            &[],
        );
        check(
            json!({"containers": [{"name": "a"}], "initContainers": [{"name": "s", "restartPolicy": "Never"}]}),
            &["spec.initContainers[s].restartPolicy other than Always is not supported by a process node"],
            &[],
        );
    }
}
