//! From the SDK's errors to the line: who refused, with which code, or why nobody was asked.

use std::error::Error;

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use trust::causes;
use trust::workload::{Outcome, Stage};

use super::failed;

/// What kept the credential chain from giving credentials.
pub(super) fn of_credentials(error: &(dyn Error + 'static)) -> Outcome {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(answer) = cause.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError>>() {
            return of_call(Stage::Credentials, "sts", answer);
        }
        next = cause.source();
    }
    failed(Stage::Credentials, causes(error))
}

/// What kept the object from being read.
pub(super) fn of_read(error: &SdkError<GetObjectError>) -> Outcome {
    of_call(Stage::Read, "s3", error)
}

/// A refusal is an answer with a code and a status of the 400s. Everything else leaves open what the service thinks.
fn of_call<E>(stage: Stage, service: &str, error: &SdkError<E>) -> Outcome
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return failed(stage, format!("{service}: {}", causes(error)));
    };
    let status = answer.raw().status().as_u16();
    let message = answer.err().message().unwrap_or_default().to_owned();
    match answer.err().code() {
        Some(code) if status < 500 => {
            Outcome::Denied { stage, service: service.to_owned(), code: code.to_owned(), status: Some(status), message }
        }
        code => failed(stage, format!("{service} answered {status} {}: {message}", code.unwrap_or("without a code"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn raw(status: u16) -> HttpResponse {
        HttpResponse::new(status.try_into().expect("status must be valid"), SdkBody::empty())
    }

    fn meta(code: &str) -> ErrorMetadata {
        ErrorMetadata::builder().code(code).message("told so").build()
    }

    fn json(outcome: &Outcome) -> String {
        serde_json::to_string(outcome).expect("outcome must serialise")
    }

    #[test]
    fn code_of_sts_is_found_behind_the_credential_chain() {
        let refused = |code: &str, status: u16| {
            let error = AssumeRoleWithWebIdentityError::generic(meta(code));
            json(&of_credentials(&CredentialsError::provider_error(SdkError::service_error(error, raw(status)))))
        };
        insta::assert_snapshot!(refused("AccessDenied", 403), @r#"{"outcome":"denied","stage":"credentials","service":"sts","code":"AccessDenied","status":403,"message":"told so"}"#);
        insta::assert_snapshot!(refused("InvalidIdentityToken", 400), @r#"{"outcome":"denied","stage":"credentials","service":"sts","code":"InvalidIdentityToken","status":400,"message":"told so"}"#);
        insta::assert_snapshot!(refused("InternalFailure", 500), @r#"{"outcome":"failed","stage":"credentials","message":"sts answered 500 InternalFailure: told so"}"#);
    }

    #[test]
    fn what_nobody_refused_is_no_denial() {
        let io = ConnectorError::io("connection refused".into());
        let lost: SdkError<AssumeRoleWithWebIdentityError> = SdkError::dispatch_failure(io);
        insta::assert_snapshot!(json(&of_credentials(&CredentialsError::provider_error(lost))), @r#"{"outcome":"failed","stage":"credentials","message":"sts: dispatch failure: io error: connection refused"}"#);
        insta::assert_snapshot!(json(&of_credentials(&CredentialsError::not_loaded("no provider in chain"))), @r#"{"outcome":"failed","stage":"credentials","message":"the credential provider was not enabled: no provider in chain"}"#);
    }

    #[test]
    fn refusals_of_s3_keep_code_and_status() {
        let refused = |code: &str, status: u16| {
            json(&of_read(&SdkError::service_error(GetObjectError::generic(meta(code)), raw(status))))
        };
        insta::assert_snapshot!(refused("AccessDenied", 403), @r#"{"outcome":"denied","stage":"read","service":"s3","code":"AccessDenied","status":403,"message":"told so"}"#);
        insta::assert_snapshot!(refused("NoSuchKey", 404), @r#"{"outcome":"denied","stage":"read","service":"s3","code":"NoSuchKey","status":404,"message":"told so"}"#);
        insta::assert_snapshot!(refused("SlowDown", 503), @r#"{"outcome":"failed","stage":"read","message":"s3 answered 503 SlowDown: told so"}"#);
    }
}
