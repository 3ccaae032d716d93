//! From the SDK's errors to the line: who refused, with which code, or why nobody was asked.

use std::error::Error;

use azure_core::error::{ErrorKind, ErrorResponse};
use azure_core::http::StatusCode;
use trust::causes;
use trust::workload::{Outcome, Stage};

use super::failed;

/// What kept the secret from being read: the token exchange, which the SDK does in the middle of the call, or the vault.
pub(super) fn of_read(error: azure_core::Error) -> Outcome {
    if let Some(exchange) = exchange(&error) {
        return of_entra(exchange, &error);
    }
    let (status, code) = match error.kind() {
        ErrorKind::HttpResponse { status, error_code, .. } => (*status, error_code.clone()),
        _ => return failed(Stage::Read, format!("keyvault: {}", causes(&error))),
    };
    of_vault(status, code, error)
}

/// The error of the credential, wherever in the chain it stands.
fn exchange(error: &azure_core::Error) -> Option<&azure_core::Error> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        match cause.downcast_ref::<azure_core::Error>() {
            Some(found) if matches!(found.kind(), ErrorKind::Credential) => return Some(found),
            _ => next = cause.source(),
        }
    }
    None
}

/// Entra's answer stands behind the credential's error, which has neither its status nor its code.
fn of_entra(exchange: &azure_core::Error, whole: &azure_core::Error) -> Outcome {
    let mut next = exchange.source();
    while let Some(cause) = next {
        let found = cause.downcast_ref::<azure_core::Error>();
        if let Some(ErrorKind::HttpResponse { status, error_code, .. }) = found.map(azure_core::Error::kind) {
            // Several codes may stand there; the first is the one that the text begins with.
            let number = error_code.as_deref().and_then(|codes| codes.split(',').next());
            let code = number.map(|number| format!("AADSTS{number}"));
            return of_answer(Stage::Credentials, "entra", *status, code, cause.to_string());
        }
        next = cause.source();
    }
    failed(Stage::Credentials, causes(whole))
}

/// The inner code is the one that tells (`ForbiddenByRbac`, `AccessDenied`, `SecretDisabled` all stand in a `Forbidden`);
/// a refused token has none, but a number in front of its message (`AKV10022`).
fn of_vault(status: StatusCode, outer: Option<String>, error: azure_core::Error) -> Outcome {
    let whole = causes(&error);
    let Some(detail) = ErrorResponse::try_from(error).ok().and_then(|answer| answer.error) else {
        return of_answer(Stage::Read, "keyvault", status, outer, whole);
    };
    let message = detail.message.unwrap_or_default();
    let inner = detail.inner_error.and_then(|inner| inner.code);
    let code = inner.or_else(|| akv(&message)).or(detail.code).or(outer);
    of_answer(Stage::Read, "keyvault", status, code, message)
}

fn akv(message: &str) -> Option<String> {
    let (code, _) = message.split_once(':')?;
    let number = code.strip_prefix("AKV")?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| code.to_owned())
}

/// A refusal is an answer with a code and a status of the 400s. Everything else leaves open what the service thinks.
fn of_answer(stage: Stage, service: &str, status: StatusCode, code: Option<String>, message: String) -> Outcome {
    let status = u16::from(status);
    match code {
        // To come later is no opinion about who came.
        Some(code) if (400..500).contains(&status) && status != 429 && status != 408 => {
            Outcome::Denied { stage, service: service.to_owned(), code, status: Some(status), message }
        }
        code => failed(
            stage,
            format!("{service} answered {status} {}: {message}", code.as_deref().unwrap_or("without a code")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::RawResponse;
    use azure_core::http::headers::Headers;

    fn json(outcome: &Outcome) -> String {
        serde_json::to_string(outcome).expect("outcome must serialise")
    }

    fn answer(status: u16, code: Option<&str>, body: &'static str) -> azure_core::Error {
        let raw = RawResponse::from_bytes(StatusCode::from(status), Headers::new(), body.as_bytes());
        let kind = ErrorKind::HttpResponse {
            status: StatusCode::from(status),
            error_code: code.map(str::to_owned),
            raw_response: Some(Box::new(raw)),
        };
        azure_core::Error::with_message(kind, "AADSTS700213: No matching federated identity record found")
    }

    /// As the credential wraps what its pipeline gives.
    fn credential(cause: azure_core::Error) -> azure_core::Error {
        azure_core::Error::with_error(ErrorKind::Credential, cause, "WorkloadIdentityCredential authentication failed.")
    }

    #[test]
    fn code_of_entra_is_found_behind_the_credential() {
        let refused = |status: u16, codes: Option<&str>| json(&of_read(credential(answer(status, codes, "{}"))));
        insta::assert_snapshot!(refused(401, Some("700213")), @r#"{"outcome":"denied","stage":"credentials","service":"entra","code":"AADSTS700213","status":401,"message":"AADSTS700213: No matching federated identity record found"}"#);
        insta::assert_snapshot!(refused(400, Some("70025,50027")), @r#"{"outcome":"denied","stage":"credentials","service":"entra","code":"AADSTS70025","status":400,"message":"AADSTS700213: No matching federated identity record found"}"#);
        insta::assert_snapshot!(refused(500, Some("90033")), @r#"{"outcome":"failed","stage":"credentials","message":"entra answered 500 AADSTS90033: AADSTS700213: No matching federated identity record found"}"#);
        insta::assert_snapshot!(refused(401, None), @r#"{"outcome":"failed","stage":"credentials","message":"entra answered 401 without a code: AADSTS700213: No matching federated identity record found"}"#);
    }

    #[test]
    fn what_nobody_refused_is_no_denial() {
        let lost = || azure_core::Error::with_message(ErrorKind::Connection, "connection refused");
        insta::assert_snapshot!(json(&of_read(credential(lost()))), @r#"{"outcome":"failed","stage":"credentials","message":"WorkloadIdentityCredential authentication failed.: connection refused"}"#);
        insta::assert_snapshot!(json(&of_read(lost())), @r#"{"outcome":"failed","stage":"read","message":"keyvault: connection refused"}"#);
    }

    #[test]
    fn refusals_of_the_vault_keep_the_code_that_tells() {
        let refused = |status: u16, body: &'static str| json(&of_read(answer(status, Some("Outer"), body)));
        insta::assert_snapshot!(refused(403, r#"{"error":{"code":"Forbidden","message":"Caller is not authorized","innererror":{"code":"ForbiddenByRbac"}}}"#), @r#"{"outcome":"denied","stage":"read","service":"keyvault","code":"ForbiddenByRbac","status":403,"message":"Caller is not authorized"}"#);
        insta::assert_snapshot!(refused(404, r#"{"error":{"code":"SecretNotFound","message":"A secret was not found"}}"#), @r#"{"outcome":"denied","stage":"read","service":"keyvault","code":"SecretNotFound","status":404,"message":"A secret was not found"}"#);
        insta::assert_snapshot!(refused(401, r#"{"error":{"code":"Unauthorized","message":"AKV10022: Invalid audience."}}"#), @r#"{"outcome":"denied","stage":"read","service":"keyvault","code":"AKV10022","status":401,"message":"AKV10022: Invalid audience."}"#);
        insta::assert_snapshot!(refused(429, r#"{"error":{"code":"Throttled","message":"slow down"}}"#), @r#"{"outcome":"failed","stage":"read","message":"keyvault answered 429 Throttled: slow down"}"#);
        insta::assert_snapshot!(refused(403, "<html>"), @r#"{"outcome":"denied","stage":"read","service":"keyvault","code":"Outer","status":403,"message":"AADSTS700213: No matching federated identity record found"}"#);
    }
}
