//! Federated identity credentials: whose tokens stand for an identity.
//! Must not know tokens: a credential that fits none is as good as any, here.
//!
//! Limits and codes are those of "Important considerations and restrictions for federated identity
//! credentials". Values that match no token are accepted: that shows at the exchange only.

use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::body;
use super::error::ArmError;
use super::path::{CREDENTIALS, IDENTITIES};
use super::{Call, groups, identities};
use crate::directory::{Client, FederatedCredential};
use crate::state::State;

const MAX_CREDENTIALS: usize = 20;
const MAX_TEXT: usize = 600;
const MIN_NAME: usize = 3;
const MAX_NAME: usize = 120;

/// The identity that credentials hang on.
struct Parent {
    /// Resource id.
    id: String,
    client_id: Uuid,
}

pub(super) fn list(call: &Call<'_>, group: &str, identity: &str) -> Result<Answer, ArmError> {
    call.must_be(&Method::GET)?;
    let parent = parent(call, group, identity, "read")?;
    let directory = call.state.read();
    let client = directory.client(call.tenant, parent.client_id);
    let credentials = client.map(|client| client.federated.values());
    let shown = credentials.into_iter().flatten();
    Ok(Answer::list(shown.map(|credential| show(&parent, credential)).collect()))
}

pub(super) async fn one(call: &Call<'_>, group: &str, identity: &str, name: &str) -> Result<Answer, ArmError> {
    match *call.method {
        Method::GET => get(call, group, identity, name),
        Method::PUT => {
            let parent = parent(call, group, identity, "write")?;
            let credential = read(name, &call.body.object()?)?;
            let _writing = Writing::begin(call, &parent)?;
            tokio::time::sleep(call.state.credential_write()).await;
            put(call, &parent, credential)
        }
        Method::DELETE => {
            let Ok(parent) = parent(call, group, identity, "delete") else {
                return Ok(Answer::deleted(false));
            };
            let _writing = Writing::begin(call, &parent)?;
            tokio::time::sleep(call.state.credential_write()).await;
            let mut directory = call.state.write();
            let client = directory.client_mut(call.tenant, parent.client_id);
            let key = name.to_ascii_lowercase();
            let removed = client.and_then(|client| client.federated.remove(&key));
            if removed.is_some() {
                directory.send_credential(parent.client_id, &key, None);
            }
            Ok(Answer::deleted(removed.is_some()))
        }
        _ => Err(call.unsupported()),
    }
}

/// The one write that an identity takes at a time; over when dropped, also if the caller hung up.
struct Writing {
    state: State,
    tenant: Uuid,
    client_id: Uuid,
}

impl Writing {
    fn begin(call: &Call<'_>, parent: &Parent) -> Result<Writing, ArmError> {
        let mut is_free = false;
        let (tenant, client_id) = (call.tenant, parent.client_id);
        call.state.with_client(tenant, client_id, |client| {
            is_free = !client.is_writing;
            client.is_writing = true;
        });
        if is_free {
            let state = call.state.clone();
            return Ok(Writing { state, tenant, client_id });
        }
        Err(ArmError::conflict(
            "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
            "Too many Federated Identity Credentials are written concurrently for the managed identity. Concurrent Federated Identity Credentials writes under the same managed identity are not supported.",
        ))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let idle = |client: &mut Client| client.is_writing = false;
        self.state.with_client(self.tenant, self.client_id, idle);
    }
}

fn parent(call: &Call<'_>, group: &str, identity: &str, verb: &str) -> Result<Parent, ArmError> {
    let directory = call.state.read();
    groups::must_exist(call, &directory, group)?;
    match identities::find(call, &directory, group, identity) {
        Ok((group, found)) => {
            Ok(Parent { id: groups::identity_id(call, &group, &found.name), client_id: found.client_id })
        }
        Err(_) => Err(ArmError::not_found(
            "ParentResourceNotFound",
            format!(
                "Failed to perform '{verb}' on resource(s) of type 'userAssignedIdentities/federatedIdentityCredentials', because the parent resource '{}/providers/{IDENTITIES}/{identity}' could not be found.",
                call.group_id(group)
            ),
        )),
    }
}

fn get(call: &Call<'_>, group: &str, identity: &str, name: &str) -> Result<Answer, ArmError> {
    let parent = parent(call, group, identity, "read")?;
    let directory = call.state.read();
    let client = directory.client(call.tenant, parent.client_id);
    let found = client.and_then(|client| client.federated.get(&name.to_ascii_lowercase()));
    match found {
        Some(credential) => Ok(Answer::ok(show(&parent, credential))),
        None => Err(ArmError::resource_not_found(CREDENTIALS, &format!("{identity}/{name}"), group)),
    }
}

fn put(call: &Call<'_>, parent: &Parent, credential: FederatedCredential) -> Result<Answer, ArmError> {
    let key = credential.name.to_ascii_lowercase();
    let mut directory = call.state.write();
    let client = directory.client_mut(call.tenant, parent.client_id);
    // Deleted while the write was under way.
    let client = client.ok_or_else(|| {
        ArmError::not_found(
            "ParentResourceNotFound",
            format!("The parent resource '{}' could not be found.", parent.id),
        )
    })?;
    let is_same_pair = |(other, held): (&String, &FederatedCredential)| {
        *other != key && held.issuer == credential.issuer && held.subject == credential.subject
    };
    if client.federated.iter().any(is_same_pair) {
        return Err(ArmError::bad_request("Issuer and subject combination already exists for this Managed Identity."));
    }
    let is_new = !client.federated.contains_key(&key);
    if is_new && client.federated.len() >= MAX_CREDENTIALS {
        return Err(ArmError::bad_request(format!(
            "Too many Federated Identity Credentials have been added to the Managed Identity. The maximum is {MAX_CREDENTIALS}."
        )));
    }
    let shown = show(parent, &credential);
    client.federated.insert(key.clone(), credential.clone());
    directory.send_credential(parent.client_id, &key, Some(&credential));
    Ok(Answer::put(is_new, shown))
}

fn read(name: &str, body: &Map<String, Value>) -> Result<FederatedCredential, ArmError> {
    check_name(name)?;
    let properties = body.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty());
    let properties =
        properties.ok_or_else(|| ArmError::bad_request("Federated Identity Credential properties cannot be empty."))?;
    let required = |field: &str| {
        let value = body::text(properties, field)?.filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| ArmError::bad_request(format!("The property '{field}' is required.")))?;
        check_length(field, value)?;
        Ok::<_, ArmError>(value.to_owned())
    };
    let audiences = properties.get("audiences").and_then(Value::as_array);
    let audience = match audiences.map(Vec::as_slice) {
        Some([Value::String(audience)]) if !audience.is_empty() => audience,
        _ => {
            return Err(ArmError::bad_request("A Federated Identity Credential must have exactly one audience."));
        }
    };
    check_length("audiences", audience)?;
    let issuer = required("issuer")?;
    if !issuer.starts_with("https://") {
        return Err(ArmError::bad_request(format!("The issuer '{issuer}' must be an https URL.")));
    }
    Ok(FederatedCredential { name: name.to_owned(), issuer, subject: required("subject")?, audience: audience.clone() })
}

fn check_length(field: &str, value: &str) -> Result<(), ArmError> {
    if value.chars().count() <= MAX_TEXT {
        return Ok(());
    }
    Err(ArmError::bad_request(format!("The property '{field}' has at most {MAX_TEXT} characters.")))
}

/// `[A-Za-z0-9][A-Za-z0-9_-]*`, 3 to 120 characters.
fn check_name(name: &str) -> Result<(), ArmError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && (MIN_NAME..=MAX_NAME).contains(&name.len()) && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(ArmError::bad_request(format!(
        "The Federated Identity Credential name '{name}' is invalid. It has {MIN_NAME} to {MAX_NAME} letters, digits, hyphens and underscores, and begins with a letter or digit."
    )))
}

fn show(parent: &Parent, credential: &FederatedCredential) -> Value {
    json!({
        "id": format!("{}/federatedIdentityCredentials/{}", parent.id, credential.name),
        "name": credential.name,
        "type": CREDENTIALS,
        "properties": {
            "issuer": credential.issuer,
            "subject": credential.subject,
            "audiences": [credential.audience],
        },
    })
}
