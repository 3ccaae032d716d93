//! Azure's facts: label, identity, federated credential, and what the vault grants.

use scenario::access::{AzureAccess, PermissionModel};
use trust::Link;

use super::super::federate::{LiveCell, role};
use super::pod::Container;
use super::{Facts, or_nothing};

/// Label by which a pod asks for an identity.
const USE: &str = "azure.workload.identity/use";
const CLIENT_ID: &str = "AZURE_CLIENT_ID";
const TENANT_ID: &str = "AZURE_TENANT_ID";
pub(super) const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

pub(super) fn facts(cell: &LiveCell, container: &Container<'_>) -> Facts {
    let label = container.label(USE);
    let file = container.env(TOKEN_FILE);
    // Half of an identity is one that the webhook has seen, and no SDK can use.
    let injected = file.is_some() || container.env(TENANT_ID).is_some();
    let complete = [CLIENT_ID, TENANT_ID, TOKEN_FILE].iter().all(|name| container.env(name).is_some());
    let mut facts = Facts { opted_in: label == Some("true"), injected, complete, ..Facts::default() };
    facts.presents(Link::OptedIn, label.map(|value| format!("label {USE}: {value}")));
    facts.requires(Link::OptedIn, format!("label {USE}: true"), "pod");
    let client = or_nothing(container.env(CLIENT_ID));
    facts.presents(Link::Injected, file.filter(|_| injected).map(|file| format!("client {client}, {file}")));
    facts.requires(Link::Injected, format!("{CLIENT_ID}, {TENANT_ID}, {TOKEN_FILE}"), "admitted pod");
    let (Some(rendered), Some(names), Some(access)) =
        (&cell.rendered.azure, &cell.names.azure, &cell.cell.access.azure)
    else {
        return facts;
    };
    let source = format!("federated credential of identity {}", names.identity);
    let part = |text: Option<String>| text.unwrap_or_else(|| "nothing: there is no credential".to_owned());
    let credential = rendered.credential.as_ref();
    let issuer = credential.map(|credential| format!("issuer {}", credential.issuer));
    let audiences = credential.map(|credential| credential.audiences.iter().map(ToString::to_string));
    let audiences = audiences.map(|audiences| audiences.collect::<Vec<_>>().join(", "));
    facts.requires(Link::IssuerTrusted, part(issuer), &source);
    facts.requires(Link::SubjectAccepted, part(credential.map(|credential| credential.subject.to_string())), &source);
    facts.requires(Link::AudienceAccepted, part(audiences), &source);
    facts.presents(Link::Permitted, Some("secrets/getSecret".to_owned()));
    facts.requires(Link::Permitted, granted(access), &format!("vault {}", names.vault));
    facts
}

/// What the vault grants the identity, by its permission model.
fn granted(access: &AzureAccess) -> String {
    let model = access.vault.permission_model;
    let grant = match model {
        PermissionModel::Rbac => access.role_assignment.map(|assignment| role(assignment.role).to_string()),
        PermissionModel::AccessPolicy => {
            access.access_policy.as_ref().map(|policy| format!("secrets {}", policy.secrets.join(", ")))
        }
    };
    format!("{} ({model})", or_nothing(grant))
}
