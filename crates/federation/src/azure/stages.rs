//! What can be done at the same time, and what must wait. Pure.

use std::collections::BTreeMap;

use super::desired::Desired;
use super::undo::Undo;

/// Sorts into rounds: what stands in one round can be created at the same time, once the rounds before it stand.
///
/// Azure takes one write at a time to the federated credentials of an identity, and to the access policies of a vault:
/// of these, each round has one an owner.
pub fn stages(desired: Vec<Desired>) -> Vec<Vec<Desired>> {
    let mut rounds: Vec<Vec<Desired>> = Vec::new();
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    let levels: Vec<usize> = desired.iter().map(|one| level(one, &desired)).collect();
    for (one, level) in desired.into_iter().zip(levels) {
        let at = match writes_to(&one) {
            Some(owner) => {
                let free = next.entry(owner).or_default();
                let at = level.max(*free);
                *free = at + 1;
                at
            }
            None => level,
        };
        if rounds.len() <= at {
            rounds.resize_with(at + 1, Vec::new);
        }
        rounds[at].push(one);
    }
    rounds.retain(|round| !round.is_empty());
    rounds
}

/// How many rounds must stand before. Needs go one way (group; vault, identity or storage account; container or role; the rest), so this ends.
fn level(one: &Desired, all: &[Desired]) -> usize {
    all.iter().filter(|other| needs(one, other)).map(|other| 1 + level(other, all)).max().unwrap_or(0)
}

/// True if `other` must stand before `one` can be made.
fn needs(one: &Desired, other: &Desired) -> bool {
    let principal = match one {
        Desired::RoleAssignment { principal, .. }
        | Desired::AccessPolicy { principal, .. }
        | Desired::StorageRole { principal, .. } => principal.identity(),
        _ => None,
    };
    match (one, other) {
        (
            Desired::Vault { group, .. } | Desired::Identity { group, .. } | Desired::StorageAccount { group, .. },
            Desired::ResourceGroup { name },
        ) => group == name,
        (
            Desired::Secret { group, vault, .. }
            | Desired::RoleAssignment { group, vault, .. }
            | Desired::AccessPolicy { group, vault, .. },
            Desired::Vault { group: other, name, .. },
        ) => (group, vault) == (other, name),
        (Desired::FederatedCredential { group, identity, .. }, Desired::Identity { group: other, name }) => {
            (group, identity) == (other, name)
        }
        (
            Desired::Container { group, account, .. } | Desired::StorageRole { group, account, .. },
            Desired::StorageAccount { group: other, name },
        ) => (group, account) == (other, name),
        (Desired::Blob { account, container, .. }, Desired::Container { account: other, name, .. }) => {
            (account, container) == (other, name)
        }
        // Any role on the account: it may be the writer's.
        (Desired::Blob { account, .. }, Desired::StorageRole { account: other, .. }) => account == other,
        (_, Desired::Identity { group, name }) => principal == Some((group, name)),
        _ => false,
    }
}

fn writes_to(one: &Desired) -> Option<String> {
    match one {
        Desired::FederatedCredential { group, identity, .. } => Some(format!("identity {group}/{identity}")),
        Desired::AccessPolicy { group, vault, .. } => Some(format!("vault {group}/{vault}")),
        _ => None,
    }
}

/// Sorts entries of a journal into rounds to take back: what stands in one round can be taken back at the same time,
/// once the rounds before it are gone.
pub fn undo_stages<T>(entries: Vec<T>, undo: impl Fn(&T) -> &Undo) -> Vec<Vec<T>> {
    // What owns nothing, one write an owner; then the owners; then the groups.
    let (mut parts, mut owners, mut groups): (Vec<Vec<T>>, Vec<T>, Vec<T>) = (Vec::new(), Vec::new(), Vec::new());
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        let owner = match undo(&entry) {
            Undo::ResourceGroup { .. } => {
                groups.push(entry);
                continue;
            }
            Undo::Vault { .. } | Undo::Identity { .. } | Undo::StorageAccount { .. } => {
                owners.push(entry);
                continue;
            }
            Undo::FederatedCredential { group, identity, .. } => Some(format!("identity {group}/{identity}")),
            Undo::AccessPolicy { group, vault, .. } => Some(format!("vault {group}/{vault}")),
            Undo::Secret { .. }
            | Undo::RoleAssignment { .. }
            | Undo::Container { .. }
            | Undo::StorageRole { .. }
            | Undo::Blob { .. } => None,
        };
        let at = owner.map_or(0, |owner| {
            let free = next.entry(owner).or_default();
            *free += 1;
            *free - 1
        });
        if parts.len() <= at {
            parts.resize_with(at + 1, Vec::new);
        }
        parts[at].push(entry);
    }
    parts.extend([owners, groups]);
    parts.retain(|round| !round.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::super::desired::tests::{
        account, blob, container, credential, group, identity, of, policy, role, secret, vault, writer,
    };
    use super::*;

    fn shown<T>(rounds: Vec<Vec<T>>, label: impl Fn(&T) -> String) -> String {
        let round = |round: &Vec<T>| round.iter().map(&label).collect::<Vec<_>>().join(", ");
        rounds.iter().map(round).collect::<Vec<_>>().join(" | ")
    }

    fn created(desired: Vec<Desired>) -> String {
        shown(stages(desired), Desired::label)
    }

    #[test]
    fn only_what_needs_something_of_the_list_waits() {
        let check = |desired: Vec<Desired>, expected: &str| assert_eq!(created(desired), expected);
        check(vec![], "");
        check(vec![secret("v", "s", "x")], "secret v/s");
        check(
            vec![
                role("v", of("i")),
                secret("v", "s", "x"),
                credential("i", "f", "a", &[]),
                identity("i"),
                vault("v"),
                group("g"),
            ],
            "resource group g | identity i, vault v | role Key Vault Secrets User of identity i on vault v, secret v/s, federated credential f of identity i",
        );
        check(vec![identity("i"), group("elsewhere")], "identity i, resource group elsewhere");
        check(
            vec![blob("a", "c", "b"), writer("a"), container("a", "c"), account("a"), group("g")],
            "resource group g | storage account a | role Storage Blob Data Contributor of principal p on storage account a, container a/c | blob a/c/b",
        );
        check(
            vec![blob("a", "c", "b"), container("a", "d"), writer("b")],
            "blob a/c/b, container a/d, role Storage Blob Data Contributor of principal p on storage account b",
        );
        check(
            vec![role("v", of("i")), identity("i")],
            "identity i | role Key Vault Secrets User of identity i on vault v",
        );
    }

    #[test]
    fn an_owner_is_written_to_once_a_round() {
        let check = |desired: Vec<Desired>, expected: &str| assert_eq!(created(desired), expected);
        check(
            vec![
                credential("i", "f1", "a", &[]),
                credential("i", "f2", "b", &[]),
                credential("j", "f3", "a", &[]),
                identity("i"),
            ],
            "federated credential f3 of identity j, identity i | federated credential f1 of identity i | federated credential f2 of identity i",
        );
        check(
            vec![policy("v", of("i")), policy("v", of("j"))],
            "access policy of identity i on vault v | access policy of identity j on vault v",
        );
    }

    #[test]
    fn what_is_in_something_goes_before_it() {
        let desired = [
            group("g"),
            vault("v"),
            secret("v", "s", "x"),
            identity("i"),
            credential("i", "f1", "a", &[]),
            credential("i", "f2", "b", &[]),
            policy("v", of("i")),
            account("a"),
            container("a", "c"),
            blob("a", "c", "b"),
        ];
        let undos: Vec<Undo> = desired.iter().map(|one| one.undo("s", "l")).collect();
        assert_eq!(
            shown(undo_stages(undos, |undo| undo), Undo::resource),
            "secret v/s, federated credential f1 of identity i, access policy of identity i on vault v, container a/c, blob a/c/b | federated credential f2 of identity i | vault v, identity i, storage account a | resource group g"
        );
    }
}
