//! What the tool has left in an account, whichever run it was, and how each is taken away: what a sweep shows and removes.
//! Does not know which runs still live.

use aws_sdk_s3::Client as S3;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::access::Clients;
use super::bucket::tags_of;
use super::call::call;
use super::error::ProvisionError;
use super::inventory::{self, AT_ONCE, ItemKind, Scope};
use super::located::{self, Listed};
use super::provider;
use super::undo::{Undo, is_absent};
use crate::Marks;

/// How the names of all runs begin: only what is named so is asked for its tags.
const PREFIX: &str = "cf-";

/// A thing in an account that carries the tool's tag.
pub type Holding = crate::Holding<ItemKind, Undo>;

/// Everything in the account that carries the tool's tag, in the order in which it must be taken away. An OIDC provider is
/// there once for each run that is on it; its run is empty if nobody is. Without the tag nothing is listed, whatever its name.
///
/// # Errors
/// When a listing is refused or not answered. What vanishes meanwhile is no error.
pub async fn holdings(clients: &Clients) -> Result<Vec<Holding>, ProvisionError> {
    let scope = Scope::Run { run: String::new(), prefix: PREFIX.to_owned(), providers: Vec::new() };
    let (buckets, roles, policies, providers) = tokio::try_join!(
        located::buckets(clients, PREFIX),
        inventory::roles(clients, &scope),
        inventory::policies(clients, &scope),
        inventory::all_providers(clients),
    )?;
    let (buckets, roles, policies, providers) = tokio::try_join!(
        each(buckets.into_iter().map(|listed| bucket(clients, listed))),
        each(roles.into_iter().map(|(name, arn)| role(clients, name, arn))),
        each(policies.into_iter().map(|arn| policy(clients, arn))),
        each(providers.into_iter().map(|arn| memberships(clients, arn))),
    )?;
    // A policy may be attached to a role, or bound one.
    Ok([buckets, roles, policies, providers].concat())
}

/// In order; of what is gone, nothing.
async fn each<F>(looks: impl Iterator<Item = F>) -> Result<Vec<Holding>, ProvisionError>
where
    F: Future<Output = Result<Vec<Holding>, ProvisionError>>,
{
    let found = stream::iter(looks).buffered(AT_ONCE).map(|found| match found {
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        found => found,
    });
    Ok(found.try_collect::<Vec<_>>().await?.concat())
}

fn one(kind: ItemKind, id: String, marks: Option<Marks>, undo: Vec<Undo>) -> Vec<Holding> {
    marks.map(|marks| Holding { kind, id, marks, undo }).into_iter().collect()
}

fn iam_marks(tags: &[aws_sdk_iam::types::Tag]) -> Option<Marks> {
    Marks::read(tags.iter().map(|tag| (tag.key(), tag.value())))
}

async fn role(clients: &Clients, name: String, arn: String) -> Result<Vec<Holding>, ProvisionError> {
    let (iam, account, resource) = (clients.iam(), clients.account(), format!("role {name}"));
    let found = call(clients.consistency(), "GetRole", &resource, || iam.get_role().role_name(&name).send()).await?;
    let Some(marks) = found.role().and_then(|role| iam_marks(role.tags())) else { return Ok(Vec::new()) };
    let send = || {
        let pages = iam.list_role_policies().role_name(&name).into_paginator();
        pages.items().send().collect::<Result<Vec<_>, _>>()
    };
    let inline = call(clients.consistency(), "ListRolePolicies", &resource, send).await?;
    let attached = inventory::attached(clients, &name).await?;
    let detach = |policy_arn| Undo::Attachment { account: account.clone(), role: name.clone(), policy_arn };
    let remove = |policy| Undo::InlinePolicy { account: account.clone(), role: name.clone(), name: policy };
    let mut undo: Vec<Undo> = attached.into_iter().map(detach).chain(inline.into_iter().map(remove)).collect();
    undo.push(Undo::Role { account: account.clone(), name });
    Ok(one(ItemKind::Role, arn, Some(marks), undo))
}

async fn policy(clients: &Clients, arn: String) -> Result<Vec<Holding>, ProvisionError> {
    let send = || clients.iam().get_policy().policy_arn(&arn).send();
    let found = call(clients.consistency(), "GetPolicy", &format!("policy {arn}"), send).await?;
    let marks = found.policy().and_then(|policy| iam_marks(policy.tags()));
    let undo = vec![Undo::Policy { account: clients.account().clone(), arn: arn.clone() }];
    Ok(one(ItemKind::Policy, arn, marks, undo))
}

async fn memberships(clients: &Clients, arn: String) -> Result<Vec<Holding>, ProvisionError> {
    let Some(found) = provider::find(clients, &arn).await?.filter(|found| found.is_ours) else {
        return Ok(Vec::new());
    };
    let nobody = Marks { run: String::new(), created: None, expires: None };
    let mut marks: Vec<Marks> = found.entries.iter().map(provider::Entry::marks).collect();
    if marks.is_empty() {
        marks.push(nobody);
    }
    let holding = |marks: Marks| {
        let (account, run) = (clients.account().clone(), marks.run.clone());
        let undo = vec![Undo::OidcProvider { account, arn: arn.clone(), run }];
        Holding { kind: ItemKind::OidcProvider, id: arn.clone(), marks, undo }
    };
    Ok(marks.into_iter().map(holding).collect())
}

async fn bucket(clients: &Clients, listed: Listed) -> Result<Vec<Holding>, ProvisionError> {
    let (region, name) = (listed.region(clients).await?, listed.name);
    let s3 = clients.s3_in(&region);
    let Some(marks) = bucket_marks(clients, &s3, &name).await? else { return Ok(Vec::new()) };
    let keys = inventory::keys(clients, &s3, &name).await?;
    let account = clients.account();
    let object = |key| Undo::Object { account: account.clone(), region: region.clone(), bucket: name.clone(), key };
    // It may forbid the rest.
    let policy = Undo::BucketPolicy { account: account.clone(), region: region.clone(), bucket: name.clone() };
    let mut undo: Vec<Undo> = std::iter::once(policy).chain(keys.into_iter().map(object)).collect();
    undo.push(Undo::Bucket { account: account.clone(), region: region.clone(), name: name.clone() });
    Ok(one(ItemKind::Bucket, name, Some(marks), undo))
}

async fn bucket_marks(clients: &Clients, s3: &S3, name: &str) -> Result<Option<Marks>, ProvisionError> {
    let found = tags_of(clients, s3, name).await?;
    Ok(Marks::read(found.iter().map(|tag| (tag.key(), tag.value()))))
}
