//! What can be done at the same time, and what must wait. Pure.

use super::desired::Desired;
use super::undo::Undo;

/// Sorts into rounds: what stands in one round can be created at the same time, once the rounds before it stand.
pub fn stages(desired: Vec<Desired>) -> Vec<Vec<Desired>> {
    // Nothing that something else needs has needs of its own, so there are two rounds at most.
    let waits: Vec<bool> = desired.iter().map(|one| desired.iter().any(|other| needs(one, other))).collect();
    let mut rounds = vec![Vec::new(), Vec::new()];
    for (one, waits) in desired.into_iter().zip(waits) {
        rounds[usize::from(waits)].push(one);
    }
    rounds.retain(|round| !round.is_empty());
    rounds
}

/// True if `other` must stand before `one` can be made.
fn needs(one: &Desired, other: &Desired) -> bool {
    match (one, other) {
        (Desired::Object { bucket, .. }, Desired::Bucket { name } | Desired::PublicBucket { name }) => bucket == name,
        (Desired::Attachment { role, .. }, Desired::Role { name, .. }) => role == name,
        (Desired::Attachment { policy_arn, .. }, Desired::Policy { name, .. }) => {
            policy_arn.rsplit('/').next() == Some(name.as_str())
        }
        _ => false,
    }
}

/// Sorts entries of a journal into rounds to take back: what stands in one round can be taken back at the same time,
/// once the rounds before it are gone. Within a round the order stays.
pub fn undo_stages<T>(entries: Vec<T>, undo: impl Fn(&T) -> &Undo) -> Vec<Vec<T>> {
    let (parts, owners): (Vec<T>, Vec<T>) = entries.into_iter().partition(|entry| match undo(entry) {
        Undo::Object { .. } | Undo::Attachment { .. } => true,
        Undo::Bucket { .. } | Undo::OidcProvider { .. } | Undo::Policy { .. } | Undo::Role { .. } => false,
    });
    [parts, owners].into_iter().filter(|round| !round.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::desired::tests::{attachment, bucket, object, policy, provider, public_bucket, role};
    use super::*;

    fn shown<T>(rounds: Vec<Vec<T>>, label: impl Fn(&T) -> String) -> String {
        let round = |round: &Vec<T>| round.iter().map(&label).collect::<Vec<_>>().join(", ");
        rounds.iter().map(round).collect::<Vec<_>>().join(" | ").replace("arn:aws:iam::123456789012:policy/", "")
    }

    #[test]
    fn only_what_needs_something_of_the_list_waits() {
        let check = |desired: Vec<Desired>, expected: &str| {
            assert_eq!(shown(stages(desired), Desired::label), expected);
        };
        check(vec![], "");
        check(vec![role("r")], "role r");
        check(
            vec![attachment("r", "p"), object("b", "k"), bucket("b"), policy("p"), role("r"), provider()],
            "bucket b, policy p, role r, OIDC provider for https://westeurope.oic.prod-aks.azure.com/t/g/ | policy p on role r, object b/k",
        );
        check(vec![object("o", "k"), public_bucket("o")], "public bucket o | object o/k");
        check(vec![object("elsewhere", "k"), bucket("b")], "object elsewhere/k, bucket b");
        check(vec![attachment("r", "ReadOnlyAccess"), role("r")], "role r | policy ReadOnlyAccess on role r");
        check(vec![attachment("other", "p"), policy("p")], "policy p | policy p on role other");
    }

    #[test]
    fn what_is_in_something_goes_before_it() {
        let account = "123456789012".parse().expect("account must parse");
        let check = |desired: &[Desired], expected: &str| {
            let undos: Vec<Undo> = desired.iter().map(|one| one.undo(&account, "eu-central-1")).collect();
            assert_eq!(shown(undo_stages(undos, |undo| undo), Undo::resource), expected);
        };
        check(&[], "");
        check(&[role("r")], "role r");
        check(
            &[bucket("b"), object("b", "k"), policy("p"), attachment("r", "p"), role("r"), object("b", "l")],
            "object b/k, policy p on role r, object b/l | bucket b, policy p, role r",
        );
    }
}
