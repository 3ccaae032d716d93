//! What the tool has left in a subscription, whichever run it was, and how each is taken away: what a sweep shows and
//! removes. Does not know which runs still live.

use serde_json::Value;

use super::access::Clients;
use super::error::ProvisionError;
use super::inventory::{Everything, ItemKind, children, each, name, pairs, roles_on};
use super::undo::Undo;
use super::{Marks, id};

/// A thing in a subscription that carries the tool's tag.
pub type Holding = crate::Holding<ItemKind, Undo>;

/// Everything in the subscription that carries the tool's tag, in the order in which it must be taken away: groups last.
/// Without the tag nothing is listed, whatever its name.
///
/// # Errors
/// When a listing is refused or not answered. What vanishes meanwhile is no error.
pub async fn holdings(clients: &Clients) -> Result<Vec<Holding>, ProvisionError> {
    let subscription = clients.subscription();
    let ours = |all: Vec<Value>| all.into_iter().filter(|one| marks(&one["tags"]).is_some()).collect::<Vec<_>>();
    let Everything { groups, vaults, deleted, identities, accounts } = Everything::of(clients).await?;
    let (groups, vaults, identities, accounts) = (ours(groups), ours(vaults), ours(identities), ours(accounts));
    let credentials_of = |identity| {
        children(clients, "ListFederatedCredentials", identity, "federatedIdentityCredentials", id::IDENTITIES)
    };
    let (vault_roles, account_roles, credentials) = tokio::try_join!(
        each(&vaults, |vault| roles_on(clients, vault)),
        each(&accounts, |account| roles_on(clients, account)),
        each(&identities, credentials_of),
    )?;
    let mut found = Vec::new();
    for vault in &vaults {
        let location = vault["location"].as_str().unwrap_or(clients.location()).to_owned();
        let part = |role| Undo::RoleAssignment {
            subscription: subscription.to_owned(),
            group: group_of(vault),
            vault: name(vault),
            name: role,
        };
        let (group, name) = (group_of(vault), name(vault));
        let whole = Undo::Vault { subscription: subscription.to_owned(), location, group, name };
        found.extend(holding(ItemKind::Vault, vault, parts(&vault_roles, vault, part), whole));
    }
    for vault in &deleted {
        let properties = &vault["properties"];
        let (Some(marks), Some(was)) = (marks(&properties["tags"]), properties["vaultId"].as_str()) else { continue };
        let location = properties["location"].as_str().unwrap_or(clients.location()).to_owned();
        let (subscription, group) = (subscription.to_owned(), id::group_of(was).unwrap_or_default().to_owned());
        let undo = vec![Undo::Vault { subscription, location, group, name: name(vault) }];
        found.push(Holding { kind: ItemKind::DeletedVault, id: name(vault), marks, undo });
    }
    for account in &accounts {
        let part = |role| Undo::StorageRole {
            subscription: subscription.to_owned(),
            group: group_of(account),
            account: name(account),
            name: role,
        };
        let (group, name) = (group_of(account), name(account));
        let whole = Undo::StorageAccount { subscription: subscription.to_owned(), group, name };
        found.extend(holding(ItemKind::StorageAccount, account, parts(&account_roles, account, part), whole));
    }
    for identity in &identities {
        let part = |credential| Undo::FederatedCredential {
            subscription: subscription.to_owned(),
            group: group_of(identity),
            identity: name(identity),
            name: credential,
        };
        let (group, name) = (group_of(identity), name(identity));
        let whole = Undo::Identity { subscription: subscription.to_owned(), group, name };
        found.extend(holding(ItemKind::Identity, identity, parts(&credentials, identity, part), whole));
    }
    for group in &groups {
        let whole = Undo::ResourceGroup { subscription: subscription.to_owned(), name: name(group) };
        found.extend(holding(ItemKind::ResourceGroup, group, Vec::new(), whole));
    }
    Ok(found)
}

fn marks(tags: &Value) -> Option<Marks> {
    Marks::read(pairs(tags))
}

fn group_of(resource: &Value) -> String {
    resource["id"].as_str().and_then(id::group_of).unwrap_or_default().to_owned()
}

/// What takes the children of `owner` away.
fn parts(children: &[(&Value, Value)], owner: &Value, undo: impl Fn(String) -> Undo) -> Vec<Undo> {
    let its = children.iter().filter(|(parent, _)| parent["id"] == owner["id"]);
    its.map(|(_, child)| undo(name(child))).collect()
}

fn holding(kind: ItemKind, resource: &Value, parts: Vec<Undo>, whole: Undo) -> Option<Holding> {
    let undo = parts.into_iter().chain([whole]).collect();
    marks(&resource["tags"]).map(|marks| Holding { kind, id: name(resource), marks, undo })
}
