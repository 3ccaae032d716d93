//! What Azure would refuse anyway, found before anything is created. The rules are Azure's own; each names its source.

use std::collections::BTreeSet;

use super::desired::Desired;

/// Largest value of a secret (Azure Key Vault, "About secrets").
const SECRET_BYTES: usize = 25 * 1024;
/// Most federated credentials of one identity, and longest issuer, subject and audience (Microsoft Entra, "Important
/// considerations and restrictions for federated identity credentials").
const CREDENTIALS: usize = 20;
const CLAIM: usize = 600;

/// Something that Azure would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{resource}: {problem}")]
pub struct Invalid {
    /// What.
    pub resource: String,
    /// Why, and what would be right.
    pub problem: String,
}

/// Checks all that can be told without asking: names, sizes, counts.
///
/// # Errors
/// The first thing that Azure would refuse.
pub fn validate(desired: &[Desired]) -> Result<(), Invalid> {
    let mut trusted = BTreeSet::new();
    for one in desired {
        let invalid = |problem: String| Err(Invalid { resource: one.label(), problem });
        if let Some(problem) = problem(one) {
            return invalid(problem);
        }
        if let Desired::FederatedCredential { group, identity, issuer, subject, .. } = one {
            if !trusted.insert((group, identity, issuer.as_str(), subject)) {
                return invalid(format!(
                    "the identity trusts issuer {issuer} and subject {subject} already; Azure takes a pair once"
                ));
            }
            if trusted.iter().filter(|(g, i, ..)| (*g, *i) == (group, identity)).count() > CREDENTIALS {
                return invalid(format!("an identity has at most {CREDENTIALS} federated credentials"));
            }
        }
    }
    Ok(())
}

fn problem(one: &Desired) -> Option<String> {
    match one {
        Desired::ResourceGroup { name } => (!is_group(name))
            .then(|| "a resource group's name has 1 to 90 letters, digits, `-`, `_`, `.`, `(` and `)`, and does not end with `.`".to_owned()),
        Desired::Vault { name, .. } => (!is_vault(name)).then(|| {
            format!("a vault's name has 3 to 24 letters, digits and single `-`, begins with a letter and ends with a letter or digit; this one has {}", name.len())
        }),
        Desired::Secret { name, value, .. } => match value.expose().len() {
            size if size > SECRET_BYTES => Some(format!("its value has {size} bytes, and Key Vault takes {SECRET_BYTES} at most")),
            _ => (!is_name(name, 1..=127, "-", false)).then(|| "a secret's name has 1 to 127 letters, digits and `-`".to_owned()),
        },
        Desired::Identity { name, .. } => (!is_name(name, 3..=128, "-_", true))
            .then(|| "an identity's name has 3 to 128 letters, digits, `-` and `_`, and begins with a letter or digit".to_owned()),
        Desired::FederatedCredential { name, issuer, subject, audiences, .. } => {
            let long = [("issuer", issuer.as_str()), ("subject", subject.as_str())].into_iter();
            let long = long.chain(audiences.iter().map(|audience| ("audience", audience.as_str()))).find(|(_, text)| text.chars().count() > CLAIM);
            if let Some((what, text)) = long {
                return Some(format!("its {what} has {} characters, and Azure takes {CLAIM} at most", text.chars().count()));
            }
            if audiences.len() != 1 {
                return Some(format!("it has {} audiences, and Azure takes exactly one", audiences.len()));
            }
            (!is_name(name, 3..=120, "-_", true))
                .then(|| "a federated credential's name has 3 to 120 letters, digits, `-` and `_`, and begins with a letter or digit".to_owned())
        }
        Desired::RoleAssignment { .. } => None,
        Desired::StorageAccount { name, .. } => account_problem(name),
        Desired::Container { account, name, .. } => account_problem(account).or_else(|| container_problem(name)),
        Desired::StorageRole { account, .. } => account_problem(account),
        Desired::Blob { account, container, name, content_type, .. } => account_problem(account)
            .or_else(|| container_problem(container))
            .or_else(|| blob_problem(name))
            .or_else(|| {
                let is_type = content_type.contains('/') && content_type.chars().all(|c| c == ' ' || c.is_ascii_graphic());
                (!is_type).then(|| format!("`{content_type}` is no content type"))
            }),
        Desired::AccessPolicy { secrets, .. } => secrets.is_empty().then(|| "it permits nothing".to_owned()),
    }
}

/// Azure Resource Manager, "Naming rules and restrictions for Azure resources".
fn is_name(name: &str, length: std::ops::RangeInclusive<usize>, marks: &str, plain_first: bool) -> bool {
    length.contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
        && (!plain_first || name.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

fn account_problem(name: &str) -> Option<String> {
    let is_account =
        (3..=24).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (!is_account).then(|| {
        format!(
            "a storage account's name has 3 to 24 lower-case letters and digits; `{name}` has {} characters",
            name.chars().count()
        )
    })
}

fn container_problem(name: &str) -> Option<String> {
    let is_container = is_name(name, 3..=63, "-", true)
        && !name.bytes().any(|b| b.is_ascii_uppercase())
        && !name.ends_with('-')
        && !name.contains("--");
    (!is_container).then(|| {
        "a container's name has 3 to 63 lower-case letters, digits and single `-`, and begins and ends with a letter or digit"
            .to_owned()
    })
}

/// Storage REST reference, "Naming and referencing containers, blobs, and metadata". Parts that are empty or dots are
/// changed on the way, by clients if not by the service.
fn blob_problem(name: &str) -> Option<String> {
    let is_blob = (1..=1024).contains(&name.chars().count())
        && !name.ends_with('.')
        && !name.split('/').any(|part| matches!(part, "" | "." | ".."));
    (!is_blob).then(|| {
        "a blob's name has 1 to 1024 characters, does not end with `.`, and has no empty part and no `.` or `..` between its slashes"
            .to_owned()
    })
}

fn is_group(name: &str) -> bool {
    is_name(name, 1..=90, "-_.()", false) && !name.ends_with('.')
}

fn is_vault(name: &str) -> bool {
    is_name(name, 3..=24, "-", true)
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('-')
        && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use super::super::desired::tests::{account, blob, container, credential, group, identity, secret, vault, writer};
    use super::*;

    const AUDIENCE: &[&str] = &["api://AzureADTokenExchange"];

    #[test]
    fn what_azure_would_refuse_is_found_beforehand() {
        let check = |desired: Desired, expected: &str| {
            let told = validate(&[desired]).err().map(|invalid| invalid.to_string()).unwrap_or_default();
            assert!(if expected.is_empty() { told.is_empty() } else { told.contains(expected) }, "{told}");
        };
        check(group("rg-(x)_1.a"), "");
        check(group("rg."), "does not end with `.`");
        check(group(""), "1 to 90");
        check(vault("cf-r1"), "");
        check(vault(&format!("v{}", "1".repeat(23))), "");
        check(vault(&format!("v{}", "1".repeat(24))), "this one has 25");
        check(vault("1cf"), "begins with a letter");
        check(vault("cf-"), "ends with a letter or digit");
        check(vault("c--f"), "single `-`");
        check(vault("cf_1"), "letters, digits and single `-`");
        check(secret("v", "test-file", &"x".repeat(25 * 1024)), "");
        check(
            secret("v", "test-file", &"é".repeat(13 * 1024)),
            "its value has 26624 bytes, and Key Vault takes 25600 at most",
        );
        check(secret("v", "test_file", "x"), "letters, digits and `-`");
        check(identity("id"), "3 to 128");
        check(identity("-id"), "begins with");
        check(credential("i", "fic", "s", AUDIENCE), "");
        check(credential("i", "fic", "s", &[]), "it has 0 audiences, and Azure takes exactly one");
        check(credential("i", "fic", "s", &["a", "b"]), "it has 2 audiences");
        check(credential("i", "fic", &"s".repeat(601), AUDIENCE), "its subject has 601 characters");
        check(credential("i", "f.c", "s", AUDIENCE), "3 to 120");
        check(account("oidc1"), "");
        check(account("oi"), "`oi` has 2 characters");
        check(account("oidc-1"), "lower-case letters and digits");
        check(account("Oidc"), "lower-case letters and digits");
        check(account(&"a".repeat(25)), "3 to 24");
        check(writer("oidc_1"), "3 to 24");
        check(container("oidc1", "oidc-1"), "");
        check(container("oidc1", "oidc--1"), "single `-`");
        check(container("oidc1", "Oidc"), "lower-case");
        check(container("evil.example#", "oidc"), "a storage account's name");
        check(blob("oidc1", "oidc", ".well-known/openid-configuration"), "");
        check(blob("oidc1", "oidc", ""), "1 to 1024");
        check(blob("oidc1", "oidc", "../x"), "`.` or `..`");
        check(blob("oidc1", "oidc", "a//b"), "no empty part");
        check(blob("oidc1", "oidc", "a."), "end with `.`");
        check(blob("oidc1", "oi", "a"), "a container's name");
    }

    #[test]
    fn an_identity_trusts_a_pair_once_and_twenty_in_all() {
        let check = |desired: Vec<Desired>, expected: Option<&str>| {
            let told = validate(&desired).err().map(|invalid| invalid.problem);
            assert_eq!(told.as_deref(), expected);
        };
        let many =
            |count: usize| (0..count).map(|at| credential("i", "fic", &format!("s{at}"), AUDIENCE)).collect::<Vec<_>>();
        check(many(20), None);
        check(many(21), Some("an identity has at most 20 federated credentials"));
        check(vec![credential("i", "fic", "s", AUDIENCE), credential("j", "fic", "s", AUDIENCE)], None);
        check(vec![credential("i", "fic", "s", AUDIENCE), credential("i", "fic", "S", AUDIENCE)], None);
        check(
            vec![credential("i", "fi1", "s", AUDIENCE), credential("i", "fi2", "s", AUDIENCE)],
            Some(
                "the identity trusts issuer https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF and subject s already; Azure takes a pair once",
            ),
        );
    }
}
