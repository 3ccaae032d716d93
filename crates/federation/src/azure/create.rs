//! Creating one thing: never one that is there already, and never before it is written down.

use reqwest::Method;
use serde_json::{Value, json};

use super::access::{Clients, IdentityIds};
use super::call::{Reply, Request, call};
use super::desired::Desired;
use super::error::ProvisionError;
use super::poll::until_ready;
use super::principal::Principal;
use super::undo::Undo;
use super::vault::{VaultAccess, VaultNetwork};
use super::{Kind, Tags, again, blob, id};
use crate::ledger::{Intent, Known, Ledger, LedgerError};

/// Why a thing was not created.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It could not be written down first, or its outcome could not.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It was refused or lost.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
}

/// What was created and written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journaled {
    /// Number of the entry.
    pub entry: u64,
    /// An identity's ids.
    pub identity: Option<IdentityIds>,
}

/// Writes the intention down, creates, writes the outcome down.
///
/// What an earlier life of the run created is left as it is; of an identity the ids are read. What it may have created is
/// created as if its attempt had got no answer.
///
/// After an error that leaves open whether something was created, the entry stays open:
/// [`super::undo_unconfirmed`] finishes it.
///
/// # Errors
/// When the ledger cannot be written (nothing is created then), or the creation fails.
pub async fn create_journaled(
    clients: &Clients,
    desired: &Desired,
    tags: &Tags,
    ledger: &dyn Ledger<Undo>,
) -> Result<Journaled, ApplyError> {
    let undo = desired.undo(clients.subscription(), clients.location());
    let Intent { entry, known } = ledger.intend(&desired.label(), &undo)?;
    let made = match known {
        Known::Stands => {
            let identity = again::standing(clients, desired, &undo, tags).await?;
            return Ok(Journaled { entry, identity });
        }
        Known::MayStand => again::create_again(clients, desired, tags).await,
        Known::New => create(clients, desired, tags).await,
    };
    match made {
        Ok(identity) => {
            ledger.done(entry)?;
            Ok(Journaled { entry, identity })
        }
        Err(error) => {
            if !error.maybe_done {
                ledger.failed(entry, &error.to_string())?;
            }
            Err(error.into())
        }
    }
}

/// Creates one thing and marks it as the run's. Gives an identity's ids, which nobody knows before.
///
/// # Errors
/// [`Kind::Exists`] if it is there already; it is not touched then. With `maybe_done`, it may have been created.
pub async fn create(clients: &Clients, desired: &Desired, tags: &Tags) -> Result<Option<IdentityIds>, ProvisionError> {
    // Resource Manager's PUT creates or changes, and does not ask which.
    refuse_existing(clients, desired).await?;
    let put = match put(clients, desired, tags).await {
        // An attempt before this one got no answer: then the thing that is there may well be ours.
        Err(error) if error.kind == Kind::Exists && error.maybe_done => {
            again::keep(clients, desired, tags, error).await?;
            None
        }
        other => other?,
    };
    learn(clients, desired, put).await
}

/// The ids of an identity that was just made, from the answer or, if that was lost, asked for.
pub(super) async fn learn(
    clients: &Clients,
    desired: &Desired,
    put: Option<Reply>,
) -> Result<Option<IdentityIds>, ProvisionError> {
    let Desired::Identity { group, name } = desired else {
        return Ok(None);
    };
    let resource_id = id::identity(clients.subscription(), group, name);
    let ids = match put {
        Some(reply) => identity_ids(&reply, "CreateIdentity", &desired.label()),
        None => clients.identity(group, name).await,
    };
    let ids = ids.map_err(|error| ProvisionError { maybe_done: true, ..error })?;
    clients.remember_identity(&resource_id, Some(ids.clone()));
    Ok(Some(ids))
}

impl Clients {
    /// Client id and principal id of an identity: as [`create`] learnt them, else as Azure says.
    ///
    /// # Errors
    /// When there is no such identity, or Azure does not answer.
    pub async fn identity(&self, group: &str, name: &str) -> Result<IdentityIds, ProvisionError> {
        let resource_id = id::identity(self.subscription(), group, name);
        if let Some(ids) = self.known_identity(&resource_id) {
            return Ok(ids);
        }
        let resource = format!("identity {name}");
        let reply = call(self, Request::get("GetIdentity", &resource, &resource_id, id::IDENTITIES)).await?;
        let ids = identity_ids(&reply, "GetIdentity", &resource)?;
        self.remember_identity(&resource_id, Some(ids.clone()));
        Ok(ids)
    }

    /// The object id that a permission is given to.
    pub(super) async fn object_id(&self, principal: &Principal) -> Result<String, ProvisionError> {
        match principal {
            Principal::Identity { group, name } => Ok(self.identity(group, name).await?.principal_id),
            Principal::ClientIdOf { group, name } => Ok(self.identity(group, name).await?.client_id),
            Principal::Object { id } => Ok(id.clone()),
        }
    }
}

fn identity_ids(reply: &Reply, operation: &'static str, resource: &str) -> Result<IdentityIds, ProvisionError> {
    let text = |name: &str| {
        let told = || ProvisionError::new(Kind::Unavailable, operation, resource, format!("the answer has no {name}"));
        reply.property(name).map(str::to_owned).ok_or_else(told)
    };
    Ok(IdentityIds { client_id: text("clientId")?, principal_id: text("principalId")?, tenant_id: text("tenantId")? })
}

/// The version that a thing's own address is spoken to in.
pub(super) fn version(desired: &Desired) -> &'static str {
    match desired {
        Desired::ResourceGroup { .. } => id::RESOURCES,
        Desired::Vault { .. } | Desired::Secret { .. } | Desired::AccessPolicy { .. } => id::VAULTS,
        Desired::Identity { .. } | Desired::FederatedCredential { .. } => id::IDENTITIES,
        Desired::RoleAssignment { .. } | Desired::StorageRole { .. } => id::AUTHORIZATION,
        Desired::StorageAccount { .. } | Desired::Container { .. } | Desired::Blob { .. } => id::STORAGE,
    }
}

pub(super) async fn refuse_existing(clients: &Clients, desired: &Desired) -> Result<(), ProvisionError> {
    let resource = desired.label();
    let found = match (desired.id(clients.subscription()), desired) {
        (Some(resource_id), _) => {
            call(clients, Request::get("Look", &resource, &resource_id, version(desired))).await.map(|_| true)
        }
        (None, Desired::AccessPolicy { group, vault, principal, .. }) => {
            has_policy(clients, group, vault, principal, &resource).await
        }
        (None, _) => Ok(false),
    };
    match found {
        Ok(true) => Err(ProvisionError::new(Kind::Exists, operation(desired), &resource, "it is there already")),
        Ok(false) => Ok(()),
        Err(error) if error.is_absent() => Ok(()),
        // Nothing but questions were sent.
        Err(error) => Err(ProvisionError { maybe_done: false, ..error }),
    }
}

async fn has_policy(
    clients: &Clients,
    group: &str,
    vault: &str,
    principal: &Principal,
    resource: &str,
) -> Result<bool, ProvisionError> {
    let object = clients.object_id(principal).await?;
    let vault = id::vault(clients.subscription(), group, vault);
    let reply = call(clients, Request::get("Look", resource, &vault, id::VAULTS)).await?;
    let policies = reply.body["properties"]["accessPolicies"].as_array();
    Ok(policies.is_some_and(|policies| policies.iter().any(|policy| policy["objectId"].as_str() == Some(&object))))
}

pub(super) fn operation(desired: &Desired) -> &'static str {
    match desired {
        Desired::ResourceGroup { .. } => "CreateResourceGroup",
        Desired::Vault { .. } => "CreateVault",
        Desired::Secret { .. } => "CreateSecret",
        Desired::Identity { .. } => "CreateIdentity",
        Desired::FederatedCredential { .. } => "CreateFederatedCredential",
        Desired::RoleAssignment { .. } => "CreateRoleAssignment",
        Desired::AccessPolicy { .. } => "AddAccessPolicy",
        Desired::StorageAccount { .. } => "CreateStorageAccount",
        Desired::Container { .. } => "CreateContainer",
        Desired::StorageRole { .. } => "CreateStorageRole",
        Desired::Blob { .. } => "PutBlob",
    }
}

/// Gives the answer of Resource Manager; a blob's comes from elsewhere and says nothing.
pub(super) async fn put(clients: &Clients, desired: &Desired, tags: &Tags) -> Result<Option<Reply>, ProvisionError> {
    if let Desired::Blob { .. } = desired {
        return blob::put(clients, operation(desired), desired, false).await.map(|()| None);
    }
    let resource = desired.label();
    let body = body(clients, desired, tags).await?;
    let address = match desired {
        Desired::AccessPolicy { group, vault, .. } => {
            format!("{}/accessPolicies/add", id::vault(clients.subscription(), group, vault))
        }
        _ => desired.id(clients.subscription()).unwrap_or_default(),
    };
    let request = Request::new(Method::PUT, operation(desired), &resource, &address, version(desired));
    let reply = call(clients, request.body(&body)).await?;
    if matches!(desired, Desired::Vault { .. } | Desired::ResourceGroup { .. } | Desired::StorageAccount { .. }) {
        let look = Request::get(operation(desired), &resource, &address, version(desired));
        return until_ready(clients, reply, look).await.map(Some);
    }
    Ok(Some(reply))
}

async fn body(clients: &Clients, desired: &Desired, tags: &Tags) -> Result<Value, ProvisionError> {
    let tags: Value = tags.pairs().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    // The ids of a principal are asked for, at most; nothing is written yet.
    let unsent = |error| ProvisionError { maybe_done: false, ..error };
    Ok(match desired {
        Desired::ResourceGroup { .. } | Desired::Identity { .. } => {
            json!({"location": clients.location(), "tags": tags})
        }
        Desired::Vault { access, network, .. } => {
            let mut properties = json!({
                "tenantId": clients.tenant(),
                "sku": {"family": "A", "name": "standard"},
                "enableRbacAuthorization": *access == VaultAccess::Rbac,
                // The shortest that there is: nothing of a run should last.
                "softDeleteRetentionInDays": 7,
                "accessPolicies": [],
                "publicNetworkAccess": if *network == VaultNetwork::Private { "Disabled" } else { "Enabled" },
            });
            if *network == VaultNetwork::Firewall {
                properties["networkAcls"] =
                    json!({"bypass": "None", "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": []});
            }
            json!({"location": clients.location(), "tags": tags, "properties": properties})
        }
        Desired::Secret { value, enabled, .. } => {
            json!({"tags": tags, "properties": {"value": value.expose(), "attributes": {"enabled": enabled}}})
        }
        Desired::FederatedCredential { issuer, subject, audiences, .. } => {
            json!({"properties": {"issuer": issuer, "subject": subject, "audiences": audiences}})
        }
        Desired::RoleAssignment { role, principal, .. } => {
            let definition = id::role(clients.subscription(), role.id());
            let principal = clients.object_id(principal).await.map_err(unsent)?;
            // With its type, Azure does not look for a principal that may not have spread yet.
            json!({"properties": {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}})
        }
        Desired::AccessPolicy { principal, secrets, .. } => {
            let object = clients.object_id(principal).await.map_err(unsent)?;
            access_policy(clients.tenant(), &object, secrets)
        }
        Desired::StorageAccount { .. } => {
            let properties = json!({"allowBlobPublicAccess": true, "minimumTlsVersion": "TLS1_2"});
            let sku = json!({"name": "Standard_LRS"});
            json!({"location": clients.location(), "tags": tags, "sku": sku, "kind": "StorageV2", "properties": properties})
        }
        Desired::Container { .. } => json!({"properties": {"publicAccess": "Blob"}}),
        Desired::StorageRole { principal, .. } => {
            let definition = id::role(clients.subscription(), id::BLOB_CONTRIBUTOR);
            let object = clients.object_id(principal).await.map_err(unsent)?;
            let mut properties = json!({"roleDefinitionId": definition, "principalId": object});
            // As above; one whose id is known is there for long, and may be a person.
            if principal.identity().is_some() {
                properties["principalType"] = json!("ServicePrincipal");
            }
            json!({"properties": properties})
        }
        Desired::Blob { .. } => Value::Null,
    })
}

/// One entry, to be added to a vault's access policies or taken from them.
pub(super) fn access_policy(tenant: &str, object: &str, secrets: &[String]) -> Value {
    json!({"properties": {"accessPolicies": [{"tenantId": tenant, "objectId": object, "permissions": {"secrets": secrets}}]}})
}
