//! Failures in the shape that Kubernetes clients read: the `Status` object, with the real server's words.
//!
//! It knows HTTP codes and reasons, no store and no request.

use serde_json::{Value, json};

use crate::resources::Resource;

/// A failed request. Its parts are those of a `meta/v1` Status.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Status {
    pub(crate) code: u16,
    /// Absent where the real server gives none (a webhook's denial, for one).
    pub(crate) reason: Option<String>,
    pub(crate) message: String,
    pub(crate) details: Option<Box<Value>>,
    /// Where a list goes on that could not be continued as it was begun.
    pub(crate) continued: Option<String>,
}

/// One violated rule of an object: what `details.causes` lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    reason: &'static str,
    pub(crate) field: String,
    body: String,
}

impl FieldError {
    fn new(reason: &'static str, field: impl Into<String>, body: String) -> Self {
        Self { reason, field: field.into(), body }
    }

    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueRequired", field, with_detail("Required value".to_owned(), detail))
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new("FieldValueInvalid", field, with_detail(format!("Invalid value: {value}"), detail))
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueForbidden", field, with_detail("Forbidden".to_owned(), detail))
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {value}"))
    }

    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self::new("FieldValueNotFound", field, format!("Not found: {value}"))
    }

    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        Self::new(
            "FieldValueNotSupported",
            field,
            format!("Unsupported value: {value}: supported values: {}", supported.join(", ")),
        )
    }

    pub(crate) fn too_long(field: impl Into<String>, limit: usize) -> Self {
        Self::new("FieldValueTooLong", field, format!("Too long: may not be more than {limit} bytes"))
    }

    fn message(&self) -> String {
        format!("{}: {}", self.field, self.body)
    }
}

fn with_detail(body: String, detail: &str) -> String {
    if detail.is_empty() { body } else { format!("{body}: {detail}") }
}

impl Status {
    fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            message: message.into(),
            details: None,
            continued: None,
        }
    }

    fn with(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// `group` and `resource` are empty for a path that is no resource.
    pub(crate) fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = match (resource, name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{} is forbidden: {why}", qualified(resource, group)),
            _ => format!("{} {name:?} is forbidden: {why}", qualified(resource, group)),
        };
        Self::new(403, "Forbidden", message).with(about(group, resource, name))
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::not_found_as(resource.group, resource.plural, name)
    }

    pub(crate) fn not_found_as(group: &str, resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} {name:?} not found", qualified(resource, group)))
            .with(about(group, resource, name))
    }

    /// No such resource under a group that exists.
    pub(crate) fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with(json!({}))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with(json!({}))
    }

    /// What the real server does and this one does not.
    pub(crate) fn not_served(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("{what} is not served by this API server: it is made for tests"))
            .with(json!({}))
    }

    pub(crate) fn too_many_requests(message: &str, retry_after: u64) -> Self {
        let details = if retry_after > 0 { json!({"retryAfterSeconds": retry_after}) } else { json!({}) };
        Self::new(429, "TooManyRequests", message).with(details)
    }

    pub(crate) fn not_acceptable(available: &str) -> Self {
        Self::new(406, "NotAcceptable", format!("406: Not Acceptable\n\nAvailable representations: {available}"))
            .with(json!({}))
    }

    pub(crate) fn only_these_types(types: &str) -> Self {
        Self::new(406, "NotAcceptable", format!("only the following media types are accepted: {types}"))
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} {name:?} already exists", qualified(resource.plural, resource.group)),
        )
        .with(about(resource.group, resource.plural, name))
    }

    pub(crate) fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", qualified(resource, group)),
        )
        .with(about(group, resource, name))
    }

    /// The object was changed since the client read it.
    pub(crate) fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource.group, resource.plural, name, why)
    }

    /// Members that others own.
    pub(crate) fn apply_conflict(message: String, causes: Value) -> Self {
        Self::new(409, "Conflict", message).with(json!({"causes": causes}))
    }

    pub(crate) fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// A list that was begun too long ago to be continued as it was; the token continues it as things are now.
    pub(crate) fn stale_page(token: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
        let mut status = Self::new(410, "Expired", message);
        status.continued = Some(token);
        status
    }

    pub(crate) fn stale_list() -> Self {
        Self::new(410, "Expired", "The resourceVersion for the provided list is too old.")
    }

    /// A version that there is not yet.
    pub(crate) fn from_the_future(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        Self::new(504, "Timeout", message).caused("ResourceVersionTooLarge", "Too large resource version", "")
    }

    /// The request, or what it asks for, took too long.
    pub(crate) fn timed_out() -> Self {
        let message = "Timeout: request did not complete within the allotted timeout";
        Self::new(504, "Timeout", message).with(json!({}))
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    pub(crate) fn unsupported_body(accepted: &str) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
        )
    }

    pub(crate) fn unsupported_patch() -> Self {
        Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with(json!({}))
    }

    /// A JSON patch that is well formed and cannot be applied.
    pub(crate) fn unprocessable() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request").with(json!({}))
    }

    /// The causes keep repetitions, the message does not: the real server aggregates the one and lists the other.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut messages: Vec<String> = Vec::new();
        for message in errors.iter().map(FieldError::message) {
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        let text = if let [one] = &messages[..] { one.clone() } else { format!("[{}]", messages.join(", ")) };
        let causes: Vec<Value> = errors
            .iter()
            .map(|error| json!({"reason": error.reason, "message": error.body, "field": error.field}))
            .collect();
        let mut details = about(group, kind, name);
        details["causes"] = Value::Array(causes);
        Self::new(422, "Invalid", format!("{} {name:?} is invalid: {text}", qualified(kind, group))).with(details)
    }

    pub(crate) fn internal(error: &str) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {error}"))
            .with(json!({"causes": [{"message": error}]}))
    }

    /// An error of the server that is no failed call: its words stand alone.
    pub(crate) fn internal_plain(error: impl Into<String>) -> Self {
        Self::new(500, "InternalError", error)
    }

    /// A failure without a reason of its own.
    pub(crate) fn plain(code: u16, message: impl Into<String>) -> Self {
        Self::new(code, "", message)
    }

    pub(crate) fn caused(mut self, reason: &str, message: &str, field: &str) -> Self {
        let details = self.details.get_or_insert_with(|| Box::new(json!({})));
        details["causes"] = json!([{"reason": reason, "message": message, "field": field}]);
        self
    }

    /// A cause that is no member's.
    pub(crate) fn caused_by(mut self, reason: &str, message: &str) -> Self {
        let details = self.details.get_or_insert_with(|| Box::new(json!({})));
        details["causes"] = json!([{"reason": reason, "message": message}]);
        self
    }

    pub(crate) fn to_value(&self) -> Value {
        let mut value =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message});
        if let Some(token) = &self.continued {
            value["metadata"]["continue"] = token.as_str().into();
        }
        if let Some(reason) = &self.reason {
            value["reason"] = reason.as_str().into();
        }
        if let Some(details) = &self.details {
            value["details"] = (**details).clone();
        }
        value["code"] = self.code.into();
        value
    }
}

fn qualified(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

fn about(group: &str, kind: &str, name: &str) -> Value {
    let mut details = json!({});
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details[key] = value.into();
        }
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_errors_are_said_once_and_listed_twice() {
        let error = FieldError::invalid("metadata.uid", &json!("other"), "field is immutable");
        let status = Status::invalid("", "ServiceAccount", "web", &[error.clone(), error]);
        insta::assert_snapshot!(
            status.to_value(),
            @r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"ServiceAccount \"web\" is invalid: metadata.uid: Invalid value: \"other\": field is immutable","reason":"Invalid","details":{"name":"web","kind":"ServiceAccount","causes":[{"reason":"FieldValueInvalid","message":"Invalid value: \"other\": field is immutable","field":"metadata.uid"},{"reason":"FieldValueInvalid","message":"Invalid value: \"other\": field is immutable","field":"metadata.uid"}]},"code":422}"#
        );
    }

    #[test]
    fn a_forbidden_path_names_no_resource() {
        let status = Status::forbidden("", "", "", "User \"system:anonymous\" cannot get path \"/metrics\"");
        assert_eq!(status.message, "forbidden: User \"system:anonymous\" cannot get path \"/metrics\"");
        assert_eq!(status.details, Some(Box::new(json!({}))));
    }
}
