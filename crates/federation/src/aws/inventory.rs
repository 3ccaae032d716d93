//! What is in an account, of the kinds that we create: taken before and after a run, the difference is a leak.

use std::collections::BTreeSet;
use std::fmt;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::access::Clients;
use super::call::call;
use super::error::ProvisionError;
use super::located::{self, Listed};
use super::provider::find;
use super::undo::is_absent;

/// Listings at one time. IAM throttles an account early.
pub(super) const AT_ONCE: usize = 8;

/// The kinds that we create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// Id: its ARN.
    OidcProvider,
    /// Id: its ARN.
    Role,
    /// Customer managed. Id: its ARN.
    Policy,
    /// A managed policy on a role. Id: `role policy-arn`.
    Attachment,
    /// Id: its name.
    Bucket,
    /// Id: `bucket/key`.
    Object,
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OidcProvider => "OIDC provider",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Attachment => "attachment",
            Self::Bucket => "bucket",
            Self::Object => "object",
        })
    }
}

/// One thing that is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Which one.
    pub id: String,
}

/// How far to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole account, with one listing for every role and bucket in it: for an account that is ours alone.
    Account,
    /// What is a run's.
    Run {
        /// The run.
        run: String,
        /// How the names of its roles, policies and buckets start.
        prefix: String,
        /// ARNs of the providers that it may be on; those that it is on are listed.
        providers: Vec<String>,
    },
}

impl Scope {
    /// How names begin.
    fn prefix(&self) -> &str {
        match self {
            Self::Account => "",
            Self::Run { prefix, .. } => prefix,
        }
    }

    fn holds(&self, name: &str) -> bool {
        name.starts_with(self.prefix())
    }
}

/// Everything of our kinds in the account, sorted. Service-linked roles are left out: nobody creates them by hand.
///
/// # Errors
/// When a listing is refused or not answered. What vanishes meanwhile is no error.
pub async fn inventory(clients: &Clients, scope: &Scope) -> Result<Vec<Item>, ProvisionError> {
    let (providers, roles, policies, buckets) = tokio::try_join!(
        providers(clients, scope),
        roles(clients, scope),
        policies(clients, scope),
        located::buckets(clients, scope.prefix()),
    )?;
    let (attachments, objects) = tokio::try_join!(
        each(roles.iter().map(|(name, _)| attachments(clients, name))),
        each(buckets.iter().map(|bucket| objects(clients, bucket))),
    )?;
    let kinds: [(ItemKind, Vec<String>); 6] = [
        (ItemKind::OidcProvider, providers),
        (ItemKind::Role, roles.into_iter().map(|(_, arn)| arn).collect()),
        (ItemKind::Policy, policies),
        (ItemKind::Attachment, attachments),
        (ItemKind::Bucket, buckets.into_iter().map(|bucket| bucket.name).collect()),
        (ItemKind::Object, objects),
    ];
    let items: BTreeSet<Item> =
        kinds.into_iter().flat_map(|(kind, ids)| ids.into_iter().map(move |id| Item { kind, id })).collect();
    Ok(items.into_iter().collect())
}

async fn each<F>(listings: impl Iterator<Item = F>) -> Result<Vec<String>, ProvisionError>
where
    F: Future<Output = Result<Vec<String>, ProvisionError>>,
{
    let lists: Vec<Vec<String>> = stream::iter(listings).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

fn gone_is_empty(listed: Result<Vec<String>, ProvisionError>) -> Result<Vec<String>, ProvisionError> {
    match listed {
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        other => other,
    }
}

async fn providers(clients: &Clients, scope: &Scope) -> Result<Vec<String>, ProvisionError> {
    match scope {
        Scope::Account => all_providers(clients).await,
        Scope::Run { run, providers, .. } => {
            let looks = providers.iter().map(|arn| async move {
                let found = find(clients, arn).await?;
                let is_on = found.is_some_and(|found| found.is_ours && found.entries.iter().any(|one| one.run == *run));
                Ok(if is_on { vec![arn.clone()] } else { Vec::new() })
            });
            each(looks).await
        }
    }
}

/// ARNs.
pub(super) async fn all_providers(clients: &Clients) -> Result<Vec<String>, ProvisionError> {
    let send = || clients.iam().list_open_id_connect_providers().send();
    let listed = call(clients.consistency(), "ListOpenIDConnectProviders", "the account", send).await?;
    let arns = listed.open_id_connect_provider_list().iter().filter_map(|entry| entry.arn());
    Ok(arns.map(str::to_owned).collect())
}

/// Name and ARN.
pub(super) async fn roles(clients: &Clients, scope: &Scope) -> Result<Vec<(String, String)>, ProvisionError> {
    let send = || clients.iam().list_roles().into_paginator().items().send().collect::<Result<Vec<_>, _>>();
    let listed = call(clients.consistency(), "ListRoles", "the account", send).await?;
    let ours = listed.iter().filter(|role| !role.path().starts_with("/aws-") && scope.holds(role.role_name()));
    Ok(ours.map(|role| (role.role_name().to_owned(), role.arn().to_owned())).collect())
}

pub(super) async fn policies(clients: &Clients, scope: &Scope) -> Result<Vec<String>, ProvisionError> {
    let local = aws_sdk_iam::types::PolicyScopeType::Local;
    let send = || {
        clients
            .iam()
            .list_policies()
            .scope(local.clone())
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
    };
    let listed = call(clients.consistency(), "ListPolicies", "the account", send).await?;
    let ours = listed.iter().filter(|policy| policy.policy_name().is_some_and(|name| scope.holds(name)));
    Ok(ours.filter_map(|policy| policy.arn()).map(str::to_owned).collect())
}

async fn attachments(clients: &Clients, role: &str) -> Result<Vec<String>, ProvisionError> {
    let arns = gone_is_empty(attached(clients, role).await)?;
    Ok(arns.into_iter().map(|arn| format!("{role} {arn}")).collect())
}

/// ARNs of the policies on a role.
pub(super) async fn attached(clients: &Clients, role: &str) -> Result<Vec<String>, ProvisionError> {
    let send = || {
        let pages = clients.iam().list_attached_role_policies().role_name(role).into_paginator();
        pages.items().send().collect::<Result<Vec<_>, _>>()
    };
    let listed = call(clients.consistency(), "ListAttachedRolePolicies", &format!("role {role}"), send).await?;
    Ok(listed.iter().filter_map(|policy| policy.policy_arn()).map(str::to_owned).collect())
}

async fn objects(clients: &Clients, bucket: &Listed) -> Result<Vec<String>, ProvisionError> {
    let keys = async { keys(clients, &clients.s3_in(&bucket.region(clients).await?), &bucket.name).await };
    let keys = gone_is_empty(keys.await)?;
    Ok(keys.into_iter().map(|key| format!("{}/{key}", bucket.name)).collect())
}

/// Keys of the objects in a bucket.
pub(super) async fn keys(
    clients: &Clients,
    s3: &aws_sdk_s3::Client,
    bucket: &str,
) -> Result<Vec<String>, ProvisionError> {
    let send = || {
        let pages = s3.list_objects_v2().bucket(bucket).into_paginator();
        pages.send().collect::<Result<Vec<_>, _>>()
    };
    let pages = call(clients.consistency(), "ListObjectsV2", &format!("bucket {bucket}"), send).await?;
    let objects = pages.iter().flat_map(|page| page.contents());
    Ok(objects.filter_map(|object| object.key()).map(str::to_owned).collect())
}
