//! Blobs of a storage account, written over the account's own address with a token for storage: what a self-managed
//! cluster's issuer publishes. Knows no account keys and no signatures.

use reqwest::Url;
use serde_json::{Value, json};

use super::Kind;
use super::access::Clients;
use super::call::call;
use super::desired::Desired;
use super::error::ProvisionError;
use super::request::{Content, Request};
use super::validate::validate;

/// Where the Blob service tells a refusal's code; its body is XML.
pub(super) const ERROR_CODE: &str = "x-ms-error-code";

/// Writes a blob, and overwrites it if it is there, such as a key set after a key was added. Takes effect at once, for all
/// readers (Blob Storage is strongly consistent).
///
/// # Errors
/// [`Kind::Invalid`] for names that Azure would refuse, [`Kind::Denied`] where the principal may not write blobs: it needs
/// [`Desired::StorageRole`], which `Owner` does not contain.
pub async fn publish(
    clients: &Clients,
    account: &str,
    container: &str,
    name: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(), ProvisionError> {
    let blob = Desired::Blob {
        account: account.to_owned(),
        container: container.to_owned(),
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        body: body.to_vec(),
    };
    put(clients, "PublishBlob", &blob, true).await
}

/// Writes a [`Desired::Blob`].
pub(super) async fn put(
    clients: &Clients,
    operation: &'static str,
    blob: &Desired,
    replaces: bool,
) -> Result<(), ProvisionError> {
    let resource = blob.label();
    let invalid = |problem: String| ProvisionError::new(Kind::Invalid, operation, &resource, problem);
    // The names become a part of an address.
    validate(std::slice::from_ref(blob)).map_err(|found| invalid(found.problem))?;
    let Desired::Blob { account, container, name, content_type, body } = blob else {
        return Err(ProvisionError::new(Kind::Bug, operation, &resource, "it is no blob"));
    };
    let url = address(account, container, name).ok_or_else(|| invalid("it has no address".to_owned()))?;
    let content = Content { content_type, bytes: body, replaces };
    call(clients, Request::blob(operation, &resource, url, content)).await.map(drop)
}

/// Where a blob is, for everybody.
fn address(account: &str, container: &str, name: &str) -> Option<String> {
    let mut url = Url::parse(&format!("https://{account}.blob.core.windows.net/")).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().push(container).extend(name.split('/'));
    Some(url.into())
}

/// The Blob service's refusal in the form of Resource Manager's (REST reference, "Status and error codes").
pub(super) fn error(code: Option<&str>, xml: &[u8]) -> Option<Value> {
    let code = code?;
    let text = String::from_utf8_lossy(xml);
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inner, _) = rest.split_once(&format!("</{name}>"))?;
        // Request id and time follow on lines of their own.
        Some(inner.lines().next()?.trim().to_owned())
    };
    let details = [element("Message"), element("AuthenticationErrorDetail"), element("HeaderName")];
    let message = details.into_iter().flatten().collect::<Vec<String>>().join(" ");
    Some(json!({"code": code, "message": if message.is_empty() { "no message" } else { &message }}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_lies_below_its_account() {
        let check = |name: &str, expected: &str| {
            let expected = format!("https://oidc1.blob.core.windows.net/oidc/{expected}");
            assert_eq!(address("oidc1", "oidc", name).as_deref(), Some(expected.as_str()));
        };
        check(".well-known/openid-configuration", ".well-known/openid-configuration");
        check("openid/v1/jwks", "openid/v1/jwks");
        check("a b?c#d%", "a%20b%3Fc%23d%25");
    }

    #[test]
    fn refusals_in_xml_are_read() {
        let check = |code: Option<&str>, xml: &str, expected: Option<Value>| {
            assert_eq!(error(code, xml.as_bytes()), expected, "{xml}");
        };
        let refusal = "<?xml version=\"1.0\"?><Error><Code>C</Code><Message>No.\nRequestId:1\nTime:2</Message>";
        check(Some("C"), &format!("{refusal}</Error>"), Some(json!({"code": "C", "message": "No."})));
        let detailed = format!("{refusal}<HeaderName>x-ms-version</HeaderName></Error>");
        check(Some("C"), &detailed, Some(json!({"code": "C", "message": "No. x-ms-version"})));
        check(Some("C"), "", Some(json!({"code": "C", "message": "no message"})));
        check(None, refusal, None);
    }
}
