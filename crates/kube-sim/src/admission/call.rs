//! One call to a webhook over HTTPS, and its failures in the words of Go's HTTP client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use transport::{Client, FetchError, Roots};

use super::Attributes;
use super::review::{self, Answer, Rejected};
use crate::object::{self, text};
use crate::resources;
use crate::status::Status;
use crate::store::{Key, Store};

/// Why a webhook gave nothing to act on.
#[derive(Debug)]
pub(super) enum CallError {
    /// The request fails, whatever the failure policy.
    Refused(Status),
    /// The call failed; the failure policy decides.
    Failed(String),
}

/// One client for each trust bundle and time-out, so that connections are used again.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<HashMap<(String, u64), Client>>);

impl Callers {
    fn client(&self, bundle: &str, timeout: u64) -> Result<Client, String> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(bundle.to_owned(), timeout)) {
            return Ok(client.clone());
        }
        let pem = STANDARD.decode(bundle).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let roots = Roots::pem(&pem)
            .map_err(|_| "unable to load root certificates: unable to parse bytes as PEM block".to_owned())?;
        let client = Client::new(roots, Duration::from_secs(timeout));
        clients.insert((bundle.to_owned(), timeout), client.clone());
        Ok(client)
    }
}

/// Asks a webhook about a request.
pub(super) async fn call(
    store: &Store,
    callers: &Callers,
    webhook: &Value,
    attributes: &Attributes<'_>,
    warnings: &mut Vec<String>,
) -> Result<Answer, CallError> {
    let name = text(webhook, "/name");
    if attributes.dry_run && !["None", "NoneOnDryRun"].contains(&text(webhook, "/sideEffects")) {
        return Err(CallError::Refused(Status::bad_request(format!(
            "admission webhook {name:?} does not support dry run"
        ))));
    }
    let versions = object::list(webhook, "/admissionReviewVersions").iter().filter_map(Value::as_str);
    let version = versions.into_iter().find(|version| ["v1", "v1beta1"].contains(version)).unwrap_or("v1");
    let timeout = webhook["timeoutSeconds"].as_u64().unwrap_or(10);
    let url = url(webhook, timeout);
    let failed = |why: String| CallError::Failed(format!("failed to call webhook: Post {url:?}: {why}"));
    if let Some(why) = unresolved_service(store, webhook) {
        return Err(failed(why));
    }
    let bundle = text(webhook, "/clientConfig/caBundle");
    if bundle.is_empty() {
        // Without a bundle the system's roots decide, and no certificate of a run leads to those.
        return Err(failed(
            "tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned(),
        ));
    }
    let client = callers
        .client(bundle, timeout)
        .map_err(|why| CallError::Failed(format!("could not get REST client: {why}")))?;
    let uid = object::new_uid();
    let body = Bytes::from(review::question(attributes, version, &uid).to_string());
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, */*"),
        ("user-agent", "kube-apiserver-admission"),
    ];
    let fetched =
        client.send(Method::POST, &url, &headers, body).await.map_err(|error| failed(in_gos_words(&error)))?;
    if !(200..300).contains(&fetched.status) {
        return Err(CallError::Failed(format!(
            "failed to call webhook: {}",
            http_failure(fetched.status, &fetched.body)
        )));
    }
    review::answer(&fetched.body, version, &uid, name).map_err(|rejected| match rejected {
        Rejected::Denied(status, given) => {
            warnings.extend(given);
            CallError::Refused(status)
        }
        Rejected::Unusable(why) => CallError::Failed(why),
        Rejected::BrokenPatch(why) => CallError::Refused(Status::internal(&why)),
    })
}

fn url(webhook: &Value, timeout: u64) -> String {
    let client = &webhook["clientConfig"];
    let base = match client.get("service") {
        Some(service) => {
            let port = service["port"].as_u64().unwrap_or(443);
            let path = text(service, "/path").trim_start_matches('/');
            format!("https://{}.{}.svc:{port}/{path}", text(service, "/name"), text(service, "/namespace"))
        }
        None => text(client, "/url").to_owned(),
    };
    let has_path = base.splitn(4, '/').count() == 4;
    format!("{base}{}?timeout={timeout}s", if has_path { "" } else { "/" })
}

/// Services have no network here: the call fails as it does where the service is missing or has no endpoints.
fn unresolved_service(store: &Store, webhook: &Value) -> Option<String> {
    let service = webhook["clientConfig"].get("service")?;
    let (namespace, name) = (text(service, "/namespace"), text(service, "/name"));
    let known = store.get(&Key::new(resources::core("services"), namespace, name)).is_some();
    Some(if known {
        format!("no endpoints available for service {name:?}")
    } else {
        format!("service {name:?} not found")
    })
}

/// What Go's client says of the same failure.
fn in_gos_words(error: &FetchError) -> String {
    match error {
        FetchError::Deadline { .. } => "context deadline exceeded".to_owned(),
        FetchError::Connect { host, error } => {
            let at = host.replace("localhost:", "127.0.0.1:");
            if error.contains("refused") {
                format!("dial tcp {at}: connect: connection refused")
            } else if error.contains("lookup") || error.contains("resolve") || error.contains("not known") {
                format!(
                    "dial tcp: lookup {}: no such host",
                    host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name)
                )
            } else {
                format!("dial tcp {at}: connect: {}", error.to_lowercase())
            }
        }
        FetchError::Tls { host, error } => tls_failure(host, error),
        FetchError::Http(error) if error.contains("closed") || error.contains("incomplete") => "EOF".to_owned(),
        other => other.to_string(),
    }
}

fn tls_failure(host: &str, error: &str) -> String {
    let because = |why: String| format!("tls: failed to verify certificate: x509: {why}");
    if error.contains("UnknownIssuer") {
        return because("certificate signed by unknown authority".to_owned());
    }
    if error.contains("expired")
        || error.contains("Expired")
        || error.contains("not valid yet")
        || error.contains("NotValidYet")
    {
        return because("certificate has expired or is not yet valid".to_owned());
    }
    if error.contains("not valid for") || error.contains("NotValidForName") {
        let is_address = host.parse::<IpAddr>().is_ok();
        let names = presented(error, if is_address { "IpAddress(" } else { "DnsName(" });
        return because(match (&names[..], is_address) {
            ([], true) => format!("cannot validate certificate for {host} because it doesn't contain any IP SANs"),
            ([], false) => {
                format!("certificate is not valid for any names, but wanted to match {host}")
            }
            (names, _) => format!("certificate is valid for {}, not {host}", names.join(", ")),
        });
    }
    if error.contains("BadEncoding") || error.contains("InvalidContentType") || error.contains("corrupt") {
        return "tls: first record does not look like a TLS handshake".to_owned();
    }
    format!("tls: {error}")
}

/// The certificate's own names, as the TLS library lists them.
fn presented(error: &str, sort: &str) -> Vec<String> {
    let after = error.split(sort).skip(1);
    after.filter_map(|rest| rest.split(')').next()).map(|name| name.trim_matches('"').to_owned()).collect()
}

/// What client-go says of an answer that is not a success (k8s.io/apimachinery `NewGenericServerResponse`).
fn http_failure(code: u16, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let message = match body.trim() {
        "" => "unknown",
        text => text,
    };
    if let Ok(status) = serde_json::from_str::<Value>(message)
        && text(&status, "/kind") == "Status"
        && !text(&status, "/message").is_empty()
    {
        return text(&status, "/message").to_owned();
    }
    match code {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 | 415 => message.to_owned(),
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        406 if message == "unknown" => {
            "the server was unable to respond with a content type that the client supports".to_owned()
        }
        406 => message.to_owned(),
        409 => "the server reported a conflict".to_owned(),
        422 => "the server rejected our request due to an error in our request".to_owned(),
        429 => "the server has received too many requests and has asked us to try again later".to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
                .to_owned()
        }
        500.. => format!("an error on the server ({message:?}) has prevented the request from succeeding"),
        _ => format!("the server responded with the status code {code} but did not return more information"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_are_told_in_gos_words() {
        let check = |error: FetchError, expected: &str| assert_eq!(in_gos_words(&error), expected);
        check(
            FetchError::Connect { host: "127.0.0.1:1".into(), error: "Connection refused (os error 111)".into() },
            "dial tcp 127.0.0.1:1: connect: connection refused",
        );
        check(FetchError::Deadline { host: "h".into(), millis: 1000 }, "context deadline exceeded");
        let tls = |host: &str, error: &str| FetchError::Tls { host: host.into(), error: error.into() };
        check(
            tls("h", "invalid peer certificate: UnknownIssuer"),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        );
        check(
            tls(
                "localhost",
                "invalid peer certificate: certificate not valid for name \"localhost\"; certificate is only valid for IpAddress(127.0.0.1)",
            ),
            "tls: failed to verify certificate: x509: certificate is not valid for any names, but wanted to match localhost",
        );
        check(
            tls(
                "localhost",
                "invalid peer certificate: certificate not valid for name \"localhost\"; certificate is only valid for DnsName(\"a.b\")",
            ),
            "tls: failed to verify certificate: x509: certificate is valid for a.b, not localhost",
        );
    }

    #[test]
    fn statuses_are_told_as_client_go_does() {
        let check = |code: u16, body: &str, expected: &str| assert_eq!(http_failure(code, body.as_bytes()), expected);
        check(500, "boom", r#"an error on the server ("boom") has prevented the request from succeeding"#);
        check(500, "", r#"an error on the server ("unknown") has prevented the request from succeeding"#);
        check(404, "x", "the server could not find the requested resource");
        check(302, "", "the server responded with the status code 302 but did not return more information");
    }

    #[test]
    fn the_url_carries_the_timeout() {
        let check = |client: Value, expected: &str| assert_eq!(url(&json!({"clientConfig": client}), 10), expected);
        check(json!({"url": "https://127.0.0.1:1/x"}), "https://127.0.0.1:1/x?timeout=10s");
        check(json!({"url": "https://127.0.0.1:1"}), "https://127.0.0.1:1/?timeout=10s");
        check(json!({"service": {"name": "s", "namespace": "n", "path": "/m"}}), "https://s.n.svc:443/m?timeout=10s");
    }
}
