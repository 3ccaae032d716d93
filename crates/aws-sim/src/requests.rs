//! Who asks, as the request log names them.

use serde::Serialize;

/// Whose signature was verified, or whose session was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// Of the key.
    pub access_key_id: String,
    /// Its ARN.
    pub principal: String,
}

/// One request and its answer: the service is `iam`, `sts` or `s3`.
pub type LoggedRequest = trust::LoggedRequest<Signer>;
pub(crate) type RequestLog = trust::RequestLog<Signer>;
pub(crate) type Told = trust::requests::Told<Signer>;
