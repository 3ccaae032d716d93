//! What can be done at the same time, and what must wait. Pure.

use super::desired::Desired;
use super::undo::Undo;

/// Sorts into rounds: what stands in one round can be created at the same time, once the rounds before it stand.
pub fn stages(desired: Vec<Desired>) -> Vec<Vec<Desired>> {
    let levels: Vec<usize> = desired.iter().map(|one| level(one, &desired)).collect();
    let mut rounds: Vec<Vec<Desired>> = Vec::new();
    for (one, level) in desired.into_iter().zip(levels) {
        rounds.resize_with(rounds.len().max(level + 1), Vec::new);
        rounds[level].push(one);
    }
    rounds
}

/// How many rounds must come before. What is needed never needs what needs it, so this ends.
fn level(one: &Desired, all: &[Desired]) -> usize {
    all.iter().filter(|other| needs(one, other)).map(|other| level(other, all) + 1).max().unwrap_or_default()
}

/// True if `other` must stand before `one` can be made.
fn needs(one: &Desired, other: &Desired) -> bool {
    let is_policy = |arn: &str, name: &str| arn.rsplit('/').next() == Some(name);
    match (one, other) {
        (
            Desired::Object { bucket, .. } | Desired::BucketPolicy { bucket, .. },
            Desired::Bucket { name } | Desired::PublicBucket { name },
        ) => bucket == name,
        // Its principals are looked up when it is put.
        (Desired::BucketPolicy { document, .. }, Desired::Role { name, .. }) => document.contains(name.as_str()),
        (Desired::Attachment { role, .. } | Desired::InlinePolicy { role, .. }, Desired::Role { name, .. }) => {
            role == name
        }
        (Desired::Attachment { policy_arn: arn, .. } | Desired::Role { boundary: Some(arn), .. }, other) => {
            matches!(other, Desired::Policy { name, .. } if is_policy(arn, name))
        }
        _ => false,
    }
}

/// Sorts entries of a journal into rounds to take back: what stands in one round can be taken back at the same time,
/// once the rounds before it are gone. Within a round the order stays.
pub fn undo_stages<T>(entries: Vec<T>, undo: impl Fn(&T) -> &Undo) -> Vec<Vec<T>> {
    let round = |entry: &T| match undo(entry) {
        // It may forbid the rest.
        Undo::BucketPolicy { .. } => 0,
        Undo::Object { .. } | Undo::Attachment { .. } | Undo::InlinePolicy { .. } => 1,
        Undo::Bucket { .. } | Undo::OidcProvider { .. } | Undo::Role { .. } => 2,
        // It may be the boundary of a role.
        Undo::Policy { .. } => 3,
    };
    let mut rounds: [Vec<T>; 4] = Default::default();
    for entry in entries {
        rounds[round(&entry)].push(entry);
    }
    rounds.into_iter().filter(|round| !round.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::desired::tests::{
        attachment, bounded_role, bucket, bucket_policy, inline_policy, object, policy, provider, public_bucket, role,
    };
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
        check(
            vec![attachment("r", "p"), bounded_role("r", "b"), inline_policy("r", "i"), policy("p"), policy("b")],
            "policy p, policy b | role r | policy p on role r, inline policy i of role r",
        );
        check(vec![bucket_policy("b"), object("b", "k"), bucket("b")], "bucket b | policy of bucket b, object b/k");
    }

    #[test]
    fn what_is_in_something_goes_before_it() {
        let account = "123456789012".parse().expect("account must parse");
        let check = |desired: &[Desired], expected: &str| {
            let undos: Vec<Undo> = desired.iter().map(|one| one.undo(&account, "eu-central-1", "r-1")).collect();
            assert_eq!(shown(undo_stages(undos, |undo| undo), Undo::resource), expected);
        };
        check(&[], "");
        check(&[role("r")], "role r");
        check(
            &[bucket("b"), object("b", "k"), policy("p"), attachment("r", "p"), role("r"), object("b", "l")],
            "object b/k, policy p on role r, object b/l | bucket b, role r | policy p",
        );
        check(
            &[
                policy("b"),
                bounded_role("r", "b"),
                inline_policy("r", "i"),
                bucket("o"),
                object("o", "k"),
                bucket_policy("o"),
            ],
            "policy of bucket o | inline policy i of role r, object o/k | role r, bucket o | policy b",
        );
    }
}
