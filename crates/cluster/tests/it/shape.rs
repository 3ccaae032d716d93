//! What of a stored pod the webhooks have to do with, in short words, and what they should have put there by upstream's source.

use cluster::AzureLayout;
use serde_json::Value;

use crate::support::{CLIENT, REGION, ROLE, TENANT};

/// What the ServiceAccount plugin mounts into every container.
pub(crate) const API_MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount <- kube-api-access, read-only";
/// azure-workload-identity v1.6.0: `pod` hashes to this.
const OF_POD: &str = "425c89ed5bb78a7623fae60fd8a6f6";

/// amazon-eks-pod-identity-webhook appends them in this order.
pub(crate) fn aws_env() -> Vec<String> {
    vec![
        "AWS_STS_REGIONAL_ENDPOINTS=regional".into(),
        format!("AWS_DEFAULT_REGION={REGION}"),
        format!("AWS_REGION={REGION}"),
        format!("AWS_ROLE_ARN={ROLE}"),
        "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token".into(),
    ]
}

/// azure-workload-identity appends them in this order.
pub(crate) fn azure_env(layout: AzureLayout) -> Vec<String> {
    let file = match layout {
        AzureLayout::V1_5 => "/var/run/secrets/azure/tokens/azure-identity-token",
        AzureLayout::V1_6 => "/var/run/secrets/azure/wi/token/azure-identity-token",
    };
    vec![
        format!("AZURE_CLIENT_ID={CLIENT}"),
        format!("AZURE_TENANT_ID={TENANT}"),
        format!("AZURE_FEDERATED_TOKEN_FILE={file}"),
        "AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/".into(),
    ]
}

pub(crate) fn aws_mount() -> String {
    "/var/run/secrets/eks.amazonaws.com/serviceaccount <- aws-iam-token, read-only".into()
}

pub(crate) fn azure_mount(layout: AzureLayout) -> String {
    let path = match layout {
        AzureLayout::V1_5 => "/var/run/secrets/azure/tokens",
        AzureLayout::V1_6 => "/var/run/secrets/azure/wi",
    };
    format!("{path} <- {}, read-only", azure_volume(layout))
}

/// For a pod that is called `pod`.
pub(crate) fn azure_volume(layout: AzureLayout) -> String {
    match layout {
        AzureLayout::V1_5 => "azure-identity-token".into(),
        AzureLayout::V1_6 => format!("azure-workload-identity-reserved-{OF_POD}"),
    }
}

/// How the Azure webhook's volume is stored; `expiration` in seconds.
pub(crate) fn azure_projection(layout: AzureLayout, expiration: u32) -> String {
    let path = match layout {
        AzureLayout::V1_5 => "azure-identity-token",
        AzureLayout::V1_6 => "token/azure-identity-token",
    };
    let name = azure_volume(layout);
    format!("{name}: token for api://AzureADTokenExchange, {expiration} s, at {path}; mode 420")
}

/// How the AWS webhook's volume is stored.
pub(crate) fn aws_projection(expiration: u32) -> String {
    format!("aws-iam-token: token for sts.amazonaws.com, {expiration} s, at token; mode 420")
}

/// A second call of the Azure webhook finds nothing to do. In the newer layout it still overwrites its volume: the API server has
/// given that a `defaultMode`, and gives it again.
pub(crate) fn again(layout: AzureLayout) -> &'static str {
    match layout {
        AzureLayout::V1_5 => "azure -",
        AzureLayout::V1_6 => "azure",
    }
}

pub(crate) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The built-in plugin's volume ends in chance.
fn volume_name(name: &str) -> &str {
    if name.starts_with("kube-api-access-") { "kube-api-access" } else { name }
}

/// A container or init container by its name.
pub(crate) fn container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let both = ["initContainers", "containers"].into_iter().flat_map(|member| list(&pod["spec"], member));
    both.into_iter().find(|container| container["name"] == name).expect("such a container")
}

/// Names, in order.
pub(crate) fn names(pod: &Value, member: &str) -> Vec<String> {
    list(&pod["spec"], member).iter().map(|one| volume_name(&text(one, "name")).to_owned()).collect()
}

/// `NAME=value`, or `NAME <- kind of source`, in order.
pub(crate) fn env(container: &Value) -> Vec<String> {
    let told = |variable: &Value| match variable.get("valueFrom") {
        Some(source) => {
            let source = source.as_object().and_then(|source| source.keys().next()).expect("a source");
            format!("{} <- {source}", text(variable, "name"))
        }
        None => format!("{}={}", text(variable, "name"), text(variable, "value")),
    };
    list(container, "env").iter().map(told).collect()
}

/// `path <- volume`, in order.
pub(crate) fn mounts(container: &Value) -> Vec<String> {
    let told = |mount: &Value| {
        let read_only = if mount["readOnly"] == true { ", read-only" } else { "" };
        format!("{} <- {}{read_only}", text(mount, "mountPath"), volume_name(&text(mount, "name")))
    };
    list(container, "volumeMounts").iter().map(told).collect()
}

/// `name: what it projects; mode`, in order.
pub(crate) fn volumes(pod: &Value) -> Vec<String> {
    list(&pod["spec"], "volumes").iter().map(volume).collect()
}

fn volume(volume: &Value) -> String {
    let name = text(volume, "name");
    let name = volume_name(&name);
    let Some(projected) = volume.get("projected") else {
        let mut members = volume.as_object().into_iter().flat_map(|members| members.keys());
        return format!("{name}: {}", members.find(|key| *key != "name").expect("a source"));
    };
    let source = |source: &Value| match source.get("serviceAccountToken") {
        Some(token) => {
            let audience = token["audience"].as_str().unwrap_or("the API server");
            format!("token for {audience}, {} s, at {}", token["expirationSeconds"], text(token, "path"))
        }
        None => source.as_object().and_then(|source| source.keys().next()).expect("a source").clone(),
    };
    let sources: Vec<String> = list(projected, "sources").iter().map(source).collect();
    format!("{name}: {}; mode {}", sources.join(", "), projected["defaultMode"])
}

/// All of it.
pub(crate) fn rendered(pod: &Value) -> String {
    let mut lines = vec!["volumes".to_owned()];
    lines.extend(volumes(pod).into_iter().map(|volume| format!("  {volume}")));
    for member in ["initContainers", "containers"] {
        for container in list(&pod["spec"], member) {
            let policy = container["restartPolicy"].as_str().map(|policy| format!(", restarts {policy}"));
            lines.push(format!("{member} {}{}", text(container, "name"), policy.unwrap_or_default()));
            lines.extend(env(container).into_iter().chain(mounts(container)).map(|line| format!("  {line}")));
        }
    }
    lines.join("\n")
}
