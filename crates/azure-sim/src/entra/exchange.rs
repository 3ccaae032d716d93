//! The client credentials grant: a secret or a federated token for an access token.
//! Must not know how answers are written.
//!
//! The steps follow one another in the order in which the real service's refusals are reported: form,
//! tenant, client, credential, scope.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use trust::KeyRing;
use uuid::Uuid;

use super::assertion::{self, Federated};
use super::refusal::Refusal;
use crate::access_token::{self, Grant};
use crate::directory::{Client, FederatedCredential};
use crate::origin;
use crate::requests::{Principal, Told};
use crate::state::State;

const BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// A signing key is made within a second; this is for a machine under load.
const KEY_DEADLINE: Duration = Duration::from_secs(30);

/// Resources that every tenant knows, by the identifiers that a scope may name them with. The token's
/// audience is the identifier as it was asked for. Resource Manager's, Graph's and Storage's have a slash of their own, so
/// that `https://management.azure.com//.default` is right and the vaults' double slash is wrong.
const RESOURCES: [&str; 9] = [
    "https://vault.azure.net",
    "https://management.azure.com",
    "https://management.azure.com/",
    "https://management.core.windows.net",
    "https://management.core.windows.net/",
    "https://graph.microsoft.com",
    "https://graph.microsoft.com/",
    "https://storage.azure.com",
    "https://storage.azure.com/",
];

/// The parameters of a form post, or of a query.
pub(crate) struct Form(Option<Vec<(String, String)>>);

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets and tokens.
        let names = self.0.iter().flatten().map(|(name, _)| name);
        formatter.debug_list().entries(names).finish()
    }
}

impl Form {
    /// A body that is no form is kept as such, and refused when it is asked for something.
    pub(crate) fn parse(body: &[u8]) -> Form {
        let pairs = std::str::from_utf8(body).ok().and_then(|text| {
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((decode(name)?, decode(value)?))
                })
                .collect()
        });
        Form(pairs)
    }

    /// The value; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.as_ref()?.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing_parameter(name))
    }
}

/// `application/x-www-form-urlencoded`; none for a broken escape or text that is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(rest.next())? * 16 + digit(rest.next())?;
                u8::try_from(value).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Whom a path names: a tenant, or whichever the user belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TenantName {
    One(Uuid),
    Any,
}

/// Finds the tenant that a path names.
pub(super) fn tenant(state: &State, name: &str) -> Result<TenantName, Refusal> {
    if ["common", "organizations", "consumers"].contains(&name) {
        return Ok(TenantName::Any);
    }
    // Only the form with hyphens is an identifier here; a domain has a dot.
    let id = name.parse::<Uuid>().ok().filter(|_| name.len() == 36);
    let is_domain = || {
        let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        name.contains('.') && name.split('.').all(label)
    };
    match id {
        Some(id) if state.read().tenants.contains_key(&id) => Ok(TenantName::One(id)),
        Some(_) => Err(Refusal::unknown_tenant(name)),
        None if is_domain() => Err(Refusal::unknown_tenant(name)),
        None => Err(Refusal::malformed_tenant(name)),
    }
}

/// The ring that signs access tokens, waited for if it is still being made.
pub(super) async fn token_keys(state: &State) -> Result<Arc<KeyRing>, Refusal> {
    let mut keys = state.token_key();
    let made = tokio::time::timeout(KEY_DEADLINE, keys.wait_for(Option::is_some)).await;
    match made {
        Ok(Ok(ring)) => ring.as_ref().cloned().ok_or_else(Refusal::not_ready),
        Ok(Err(_)) | Err(_) => Err(Refusal::not_ready()),
    }
}

/// What the exchange needs of a client, taken out from under the lock.
struct Asking {
    client_id: Uuid,
    object_id: Uuid,
    name: String,
    resource_id: Option<String>,
    is_blocked: bool,
    credentials: Vec<FederatedCredential>,
}

/// Answers one request with the token response.
pub(super) async fn exchange(state: &State, name: &str, form: &Form, told: &mut Told) -> Result<Value, Refusal> {
    if form.0.is_none() {
        return Err(Refusal::malformed_request());
    }
    let grant = form.required("grant_type")?;
    let client_id = form.required("client_id")?;
    let scope = form.required("scope")?;
    if grant != "client_credentials" {
        return Err(Refusal::unsupported_grant(grant));
    }
    let TenantName::One(tenant) = tenant(state, name)? else {
        return Err(Refusal::no_tenant_named());
    };
    let client = find(state, tenant, client_id)?;
    let appidacr = authenticate(state, tenant, &client, form).await?;
    // Who it is is proven now, whatever comes of it.
    told.who = Some(Principal { tenant_id: tenant, app_id: client.client_id, object_id: client.object_id });
    let audience = resource(scope)?;
    if client.is_blocked {
        return Err(Refusal::blocked());
    }
    issue(state, tenant, &client, audience, appidacr).await
}

fn find(state: &State, tenant: Uuid, client_id: &str) -> Result<Asking, Refusal> {
    let directory = state.read();
    let id = client_id.parse::<Uuid>().ok();
    let found = id.and_then(|id| Some((id, directory.client(tenant, id)?)));
    let Some((id, client)) = found else {
        return Err(Refusal::unknown_client(client_id));
    };
    let Some(object_id) = client.object_id else {
        return Err(Refusal::no_service_principal(id, tenant));
    };
    if !client.enabled {
        return Err(Refusal::disabled(id, &client.name));
    }
    Ok(Asking {
        client_id: id,
        object_id,
        name: client.name.clone(),
        resource_id: client.resource_id.clone(),
        is_blocked: client.blocked,
        credentials: directory.seen_credentials(id, client),
    })
}

/// Returns how the client proved itself, as `appidacr` tells it.
async fn authenticate(state: &State, tenant: Uuid, client: &Asking, form: &Form) -> Result<&'static str, Refusal> {
    if let Some(assertion) = form.get("client_assertion") {
        if form.required("client_assertion_type")? != BEARER_ASSERTION {
            return Err(Refusal::malformed_request());
        }
        let federated =
            Federated { tenant, client_id: client.client_id, name: &client.name, credentials: &client.credentials };
        assertion::check(state, &federated, assertion).await?;
        return Ok("2");
    }
    let secret = form.get("client_secret").ok_or_else(Refusal::no_credential)?;
    let directory = state.read();
    let is_known = |held: &Client| held.secrets.iter().any(|known| known.expose() == secret);
    if !directory.client(tenant, client.client_id).is_some_and(is_known) {
        return Err(Refusal::wrong_secret(client.client_id));
    }
    Ok("1")
}

/// The resource that a scope names.
fn resource(scope: &str) -> Result<&str, Refusal> {
    if scope.split(' ').filter(|part| !part.is_empty()).count() != 1 {
        return Err(Refusal::invalid_scope(scope));
    }
    let Some(identifier) = scope.strip_suffix("/.default") else {
        return Err(Refusal::scope_without_default(scope));
    };
    match RESOURCES.into_iter().find(|known| *known == identifier) {
        Some(known) => Ok(known),
        None if origin::is_vault_resource(identifier) || origin::is_local_manager(identifier) => Ok(identifier),
        None if identifier.ends_with('/') => Err(Refusal::invalid_scope(scope)),
        None => Err(Refusal::unknown_resource(identifier)),
    }
}

/// Managed identities get a day, applications an hour.
async fn issue(
    state: &State,
    tenant: Uuid,
    client: &Asking,
    audience: &str,
    appidacr: &'static str,
) -> Result<Value, Refusal> {
    let keys = token_keys(state).await?;
    let lifetime = match client.resource_id {
        Some(_) => SignedDuration::from_secs(86_399),
        None => SignedDuration::from_secs(3_599),
    };
    let grant = Grant {
        tenant,
        client_id: client.client_id,
        object_id: client.object_id,
        resource_id: client.resource_id.as_deref(),
        audience,
        appidacr,
        now: state.now(),
        lifetime,
    };
    let token = access_token::sign(&grant, &keys).map_err(|error| {
        tracing::error!(%error, "an access token was not signed");
        Refusal::not_ready()
    })?;
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
        "ext_expires_in": lifetime.as_secs(),
        "access_token": token,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_names_one_known_resource() {
        let check = |scope: &str, expected: Result<&str, u32>| {
            assert_eq!(resource(scope).map_err(|refusal| refusal.code), expected, "{scope}");
        };
        check("https://vault.azure.net/.default", Ok("https://vault.azure.net"));
        check("https://management.azure.com/.default", Ok("https://management.azure.com"));
        check("https://management.core.windows.net//.default", Ok("https://management.core.windows.net/"));
        check("https://storage.azure.com/.default", Ok("https://storage.azure.com"));
        check("https://vault.azure.net", Err(1_002_012));
        check("https://vault.azure.net/user_impersonation", Err(1_002_012));
        check("https://vault.azure.net//.default", Err(70011));
        check("https://vault.azure.net/.default https://graph.microsoft.com/.default", Err(70011));
        check("https://vault.example/.default", Err(500_011));
        check("https://VAULT.azure.net/.default", Err(500_011));
        check("https://vault.localhost:8443/.default", Ok("https://vault.localhost:8443"));
        check("https://localhost:8443//.default", Ok("https://localhost:8443/"));
    }

    #[test]
    fn forms_are_decoded() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(Form::parse(body.as_bytes()).get("a"), expected, "{body}");
        };
        check("a=1", Some("1"));
        check("b=2&a=x%3A%2F+y", Some("x:/ y"));
        check("a=", None);
        check("b=1", None);
        check("", None);
        check("a=%zz", None);
        check("a=%C3%A4", Some("ä"));
        let shown = format!("{:?}", Form::parse(b"client_secret=canary&a=1"));
        assert_eq!(shown, r#"["client_secret", "a"]"#);
        assert!(Form::parse(b"a=%zz").0.is_none(), "a broken escape spoils the form");
    }
}
