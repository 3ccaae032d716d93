//! What each cloud's answers mean. Codes and texts come from the clouds' documentation and from what users report; nothing
//! in here knows what a simulator would say.

use scenario::Cloud;
use trust::Link;
use trust::workload::Stage;

/// Whether a host belongs to a service, by the name that workloads give it.
pub(crate) fn is_host(service: &str, host: &str) -> bool {
    match service {
        "entra" => matches!(host, "login.microsoftonline.com" | "login.windows.net"),
        "keyvault" => host.ends_with(".vault.azure.net"),
        // `sts.<region>.amazonaws.com`, `<bucket>.s3.<region>.amazonaws.com`
        service => host.ends_with(".amazonaws.com") && host.split('.').any(|label| label == service),
    }
}

/// The service that answers a read.
pub(crate) fn reads(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => "s3",
        Cloud::Azure => "keyvault",
    }
}

/// The service that is asked at a stage.
pub(crate) fn asked(cloud: Cloud, stage: Stage) -> Option<&'static str> {
    match (cloud, stage) {
        (_, Stage::Configuration) => None,
        (Cloud::Aws, Stage::Credentials) => Some("sts"),
        (Cloud::Azure, Stage::Credentials) => Some("entra"),
        (cloud, Stage::Read) => Some(reads(cloud)),
    }
}

/// Code and message of an error's body.
pub(crate) fn error(service: &str, body: &str) -> Option<(String, String)> {
    match service {
        "entra" => {
            let body: serde_json::Value = serde_json::from_str(body).ok()?;
            let code = body.get("error_codes")?.get(0)?.as_u64()?;
            let message = body.get("error_description").and_then(serde_json::Value::as_str).unwrap_or_default();
            Some((format!("AADSTS{code}"), message.to_owned()))
        }
        "keyvault" => {
            let body: serde_json::Value = serde_json::from_str(body).ok()?;
            let error = body.get("error")?;
            let code = error.pointer("/innererror/code").or_else(|| error.get("code"))?.as_str()?;
            let message = error.get("message").and_then(serde_json::Value::as_str).unwrap_or_default();
            Some((code.to_owned(), message.to_owned()))
        }
        _ => {
            let element = |name: &str| {
                let start = body.find(&format!("<{name}>"))? + name.len() + 2;
                Some(body[start..].split('<').next().unwrap_or_default().to_owned())
            };
            Some((element("Code")?, element("Message").unwrap_or_default()))
        }
    }
}

/// The link that an answer speaks of.
pub(crate) fn link(service: &str, code: &str, message: &str) -> Link {
    match service {
        "s3" => s3(code),
        "entra" => entra(code),
        "keyvault" => vault(code),
        _ => sts(code, message),
    }
}

/// AssumeRoleWithWebIdentity: AWS STS API reference, and the answers that users report.
fn sts(code: &str, message: &str) -> Link {
    match code {
        "AccessDenied" => Link::SubjectAccepted,
        "ExpiredTokenException" => Link::TokenProjected,
        "InvalidIdentityToken" => {
            let has = |part: &str| message.contains(part);
            if has("No OpenIDConnect provider") {
                Link::IssuerTrusted
            } else if has("Incorrect token audience") || has("more than one audience") {
                Link::AudienceAccepted
            } else if has("Couldn't retrieve verification key") || has("thumbprint") {
                Link::IssuerDiscoverable
            } else if has("not a valid JWT") || has("Missing a required claim") {
                Link::TokenProjected
            } else {
                Link::KeyPublished
            }
        }
        _ => Link::CredentialIssued,
    }
}

/// S3: Amazon S3 API reference, "Error responses". What is wrong with the session itself is no matter of permissions.
fn s3(code: &str) -> Link {
    match code {
        "InvalidAccessKeyId" | "InvalidToken" | "ExpiredToken" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => {
            Link::CredentialIssued
        }
        "NoSuchKey" | "NoSuchBucket" => Link::Read,
        _ => Link::Permitted,
    }
}

/// The token endpoint: Microsoft Entra, "authentication and authorization error codes", and the answers that users report.
fn entra(code: &str) -> Link {
    match code.strip_prefix("AADSTS").unwrap_or(code) {
        // Not a token, one that lives too long, one outside its lifetime.
        "50027" | "5002727" | "70023" | "700024" => Link::TokenProjected,
        "50166" | "501661" | "90061" => Link::IssuerDiscoverable,
        "7000272" | "700027" => Link::KeyPublished,
        // No credential at all, or none for this issuer; the older umbrella code names the issuer first.
        "70025" | "700211" | "70021" => Link::IssuerTrusted,
        // An issuer that is never taken: Entra ID itself, or one that the tenant's policy blocks.
        "700222" | "700229" | "700236" | "700238" | "7002381" => Link::IssuerTrusted,
        "700212" => Link::AudienceAccepted,
        "700213" | "7002138" | "7002137" => Link::SubjectAccepted,
        _ => Link::CredentialIssued,
    }
}

/// The vault: Azure Key Vault REST API error codes, and the answers that users report.
fn vault(code: &str) -> Link {
    match code {
        "SecretDisabled" | "SecretNotFound" => Link::Read,
        // A token that the vault does not take: for another resource, of another tenant.
        code if code.starts_with("AKV") || code == "Unauthorized" => Link::CredentialIssued,
        _ => Link::Permitted,
    }
}

/// The order in which a cloud looks at things, which is not the order of the chain: a link after the broken one in this list was
/// not looked at.
pub(crate) fn order(cloud: Cloud) -> [Link; 11] {
    match cloud {
        Cloud::Aws => [
            Link::OptedIn,
            Link::Injected,
            Link::IssuerTrusted,
            Link::AudienceAccepted,
            Link::IssuerDiscoverable,
            Link::KeyPublished,
            Link::TokenProjected,
            Link::SubjectAccepted,
            Link::CredentialIssued,
            Link::Permitted,
            Link::Read,
        ],
        // The federated credential is matched before the issuer is asked for its keys.
        Cloud::Azure => [
            Link::OptedIn,
            Link::Injected,
            Link::IssuerTrusted,
            Link::SubjectAccepted,
            Link::AudienceAccepted,
            Link::TokenProjected,
            Link::IssuerDiscoverable,
            Link::KeyPublished,
            Link::CredentialIssued,
            Link::Permitted,
            Link::Read,
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_link_that_each_answer_speaks_of() {
        let check = |service: &str, code: &str, message: &str, expected: Link| {
            assert_eq!(link(service, code, message), expected, "{code} {message}")
        };
        let sts = |code: &str, message: &str, expected: Link| check("sts", code, message, expected);
        sts(
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://h/",
            Link::IssuerTrusted,
        );
        sts("InvalidIdentityToken", "Incorrect token audience", Link::AudienceAccepted);
        sts(
            "InvalidIdentityToken",
            "Couldn't retrieve verification key from your identity provider",
            Link::IssuerDiscoverable,
        );
        sts("InvalidIdentityToken", "The ID Token provided is not a valid JWT.", Link::TokenProjected);
        sts("InvalidIdentityToken", "something else", Link::KeyPublished);
        sts("ExpiredTokenException", "Token expired", Link::TokenProjected);
        sts("AccessDenied", "Not authorized", Link::SubjectAccepted);
        sts("RegionDisabledException", "", Link::CredentialIssued);
        check("s3", "AccessDenied", "", Link::Permitted);
        check("s3", "PermanentRedirect", "", Link::Permitted);
        check("s3", "InvalidAccessKeyId", "", Link::CredentialIssued);
        check("s3", "ExpiredToken", "", Link::CredentialIssued);
        check("s3", "NoSuchKey", "", Link::Read);

        let entra = |code: &str, expected: Link| check("entra", code, "", expected);
        entra("AADSTS70025", Link::IssuerTrusted);
        entra("AADSTS700211", Link::IssuerTrusted);
        entra("AADSTS700236", Link::IssuerTrusted);
        entra("AADSTS700212", Link::AudienceAccepted);
        entra("AADSTS700213", Link::SubjectAccepted);
        entra("AADSTS7002138", Link::SubjectAccepted);
        entra("AADSTS700024", Link::TokenProjected);
        entra("AADSTS501661", Link::IssuerDiscoverable);
        entra("AADSTS7000272", Link::KeyPublished);
        entra("AADSTS500011", Link::CredentialIssued);

        let vault = |code: &str, expected: Link| check("keyvault", code, "", expected);
        vault("ForbiddenByRbac", Link::Permitted);
        vault("AccessDenied", Link::Permitted);
        vault("ForbiddenByFirewall", Link::Permitted);
        vault("SecretDisabled", Link::Read);
        vault("SecretNotFound", Link::Read);
        vault("AKV10022", Link::CredentialIssued);
    }

    #[test]
    fn a_host_belongs_to_the_service_that_answers_there() {
        let check = |service: &str, host: &str, expected: bool| assert_eq!(is_host(service, host), expected, "{host}");
        check("sts", "sts.eu-central-1.amazonaws.com", true);
        check("s3", "cf-r1.s3.eu-central-1.amazonaws.com", true);
        check("s3", "sts.eu-central-1.amazonaws.com", false);
        check("s3", "s3.example.com", false);
        check("entra", "login.microsoftonline.com", true);
        check("keyvault", "cf-r1.vault.azure.net", true);
        check("keyvault", "vault.azure.net.example.com", false);
    }

    #[test]
    fn reads_each_clouds_error_body() {
        let check = |service: &str, body: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(code, message)| (code.to_owned(), message.to_owned()));
            assert_eq!(error(service, body), expected, "{body}");
        };
        check("sts", "<E><Code>AccessDenied</Code><Message>no</Message></E>", Some(("AccessDenied", "no")));
        check("entra", r#"{"error_codes":[700213],"error_description":"no"}"#, Some(("AADSTS700213", "no")));
        check(
            "keyvault",
            r#"{"error":{"code":"Forbidden","message":"no","innererror":{"code":"ForbiddenByRbac"}}}"#,
            Some(("ForbiddenByRbac", "no")),
        );
        check("keyvault", r#"{"error":{"code":"SecretNotFound","message":"no"}}"#, Some(("SecretNotFound", "no")));
        check("entra", "<html>", None);
    }
}
