//! What is sent: to Resource Manager, or to an account's blobs. Sends nothing itself.

use reqwest::header::{CONTENT_LENGTH, IF_NONE_MATCH};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::id::{MANAGEMENT, MANAGEMENT_SCOPE, STORAGE_SCOPE, STORAGE_VERSION};

/// One call, which may be sent several times.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) operation: &'static str,
    pub(super) resource: &'a str,
    method: Method,
    url: String,
    body: Body<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Body<'a> {
    Nothing,
    Json(&'a Value),
    Blob(Content<'a>),
}

/// What a blob is to hold.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) content_type: &'a str,
    pub(super) bytes: &'a [u8],
    /// Whether one that is there may be overwritten.
    pub(super) replaces: bool,
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes of {})", self.bytes.len(), self.content_type)
    }
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, operation: &'static str, resource: &'a str, id: &str, version: &str) -> Self {
        let url = format!("{MANAGEMENT}{id}?api-version={version}");
        Self { operation, resource, method, url, body: Body::Nothing }
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
            body: Body::Nothing,
        })
    }

    /// Writes a blob whole.
    pub(super) fn blob(operation: &'static str, resource: &'a str, url: String, content: Content<'a>) -> Self {
        Self { operation, resource, method: Method::PUT, url, body: Body::Blob(content) }
    }

    pub(super) fn body(self, body: &'a Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    /// What the token must be for.
    pub(super) fn scope(&self) -> &'static str {
        if matches!(self.body, Body::Blob(_)) { STORAGE_SCOPE } else { MANAGEMENT_SCOPE }
    }

    pub(super) fn build(&self, http: &Client) -> RequestBuilder {
        let request = http.request(self.method.clone(), &self.url);
        match self.body {
            Body::Json(body) => request.json(body),
            Body::Nothing if matches!(self.method, Method::POST | Method::PUT) => request.header(CONTENT_LENGTH, 0),
            Body::Nothing => request,
            Body::Blob(content) => {
                let request = request
                    .header("x-ms-version", STORAGE_VERSION)
                    .header("x-ms-blob-type", "BlockBlob")
                    .header("x-ms-blob-content-type", content.content_type)
                    .body(content.bytes.to_vec());
                if content.replaces { request } else { request.header(IF_NONE_MATCH, "*") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
