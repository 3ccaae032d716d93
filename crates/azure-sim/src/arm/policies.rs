//! Changes to a vault's access policies one at a time, as `az keyvault set-policy` and templates make them.
//! Must not know what a permission permits.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::path::VAULTS;
use super::vault_body::{access_policies, show_policies};
use super::vaults::held;
use super::{Call, groups};
use crate::vaults::{AccessPolicy, Vault};

pub(super) fn change(call: &Call<'_>, group: &str, name: &str, change: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::PUT)?;
    let body = call.body.object()?;
    let given = access_policies(body::properties(&body)?, call.tenant)?;
    let given = given.ok_or_else(|| ArmError::bad_request("The parameter accessPolicies is not specified."))?;
    let mut directory = call.state.write();
    let group = groups::writable(call, &mut directory, group)?.name.clone();
    let absent = || ArmError::resource_not_found(VAULTS, name, &group);
    held(call, &directory, &group, name).ok_or_else(absent)?;
    let vault = directory.vaults.get_mut(&name.to_ascii_lowercase());
    let vault = vault.ok_or_else(absent)?;
    match change {
        "add" => given.into_iter().for_each(|entry| add(vault, entry)),
        "replace" => vault.access_policies = given,
        "remove" => given.iter().for_each(|entry| remove(vault, entry)),
        _ => {
            return Err(ArmError::bad_request(format!(
                "An invalid value was provided for 'operationKind': '{change}'."
            )));
        }
    }
    let shown = json!({
        "id": format!("{}/accessPolicies/", vault.id()),
        "type": "Microsoft.KeyVault/vaults/accessPolicies",
        "properties": {"accessPolicies": show_policies(&vault.access_policies)},
    });
    Ok(Answer::with(StatusCode::OK, shown))
}

fn is_same(one: &AccessPolicy, other: &AccessPolicy) -> bool {
    one.tenant == other.tenant
        && one.application_id == other.application_id
        && one.object_id.eq_ignore_ascii_case(&other.object_id)
}

/// Adds permissions to those that the principal has.
fn add(vault: &mut Vault, given: AccessPolicy) {
    let held = vault.access_policies.iter_mut().find(|held| is_same(held, &given));
    let Some(held) = held else {
        vault.access_policies.push(given);
        return;
    };
    for (kind, words) in given.permissions.as_object().into_iter().flatten() {
        let mut all = words_of(&held.permissions, kind);
        for word in words.as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !all.iter().any(|held| held.eq_ignore_ascii_case(word)) {
                all.push(word.to_owned());
            }
        }
        held.permissions[kind] = json!(all);
    }
    held.secrets = words_of(&held.permissions, "secrets");
}

/// Takes permissions away; an entry that has none left goes.
fn remove(vault: &mut Vault, given: &AccessPolicy) {
    for held in vault.access_policies.iter_mut().filter(|held| is_same(held, given)) {
        for (kind, words) in given.permissions.as_object().into_iter().flatten() {
            let gone: Vec<&str> = words.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut left = words_of(&held.permissions, kind);
            left.retain(|word| !gone.iter().any(|gone| gone.eq_ignore_ascii_case(word)));
            held.permissions[kind] = json!(left);
        }
        held.secrets = words_of(&held.permissions, "secrets");
    }
    vault.access_policies.retain(|held| {
        let kinds = held.permissions.as_object().into_iter().flatten();
        let is_empty = |words: &Value| words.as_array().is_none_or(Vec::is_empty);
        !is_same(held, given) || kinds.into_iter().any(|(_, words)| !is_empty(words))
    });
}

fn words_of(permissions: &Value, kind: &str) -> Vec<String> {
    let words = permissions[kind].as_array().into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}
