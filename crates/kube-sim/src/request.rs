//! What a request asks for, read from its method, path and query: the real server's `RequestInfo` and options.
//!
//! It knows the shape of API paths, not which resources exist.

use std::borrow::Cow;

use axum::extract::Query;
use http::{Method, Uri};

use crate::decode::FieldValidation;
use crate::status::{FieldError, Status};

/// Attributes of a request, as authorization and routing see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestInfo {
    /// False for discovery, health and the like: then only verb and path count.
    pub(crate) is_resource: bool,
    /// One of the server's own, or any word that a review asks about.
    pub(crate) verb: Cow<'static, str>,
    pub(crate) path: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) name: String,
}

impl RequestInfo {
    pub(crate) fn of(method: &Method, path: &str, params: &Params) -> Self {
        let mut info = Self { verb: plain_verb(method).into(), path: path.to_owned(), ..Self::default() };
        let mut parts: Vec<String> = path.trim_matches('/').split('/').map(unescape).collect();
        let skip = match parts.first().map(String::as_str) {
            Some("api") if parts.len() >= 3 => 2,
            Some("apis") if parts.len() >= 4 => 3,
            _ => return info,
        };
        info.is_resource = true;
        info.version.clone_from(&parts[skip - 1]);
        if skip == 3 {
            info.group.clone_from(&parts[1]);
        }
        parts.drain(..skip);
        let mut verb = resource_verb(method);
        if parts[0] == "namespaces" && parts.len() > 1 {
            info.namespace.clone_from(&parts[1]);
            // The namespace's own subresources stay with the namespace.
            if parts.len() > 2 && !["status", "finalize"].contains(&parts[2].as_str()) {
                parts.drain(..2);
            }
        }
        let mut parts = parts.into_iter();
        info.resource = parts.next().unwrap_or_default();
        info.name = parts.next().unwrap_or_default();
        info.subresource = parts.next().unwrap_or_default();
        if info.name.is_empty() {
            verb = match verb {
                "get" if params.flag("watch") => "watch",
                "get" => "list",
                "delete" => "deletecollection",
                other => other,
            };
            if ["list", "watch", "deletecollection"].contains(&verb) {
                let selector = crate::selector::FieldSelector::parse(params.get("fieldSelector")).unwrap_or_default();
                info.name = selector.single_name().unwrap_or_default().to_owned();
            }
        }
        info.verb = verb.into();
        info
    }
}

fn plain_verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

fn resource_verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" | "HEAD" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

fn unescape(part: &str) -> String {
    if !part.contains('%') {
        return part.to_owned();
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16));
        match byte {
            b'%' => {
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                bytes.push(high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok()).unwrap_or(b'%'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The query, decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn of(uri: &Uri) -> Self {
        Self(Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0).unwrap_or_default())
    }

    /// The first value; empty when there is none.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.has(key) && !["false", "0"].contains(&self.get(key))
    }

    /// A whole number, if one is given.
    ///
    /// # Errors
    /// 400 in Go's words.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Status> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error: std::num::ParseIntError| {
            let is_range =
                matches!(error.kind(), std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow);
            let why = if is_range { "value out of range" } else { "invalid syntax" };
            Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: {why}"))
        })
    }

    /// The query as it goes on to another server.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Options that every change takes.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) field_validation: FieldValidation,
    pub(crate) field_manager: String,
}

impl WriteOptions {
    /// `kind` is that of the options object, such as `CreateOptions`.
    ///
    /// # Errors
    /// 422 when an option has a value that it cannot have.
    pub(crate) fn of(params: &Params, kind: &str) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let dry_run: Vec<&str> = params.all("dryRun").filter(|value| !value.is_empty()).collect();
        if dry_run.iter().any(|value| *value != "All") {
            errors.push(FieldError::unsupported("dryRun", &serde_json::json!(dry_run), &["All"]));
        }
        let field_validation = match params.get("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            other => {
                errors.push(FieldError::unsupported(
                    "fieldValidation",
                    &other.into(),
                    &["", "Ignore", "Strict", "Warn"],
                ));
                FieldValidation::Warn
            }
        };
        let field_manager = params.get("fieldManager").to_owned();
        if field_manager.len() > 128 {
            errors.push(FieldError::too_long("fieldManager", 128));
        }
        if errors.is_empty() {
            Ok(Self { dry_run: !dry_run.is_empty(), field_validation, field_manager })
        } else {
            Err(Status::invalid("meta.k8s.io", kind, "", &errors))
        }
    }

    /// As webhooks are shown them.
    pub(crate) fn to_value(&self, kind: &str) -> serde_json::Value {
        let mut value = serde_json::json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
        if self.dry_run {
            value["dryRun"] = serde_json::json!(["All"]);
        }
        if !self.field_manager.is_empty() {
            value["fieldManager"] = self.field_manager.as_str().into();
        }
        match self.field_validation {
            FieldValidation::Ignore => value["fieldValidation"] = "Ignore".into(),
            FieldValidation::Strict => value["fieldValidation"] = "Strict".into(),
            FieldValidation::Warn => {}
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods_give_attributes() {
        let check = |method: Method, uri: &str, expected: [&str; 6]| {
            let uri: Uri = uri.parse().expect("must parse");
            let info = RequestInfo::of(&method, uri.path(), &Params::of(&uri));
            assert!(info.is_resource, "{uri}");
            let found =
                [info.verb.as_ref(), &info.group, &info.namespace, &info.resource, &info.name, &info.subresource];
            assert_eq!(found, expected, "{uri}");
        };
        check(Method::GET, "/api/v1/namespaces/n/pods/p/log", ["get", "", "n", "pods", "p", "log"]);
        check(Method::GET, "/api/v1/pods", ["list", "", "", "pods", "", ""]);
        check(Method::GET, "/api/v1/pods?watch=1", ["watch", "", "", "pods", "", ""]);
        check(
            Method::GET,
            "/api/v1/pods?watch=true&fieldSelector=metadata.name%3Da",
            ["watch", "", "", "pods", "a", ""],
        );
        check(Method::DELETE, "/api/v1/namespaces/n/secrets", ["deletecollection", "", "n", "secrets", "", ""]);
        check(Method::GET, "/api/v1/namespaces/n", ["get", "", "n", "namespaces", "n", ""]);
        check(Method::PUT, "/api/v1/namespaces/n/finalize", ["update", "", "n", "namespaces", "n", "finalize"]);
        check(Method::POST, "/apis/apps/v1/namespaces/n/deployments", ["create", "apps", "n", "deployments", "", ""]);
        check(
            Method::GET,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa",
            ["get", "rbac.authorization.k8s.io", "", "clusterroles", "system:a", ""],
        );
    }

    #[test]
    fn discovery_and_health_are_no_resources() {
        for path in ["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/version", "/livez"] {
            let info = RequestInfo::of(&Method::GET, path, &Params::default());
            assert!(!info.is_resource, "{path}");
            assert_eq!((info.verb.as_ref(), info.path.as_str()), ("get", path));
        }
    }
}
