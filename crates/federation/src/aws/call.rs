//! The one place where a call is tried again, and the list of refusals that only mean: not yet.
//! Knows what a call is named, not what it does.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

use super::error::ProvisionError;
use crate::Consistency;

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

/// A second is what the SDKs' own IAM waiters use.
const PATIENCE: Patience = Patience { attempts: 4, backoff: Duration::from_millis(100), poll: Duration::from_secs(1) };

/// Refusals that a lag between two of our own writes explains: operation, code, and a part of the message.
///
/// Sources: IAM User Guide, "Changes that I make are not always immediately visible"; the operations' pages in the
/// IAM and Amazon S3 API references; for the policy after the public access block, github.com/env0/templates/pull/258.
const SETTLING: &[(&str, &str, &str)] = &[
    ("AttachRolePolicy", "NoSuchEntity", ""),
    ("CreateRole", "MalformedPolicyDocument", "Invalid principal"),
    ("DeleteRole", "DeleteConflict", ""),
    ("DeletePolicy", "DeleteConflict", ""),
    ("PutBucketPolicy", "AccessDenied", ""),
    ("PutBucketPolicy", "NoSuchBucket", ""),
    ("PutBucketTagging", "NoSuchBucket", ""),
    ("PutObject", "NoSuchBucket", ""),
    ("PutPublicAccessBlock", "NoSuchBucket", ""),
];

/// Sends until an answer is final.
pub(super) async fn call<T, E, F>(
    consistency: Consistency,
    operation: &'static str,
    resource: &str,
    send: impl FnMut() -> F,
) -> Result<T, ProvisionError>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: Error + ProvideErrorMetadata + 'static,
{
    call_with(PATIENCE, consistency, operation, resource, send).await
}

/// Sends once, for what must be looked at again before it is sent again.
pub(super) async fn once<T, E, F>(
    operation: &'static str,
    resource: &str,
    send: impl FnOnce() -> F,
) -> Result<T, ProvisionError>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: Error + ProvideErrorMetadata + 'static,
{
    send().await.map_err(|error| ProvisionError::of(operation, resource, &error))
}

async fn call_with<T, E, F>(
    patience: Patience,
    consistency: Consistency,
    operation: &'static str,
    resource: &str,
    mut send: impl FnMut() -> F,
) -> Result<T, ProvisionError>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: Error + ProvideErrorMetadata + 'static,
{
    let started = Instant::now();
    let mut maybe_done = false;
    let mut attempt = 1;
    loop {
        let mut error = match send().await {
            Ok(value) => return Ok(value),
            Err(error) => ProvisionError::of(operation, resource, &error),
        };
        maybe_done |= error.maybe_done;
        error.maybe_done = maybe_done;
        let pause = if error.retryable && attempt < patience.attempts {
            attempt += 1;
            patience.backoff * 2_u32.pow(attempt - 2)
        } else if may_settle(consistency, &error, started.elapsed() + patience.poll) {
            patience.poll
        } else {
            return Err(error);
        };
        tracing::debug!(operation, resource, code = ?error.code, ?pause, "trying again");
        tokio::time::sleep(pause).await;
    }
}

fn may_settle(consistency: Consistency, error: &ProvisionError, next: Duration) -> bool {
    let Consistency::Eventual { deadline } = consistency else {
        return false;
    };
    next <= deadline
        && SETTLING.iter().any(|(operation, code, part)| {
            error.operation == *operation && error.code.as_deref() == Some(code) && error.message.contains(part)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn answer(code: &str, status: u16) -> SdkError<ErrorMetadata, HttpResponse> {
        let raw = HttpResponse::new(status.try_into().expect("status must be valid"), SdkBody::empty());
        SdkError::service_error(ErrorMetadata::builder().code(code).message("m").build(), raw)
    }

    /// Calls `operation`, answered by `answers` in turn and the last of them for ever; tells how often it was sent.
    async fn sent(
        consistency: Consistency,
        operation: &'static str,
        answers: &[(&str, u16)],
    ) -> (usize, Result<(), ProvisionError>) {
        let mut count = 0;
        let result = call_with(HASTE, consistency, operation, "x", || {
            let (code, status) = answers[count.min(answers.len() - 1)];
            count += 1;
            std::future::ready(if code.is_empty() { Ok(()) } else { Err(answer(code, status)) })
        })
        .await;
        (count, result)
    }

    const HASTE: Patience =
        Patience { attempts: 4, backoff: Duration::from_micros(10), poll: Duration::from_millis(1) };
    const EVENTUAL: Consistency = Consistency::Eventual { deadline: Duration::from_secs(10) };

    #[tokio::test]
    async fn only_listed_refusals_are_waited_out_and_only_where_writes_lag() {
        let (count, result) =
            sent(EVENTUAL, "AttachRolePolicy", &[("NoSuchEntity", 404), ("NoSuchEntity", 404), ("", 200)]).await;
        assert_eq!((count, result.is_ok()), (3, true));
        for (consistency, operation, code) in [
            (Consistency::Immediate, "AttachRolePolicy", "NoSuchEntity"),
            (EVENTUAL, "DeleteRole", "NoSuchEntity"),
            (EVENTUAL, "CreateRole", "MalformedPolicyDocument"),
            (EVENTUAL, "AttachRolePolicy", "AccessDenied"),
        ] {
            let (count, result) = sent(consistency, operation, &[(code, 400), ("", 200)]).await;
            assert_eq!((count, result.is_err()), (1, true), "{operation} {code}");
        }
    }

    #[tokio::test]
    async fn waiting_ends_at_the_deadline() {
        let brief = Consistency::Eventual { deadline: Duration::from_millis(5) };
        let (count, result) = sent(brief, "DeleteRole", &[("DeleteConflict", 409)]).await;
        assert_eq!(result.expect_err("must give up").code.as_deref(), Some("DeleteConflict"));
        assert!((1..=5).contains(&count), "sent {count} times, a millisecond apart, in five");
    }

    #[tokio::test]
    async fn a_lost_attempt_is_remembered_beside_the_final_refusal() {
        let (count, result) =
            sent(Consistency::Immediate, "CreateRole", &[("ServiceFailure", 500), ("EntityAlreadyExists", 409)]).await;
        let error = result.expect_err("must be refused");
        assert_eq!((count, error.maybe_done), (2, true));
        let (_, result) = sent(Consistency::Immediate, "CreateRole", &[("EntityAlreadyExists", 409)]).await;
        assert!(!result.expect_err("must be refused").maybe_done);
        let (count, _) = sent(Consistency::Immediate, "CreateRole", &[("ServiceFailure", 500)]).await;
        assert_eq!(count, 4);
    }
}
