//! Who asks, as the request log names them.

use serde::Serialize;
use uuid::Uuid;

use crate::state::Caller;

/// Whose token was verified, or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// The directory.
    pub tenant_id: Uuid,
    /// `appid`: the client id.
    pub app_id: Uuid,
    /// `oid`: the service principal's.
    pub object_id: Uuid,
}

/// One request and its answer: the service is `entra`, `graph`, `arm`, `keyvault` or `blob`.
pub type LoggedRequest = trust::LoggedRequest<Principal>;
pub(crate) type RequestLog = trust::RequestLog<Principal>;
pub(crate) type Told = trust::requests::Told<Principal>;

impl Principal {
    pub(crate) fn of(caller: &Caller) -> Principal {
        Principal { tenant_id: caller.tenant, app_id: caller.app_id, object_id: caller.object_id }
    }
}
