//! What stands above subscriptions: their list, the caller's tenant, and the document from which clients learn a cloud's
//! endpoints.
//! Must not know resources.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::error::ArmError;
use crate::origin::Origin;
use crate::rbac;
use crate::state::{Caller, State};

/// The API versions of subscriptions and tenants (azure-rest-api-specs, `Microsoft.Resources/subscriptions`).
pub(super) const VERSIONS: &[&str] =
    &["2016-06-01", "2019-06-01", "2019-11-01", "2020-01-01", "2021-01-01", "2021-10-01", "2022-12-01"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    Subscriptions,
    Tenants,
}

impl Above {
    pub(super) fn of(path: &str) -> Option<Above> {
        let path = path.trim_matches('/');
        let is = |word: &str| path.eq_ignore_ascii_case(word);
        match () {
            () if is("subscriptions") => Some(Above::Subscriptions),
            () if is("tenants") => Some(Above::Tenants),
            () => None,
        }
    }

    pub(super) fn action(self) -> &'static str {
        match self {
            Above::Subscriptions => "Microsoft.Resources/subscriptions/read",
            Above::Tenants => "Microsoft.Resources/tenants/read",
        }
    }

    /// A caller sees what it has any role in.
    pub(super) fn answer(self, state: &State, caller: &Caller, method: &Method) -> Result<Answer, ArmError> {
        if method != Method::GET {
            return Err(ArmError::method(method));
        }
        let tenant = caller.tenant;
        if self == Above::Tenants {
            return Ok(Answer::list(vec![json!({
                "id": format!("/tenants/{tenant}"),
                "tenantId": tenant,
                "displayName": "Default Directory",
                "tenantCategory": "Home",
            })]));
        }
        let directory = state.read();
        let assignments = &directory.assignments;
        let is_seen = |id: &Uuid| {
            let scope = format!("/subscriptions/{id}");
            assignments
                .of(caller.object_id)
                .any(|held| rbac::covers(&scope, &held.scope) || rbac::covers(&held.scope, &scope))
        };
        let ours = directory.subscriptions.iter().filter(|(id, one)| one.tenant == tenant && is_seen(id));
        Ok(Answer::list(ours.map(|(id, one)| show_subscription(*id, one.tenant)).collect()))
    }
}

pub(super) fn show_subscription(id: Uuid, tenant: Uuid) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"),
        "subscriptionId": id,
        "tenantId": tenant,
        "displayName": "Simulated",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

pub(super) fn is_metadata(path: &str) -> bool {
    path.trim_matches('/').eq_ignore_ascii_case("metadata/endpoints")
}

/// The endpoints of this cloud, without authorization; only those that are simulated. Older versions list every cloud.
pub(super) fn metadata(origin: &Origin, method: &Method, version: Option<&str>) -> Result<Answer, ArmError> {
    if method != Method::GET {
        return Err(ArmError::method(method));
    }
    let audiences = if origin.is_plain {
        vec![origin.manager.clone()]
    } else {
        vec!["https://management.core.windows.net/".to_owned(), format!("{}/", origin.manager)]
    };
    let graph =
        if origin.is_plain { format!("{}/", origin.manager) } else { "https://graph.microsoft.com/".to_owned() };
    let cloud = json!({
        "name": if origin.is_plain { "Simulated" } else { "AzureCloud" },
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": origin.authority,
            "audiences": audiences,
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": format!("{}/", origin.manager),
        "graphAudience": graph,
        "microsoftGraphResourceId": graph,
        "suffixes": {
            "keyVaultDns": origin.vaults.trim_start_matches('.'),
            "storage": origin.storage,
        },
    });
    match version {
        Some("2022-09-01") => Ok(Answer::with(StatusCode::OK, cloud)),
        Some("2018-05-01" | "2019-05-01" | "2020-06-01") => Ok(Answer::with(StatusCode::OK, json!([cloud]))),
        _ => Err(ArmError::invalid(
            "InvalidApiVersionParameter",
            "The api-version is invalid. The supported versions are '2018-05-01,2019-05-01,2020-06-01,2022-09-01'.",
        )),
    }
}
