//! What a thing that stands costs a day, by its kind: list prices, for the few bytes that a run stores. What nobody can tell is unknown.

use federation::{aws, azure};

use super::listing::Kind;

/// US dollars a day; none where it is not known.
///
/// Sources: AWS, IAM User Guide, "What is IAM?" (IAM and STS are offered at no additional charge); Amazon S3 pricing (by stored byte and by
/// request; a bucket itself costs nothing); Microsoft Learn, "What are managed identities for Azure resources?" (no extra cost); Azure Key Vault
/// pricing (by operation); Azure Blob Storage pricing (by stored byte and by operation); Microsoft Learn, "What is Azure RBAC?" (role assignments
/// are free); Azure Resource Manager charges nothing for groups.
pub(super) fn per_day(kind: Kind) -> Option<f64> {
    match kind {
        Kind::Aws(
            aws::ItemKind::OidcProvider | aws::ItemKind::Role | aws::ItemKind::Policy | aws::ItemKind::Attachment,
        )
        | Kind::Azure(
            azure::ItemKind::ResourceGroup
            | azure::ItemKind::Identity
            | azure::ItemKind::FederatedCredential
            | azure::ItemKind::RoleAssignment
            | azure::ItemKind::StorageRole
            | azure::ItemKind::AccessPolicy,
        ) => Some(0.0),
        // By what is stored or asked: a few hundred bytes, and nobody asks any more.
        Kind::Aws(aws::ItemKind::Bucket | aws::ItemKind::Object)
        | Kind::Azure(
            azure::ItemKind::Vault
            | azure::ItemKind::DeletedVault
            | azure::ItemKind::Secret
            | azure::ItemKind::StorageAccount
            | azure::ItemKind::Container,
        ) => Some(0.0),
        Kind::WebhookConfiguration | Kind::Folder => Some(0.0),
        // What runs there takes up nodes, at a price that the cluster does not tell.
        Kind::Namespace | Kind::Node => None,
    }
}

/// The sum, and whether something of unknown price is not in it.
pub(super) fn sum(kinds: impl IntoIterator<Item = Kind>) -> (f64, bool) {
    kinds.into_iter().fold((0.0, false), |(sum, unknown), kind| match per_day(kind) {
        Some(cost) => (sum + cost, unknown),
        None => (sum, true),
    })
}
