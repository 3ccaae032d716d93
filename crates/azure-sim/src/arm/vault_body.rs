//! The properties of a vault, read from a request and shown in an answer.
//! Must not know which vaults there are.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::body::{flag, text};
use super::error::ArmError;
use super::path::VAULTS;
use crate::origin::Origin;
use crate::vaults::{AccessPolicy, NetworkRules, Vault};

pub(super) const LONGEST_RETENTION: u16 = 90;
const SHORTEST_RETENTION: u16 = 7;
const MAX_POLICIES: usize = 1024;

/// What a request says; what it does not say is none.
#[derive(Debug)]
pub(super) struct Settings {
    tenant: Option<Uuid>,
    sku: Option<String>,
    is_rbac: Option<bool>,
    access_policies: Option<Vec<AccessPolicy>>,
    network: Option<NetworkRules>,
    public_access: Option<bool>,
    retention_days: Option<u16>,
    purge_protection: Option<bool>,
    /// `createMode` is `recover`.
    pub(super) recovers: bool,
}

fn invalid(name: &str) -> ArmError {
    ArmError::bad_request(format!("An invalid value was provided for '{name}'."))
}

impl Settings {
    pub(super) fn read(properties: &Map<String, Value>, tenant: Uuid) -> Result<Settings, ArmError> {
        let asked = text(properties, "tenantId")?;
        let asked = asked
            .map(|id| id.parse::<Uuid>().ok().filter(|id| *id == tenant).ok_or_else(|| invalid("tenantId")))
            .transpose()?;
        // Soft delete cannot be had without, any more.
        if flag(properties, "enableSoftDelete")? == Some(false) {
            return Err(ArmError::bad_request(
                "The property \"enableSoftDelete\" has been set or already defaulted to true. Once this property is set to true, its value cannot be changed.",
            ));
        }
        let purge_protection = flag(properties, "enablePurgeProtection")?;
        if purge_protection == Some(false) {
            return Err(ArmError::bad_request(
                "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
            ));
        }
        let public_access = match text(properties, "publicNetworkAccess")? {
            None => None,
            Some(word) if word.eq_ignore_ascii_case("enabled") => Some(true),
            Some(word) if word.eq_ignore_ascii_case("disabled") => Some(false),
            Some(_) => return Err(invalid("publicNetworkAccess")),
        };
        let recovers = match text(properties, "createMode")? {
            None | Some("default") => false,
            Some("recover") => true,
            Some(_) => return Err(invalid("createMode")),
        };
        Ok(Settings {
            tenant: asked,
            sku: sku(properties)?,
            is_rbac: flag(properties, "enableRbacAuthorization")?,
            access_policies: access_policies(properties, tenant)?,
            network: network(properties)?,
            public_access,
            retention_days: retention(properties)?,
            purge_protection,
            recovers,
        })
    }

    /// A PUT must say these (Key Vault REST reference, `VaultProperties`).
    pub(super) fn check_complete(&self) -> Result<(), ArmError> {
        let missing = |name: &str| ArmError::bad_request(format!("The parameter {name} is not specified."));
        self.tenant.ok_or_else(|| missing("tenantId"))?;
        self.sku.as_ref().ok_or_else(|| missing("sku"))?;
        Ok(())
    }

    pub(super) fn create(self, vault: &mut Vault) -> Result<(), ArmError> {
        let is_rbac = self.is_rbac.unwrap_or(vault.is_rbac);
        if !is_rbac && self.access_policies.is_none() {
            return Err(ArmError::bad_request("The parameter accessPolicies is not specified."));
        }
        vault.retention_days = self.retention_days.unwrap_or(vault.retention_days);
        self.apply(vault);
        Ok(())
    }

    pub(super) fn change(self, vault: &mut Vault) -> Result<(), ArmError> {
        if self.retention_days.is_some_and(|days| days != vault.retention_days) {
            return Err(ArmError::bad_request(
                "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.",
            ));
        }
        self.apply(vault);
        Ok(())
    }

    fn apply(self, vault: &mut Vault) {
        if let Some(sku) = self.sku {
            vault.sku = sku;
        }
        vault.is_rbac = self.is_rbac.unwrap_or(vault.is_rbac);
        if let Some(policies) = self.access_policies {
            vault.access_policies = policies;
        }
        if let Some(network) = self.network {
            let public_access = vault.network.public_access;
            vault.network = NetworkRules { public_access, ..network };
            vault.shows_network = true;
        }
        if let Some(public_access) = self.public_access {
            vault.network.public_access = public_access;
        }
        vault.purge_protection |= self.purge_protection.unwrap_or(false);
    }
}

fn sku(properties: &Map<String, Value>) -> Result<Option<String>, ArmError> {
    let sku = match properties.get("sku") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(sku)) => sku,
        Some(_) => return Err(invalid("sku")),
    };
    let name = text(sku, "name")?.unwrap_or_default();
    let name = ["standard", "premium"].into_iter().find(|known| known.eq_ignore_ascii_case(name));
    match (text(sku, "family")?, name) {
        (Some("A"), Some(name)) => Ok(Some(name.to_owned())),
        _ => Err(invalid("sku")),
    }
}

fn retention(properties: &Map<String, Value>) -> Result<Option<u16>, ArmError> {
    let days = match properties.get("softDeleteRetentionInDays") {
        None | Some(Value::Null) => return Ok(None),
        Some(days) => days.as_u64().and_then(|days| u16::try_from(days).ok()),
    };
    days.filter(|days| (SHORTEST_RETENTION..=LONGEST_RETENTION).contains(days)).map(Some).ok_or_else(|| {
        ArmError::bad_request(format!(
            "The property \"softDeleteRetentionInDays\" must be between {SHORTEST_RETENTION} and {LONGEST_RETENTION}."
        ))
    })
}

fn network(properties: &Map<String, Value>) -> Result<Option<NetworkRules>, ArmError> {
    let rules = match properties.get("networkAcls") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(rules)) => rules,
        Some(_) => return Err(invalid("networkAcls")),
    };
    let choose = |name: &str, words: [&'static str; 2], default: &'static str| {
        let word = text(rules, name)?.unwrap_or(default);
        words
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(word))
            .ok_or_else(|| invalid(&format!("networkAcls.{name}")))
    };
    let list = |name: &str| match rules.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(invalid(&format!("networkAcls.{name}"))),
    };
    let address = |rule: Value| rule["value"].as_str().map(str::to_owned);
    let ip_rules = list("ipRules")?.into_iter().map(address);
    Ok(Some(NetworkRules {
        public_access: true,
        allow_by_default: choose("defaultAction", ["Allow", "Deny"], "Allow")? == "Allow",
        bypass: choose("bypass", ["AzureServices", "None"], "AzureServices")?.to_owned(),
        ip_rules: ip_rules.collect::<Option<Vec<String>>>().ok_or_else(|| invalid("networkAcls.ipRules"))?,
        subnets: list("virtualNetworkRules")?,
    }))
}

/// The entries of `accessPolicies`; none if they are not given.
pub(super) fn access_policies(
    properties: &Map<String, Value>,
    tenant: Uuid,
) -> Result<Option<Vec<AccessPolicy>>, ArmError> {
    let refuse = || invalid("accessPolicies");
    let entries = match properties.get("accessPolicies") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(entries)) if entries.len() <= MAX_POLICIES => entries,
        Some(_) => return Err(refuse()),
    };
    let read = |entry: &Value| {
        let id = |name: &str| entry[name].as_str()?.parse::<Uuid>().ok();
        let permissions = entry.get("permissions").filter(|permissions| permissions.is_object())?;
        let secrets = match permissions.get("secrets") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(words)) => {
                let words = words.iter().map(|word| known_permission(word.as_str()?));
                words.collect::<Option<Vec<String>>>()?
            }
            Some(_) => return None,
        };
        Some(AccessPolicy {
            tenant: id("tenantId").filter(|id| *id == tenant)?,
            object_id: entry["objectId"].as_str().filter(|id| !id.is_empty())?.to_owned(),
            application_id: match entry.get("applicationId") {
                None | Some(Value::Null) => None,
                Some(_) => Some(id("applicationId")?),
            },
            secrets,
            permissions: permissions.clone(),
        })
    };
    let policies: Option<Vec<AccessPolicy>> = entries.iter().map(read).collect();
    policies.map(Some).ok_or_else(refuse)
}

/// The secret permissions that there are (Key Vault REST reference, `SecretPermissions`).
fn known_permission(word: &str) -> Option<String> {
    ["all", "get", "list", "set", "delete", "backup", "restore", "recover", "purge"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
        .then(|| word.to_owned())
}

pub(super) fn show_policies(policies: &[AccessPolicy]) -> Vec<Value> {
    let show = |policy: &AccessPolicy| {
        let mut shown = json!({
            "tenantId": policy.tenant,
            "objectId": policy.object_id,
            "permissions": policy.permissions,
        });
        if let Some(application) = policy.application_id {
            shown["applicationId"] = json!(application);
        }
        shown
    };
    policies.iter().map(show).collect()
}

pub(super) fn show(origin: &Origin, vault: &Vault) -> Value {
    let access = if vault.network.public_access { "Enabled" } else { "Disabled" };
    let mut properties = json!({
        "sku": {"family": "A", "name": vault.sku},
        "tenantId": vault.tenant,
        "accessPolicies": show_policies(&vault.access_policies),
        "enabledForDeployment": false,
        "enabledForDiskEncryption": false,
        "enabledForTemplateDeployment": false,
        "enableSoftDelete": true,
        "softDeleteRetentionInDays": vault.retention_days,
        "enableRbacAuthorization": vault.is_rbac,
        "vaultUri": format!("{}/", origin.vault(&vault.name)),
        "provisioningState": "Succeeded",
        "publicNetworkAccess": access,
    });
    if vault.purge_protection {
        properties["enablePurgeProtection"] = Value::Bool(true);
    }
    if vault.shows_network {
        let rules = &vault.network;
        let addresses = rules.ip_rules.iter().map(|rule| json!({ "value": rule }));
        properties["networkAcls"] = json!({
            "bypass": rules.bypass,
            "defaultAction": if rules.allow_by_default { "Allow" } else { "Deny" },
            "ipRules": addresses.collect::<Vec<Value>>(),
            "virtualNetworkRules": rules.subnets,
        });
    }
    json!({
        "id": vault.id(),
        "name": vault.name,
        "type": VAULTS,
        "location": vault.location,
        "tags": vault.tags,
        "systemData": {"createdAt": vault.created.to_string()},
        "properties": properties,
    })
}
