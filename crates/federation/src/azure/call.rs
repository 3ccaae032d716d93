//! The one place where a request is sent and where it is sent again, and the list of refusals that only mean: not yet.
//! Knows what a request is named, not what it does.

use std::future::Future;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;
use tokio::time::Instant;

use super::access::Clients;
use super::error::ProvisionError;
use super::id::{MANAGEMENT, MANAGEMENT_SCOPE};
use super::{Consistency, Kind};

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
/// Manager, "Resolve resource not found errors" (a parent that was just created).
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
    ("DeleteResourceGroup", "NotEmpty", ""),
];
const CONCURRENT: &str = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";

/// What is sent to Resource Manager.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) operation: &'static str,
    pub(super) resource: &'a str,
    method: Method,
    url: String,
    body: Option<&'a Value>,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, operation: &'static str, resource: &'a str, id: &str, version: &str) -> Self {
        Self { operation, resource, method, url: format!("{MANAGEMENT}{id}?api-version={version}"), body: None }
    }

    pub(super) fn get(operation: &'static str, resource: &'a str, id: &str, version: &str) -> Self {
        Self::new(Method::GET, operation, resource, id, version)
    }

    /// Follows a link that an answer gave. None if it leads away from Resource Manager: our token is for nobody else.
    pub(super) fn follow(operation: &'static str, resource: &'a str, link: &str) -> Option<Self> {
        let rest = link.strip_prefix(MANAGEMENT)?;
        matches!(rest.strip_prefix(":443").unwrap_or(rest).chars().next(), Some('/')).then(|| Self {
            operation,
            resource,
            method: Method::GET,
            url: link.to_owned(),
            body: None,
        })
    }

    pub(super) fn body(self, body: &'a Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

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
    let token = clients.credential().get_token(&[MANAGEMENT_SCOPE], None).await;
    let token = token.map_err(|error| ProvisionError::of_token(clients.tenant(), &error))?;
    let lost = |error| ProvisionError::of_loss(request.operation, request.resource, error);
    let mut sent = clients.http().request(request.method.clone(), &request.url).bearer_auth(token.token.secret());
    sent = match request.body {
        Some(body) => sent.json(body),
        None if matches!(request.method, Method::POST | Method::PUT) => sent.header(CONTENT_LENGTH, 0),
        None => sent,
    };
    let answer = sent.send().await.map_err(lost)?;
    let status = answer.status().as_u16();
    let retry_after = seconds(answer.headers());
    let watch = watch(answer.headers());
    let bytes = answer.bytes().await.map_err(lost)?;
    // Errors from in between (a proxy, a gateway) come as text.
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if (200..300).contains(&status) {
        return Ok(Reply { status, body, watch, retry_after });
    }
    Err(Refused { error: ProvisionError::of_answer(request.operation, request.resource, status, &body), retry_after })
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn watch(headers: &HeaderMap) -> Option<String> {
    headers.get(LOCATION)?.to_str().ok().map(str::to_owned)
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
        && matches!(error.kind, Kind::Invalid | Kind::Unavailable)
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
        for (consistency, operation, code, status) in [
            (Consistency::Immediate, "CreateRoleAssignment", "PrincipalNotFound", 400),
            (EVENTUAL, "CreateIdentity", "PrincipalNotFound", 400),
            (EVENTUAL, "CreateRoleAssignment", "RoleAssignmentExists", 409),
            (EVENTUAL, "CreateRoleAssignment", "AuthorizationFailed", 403),
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

    #[test]
    fn links_are_followed_to_resource_manager_alone() {
        let check =
            |link: &str, expected: bool| assert_eq!(Request::follow("Watch", "x", link).is_some(), expected, "{link}");
        check("https://management.azure.com/subscriptions/s/operationresults/o?api-version=2021-04-01", true);
        check("https://management.azure.com:443/subscriptions/s", true);
        check("https://management.azure.com.example/subscriptions/s", false);
        check("https://management.azure.com@example/subscriptions/s", false);
        check("https://management.azure.com:443@example/subscriptions/s", false);
        check("http://management.azure.com/subscriptions/s", false);
        check("/subscriptions/s", false);
    }
}
