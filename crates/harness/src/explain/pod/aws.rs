//! What amazon-eks-pod-identity-webhook looks at and adds. It must not know Azure.

use trust::{Arn, Evidence, Link, LinkState};

use super::super::files::shell_word;
use super::super::links::{Links, compared};
use super::super::manifest::Object;
use super::super::material::Material;
use super::not_admitted;

const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
/// Pods with this label are not shown to the webhook, whatever its value.
const SKIP_LABEL: &str = "eks.amazonaws.com/skip-pod-identity-webhook";
const ROLE: &str = "AWS_ROLE_ARN";
pub(super) const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

pub(super) fn concerns(pod: Option<&Object>, account: Option<&Object>) -> bool {
    let of_account = account.is_some_and(|account| account.annotation(ROLE_ANNOTATION).is_some());
    of_account
        || pod.is_some_and(|pod| {
            pod.annotation(ROLE_ANNOTATION).is_some() || pod.env(ROLE).is_some() || pod.env(TOKEN_FILE).is_some()
        })
}

/// The role that pod or service account ask for.
pub(in super::super) fn role(material: &Material) -> Option<&str> {
    let of_pod = material.pod.as_ref().and_then(|pod| pod.env(ROLE)).map(|(_, role)| role);
    let of_account = material.account.as_ref().and_then(|account| account.annotation(ROLE_ANNOTATION));
    of_pod.filter(|role| !role.is_empty()).or(of_account)
}

pub(super) fn explain(material: &Material, links: &mut Links) {
    match &material.account {
        Some(account) => opted_in(material, account, links),
        None => links.unchecked(Link::OptedIn, "needs --service-account: the annotation is on it"),
    }
    match &material.pod {
        Some(pod) => {
            if let Some(value) = pod.label(SKIP_LABEL) {
                let evidence = compared(Link::OptedIn, false, format!("label {SKIP_LABEL}: {value}"), "no such label");
                links.found(evidence.source("pod").note("the webhook is not shown pods with this label"));
                links.hint(
                    Link::OptedIn,
                    format!("take the label {SKIP_LABEL} off the pod's template and make it anew"),
                    None,
                );
            }
            injected(material, pod, links);
        }
        None => links.unchecked(Link::Injected, "needs --pod, as `kubectl get pod NAME -o yaml` prints it"),
    }
}

fn opted_in(material: &Material, account: &Object, links: &mut Links) {
    let link = Link::OptedIn;
    let role = account.annotation(ROLE_ANNOTATION).filter(|role| !role.is_empty());
    let annotate = |role: &str| {
        let name = shell_word(account.name().unwrap_or("NAME"));
        format!(
            "kubectl annotate serviceaccount {name}{} --overwrite {ROLE_ANNOTATION}={role}",
            account.namespace_flag()
        )
    };
    let Some(role) = role else {
        let evidence = compared(link, false, "no annotation", format!("annotation {ROLE_ANNOTATION}"));
        links.found(evidence.source("service account").note("the service account asks for no role"));
        let on_pod = material.pod.as_ref().and_then(|pod| pod.annotation(ROLE_ANNOTATION));
        match on_pod {
            Some(role) => links.hint(
                link,
                "the annotation is on the pod: the webhook reads it from the service account",
                Some(annotate(&shell_word(role))),
            ),
            None => links.hint(
                link,
                "annotate the service account; pods that exist already are not changed by it",
                Some(annotate("ROLE_ARN")),
            ),
        }
        return;
    };
    links.found(Evidence::new(link, LinkState::Holds).presented(role).source("service account"));
    let is_role = role.parse::<Arn>().is_ok_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
    if !is_role {
        links.hint(
            link,
            format!(
                "`{role}` is not the ARN of a role (arn:aws:iam::ACCOUNT:role/NAME); the webhook copies it as it is"
            ),
            Some(annotate("ROLE_ARN")),
        );
    }
}

fn injected(material: &Material, pod: &Object, links: &mut Links) {
    let link = Link::Injected;
    let required = format!("{ROLE} and {TOKEN_FILE}");
    match (pod.env(ROLE), pod.env(TOKEN_FILE)) {
        (Some((container, role)), Some((_, file))) => {
            let presented = format!("{role}, {file}");
            links.found(
                Evidence::new(link, LinkState::Holds)
                    .presented(presented)
                    .source(format!("pod, container {container}")),
            );
            let annotated = material.account.as_ref().and_then(|account| account.annotation(ROLE_ANNOTATION));
            if let Some(annotated) = annotated.filter(|annotated| *annotated != role) {
                links.hint(
                    link,
                    format!("the pod has role {role}, and the service account now says {annotated}: a pod keeps what it was admitted with"),
                    Some(pod.replace()),
                );
            }
        }
        (None, None) if !pod.is_stored() => not_admitted(links),
        (role, file) => {
            let presented = role
                .map(|_| ROLE)
                .or(file.map(|_| TOKEN_FILE))
                .map_or_else(|| "neither".to_owned(), |one| format!("{one} alone"));
            let is_partial = role.is_some() || file.is_some();
            let evidence = compared(link, false, presented, required).source("pod");
            if is_partial {
                links.found(evidence.note("one of the two was set by hand, and then the webhook adds neither"));
                links.hint(link, "take the variable out of the pod's spec, or set both", None);
            } else {
                links.found(evidence.note("the pod was admitted, and nothing was put into it"));
                links.hint(
                    link,
                    "the webhook adds it when a pod is created: it was not there then, or the annotation came later; its failurePolicy is Ignore",
                    Some(pod.replace()),
                );
            }
        }
    }
}
