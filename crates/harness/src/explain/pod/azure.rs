//! What azure-workload-identity's webhook looks at and adds. It must not know AWS.

use trust::{Evidence, Link, LinkState};

use super::super::files::shell_word;
use super::super::links::{Links, compared};
use super::super::manifest::Object;
use super::super::material::Material;
use super::not_admitted;

const USE: &str = "azure.workload.identity/use";
const CLIENT_ANNOTATION: &str = "azure.workload.identity/client-id";
const CLIENT: &str = "AZURE_CLIENT_ID";
const TENANT: &str = "AZURE_TENANT_ID";
pub(super) const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
/// Where v1.5 and before mount the token; v1.6 mounts it elsewhere.
const OLD_FOLDER: &str = "/var/run/secrets/azure/tokens";
const NEW_FILE: &str = "/var/run/secrets/azure/wi/token/azure-identity-token";

pub(super) fn concerns(pod: Option<&Object>, account: Option<&Object>) -> bool {
    let asks = |object: &Object| object.label(USE).is_some() || object.annotation(CLIENT_ANNOTATION).is_some();
    account.is_some_and(asks) || pod.is_some_and(|pod| asks(pod) || pod.env(TOKEN_FILE).is_some())
}

pub(super) fn explain(material: &Material, links: &mut Links) {
    match &material.pod {
        Some(pod) => {
            opted_in(material, pod, links);
            injected(pod, links);
            old_path(pod, links);
        }
        None => {
            links.unchecked(Link::OptedIn, format!("needs --pod: the label {USE} is on it"));
            links.unchecked(Link::Injected, "needs --pod, as `kubectl get pod NAME -o yaml` prints it");
        }
    }
    if let Some(account) = &material.account {
        client(material, account, links);
    }
    if let (Some(identity), Some((container, client))) =
        (&material.identity, material.pod.as_ref().and_then(|pod| pod.env(CLIENT)))
        && !client.is_empty()
        && client != identity.client_id
    {
        let evidence = compared(Link::Injected, false, client, &identity.client_id);
        links.found(evidence.source(format!("pod, container {container}")).note("the pod names another client"));
    }
}

fn opted_in(material: &Material, pod: &Object, links: &mut Links) {
    let link = Link::OptedIn;
    match pod.label(USE) {
        Some("true") => {
            links.found(Evidence::new(link, LinkState::Holds).presented(format!("label {USE}: true")).source("pod"));
        }
        other => {
            let presented = other.map_or_else(|| "no label".to_owned(), |value| format!("label {USE}: {value}"));
            let evidence = compared(link, false, presented, format!("label {USE}: true")).source("pod");
            links.found(evidence.note("the webhook is shown only pods with the label"));
            let on_account = material.account.as_ref().is_some_and(|account| account.label(USE).is_some());
            let what = if on_account {
                "the label is on the service account: since v1.0 the webhook looks at the pod's alone"
            } else {
                "the label is compared exactly and is read when the pod is created"
            };
            links.hint(link, what, Some(pod.add_label(USE, "true")));
        }
    }
}

/// The client id is an annotation of the service account; without it the webhook leaves AZURE_CLIENT_ID out.
fn client(material: &Material, account: &Object, links: &mut Links) {
    let link = Link::OptedIn;
    let id = material.identity.as_ref().map_or("CLIENT_ID", |identity| &identity.client_id);
    let name = shell_word(account.name().unwrap_or("NAME"));
    let namespace = account.namespace_flag();
    let annotate = format!("kubectl annotate serviceaccount {name}{namespace} --overwrite {CLIENT_ANNOTATION}={id}");
    let annotated = account.annotation(CLIENT_ANNOTATION).filter(|client| !client.is_empty());
    let by_hand = material.pod.as_ref().is_some_and(|pod| pod.env(CLIENT).is_some());
    match (annotated, &material.identity) {
        (None, _) if by_hand => {}
        (None, _) => {
            let evidence = compared(link, false, "no annotation", format!("annotation {CLIENT_ANNOTATION}"));
            let note = "AZURE_CLIENT_ID is left out: only a program that names its client id itself gets in";
            links.found(evidence.source("service account").note(note));
            links.hint(link, "annotate the service account, and make the pod anew", Some(annotate));
        }
        (Some(client), Some(identity)) if client != identity.client_id => {
            let evidence = compared(link, false, client, &identity.client_id).source("service account and identity");
            links.found(evidence.note("the service account names another client"));
            let what = if client == identity.principal_id {
                "the principal id stands in place of the client id"
            } else {
                "the client id is that of another identity"
            };
            links.hint(link, what, Some(annotate));
        }
        _ => {}
    }
}

fn injected(pod: &Object, links: &mut Links) {
    let link = Link::Injected;
    match (pod.env(TOKEN_FILE), pod.env(TENANT)) {
        (Some((container, file)), Some(_)) => {
            let client = pod.env(CLIENT).map_or("no client id", |(_, client)| client);
            let evidence = Evidence::new(link, LinkState::Holds).presented(format!("client {client}, {file}"));
            links.found(evidence.source(format!("pod, container {container}")));
        }
        _ if !pod.is_stored() => not_admitted(links),
        (file, _) => {
            let presented = if file.is_some() { format!("{TOKEN_FILE} alone") } else { "nothing".to_owned() };
            let evidence = compared(link, false, presented, format!("{TENANT} and {TOKEN_FILE}")).source("pod");
            links.found(evidence.note("the pod was admitted, and its identity is not there"));
            links.hint(
                link,
                "the webhook adds it when a pod with the label is created: it was not there then, or the label came later",
                Some(pod.replace()),
            );
        }
    }
}

/// The token's path is not a promise: v1.6 moved it.
fn old_path(pod: &Object, links: &mut Links) {
    let by_webhook = pod
        .env(TOKEN_FILE)
        .is_some_and(|(container, file)| file.starts_with(OLD_FOLDER) && pod.projection(container, file).is_some());
    if !by_webhook && pod.mentions(OLD_FOLDER) {
        links.hint(
            Link::TokenProjected,
            format!(
                "the path of webhook v1.5 ({OLD_FOLDER}) is hard-coded: v1.6 mounts the token at {NEW_FILE}; read {TOKEN_FILE} instead"
            ),
            Some(format!("kubectl exec {}{} -- printenv {TOKEN_FILE}", shell_word(pod.name().unwrap_or("POD")), pod.namespace_flag())),
        );
    }
}
