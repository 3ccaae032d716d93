//! Links 1 and 2 and the token's place: what pod and service account say, and what the webhook put into the pod.
//!
//! Names and rules are those of amazon-eks-pod-identity-webhook and azure-workload-identity. It must not know who trusts the token.

mod aws;
mod azure;

use scenario::Cloud;
use trust::Link;

use super::links::{Links, compared};
use super::manifest::{Object, Projection};
use super::material::Material;

pub(super) use aws::role;

/// Whether pod or service account name a cloud.
pub(super) fn concerns(material: &Material, cloud: Cloud) -> bool {
    let (pod, account) = (material.pod.as_ref(), material.account.as_ref());
    match cloud {
        Cloud::Aws => aws::concerns(pod, account),
        Cloud::Azure => azure::concerns(pod, account),
    }
}

/// The token that the pod's variable for a cloud points at.
pub(super) fn projection(pod: &Object, cloud: Cloud) -> Option<Projection> {
    let (container, file) = pod.env(token_file(cloud))?;
    pod.projection(container, file)
}

fn token_file(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => aws::TOKEN_FILE,
        Cloud::Azure => azure::TOKEN_FILE,
    }
}

/// Explains pod and service account.
pub(super) fn explain(material: &Material, cloud: Cloud, links: &mut Links) {
    runs_as(material, links);
    match cloud {
        Cloud::Aws => aws::explain(material, links),
        Cloud::Azure => azure::explain(material, links),
    }
    if let Some(pod) = &material.pod {
        token_place(pod, cloud, links);
    }
}

/// Whether the pod runs as the service account that was given, and the token is that account's.
fn runs_as(material: &Material, links: &mut Links) {
    let (Some(pod), Some(account)) = (&material.pod, &material.account) else {
        return;
    };
    let (runs_as, name) = (pod.service_account(), account.name().unwrap_or_default());
    if runs_as != name {
        let evidence = compared(Link::OptedIn, false, runs_as, name).source("pod and service account");
        links.found(evidence.note("the pod runs as another service account"));
        links.hint(Link::OptedIn, format!("set serviceAccountName: {name} in the pod's spec"), None);
    }
    if let (Some(of_pod), Some(of_account)) = (pod.namespace(), account.namespace())
        && of_pod != of_account
    {
        let evidence = compared(Link::OptedIn, false, of_pod, of_account).source("pod and service account");
        links.found(evidence.note("pod and service account are in different namespaces"));
    }
}

/// Says of a manifest that the webhook has not seen it.
fn not_admitted(links: &mut Links) {
    let why = "the pod is not admitted: what the webhook would add is not there; give what `kubectl get pod NAME -o yaml` prints";
    links.unchecked(Link::Injected, why);
}

/// Whether something lies where the variable points.
fn token_place(pod: &Object, cloud: Cloud, links: &mut Links) {
    let variable = token_file(cloud);
    let Some((container, file)) = pod.env(variable) else { return };
    if file.is_empty() || pod.mounts_at(container, file) {
        return;
    }
    let required = format!("a mount that holds {file}");
    let evidence = compared(Link::TokenProjected, false, "nothing is mounted there", required);
    links.found(evidence.source(format!("pod, container {container}")).note(format!("{variable} points at no file")));
    if cloud == Cloud::Aws {
        links.hint(
            Link::TokenProjected,
            format!("{variable} was set by hand: the webhook then adds neither it nor AWS_ROLE_ARN; take both out of the pod's spec"),
            Some(pod.replace()),
        );
    }
}
