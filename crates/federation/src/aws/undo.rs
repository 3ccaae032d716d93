//! Taking things away, from what the journal holds alone.

use std::fmt;

use serde::{Deserialize, Serialize};
use trust::AccountId;

use super::access::Clients;
use super::call::call;
use super::error::ProvisionError;
use super::{owner, provider};

/// What takes one creation back. It is written down before the creation is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delete", rename_all = "kebab-case")]
pub enum Undo {
    /// Deletes an empty bucket.
    Bucket {
        /// Whose.
        account: AccountId,
        /// Where.
        region: String,
        /// Which.
        name: String,
    },
    /// Deletes an object.
    Object {
        /// Whose.
        account: AccountId,
        /// Where its bucket is.
        region: String,
        /// Its bucket.
        bucket: String,
        /// Which.
        key: String,
    },
    /// Deletes a bucket's own policy.
    BucketPolicy {
        /// Whose.
        account: AccountId,
        /// Where the bucket is.
        region: String,
        /// The bucket.
        bucket: String,
    },
    /// Takes the run from an OIDC provider, and the provider away if no other run is on it.
    OidcProvider {
        /// Whose.
        account: AccountId,
        /// Which.
        arn: String,
        /// Who is on it.
        run: String,
    },
    /// Deletes a customer managed policy.
    Policy {
        /// Whose.
        account: AccountId,
        /// Which.
        arn: String,
    },
    /// Deletes a role.
    Role {
        /// Whose.
        account: AccountId,
        /// Which.
        name: String,
    },
    /// Deletes a policy in a role.
    InlinePolicy {
        /// Whose.
        account: AccountId,
        /// The role.
        role: String,
        /// Which.
        name: String,
    },
    /// Detaches a policy.
    Attachment {
        /// Whose.
        account: AccountId,
        /// From which role.
        role: String,
        /// Which.
        policy_arn: String,
    },
}

impl Undo {
    /// The account that it must be done in.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Bucket { account, .. }
            | Self::Object { account, .. }
            | Self::BucketPolicy { account, .. }
            | Self::InlinePolicy { account, .. }
            | Self::OidcProvider { account, .. }
            | Self::Policy { account, .. }
            | Self::Role { account, .. }
            | Self::Attachment { account, .. } => account,
        }
    }

    pub(super) fn resource(&self) -> String {
        match self {
            Self::Bucket { name, .. } => format!("bucket {name}"),
            Self::Object { bucket, key, .. } => format!("object {bucket}/{key}"),
            Self::BucketPolicy { bucket, .. } => format!("policy of bucket {bucket}"),
            Self::InlinePolicy { role, name, .. } => format!("inline policy {name} of role {role}"),
            Self::OidcProvider { arn, .. } => format!("OIDC provider {arn}"),
            Self::Policy { arn, .. } => format!("policy {arn}"),
            Self::Role { name, .. } => format!("role {name}"),
            Self::Attachment { role, policy_arn, .. } => format!("policy {policy_arn} on role {role}"),
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::Bucket { .. } => "DeleteBucket",
            Self::Object { .. } => "DeleteObject",
            Self::BucketPolicy { .. } => "DeleteBucketPolicy",
            Self::InlinePolicy { .. } => "DeleteRolePolicy",
            Self::OidcProvider { .. } => "DeleteOpenIDConnectProvider",
            Self::Policy { .. } => "DeletePolicy",
            Self::Role { .. } => "DeleteRole",
            Self::Attachment { .. } => "DetachRolePolicy",
        }
    }
}

/// What a person is told.
impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if matches!(self, Self::Attachment { .. }) { "detach" } else { "delete" };
        write!(f, "{verb} {} in account {}", self.resource(), self.account())
    }
}

/// What an undo came to. None leaves nothing of ours behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undone {
    /// It is gone. S3 and IAM may answer so for what was not there, too.
    Deleted,
    /// It was not there.
    AlreadyGone,
    /// It is there, another made it, and it was left alone.
    NotOurs,
    /// It is there for other runs that share it; this one is no longer on it.
    Left,
}

/// Takes back what is known to have been created by us.
///
/// # Errors
/// When the service refuses or does not answer. A bucket that holds anything is refused: each object has its own undo.
pub async fn undo(clients: &Clients, undo: &Undo) -> Result<Undone, ProvisionError> {
    check_account(clients, undo)?;
    match delete(clients, undo).await {
        Err(error) if is_absent(&error) => Ok(Undone::AlreadyGone),
        end => end,
    }
}

/// Takes back what may have been created by `run`: the journal holds the intention and no outcome. Asks the cloud who
/// made it first.
///
/// # Errors
/// As [`undo`], and when the owner cannot be read.
pub async fn undo_unconfirmed(clients: &Clients, entry: &Undo, run: &str) -> Result<Undone, ProvisionError> {
    check_account(clients, entry)?;
    match owner::of(clients, entry, run).await? {
        owner::Owner::Absent => Ok(Undone::AlreadyGone),
        owner::Owner::Other => Ok(Undone::NotOurs),
        owner::Owner::Run => undo(clients, entry).await,
    }
}

/// True if the answer says that there is no such thing.
pub(super) fn is_absent(error: &ProvisionError) -> bool {
    error.status == Some(404) || matches!(error.code.as_deref(), Some("NoSuchEntity" | "NoSuchBucket" | "NoSuchKey"))
}

fn check_account(clients: &Clients, undo: &Undo) -> Result<(), ProvisionError> {
    if clients.account() == undo.account() {
        return Ok(());
    }
    let message = format!("it stands in account {}, the clients are of {}", undo.account(), clients.account());
    Err(ProvisionError::bug(undo.operation(), &undo.resource(), message))
}

async fn delete(clients: &Clients, undo: &Undo) -> Result<Undone, ProvisionError> {
    let (operation, resource) = (undo.operation(), undo.resource());
    let (consistency, iam) = (clients.consistency(), clients.iam());
    let deleted = match undo {
        Undo::Bucket { region, name, .. } => {
            let s3 = clients.s3_in(region);
            call(consistency, operation, &resource, || s3.delete_bucket().bucket(name).send()).await.map(drop)
        }
        Undo::Object { region, bucket, key, .. } => {
            let s3 = clients.s3_in(region);
            call(consistency, operation, &resource, || s3.delete_object().bucket(bucket).key(key).send())
                .await
                .map(drop)
        }
        Undo::BucketPolicy { region, bucket, .. } => {
            let s3 = clients.s3_in(region);
            call(consistency, operation, &resource, || s3.delete_bucket_policy().bucket(bucket).send()).await.map(drop)
        }
        Undo::InlinePolicy { role, name, .. } => {
            let send = || iam.delete_role_policy().role_name(role).policy_name(name).send();
            call(consistency, operation, &resource, send).await.map(drop)
        }
        Undo::OidcProvider { arn, run, .. } => return provider::leave(clients, arn, run, &resource).await,
        Undo::Policy { arn, .. } => {
            call(consistency, operation, &resource, || iam.delete_policy().policy_arn(arn).send()).await.map(drop)
        }
        Undo::Role { name, .. } => {
            call(consistency, operation, &resource, || iam.delete_role().role_name(name).send()).await.map(drop)
        }
        Undo::Attachment { role, policy_arn, .. } => {
            let send = || iam.detach_role_policy().role_name(role).policy_arn(policy_arn).send();
            call(consistency, operation, &resource, send).await.map(drop)
        }
    };
    deleted.map(|()| Undone::Deleted)
}
