//! The one place where a request is sent and where it is sent again, and the list of refusals that only mean: not yet.
//! Knows what a request is named, not what it does.

use std::future::Future;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;
use tokio::time::Instant;

use super::access::Clients;
use super::error::ProvisionError;
pub(super) use super::request::Request;
use super::{Consistency, Kind, blob};

/// How long to bear with a service.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Attempts while it does not answer, or asks to come later.
    attempts: u32,
    /// Pause before the second attempt; it doubles with each one.
    backoff: Duration,
    /// Pause while a write spreads.
    poll: Duration,
}

const PATIENCE: Patience = Patience { attempts: 4, backoff: Duration::from_millis(100), poll: Duration::from_secs(3) };

/// Refusals that a lag between two of our own writes explains: operation, code, and a part of the message.
///
/// Sources: Azure RBAC, "Troubleshoot Azure RBAC" (a principal that was just created); Microsoft Entra, "Important
/// considerations and restrictions for federated identity credentials" (one writer an identity); Azure Resource
/// Manager, "Resolve resource not found errors" (a parent that was just created); hashicorp/terraform-provider-azurerm
/// issue 8214 (an account that was just opened); Azure RBAC, "Troubleshoot Azure RBAC" (a role that was just given counts
/// for data within ten minutes).
const SETTLING: &[(&str, &str, &str)] = &[
    ("CreateVault", "ResourceGroupNotFound", ""),
    ("CreateIdentity", "ResourceGroupNotFound", ""),
    ("CreateSecret", "ParentResourceNotFound", ""),
    ("CreateSecret", "ResourceNotFound", ""),
    ("CreateFederatedCredential", "ParentResourceNotFound", ""),
    ("CreateFederatedCredential", "ResourceNotFound", ""),
    ("CreateFederatedCredential", CONCURRENT, ""),
    ("DeleteFederatedCredential", CONCURRENT, ""),
    ("CreateRoleAssignment", "PrincipalNotFound", ""),
    ("CreateRoleAssignment", "ResourceNotFound", ""),
    ("AddAccessPolicy", "ResourceNotFound", ""),
    ("PurgeVault", "DeletedVaultNotFound", ""),
    ("CreateStorageAccount", "ResourceGroupNotFound", ""),
    ("CreateContainer", "ResourceNotFound", ""),
    ("CreateContainer", "PublicAccessNotPermitted", ""),
    ("CreateStorageRole", "ResourceNotFound", ""),
    ("CreateStorageRole", "PrincipalNotFound", ""),
    ("PutBlob", "ContainerNotFound", ""),
    ("PutBlob", "AuthorizationPermissionMismatch", ""),
    ("PublishBlob", "AuthorizationPermissionMismatch", ""),
    ("DeleteResourceGroup", "NotEmpty", ""),
];
const CONCURRENT: &str = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";

/// What came back, with a status of the 200s.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// `Null` if there was none.
    pub(super) body: Value,
    /// Where an operation that goes on can be watched.
    pub(super) watch: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Reply {
    /// A member of `properties`.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.body.get("properties")?.get(name)?.as_str()
    }
}

/// An error, and when to come again.
#[derive(Debug)]
struct Refused {
    error: ProvisionError,
    retry_after: Option<Duration>,
}

impl From<ProvisionError> for Refused {
    fn from(error: ProvisionError) -> Self {
        Self { error, retry_after: None }
    }
}

/// Sends until an answer is final.
pub(super) async fn call(clients: &Clients, request: Request<'_>) -> Result<Reply, ProvisionError> {
    retry(PATIENCE, clients.consistency(), || send(clients, &request)).await
}

/// Does `work`, of several requests that are each final, again while its refusal only means: not yet.
pub(super) async fn settle<T, F>(clients: &Clients, mut work: impl FnMut() -> F) -> Result<T, ProvisionError>
where
    F: Future<Output = Result<T, ProvisionError>>,
{
    let started = Instant::now();
    loop {
        match work().await {
            Err(error) if may_settle(clients.consistency(), &error, started.elapsed() + PATIENCE.poll) => {
                tokio::time::sleep(PATIENCE.poll).await;
            }
            done => return done,
        }
    }
}

async fn send(clients: &Clients, request: &Request<'_>) -> Result<Reply, Refused> {
    let token = clients.credential().get_token(&[request.scope()], None).await;
    let token = token.map_err(|error| ProvisionError::of_token(clients.tenant(), &error))?;
    let lost = |error| ProvisionError::of_loss(request.operation, request.resource, error);
    let sent = request.build(clients.http()).bearer_auth(token.token.secret());
    let answer = sent.send().await.map_err(lost)?;
    let status = answer.status().as_u16();
    let retry_after = seconds(answer.headers());
    let watch = text(answer.headers(), LOCATION.as_str());
    let code = text(answer.headers(), blob::ERROR_CODE);
    let bytes = answer.bytes().await.map_err(lost)?;
    // Errors from in between (a proxy, a gateway) come as text.
    let body =
        serde_json::from_slice(&bytes).ok().or_else(|| blob::error(code.as_deref(), &bytes)).unwrap_or(Value::Null);
    if (200..300).contains(&status) {
        return Ok(Reply { status, body, watch, retry_after });
    }
    Err(Refused { error: ProvisionError::of_answer(request.operation, request.resource, status, &body), retry_after })
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

async fn retry<T, F>(
    patience: Patience,
    consistency: Consistency,
    mut send: impl FnMut() -> F,
) -> Result<T, ProvisionError>
where
    F: Future<Output = Result<T, Refused>>,
{
    let started = Instant::now();
    let mut maybe_done = false;
    let mut attempt = 1;
    loop {
        let Refused { mut error, retry_after } = match send().await {
            Ok(value) => return Ok(value),
            Err(refused) => refused,
        };
        maybe_done |= error.maybe_done;
        error.maybe_done = maybe_done;
        let elapsed = started.elapsed();
        // A service that throttles says for how long, which may be longer than all our attempts together.
        let told = retry_after.unwrap_or(patience.poll);
        let pause = if error.status == Some(429) && elapsed + told <= deadline(consistency) {
            told
        } else if may_settle(consistency, &error, elapsed + patience.poll) {
            patience.poll
        } else if error.retryable && attempt < patience.attempts {
            attempt += 1;
            patience.backoff * 2_u32.pow(attempt - 2)
        } else {
            return Err(error);
        };
        tracing::debug!(operation = error.operation, resource = error.resource, code = ?error.code, ?pause, "trying again");
        tokio::time::sleep(pause).await;
    }
}

fn deadline(consistency: Consistency) -> Duration {
    match consistency {
        Consistency::Immediate => Duration::ZERO,
        Consistency::Eventual { deadline } => deadline,
    }
}

fn may_settle(consistency: Consistency, error: &ProvisionError, next: Duration) -> bool {
    next <= deadline(consistency)
        && matches!(error.kind, Kind::Invalid | Kind::Unavailable | Kind::Denied)
        && SETTLING.iter().any(|(operation, code, part)| {
            error.operation == *operation && error.code.as_deref() == Some(code) && error.message.contains(part)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HASTE: Patience =
        Patience { attempts: 4, backoff: Duration::from_micros(10), poll: Duration::from_millis(1) };
    const EVENTUAL: Consistency = Consistency::Eventual { deadline: Duration::from_secs(10) };

    /// Calls `operation`, answered by `answers` in turn and the last of them for ever; tells how often it was sent.
    async fn sent(
        consistency: Consistency,
        operation: &'static str,
        answers: &[(&str, u16)],
    ) -> (usize, Result<(), ProvisionError>) {
        let mut count = 0;
        let result = retry(HASTE, consistency, || {
            let (code, status) = answers[count.min(answers.len() - 1)];
            count += 1;
            let body = json!({"error": {"code": code, "message": "m"}});
            let refused = Refused::from(ProvisionError::of_answer(operation, "x", status, &body));
            std::future::ready(if code.is_empty() { Ok(()) } else { Err(refused) })
        })
        .await;
        (count, result)
    }

    #[tokio::test]
    async fn only_listed_refusals_are_waited_out_and_only_where_writes_lag() {
        let young = ("PrincipalNotFound", 400);
        let (count, result) = sent(EVENTUAL, "CreateRoleAssignment", &[young, young, ("", 200)]).await;
        assert_eq!((count, result.is_ok()), (3, true));
        let young = ("AuthorizationPermissionMismatch", 403);
        let (count, result) = sent(EVENTUAL, "PutBlob", &[young, young, ("", 201)]).await;
        assert_eq!((count, result.is_ok()), (3, true));
        for (consistency, operation, code, status) in [
            (Consistency::Immediate, "CreateRoleAssignment", "PrincipalNotFound", 400),
            (EVENTUAL, "CreateIdentity", "PrincipalNotFound", 400),
            (EVENTUAL, "CreateRoleAssignment", "RoleAssignmentExists", 409),
            (EVENTUAL, "CreateRoleAssignment", "AuthorizationFailed", 403),
            (EVENTUAL, "PutBlob", "AuthorizationFailed", 403),
            (Consistency::Immediate, "PutBlob", "AuthorizationPermissionMismatch", 403),
        ] {
            let (count, result) = sent(consistency, operation, &[(code, status), ("", 200)]).await;
            assert_eq!((count, result.is_err()), (1, true), "{operation} {code}");
        }
    }

    #[tokio::test]
    async fn waiting_ends_at_the_deadline() {
        let brief = Consistency::Eventual { deadline: Duration::from_millis(5) };
        for answer in [("PrincipalNotFound", 400), ("TooManyRequests", 429)] {
            let (_, result) = sent(brief, "CreateRoleAssignment", &[answer]).await;
            assert_eq!(result.expect_err("must give up").code.as_deref(), Some(answer.0));
        }
    }

    #[tokio::test]
    async fn another_writer_is_waited_for_everywhere() {
        for consistency in [Consistency::Immediate, EVENTUAL] {
            let (count, result) = sent(consistency, "CreateFederatedCredential", &[(CONCURRENT, 409), ("", 200)]).await;
            assert_eq!((count, result.is_ok()), (2, true), "{consistency:?}");
        }
    }

    #[tokio::test]
    async fn a_lost_attempt_is_remembered_beside_the_final_refusal() {
        let exists = ("RoleAssignmentExists", 409);
        let (count, result) =
            sent(Consistency::Immediate, "CreateRoleAssignment", &[("InternalServerError", 500), exists]).await;
        assert_eq!((count, result.expect_err("must be refused").maybe_done), (2, true));
        let (_, result) = sent(Consistency::Immediate, "CreateRoleAssignment", &[exists]).await;
        assert!(!result.expect_err("must be refused").maybe_done);
        let (count, _) = sent(Consistency::Immediate, "CreateRoleAssignment", &[("InternalServerError", 500)]).await;
        assert_eq!(count, 4);
    }
}
