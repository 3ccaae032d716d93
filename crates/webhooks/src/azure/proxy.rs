//! The proxy sidecar, for applications that still ask the node's metadata service for tokens. It must not know
//! what is injected into it like into any container.

use serde_json::{Value, json};

use super::annotations::proxy_port;
use super::config::Config;
use crate::Denied;
use crate::pod::{Pod, has_named};

const SIDECAR: &str = "azwi-proxy";
const INIT: &str = "azwi-proxy-init";

/// The containers to add.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Proxy {
    /// Before all init containers.
    pub(crate) first_init: Option<Value>,
    /// After all init containers.
    pub(crate) last_init: Option<Value>,
    /// Before all containers.
    pub(crate) first: Option<Value>,
}

impl Proxy {
    /// None of them for a pod that does not ask, and none that is there already by its name.
    pub(crate) fn read(config: &Config, pod: &Pod<'_>) -> Result<Self, Denied> {
        let Some(port) = proxy_port(pod)? else {
            return Ok(Self::default());
        };
        let mut proxy = Self::default();
        if !has_named(pod.init_containers, INIT) {
            proxy.last_init = Some(init(config, port));
        }
        let (beside, slot) = match config.native_sidecar {
            true => (pod.init_containers, &mut proxy.first_init),
            false => (pod.containers, &mut proxy.first),
        };
        if !has_named(beside, SIDECAR) {
            *slot = Some(sidecar(config, port));
        }
        Ok(proxy)
    }
}

/// Redirects the metadata service's address to the proxy.
fn init(config: &Config, port: i32) -> Value {
    json!({
        "name": INIT,
        "image": config.proxy.proxy_init,
        "env": [{"name": "PROXY_PORT", "value": port.to_string()}],
        "resources": {},
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "privileged": true,
            "runAsUser": 0,
            "runAsNonRoot": false,
        },
    })
}

fn sidecar(config: &Config, port: i32) -> Value {
    let port_flag = format!("--proxy-port={port}");
    let log_flag = format!("--log-level={}", config.log_level);
    let mut container = json!({
        "name": SIDECAR,
        "image": config.proxy.proxy,
        "args": [port_flag, log_flag],
        "ports": [{"containerPort": port}],
        "resources": {},
        "lifecycle": {"postStart": {"exec": {"command": ["/proxy", port_flag, "--probe", log_flag]}}},
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "capabilities": {"drop": ["ALL"]},
            "privileged": false,
            "runAsNonRoot": true,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
        },
    });
    if config.native_sidecar {
        container["restartPolicy"] = Value::from("Always");
    }
    container
}
