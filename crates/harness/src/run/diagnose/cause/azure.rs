//! Links 6 and 8 to 11 in Azure: federated credential, identity, vault, secret.

use scenario::access::{PermissionModel, Principal, VaultRole};
use trust::{Audience, Cause, Denial, Link};

use super::{Diagnosis, Sighting, because};
use crate::explain::{Miss, miss, shell_word};

const CLIENT: &str = "azure.workload.identity/client-id";
const TENANT: &str = "azure.workload.identity/tenant-id";

impl Sighting<'_> {
    /// The identity's client id.
    pub(super) fn client_id(&self) -> Option<&str> {
        self.identity.map(|identity| identity.client_id.as_str())
    }

    /// The identity's tenant.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.names.azure.as_ref().map(|names| names.tenant.as_str())
    }

    /// A command that gives the identity a credential for what is presented.
    fn credential(&self, verb: &str) -> String {
        let Some(names) = &self.names.azure else { return String::new() };
        let credential = self.rendered.azure.as_ref().and_then(|azure| azure.credential.as_ref());
        let name = credential.map_or(&names.credential, |credential| &credential.name);
        let part = |text: Option<&String>, otherwise: &str| shell_word(text.map_or(otherwise, |text| text));
        let token = self.presented;
        format!(
            "az identity federated-credential {verb} --resource-group {} --identity-name {} --name {} --issuer {} --subject {} --audience {}",
            shell_word(&names.group),
            shell_word(&names.identity),
            shell_word(name),
            part(token.and_then(|token| token.iss.as_ref()), "ISSUER"),
            part(token.and_then(|token| token.sub.as_ref()), "SUBJECT"),
            Audience::AZURE_TOKEN_EXCHANGE,
        )
    }

    /// A command that gives the identity's credential what is presented.
    pub(super) fn update_credential(&self) -> String {
        self.credential("update")
    }

    /// A command that makes it a credential with one audience.
    pub(super) fn create_credential(&self) -> String {
        self.credential("create")
    }

    fn vault(&self) -> &str {
        self.names.azure.as_ref().map_or("VAULT", |names| &names.vault)
    }

    fn principal_id(&self) -> &str {
        self.identity.map_or("PRINCIPAL_ID", |identity| &identity.principal_id)
    }

    fn secret(&self) -> String {
        let name = self.scenario.azure.as_ref().map_or("SECRET", |azure| &azure.secret_name);
        format!("--vault-name {} --name {}", self.vault(), shell_word(name))
    }
}

pub(super) fn cause(seen: &Sighting<'_>, denial: &Denial) -> Option<Diagnosis> {
    match denial.link {
        Link::IssuerTrusted => issuer(seen, denial),
        Link::SubjectAccepted => subject(seen),
        Link::CredentialIssued => client(seen, denial),
        Link::Permitted => permitted(seen, denial),
        Link::Read => match denial.code.as_str() {
            "SecretDisabled" => because(
                Cause::SecretDisabled,
                format!("az keyvault secret set-attributes {} --enabled true", seen.secret()),
            ),
            _ => because(Cause::SecretMissing, format!("az keyvault secret set {} --file FILE", seen.secret())),
        },
        _ => None,
    }
}

fn issuer(seen: &Sighting<'_>, denial: &Denial) -> Option<Diagnosis> {
    if denial.code == "AADSTS70025" {
        return because(Cause::CredentialMissing, seen.create_credential());
    }
    if let Some(foreign) = seen.foreign_issuer() {
        return Some(foreign);
    }
    let issuer = seen.presented?.iss.as_deref()?;
    let trusted = seen.rendered.azure.as_ref()?.credential.as_ref()?.issuer.as_str();
    let slash = trusted.trim_end_matches('/') == issuer.trim_end_matches('/');
    because(if slash { Cause::CredentialIssuerSlash } else { Cause::CredentialIssuer }, seen.update_credential())
}

fn subject(seen: &Sighting<'_>) -> Option<Diagnosis> {
    let subject = seen.presented?.sub.as_deref()?;
    let credential = seen.rendered.azure.as_ref()?.credential.as_ref()?;
    let cause = match miss(subject, credential.subject.as_str()) {
        Some(Miss::Case) => Cause::SubjectCase,
        Some(Miss::Wildcard) => Cause::WildcardIsPlain,
        Some(Miss::Namespace) => Cause::SubjectNamespace,
        Some(Miss::Name) => Cause::SubjectAccount,
        _ if credential.subject.as_str().starts_with("system:serviceaccount:") => Cause::SubjectNamespace,
        _ => Cause::SubjectMalformed,
    };
    because(cause, seen.update_credential())
}

fn client(seen: &Sighting<'_>, denial: &Denial) -> Option<Diagnosis> {
    let tenant = seen.tenant().unwrap_or("TENANT_ID");
    let is_tenant = matches!(denial.code.as_str(), "AADSTS90002" | "AADSTS900023");
    if is_tenant || seen.env("AZURE_TENANT_ID").is_some_and(|named| !named.eq_ignore_ascii_case(tenant)) {
        return because(Cause::TenantUnknown, seen.annotate(TENANT, tenant));
    }
    let named = seen.env("AZURE_CLIENT_ID")?;
    if denial.code != "AADSTS700016" {
        return None;
    }
    if seen.annotations.get(CLIENT).is_none_or(|annotated| annotated != named) {
        return because(Cause::ClientIdInPod, seen.without_variable("AZURE_CLIENT_ID"));
    }
    let cause = if named == seen.principal_id() { Cause::PrincipalIdAsClientId } else { Cause::ClientIdUnknown };
    because(cause, seen.annotate(CLIENT, seen.client_id().unwrap_or("CLIENT_ID")))
}

fn permitted(seen: &Sighting<'_>, denial: &Denial) -> Option<Diagnosis> {
    let (vault, held) = (seen.vault(), seen.azure?);
    match denial.code.as_str() {
        "ForbiddenByFirewall" => {
            return because(
                Cause::VaultFirewall,
                format!("az keyvault network-rule add --name {vault} --ip-address ADDRESS"),
            );
        }
        "ForbiddenByConnection" => {
            let fix = format!(
                "reach the vault by a private endpoint, or: az keyvault update --name {vault} --public-network-access Enabled"
            );
            return because(Cause::VaultPrivate, fix);
        }
        _ => {}
    }
    let assign = format!(
        "az role assignment create --role 'Key Vault Secrets User' --assignee-object-id {} --assignee-principal-type ServicePrincipal --scope \"$(az keyvault show --name {vault} --query id -o tsv)\"",
        seen.principal_id()
    );
    let allow =
        format!("az keyvault set-policy --name {vault} --object-id {} --secret-permissions get", seen.principal_id());
    match (denial.code.as_str(), &held.role_assignment, &held.access_policy) {
        ("ForbiddenByRbac", None, Some(_)) => because(Cause::PermissionModel, assign),
        ("ForbiddenByRbac", None, None) => because(Cause::RoleAssignmentMissing, assign),
        ("ForbiddenByRbac", Some(role), _) if role.principal == Principal::ClientId => {
            because(Cause::RoleToClientId, assign)
        }
        ("ForbiddenByRbac", Some(role), _) if role.role == VaultRole::KeyVaultReader => {
            because(Cause::RoleWithoutValues, assign)
        }
        ("AccessDenied", Some(_), None) if held.vault.permission_model == PermissionModel::AccessPolicy => {
            because(Cause::PermissionModel, allow)
        }
        ("AccessDenied", _, None) => because(Cause::AccessPolicyMissing, allow),
        ("AccessDenied", _, Some(policy)) if policy.principal == Principal::ClientId => {
            because(Cause::AccessPolicyToClientId, allow)
        }
        ("AccessDenied", _, Some(_)) => because(Cause::AccessPolicyWithoutGet, allow),
        _ => None,
    }
}
