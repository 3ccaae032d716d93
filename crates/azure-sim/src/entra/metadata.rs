//! The documents that say where tokens are to be had and how they are signed.
//! Must not know clients.

use serde_json::{Value, json};

use super::exchange::{self, TenantName};
use super::refusal::Refusal;
use crate::origin::Origin;
use crate::state::State;

/// The hosts of the public cloud, which are one authority under several names.
const ALIASES: [&str; 4] = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];

/// The OpenID configuration of a tenant, in the second (`v2.0`) or the first version; `common` and its
/// like have one too, with a placeholder for the tenant.
pub(super) fn discovery(state: &State, origin: &Origin, name: &str, second: bool) -> Result<Value, Refusal> {
    let tenant = match exchange::tenant(state, name).map_err(Refusal::of_discovery)? {
        TenantName::One(tenant) => tenant.to_string(),
        TenantName::Any => "{tenantid}".to_owned(),
    };
    let at = match name {
        "common" | "organizations" | "consumers" => name,
        _ => &tenant,
    };
    let authority = &origin.authority;
    let (issuer, version) = if second {
        (format!("{authority}/{tenant}/v2.0"), "/v2.0")
    } else {
        (format!("https://sts.windows.net/{tenant}/"), "")
    };
    Ok(json!({
        "token_endpoint": format!("{authority}/{at}/oauth2{version}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{authority}/{at}/discovery{version}/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": format!("{authority}/{at}/oauth2{version}/authorize"),
        "device_authorization_endpoint": format!("{authority}/{at}/oauth2{version}/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{authority}/{at}/oauth2{version}/logout"),
        "claims_supported": [
            "sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name",
            "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username",
            "name", "tid", "ver", "at_hash", "c_hash", "email",
        ],
        "tenant_region_scope": null,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }))
}

/// Whether an authority is a known one, and under which names.
pub(super) fn instance(origin: &Origin, query: Option<&str>) -> Result<Value, Refusal> {
    let form = exchange::Form::parse(query.unwrap_or_default().as_bytes());
    let endpoint = form.get("authorization_endpoint").unwrap_or_default();
    let rest = endpoint.strip_prefix("https://");
    let rest = rest.ok_or_else(Refusal::invalid_instance)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_own = origin.is_plain && origin.authority.strip_prefix("https://") == Some(host);
    let aliases: &[&str] = if is_own { &[host] } else { &ALIASES };
    if !aliases.contains(&host) {
        return Err(Refusal::invalid_instance());
    }
    let tenant = path.split('/').next().unwrap_or_default();
    let version = if path.contains("/v2.0") { "/v2.0" } else { "" };
    Ok(json!({
        "tenant_discovery_endpoint": format!("https://{host}/{tenant}{version}/.well-known/openid-configuration"),
        "api-version": form.get("api-version").unwrap_or("1.1"),
        "metadata": [{
            "preferred_network": aliases[0],
            "preferred_cache": if is_own { host } else { "login.windows.net" },
            "aliases": aliases,
        }],
    }))
}

/// The public halves of the keys that sign access tokens: the same for every tenant.
pub(super) async fn keys(state: &State, origin: &Origin, name: &str) -> Result<Value, Refusal> {
    let issuer = match exchange::tenant(state, name).map_err(Refusal::of_discovery)? {
        TenantName::One(tenant) => format!("{}/{tenant}/v2.0", origin.authority),
        TenantName::Any => format!("{}/{{tenantid}}/v2.0", origin.authority),
    };
    let ring = exchange::token_keys(state).await?;
    let mut keys = serde_json::to_value(ring.jwks()).map_err(|_| Refusal::not_ready())?;
    if let Some(keys) = keys["keys"].as_array_mut() {
        for key in keys {
            key["issuer"] = Value::from(issuer.as_str());
        }
    }
    Ok(keys)
}
