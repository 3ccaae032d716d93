//! A cloud refused a call of the provisioning: what was wrong with what it was given.

use trust::Cause;

use super::{Diagnosis, Sighting, because};

/// Federated credentials that an identity may have (Microsoft Entra, "Important considerations and restrictions").
const MOST_CREDENTIALS: usize = 20;
/// Characters of a credential's name (Azure Resource Manager, "Naming rules").
const NAME: std::ops::RangeInclusive<usize> = 3..=120;

pub(super) fn refused(seen: &Sighting<'_>, resource: &str, message: &str) -> Option<Diagnosis> {
    let has = |part: &str| message.contains(part);
    let provider = seen.provider_arn();
    if resource.contains("federated credential") {
        return credential(seen, resource);
    }
    if has("Federated principals") {
        return because(
            Cause::TrustPolicyPrincipal,
            format!("write the provider's ARN as Principal.Federated: {provider}"),
        );
    }
    if has("prohibited field") {
        let field = message.rsplit(' ').next().unwrap_or_default();
        return because(Cause::TrustPolicyMalformed, format!("take {field} out of the trust policy"));
    }
    if has("must be in ARN format") {
        return because(Cause::PolicyResourceMalformed, "write the policy's resource as arn:aws:s3:::BUCKET/*");
    }
    if resource.starts_with("CreateOpenIDConnectProvider") && has("already exists") {
        let fix = format!(
            "use the one that is there: aws iam get-open-id-connect-provider --open-id-connect-provider-arn {provider}"
        );
        return because(Cause::ProviderExists, fix);
    }
    if resource.starts_with("DeleteRole") && has("must detach all policies") {
        let held = seen.rendered.aws.as_ref()?;
        let role = &seen.names.aws.as_ref()?.role;
        return because(
            Cause::RoleHasPolicies,
            format!("aws iam detach-role-policy --role-name {role} --policy-arn {}", held.policy_arn),
        );
    }
    None
}

/// Azure documents what it refuses and not in which words: what was given is looked at.
fn credential(seen: &Sighting<'_>, resource: &str) -> Option<Diagnosis> {
    let (held, names) = (seen.rendered.azure.as_ref()?, seen.names.azure.as_ref()?);
    let all: Vec<_> = held.credential.iter().chain(&held.more).collect();
    let named = |name: &str| resource.split(' ').any(|word| word == name);
    let (at, refused) = all.iter().enumerate().find(|(_, one)| named(&one.name))?;
    let of_identity = format!("--identity-name {} --resource-group {}", names.identity, names.group);
    if refused.audiences.len() != 1 {
        return because(
            Cause::CredentialAudiences,
            format!("create it with one audience: {}", seen.create_credential()),
        );
    }
    let is_plain = refused.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !NAME.contains(&refused.name.len())
        || !is_plain
        || !refused.name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        let fix =
            "give it a name of 3 to 120 letters, digits, hyphens and underscores that begins with a letter or digit";
        return because(Cause::CredentialName, fix);
    }
    let is_same = |one: &&&super::super::super::render::Credential| {
        one.issuer == refused.issuer && one.subject == refused.subject
    };
    if all.iter().take(at).any(|one| is_same(&one)) {
        let fix = format!("use the one that is there: az identity federated-credential list {of_identity}");
        return because(Cause::CredentialDuplicate, fix);
    }
    if at >= MOST_CREDENTIALS {
        let fix = format!(
            "az identity federated-credential delete {of_identity} --name NAME of one that is not needed, or use another identity"
        );
        return because(Cause::CredentialsTooMany, fix);
    }
    None
}
