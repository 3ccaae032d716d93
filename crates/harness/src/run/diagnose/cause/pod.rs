//! Links 1 and 2, and a token that is not where it is looked for: what pod and service account say. Knows no cloud's answers.

use scenario::Cloud;
use trust::{Cause, Link};

use super::{Diagnosis, Sighting, because};

const AWS: &str = "eks.amazonaws.com";
const AZURE: &str = "azure.workload.identity";

/// The webhook left the pod alone: why?
pub(super) fn not_injected(seen: &Sighting<'_>) -> Option<Diagnosis> {
    let (prefix, skipping) = match seen.cloud {
        Cloud::Aws => (AWS, ','),
        Cloud::Azure => (AZURE, ';'),
    };
    match seen.cloud {
        Cloud::Aws => {
            let skip = format!("{AWS}/skip-pod-identity-webhook");
            if seen.annotations.get(&format!("{AWS}/role-arn")).is_none_or(String::is_empty) {
                let role = seen.role_arn().unwrap_or_else(|| "ROLE_ARN".to_owned());
                return because(Cause::AccountNotAnnotated, seen.annotate(&format!("{AWS}/role-arn"), &role));
            }
            if seen.of_pod("labels", &skip).is_some() {
                return because(Cause::PodSkipped, format!("take the label {skip} off the pod's template"));
            }
        }
        Cloud::Azure => {
            let label = format!("{AZURE}/use");
            let fix = format!(
                "put the label {label}=true on the pod's template: kubectl label --local -f POD_FILE --overwrite {label}=true -o yaml | kubectl replace --force -f -"
            );
            match seen.of_pod("labels", &label) {
                Some("true") => {}
                Some(_) => return because(Cause::PodLabelValue, fix),
                None if seen.labels.contains_key(&label) => return because(Cause::LabelOnServiceAccount, fix),
                None => return because(Cause::PodNotLabelled, fix),
            }
        }
    }
    let list = format!("{prefix}/skip-containers");
    // AWS's webhook takes blanks as part of a name; Azure's does not.
    let is_name = |name: &str| if seen.cloud == Cloud::Aws { name } else { name.trim() } == seen.container;
    if seen.of_pod("annotations", &list).is_some_and(|names| names.split(skipping).any(is_name)) {
        let fix = format!("take {} out of the annotation {list} of the pod's template", seen.container);
        return because(Cause::ContainerSkipped, fix);
    }
    let name = match seen.cloud {
        Cloud::Aws => "amazon-eks-pod-identity-webhook",
        Cloud::Azure => "azure-workload-identity's webhook",
    };
    let look = "kubectl get mutatingwebhookconfigurations";
    because(Cause::WebhookNotInstalled, format!("install {name}, and make the pod anew; `{look}` shows what is there"))
}

/// The API server did not take the pod.
pub(super) fn rejected(seen: &Sighting<'_>, message: &str) -> Option<Diagnosis> {
    let has = |part: &str| message.contains(part);
    let names = seen.names;
    if has("error looking up service account") {
        let wanted = seen.pod.pointer("/spec/serviceAccountName").and_then(serde_json::Value::as_str);
        let wanted = wanted.unwrap_or(&names.service_account);
        let fix = format!(
            "set serviceAccountName: {} in the pod's template, or: kubectl create serviceaccount {wanted} -n {}",
            names.service_account, names.namespace
        );
        return because(Cause::ServiceAccountMissing, fix);
    }
    if has("hostNetwork is set to true") {
        let fix = format!("take hostNetwork or the annotation {AZURE}/inject-proxy-sidecar out of the pod's template");
        return because(Cause::ProxyOnHostNetwork, fix);
    }
    if has("proxy sidecar port") {
        let fix =
            format!("give the annotation {AZURE}/proxy-sidecar-port of the pod's template a number from 1 to 65535");
        return because(Cause::ProxyPort, fix);
    }
    let lifetime = format!("{AZURE}/service-account-token-expiration");
    // The pod's annotation goes before the service account's.
    if let Some(value) = seen.of_pod("annotations", &lifetime).filter(|value| has(value)) {
        let fix = format!(
            "{value} is no number of seconds from 3600 to 86400: change the annotation of the pod's template, {lifetime}"
        );
        return because(Cause::TokenLifetime, fix);
    }
    if seen.annotations.get(&lifetime).is_some_and(|value| has(value)) {
        return because(Cause::TokenLifetime, seen.annotate(&lifetime, "3600"));
    }
    if has("volumes[") && has("Duplicate value") {
        return because(Cause::VolumeNamedTwice, "give each volume a name of its own in the pod's template");
    }
    if has("azure-identity-token") {
        let fix = "rename the token volume of the pod's own: the webhook mounts azure-identity-token where it lies, and adds no volume beside another that has that token";
        return because(Cause::TokenVolumeTaken, fix);
    }
    None
}

/// The workload gave up before a cloud had answered.
pub(super) fn gave_up(seen: &Sighting<'_>, link: Link, message: &str) -> Option<Diagnosis> {
    match (link, seen.cloud) {
        (Link::Injected, Cloud::Aws) => {
            let (role, file) = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE");
            let set = [role, file].into_iter().find(|name| seen.env(name).is_some())?;
            because(Cause::VariablesInPod, seen.without_variable(set))
        }
        (Link::Injected, Cloud::Azure) => {
            if seen.env("AZURE_AUTHORITY_HOST").is_some_and(|host| !host.starts_with("https://")) {
                return because(Cause::AuthorityWithoutTls, seen.without_variable("AZURE_AUTHORITY_HOST"));
            }
            if seen.env("AZURE_CLIENT_ID").is_none_or(str::is_empty) {
                let id = seen.client_id().unwrap_or("CLIENT_ID");
                return because(Cause::ClientIdMissing, seen.annotate(&format!("{AZURE}/client-id"), id));
            }
            if seen.env("AZURE_TENANT_ID").is_none_or(str::is_empty) {
                let tenant = seen.tenant().unwrap_or("TENANT_ID");
                return because(Cause::TenantMissing, seen.annotate(&format!("{AZURE}/tenant-id"), tenant));
            }
            None
        }
        (Link::TokenProjected, cloud) => {
            let variable = match cloud {
                Cloud::Aws => "AWS_WEB_IDENTITY_TOKEN_FILE",
                Cloud::Azure => "AZURE_FEDERATED_TOKEN_FILE",
            };
            let file = seen.env(variable)?;
            if let Some(volume) = seen.volume_of(file).filter(|volume| volume.get("projected").is_none()) {
                let name = volume["name"].as_str().unwrap_or_default();
                let fix = format!(
                    "rename the volume {name} of the pod's own: the webhook leaves a volume of this name alone, and mounts it"
                );
                return because(Cause::TokenVolumeTaken, fix);
            }
            let is_old = cloud == Cloud::Azure && file.starts_with("/var/run/secrets/azure/tokens/");
            let cause = if is_old { Cause::OldTokenPath } else { Cause::TokenFilePath };
            because(cause, format!("{}: the webhook sets it", seen.without_variable(variable)))
        }
        (Link::Read, Cloud::Azure) if message.starts_with("keyvault") => {
            let url = seen.env("VAULT_URL").unwrap_or("the vault's name");
            because(Cause::VaultUnknown, format!("correct VAULT_URL in the pod's template: {url} does not resolve"))
        }
        _ => None,
    }
}
